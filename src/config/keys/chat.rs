//! Settings of the chat: what happens to a message while the agent is busy.

use super::spec::{SettingSpec, key, switch};
use crate::config::kind::SettingKind;

/// What happens to a message for a busy agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Busy {
    /// It waits for its turn.
    #[default]
    Queue,
    /// It is added to the running turn, or else interrupts it.
    Steer,
    /// The agent is interrupted, and continues with both messages.
    Interrupt,
}

/// The setting for [`Busy`].
pub const BUSY: &str = "WTT_CONNECT_BUSY";
/// The setting that merges waiting messages into one turn.
pub const MERGE: &str = "WTT_CONNECT_MERGE_WAITING";

/// The settings.
pub static CHAT: &[SettingSpec] = &[
    key(
        BUSY,
        SettingKind::Word(&["queue", "steer", "interrupt"]),
        "queue",
        "What happens to a message that arrives while the agent is working in its topic. queue: it waits for its turn. steer: it is added to the running turn; an agent that does not support this is interrupted and continues with both messages. interrupt: the agent is always interrupted. One answer then covers both messages. Messages with files, commands, and messages for another agent or model always wait. /steer does the same for one message.",
        "steer",
    ),
    switch(MERGE, "Merges waiting messages of one sender in a topic into one turn with one answer."),
];
