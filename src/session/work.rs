//! What the hub puts into the mailbox of a session. Plain data.

use crate::agent::runner::{Control, SteeringMessage};
use crate::session::messages::Lang;
use crate::session::routing::Route;
use crate::session::task::TaskLink;
use crate::session::turn::TurnId;
use crate::store::state::SessionRow;
use crate::wire::intake::Job;
use crossbeam_channel::Receiver;
use std::sync::Arc;

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
    pub task: Arc<TaskLink>,
}
