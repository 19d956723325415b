//! What all sessions share: settings, outbox, agent processes between turns. It does not change while the daemon runs.

use crate::agent::pool::Pool;
use crate::config::Config;
use crate::session::switcher_lock::SwitcherLock;
use crate::session::turn::TurnId;
use crate::store::outbox::Outbox;
use crate::store::sent_files::SentFiles;
use crate::store::staging::StagingArea;
use crate::sys::id;
use crate::wire::e2e::E2eKey;
use crate::wire::intake::Job;
use std::sync::atomic::AtomicBool;

/// What all workers share, unchanged for the life of the daemon.
#[derive(Debug)]
pub struct Shared {
    /// The configuration.
    pub config: Config,
    /// Where replies become durable.
    pub outbox: Outbox,
    /// Marks the processes of this daemon: `<profile mark>:<instance>`.
    pub owner: String,
    /// Agent processes between turns.
    pub pool: Pool,
    /// Set once by the hub when it shuts down: stopped turns are interrupted, not cancelled.
    pub draining: AtomicBool,
    /// Held by the turn that switches models and runs, when a switcher is on.
    pub gate: SwitcherLock,
    /// The key of encrypted chats, when there is a password.
    pub e2e: Option<E2eKey>,
    /// Copies of files on their way out.
    pub staging: StagingArea,
    /// What was sent.
    pub sent_files: SentFiles,
}

impl Shared {
    /// The name of a turn, for the environment of its agent: its number in this life of the daemon.
    pub fn turn(&self, turn_id: TurnId) -> String {
        format!("{}-{turn_id}", self.owner.rsplit(':').next().unwrap_or_default())
    }

    /// The parts of a reply as they may leave: encrypted when the message was. Each has a context of its own.
    pub fn encrypt_parts(&self, job: &Job, parts: Vec<String>) -> Vec<String> {
        match &self.e2e {
            Some(key) if job.encrypted => parts.iter().map(|part| key.seal(part, &id::hex())).collect(),
            _ => parts,
        }
    }
}
