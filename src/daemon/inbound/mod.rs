//! Messages on their way in: live ones, those that were missed, and attachments that arrive apart from their
//! message.
//!
//! `intake.rs` has the five steps of a message, from its arrival to its turn.

mod attachment_lookup;
pub(crate) mod catch_up;
mod decrypt;
mod intake;
mod late_attachments;
mod ping_pong;

use crate::daemon::inbound::catch_up::state::CatchUp;
use crate::daemon::inbound::late_attachments::LateAttachments;
use crate::daemon::inbound::ping_pong::PingPong;
use crate::wire::message::TopicKind;
pub(crate) use intake::{IntakeParts, start_turn};
use std::collections::HashMap;
use std::time::Instant;

/// The part of the daemon that receives messages.
#[derive(Debug, Default)]
pub(crate) struct Inbound {
    catch_up: CatchUp,
    attachments: LateAttachments,
    ping_pong: PingPong,
    /// Kinds of the topics that the service has listed, for messages that do not say theirs.
    topic_kinds: HashMap<String, TopicKind>,
}

impl Inbound {
    /// Whether what was missed is being read.
    pub(crate) fn is_catching_up(&self) -> bool {
        self.catch_up.deadline().is_some()
    }

    /// When to call [`Inbound::on_timer`].
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.catch_up.deadline()
    }
}
