//! The state of further messages for a running prompt. `steering.rs` sends them.

use serde_json::Value;

/// Further messages of a turn.
#[derive(Debug, Default)]
pub(super) struct FurtherMessages {
    /// Sent, without a response yet: number and text.
    pub(super) sent: Vec<(u64, String)>,
    /// The next prompt, when the running one has ended.
    pub(super) queued: Vec<String>,
    /// The result of a prompt that ended before these responses came.
    pub(super) held_result: Option<Value>,
    /// Answers of this turn that were followed by another prompt.
    pub(super) earlier: String,
}
