//! Which browser waits for which answer of an agent, and the terminals and shell jobs that are open. What happens to
//! them is in `host_relay.rs`.

use serde_json::Value;
use std::collections::HashMap;

/// Who waits for an answer of an agent.
#[derive(Debug)]
pub(super) enum Requester {
    /// A browser: its socket, and the request id that it chose.
    Browser(u64, Value),
    /// A shell job, by id.
    ShellJob(String),
}

/// Open requests, terminals and shell jobs.
#[derive(Debug, Default)]
pub struct HostRelay {
    pub(super) requesters: HashMap<String, Requester>,
    /// Sockets of browsers by the session id of their terminal.
    pub(super) terminals: HashMap<String, u64>,
    pub(super) jobs: HashMap<String, Value>,
}
