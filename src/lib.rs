//! wtt-connect: connects WTT topics and tasks to the coding-agent CLIs on this machine.
//!
//! Layers, arrows only downward (enforced by `tests/tidy.rs`):
//! `cli, local` -> `daemon` -> `session` -> `agent` -> `host` -> `wire, config, store, http, text, json, secret, error` -> `sys` -> std.
//!
//! The glossary, the invariants and "where to change what" are in ARCHITECTURE.md.

// The command line, and the local service and chat behind `try`.
pub mod cli;
pub mod local;

// The daemon, from its event loop down to one turn of one agent.
pub mod daemon;

pub mod session;

pub mod agent;

pub mod host;

// Small and mostly pure: the protocol, settings, state on disk, HTTP, text.
pub mod config;
pub mod error;
pub mod http;
pub mod json;
pub mod secret;
pub mod store;
pub mod text;
pub mod wire;

// The operating system.
pub mod sys;
