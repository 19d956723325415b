//! wtt-connect: connects WTT topics and tasks to the coding-agent CLIs on this machine.
//!
//! Layers, arrows only downward (enforced by `tests/tidy.rs`):
//! `cli, local` -> `daemon` -> `session` -> `agent` -> `host` -> `wire, config, store, http, text, json, secret, error` -> `sys` -> std.
//!
//! Glossary: a *topic* or *task* of the service has one *session* here (its mailbox and worker thread);
//! each message that is answered is one *turn*; an *adapter* drives one *agent* CLI; a *profile* is one
//! WTT identity on this machine; the *outbox* holds replies until the service has acknowledged them.

pub mod agent;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod error;
pub mod host;
pub mod http;
pub mod json;
pub mod local;
pub mod secret;
pub mod session;
pub mod store;
pub mod sys;
pub mod text;
pub mod wire;

// L3: commands, and the local service behind `try`

// L2: the daemon

// L1: pure and small

// L0: the floor
