//! Finding agent CLIs on this machine: the program, its version, whether it is logged in.

pub mod locate;
pub mod login;
pub mod version;
