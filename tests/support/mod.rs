//! Helpers of the integration tests.
#![allow(dead_code)] // not every helper is used by every module

pub mod browser;
pub mod daemon;
pub mod program;
pub mod proxy;
pub mod server;
pub mod watch;
