//! The state of further messages for a running prompt. What happens to them is in `steering.rs`.

use serde_json::Value;

/// Further messages of a turn.
#[derive(Debug, Default)]
pub(super) struct FurtherMessages {
    /// Sent to the agent and not answered: number and text.
    pub(super) sent: Vec<(u64, String)>,
    /// To be prompted with when the running prompt has ended.
    pub(super) queued: Vec<String>,
    /// The prompt has ended while an answer was still to come: its result.
    pub(super) held_result: Option<Value>,
    /// What was answered to prompts that others have followed.
    pub(super) earlier: String,
}
