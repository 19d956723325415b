//! Settings of the chat: what happens to a message while the agent is at work.

use super::{Key, key};
use crate::config::Busy;
use crate::config::kind::Kind;

/// What is done with a message for an agent that is at work.
pub const BUSY: &str = "WTT_CONNECT_BUSY";
/// Whether waiting messages become one turn.
pub const MERGE: &str = "WTT_CONNECT_MERGE_WAITING";

const WAYS: &[&str] = &["queue", "steer", "interrupt"];

/// The rows.
pub static CHAT: &[Key] = &[
    key(
        BUSY,
        Kind::Word(WAYS),
        "queue",
        "What a message does that comes while the agent works in its topic. queue: it waits for its turn. steer: it is added to the running turn, and an agent that cannot take it is interrupted and goes on with both. interrupt: the agent is always interrupted. One answer then answers both. Messages with files, commands, and messages for another agent or model wait in any case. /steer does it for one message.",
        "steer",
    ),
    key(
        MERGE,
        Kind::Flag,
        "0",
        "Messages of one sender that wait in a topic become one turn with one answer.",
        "1",
    ),
];

/// The value of [`BUSY`].
pub fn busy(word: &str) -> Result<Busy, String> {
    Kind::Word(WAYS).check(word)?;
    Ok(match word.trim().to_ascii_lowercase().as_str() {
        "steer" => Busy::Steer,
        "interrupt" => Busy::Interrupt,
        _ => Busy::Queue,
    })
}
