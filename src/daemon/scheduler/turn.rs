//! A live turn: an accepted message from its acceptance to its end, with its way to the worker.

use crate::agent::runner::{Control, SteeringMessage};
use crate::session::Work;
use crate::session::task::TaskLink;
use crate::session::turn::TurnId;
use crossbeam_channel::Sender;
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Whose turn it is: messages of the same owner may be merged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TurnOwner {
    /// Key of the native session.
    pub(crate) session_key: String,
    /// Who sent the message.
    pub(crate) sender_id: String,
}

/// A message that is answered by another one's turn.
#[derive(Debug)]
pub(crate) struct MergedMessage {
    pub(crate) key: String,
    /// The message as it came, in case the turn is deferred.
    pub(crate) source: Value,
}

/// A message on its way into the running turn.
#[derive(Debug)]
pub(crate) enum SteerOffer {
    /// To be sent once it is on disk.
    Due(SteeringMessage),
    /// Sent; its fate is not known yet.
    Sent,
}

/// A turn from acceptance to its end.
#[derive(Debug)]
pub(crate) struct LiveTurn {
    /// Number of the turn in this process.
    pub(crate) turn_id: TurnId,
    /// Key of its message.
    pub(crate) key: String,
    pub(super) accepted: Instant,
    /// What the worker shall do; taken when it is dispatched.
    pub(super) work: Option<Work>,
    /// Requests to its agent: stop, answers of people.
    pub(super) control: Sender<Control>,
    /// Further messages for its agent.
    pub(super) steers: Sender<SteeringMessage>,
    pub(super) owner: TurnOwner,
    /// It is to be added to the running turn, or was offered to it: not a turn of its own yet.
    pub(super) offer: Option<SteerOffer>,
    /// Messages that its reply answers as well.
    pub(super) merged: Vec<MergedMessage>,
    /// Empty for a chat command.
    pub(crate) adapter: String,
    /// Why this adapter.
    pub(crate) adapter_reason: &'static str,
    /// When its worker took it up.
    pub(crate) began: Option<Instant>,
    /// Somebody has asked for its end.
    pub(crate) is_stopping: bool,
    /// How its message begins.
    pub(crate) title: String,
    /// The message as it came, in case the turn is deferred.
    pub(super) message: Value,
    /// Its agent takes one of the places.
    pub(super) has_place: bool,
    /// When a status last said that it waits for a place.
    pub(super) wait_shown_at: Option<Instant>,
    /// The task that it carries out, if any.
    pub(super) task: Arc<TaskLink>,
}

impl LiveTurn {
    /// A chat command runs no agent, and neither does a turn that is stopped before it began: it only says so.
    pub(super) fn needs_place(&self) -> bool {
        !self.adapter.is_empty() && !self.is_stopping
    }

    /// Its agent runs, or is being started, and nobody has stopped it.
    pub(super) fn is_at_work(&self) -> bool {
        self.work.is_none() && !self.adapter.is_empty() && !self.is_stopping
    }
}

/// What is left of a turn that is over.
#[derive(Debug)]
pub(crate) struct FinishedTurn {
    /// Since it was accepted.
    pub(crate) took: Duration,
    /// The message, as it came.
    pub(crate) message: Value,
    /// Those that its reply has answered as well.
    pub(crate) merged: Vec<MergedMessage>,
}
