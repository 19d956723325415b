//! Finds the agent CLIs on this machine: the program, its version and flavor, and whether it is logged in.

pub mod locate;
pub mod login;
mod query;
pub mod version;
