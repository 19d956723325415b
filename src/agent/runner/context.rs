//! What the runner needs for a turn besides the request itself.

use crate::agent::Usage;
use crate::agent::adapter::AdapterSpec;
use crate::agent::dialect::Dialect;
use crate::agent::permission::PermissionPolicy;
use crate::agent::pool::Pool;
use crate::agent::runner::messages::{Control, SteeringMessage};
use crate::config::Limits;
use crate::secret::Secret;
use crossbeam_channel::Receiver;
use std::collections::BTreeMap;

/// Where the agent's process is kept after the turn, if its dialect can serve another one.
#[derive(Debug, Clone, Copy)]
pub struct KeepProcess<'a> {
    /// The kept processes of the daemon. The pool also counts the running ones.
    pub pool: &'a Pool,
    /// Key of the session whose turns the process serves; there is at most one process for each session.
    pub session: &'a str,
}

/// What the runner needs besides the request.
#[derive(Debug)]
pub struct Runner<'a> {
    /// The adapter.
    pub spec: &'a AdapterSpec,
    /// Program and leading arguments (`WTT_CONNECT_<ADAPTER>_COMMAND`). If empty, the program is looked for on PATH.
    pub command: &'a [String],
    /// Variables for the agent that our own environment does not have (API keys, proxies of an env file).
    pub env: &'a BTreeMap<String, Secret>,
    /// Time limits.
    pub limits: Limits,
    /// Owner tag of the turn's processes, by which leftovers of a crash are found: `<state dir hash>:<instance>`.
    pub owner: &'a str,
    /// Control requests for this turn.
    pub control: &'a Receiver<Control>,
    /// Steering messages for this turn. [`crate::agent::runner::RunnerEvent::Steered`] says what happened to each;
    /// those still in the channel at the end of the turn were not read.
    pub steers: &'a Receiver<SteeringMessage>,
    /// Token totals of the thread after the last turn of this session (codex counts per thread).
    pub usage_before: Option<Usage>,
    /// When the session to resume was last opened, in milliseconds since the epoch; for agents that cannot load a
    /// session twice within one minute.
    pub opened_at: Option<i64>,
    /// Where to keep a process that can serve further turns; `None` ends every process with its turn.
    pub keep_process: Option<KeepProcess<'a>>,
    /// Decides the agent's permission requests.
    pub policy: &'a dyn PermissionPolicy,
}

impl Runner<'_> {
    /// Whether a process that speaks this dialect may serve further turns.
    pub(crate) fn can_keep(&self, dialect: &dyn Dialect) -> bool {
        dialect.keeps_process() && self.keep_process.is_some_and(|keep| keep.pool.is_open())
    }
}
