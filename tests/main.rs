//! All integration tests in one binary: the real binary, real sockets, real processes, real files.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stderr, missing_docs)]

mod support;

mod acp;
mod adapters;
mod asks;
mod before;
mod chat;
mod cli;
mod control;
mod crash;
mod daemon;
mod dialects;
mod files_out;
mod fuzzing;
mod host;
mod incoming;
mod keeping;
mod oneshot;
mod real;
mod reconnect;
#[cfg(target_os = "linux")]
mod service;
mod store;
mod switching;
#[cfg(target_os = "linux")]
mod systemd;
mod tasks;
mod tidy;
mod try_command;
mod two_way;
mod wire;
mod wording;
