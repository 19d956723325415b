//! All integration tests in one binary: the real binary, real sockets, real processes, real files.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stderr, missing_docs)]

mod support;

mod adapters;
mod cli;
mod control;
mod crash;
mod daemon;
mod dialects;
mod real;
mod reconnect;
mod store;
mod tidy;
mod try_command;
mod wire;
