//! What a part of the daemon wants of the other parts: data that it returns, performed by the hub in order.
//!
//! A closed list. The hub performs each effect, and what follows from it, before the next one, as if the part had called
//! the other part itself; so a part need not know the others.

use crate::config::Busy;
use crate::daemon::outbound::http_call::{HttpCall, HttpPurpose};
use crate::session::chat_command::Command;
use crate::session::task::TaskLink;
use crate::store::follow_up::FollowUp;
use crate::store::outbox::{OutboxEntry, ReplyKind};
use crate::wire::intake::Job;
use crate::wire::message::Message;
use crate::wire::outgoing::{StatusKind, TypingStatus};
use serde_json::Value;
use std::sync::Arc;

/// One thing to be done by another part.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Inbound → inbound: one message goes through intake, from this step on.
    Intake { step: IntakeStep, message: Box<Message> },
    /// Inbound → inbound: the messages of one topic were handled, the next topic can be read.
    ContinueCatchUp,
    /// Inbound → commands.
    RunCommand { job: Box<Job>, command: Command },
    /// Tasks, commands, scheduler → scheduler: a message is to be answered by a turn.
    StartTurn(Box<StartTurn>),
    /// Any → outbound: the connector's own answer to a message, in the topic and through the outbox.
    Notice(Box<Notice>),
    /// Any → outbound: an entry of the outbox that is not on disk yet.
    Post(Box<OutboxEntry>),
    /// Any → outbound: what a topic shows of its work.
    ShowStatus { topic_id: String, status: TypingStatus, urgency: Urgency },
    /// Tasks → outbound: a call by HTTP; its outcome comes as an event.
    CallHttp { purpose: HttpPurpose, call: HttpCall },
    /// Outbound → tasks: a change of a task by this connector goes out.
    OwnTaskChange { path: String, body: Value },
    /// Control → hub: the end, or with a pending restart the start again.
    BeginShutdown,
}

/// Where a message enters intake (`inbound/intake.rs`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IntakeStep {
    /// As it was pushed or polled.
    Arrive,
    /// It need not wait for its topic any longer.
    Attach,
    /// It need not wait for its files any longer.
    Admit,
}

/// Whether a status may be dropped in favor of a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// Progress: throttled, the last one is always shown.
    Throttled,
    /// What a person must not miss: a place in the queue, a refusal.
    Immediate,
    /// Of no turn, in a topic where none is at work.
    Passing,
}

/// A message to be answered, and how.
#[derive(Debug)]
pub(crate) struct StartTurn {
    /// The message.
    pub(crate) job: Job,
    /// What is done while the topic is at work; none: what the settings say.
    pub(crate) busy: Option<Busy>,
    /// The message itself asks for that, by a chat command.
    pub(crate) is_requested: bool,
    /// The task that the turn carries out. Such a turn is never a part of another one.
    pub(crate) task: Arc<TaskLink>,
}

impl StartTurn {
    /// A message that is handled as the settings say.
    pub(crate) fn for_message(job: Job) -> StartTurn {
        StartTurn { job, busy: None, is_requested: false, task: Arc::default() }
    }

    /// A turn that carries a task out.
    pub(crate) fn for_task(job: Job, task: TaskLink) -> StartTurn {
        StartTurn { job, busy: Some(Busy::Queue), is_requested: false, task: Arc::new(task) }
    }
}

/// The connector's own visible answer to a message.
#[derive(Debug)]
pub(crate) struct Notice {
    /// The message.
    pub(crate) job: Job,
    /// For people, in the language of the topic.
    pub(crate) text: String,
    /// How the message was dealt with.
    pub(crate) kind: ReplyKind,
    /// What is sent to the service by HTTP once the text is out.
    pub(crate) follow_up: Option<FollowUp>,
}

/// Effects in the order in which they are performed.
#[derive(Debug, Default)]
#[must_use]
pub(crate) struct Effects(Vec<Effect>);

impl Effects {
    /// Nothing to do.
    pub(crate) fn none() -> Effects {
        Effects::default()
    }

    /// Adds one.
    pub(crate) fn push(&mut self, effect: Effect) {
        self.0.push(effect);
    }

    /// Adds messages that go through intake one after the other.
    pub(crate) fn intake(&mut self, step: IntakeStep, messages: impl IntoIterator<Item = Message>) {
        let effect = |message| Effect::Intake { step, message: Box::new(message) };
        self.0.extend(messages.into_iter().map(effect));
    }

    /// Adds a status that must not be missed.
    pub(crate) fn show_now(&mut self, topic_id: &str, status: TypingStatus) {
        let urgency = Urgency::Immediate;
        self.push(Effect::ShowStatus { topic_id: topic_id.to_owned(), status, urgency });
    }

    /// Adds a plain notice.
    pub(crate) fn notice(&mut self, job: &Job, text: String) {
        let (job, kind) = (job.clone(), ReplyKind::Notice);
        self.push(Effect::Notice(Box::new(Notice { job, text, kind, follow_up: None })));
    }

    /// Adds a turn.
    pub(crate) fn start(&mut self, turn: StartTurn) {
        self.push(Effect::StartTurn(Box::new(turn)));
    }

    /// Adds those of an iterator.
    pub(crate) fn extend(&mut self, effects: impl IntoIterator<Item = Effect>) {
        self.0.extend(effects);
    }
}

impl From<Effect> for Effects {
    fn from(effect: Effect) -> Effects {
        Effects(vec![effect])
    }
}

impl IntoIterator for Effects {
    type Item = Effect;
    type IntoIter = std::vec::IntoIter<Effect>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// A status of the connector itself.
pub(crate) fn own_status(text: &str, kind: StatusKind, adapter: &str) -> TypingStatus {
    TypingStatus { text: text.to_owned(), kind, adapter: adapter.to_owned(), model: None }
}
