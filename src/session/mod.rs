//! Sessions: one mailbox and one worker thread per topic or task. Strict order inside, parallel across.
//!
//! A worker keeps nothing that the hub does not also have on disk; it ends when its mailbox has been idle for a while.

pub mod attachments;
pub mod chat_command;
pub mod failure_text;
pub mod file_upload;
mod interruptible;
mod language;
pub mod messages;
pub mod model;
pub mod permissions;
mod preflight;
pub mod progress;
pub mod prompt;
pub mod routing;
pub mod slash_command;
pub mod speech;
pub mod task;
pub mod turn;
mod worker;

use crate::agent::Usage;
use crate::agent::permission::{Decision, PermissionRequest};
use crate::agent::pool::Pool;
use crate::agent::runner::{Control, SteerOutcome, SteeringMessage};
use crate::config::Config;
use crate::session::messages::Lang;
pub use crate::session::preflight::{SwitcherLock, check_adapter};
use crate::session::routing::Route;
use crate::session::turn::{EndedTurn, TurnId};
use crate::store::outbox::{Outbox, OutboxEntry};
use crate::store::sent_files::SentFiles;
use crate::store::staging::StagingArea;
use crate::store::state::SessionRow;
use crate::sys::id;
use crate::wire::e2e::Key;
use crate::wire::intake::{Job, Scope};
use crate::wire::outgoing::Status;
use crossbeam_channel::{Receiver, Sender};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
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
    pub e2e: Option<Key>,
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

/// What the hub puts into a mailbox.
#[derive(Debug)]
pub enum Work {
    /// Answer a message.
    Turn(Box<Assignment>),
    /// Change the native sessions of this scope, and say so.
    Change(Box<SessionChange>),
}

/// What a chat command makes of the native sessions of its scope.
#[derive(Debug)]
pub struct SessionChange {
    /// The command.
    pub job: Job,
    /// Number of the turn in this process.
    pub turn_id: TurnId,
    /// The session that goes on, under its key; none puts all aside.
    pub continue_with: Option<(String, SessionRow)>,
    /// The answer.
    pub text: String,
}

/// One turn as assigned.
#[derive(Debug)]
pub struct Assignment {
    /// The message.
    pub job: Job,
    /// Adapter, model, effort.
    pub route: Route,
    /// The language of what the connector itself has to say.
    pub lang: Lang,
    /// Number of the turn in this process.
    pub turn_id: TurnId,
    /// Stop requests and answers for exactly this turn.
    pub control: Receiver<Control>,
    /// Further messages for it.
    pub steers: Receiver<SteeringMessage>,
    /// Keys of messages that were merged into it before it began.
    pub also: Vec<String>,
    /// What people have allowed for the session.
    pub grants: Vec<String>,
    /// The task that it carries out, if any.
    pub task: Arc<task::TaskLink>,
}

/// What workers tell the hub.
#[derive(Debug)]
pub enum SessionEvent {
    /// A turn was taken out of the mailbox.
    TurnStarted {
        /// Its session.
        scope: Scope,
        /// Number of the turn.
        turn_id: TurnId,
    },
    /// Progress for the topic's status card.
    Status {
        /// Topic.
        topic_id: String,
        /// Number of the turn.
        turn_id: TurnId,
        /// What to show.
        status: Status,
    },
    /// The agent waits for people.
    Asked(Box<AskedPermission>),
    /// The agent does not wait for this any more.
    Withdrawn {
        /// Number of the turn.
        turn_id: TurnId,
        /// The agent's id of the question.
        id: String,
    },
    /// A question was decided by a rule.
    Decided {
        /// The question; its id is of no use any more.
        asked: Box<AskedPermission>,
        /// The decision.
        decision: Decision,
    },
    /// The session is over, and what was allowed for it.
    Revoke {
        /// Its scope.
        scope: Scope,
    },
    /// A native session id to keep.
    Remember {
        /// Session key.
        key: String,
        /// Row.
        row: SessionRow,
    },
    /// A native session that must not be resumed.
    Forget {
        /// Session key.
        key: String,
    },
    /// A native session that is not to be gone on with, unless people ask for it.
    SetAside {
        /// Session key.
        key: String,
    },
    /// What became of a further message for the running turn.
    Steered {
        /// Its session.
        scope: Scope,
        /// Key of the message.
        key: String,
        /// What became of it.
        fate: SteerOutcome,
    },
    /// An agent has worked.
    Used {
        /// Its session.
        scope: Scope,
        /// The agent.
        adapter: &'static str,
        /// What it has told of its tokens.
        usage: Option<Usage>,
    },
    /// An answer was spoken: the entry that brings the sound.
    Spoken {
        /// It, in the outbox.
        entry: Box<OutboxEntry>,
    },
    /// The turn is over; its reply is in the outbox.
    Ended {
        /// Its session.
        scope: Scope,
        /// The outcome.
        ended: EndedTurn,
        /// The reply.
        entry: Box<OutboxEntry>,
        /// False when the disk refused the outbox file; the reply then lives in memory only.
        on_disk: bool,
    },
}

/// A question of an agent, with where it comes from.
#[derive(Debug, Clone)]
pub struct AskedPermission {
    /// Its session.
    pub scope: Scope,
    /// Topic.
    pub topic_id: String,
    /// Number of the turn.
    pub turn_id: TurnId,
    /// The adapter, for people.
    pub who: &'static str,
    /// The question.
    pub ask: PermissionRequest,
    /// Why people are asked, or by which rule it was decided.
    pub rule: String,
    /// What "for this session" would allow.
    pub grant: Option<String>,
}

/// Sends [`SessionEvent`]s into the hub's queue; blocks while that is full, which slows the agent, not the hub.
pub type WrapEvent<E> = fn(SessionEvent) -> E;

/// Starts a worker. It ends when the mailbox's sender is dropped and the mailbox is empty.
pub fn start<E: Send + 'static>(
    shared: Arc<Shared>,
    scope: Scope,
    rows: BTreeMap<String, SessionRow>,
    mailbox: Receiver<Work>,
    events: Sender<E>,
    wrap: WrapEvent<E>,
) -> io::Result<std::thread::JoinHandle<()>> {
    let name = format!("s:{}", short(&scope));
    crate::sys::thread::spawn(&name, move || {
        let mut worker = worker::Worker::new(shared, scope, rows, move |event| {
            // a hub that is gone means shutdown: the outbox has the reply, nothing else matters
            let _ = events.send(wrap(event));
        });
        while let Ok(work) = mailbox.recv() {
            worker.work(work);
        }
    })
}

fn short(scope: &Scope) -> String {
    let (Scope::Topic(id) | Scope::Task(id)) = scope;
    id.chars().filter(char::is_ascii_alphanumeric).take(12).collect()
}
