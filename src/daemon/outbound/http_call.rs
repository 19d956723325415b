//! Calls to the service by HTTP, as data: what is called, for what, and how it ended.

use serde_json::Value;

/// What a call is for; comes back with its outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HttpPurpose {
    /// This part of an outbox entry.
    Part { seq: u64, part: usize },
    /// The first follow-up of an outbox entry that has `left` of them.
    FollowUp { seq: u64, left: usize },
    /// A question about a task, or a claim on it. `task_id` is empty for [`TaskQuery::List`].
    Task { task_id: String, query: TaskQuery },
}

/// What the service is asked about tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TaskQuery {
    /// How a task is now, before it is run.
    Current,
    /// How a task is now, while it is run.
    WhileRunning,
    /// To be the one that runs it.
    Claim,
    /// The same of a service without `/run`: by its status.
    ClaimByStatus,
    /// Which tasks are being done.
    List,
}

/// One call.
#[derive(Debug)]
pub(crate) enum HttpCall {
    /// GET.
    Get { path: String },
    /// POST with a JSON body.
    Post { path: String, body: Value },
    /// PATCH with a JSON body.
    Patch { path: String, body: Value },
    /// PATCH of a task, unless the task shows that this was done at `since` (milliseconds since the epoch) or later, or
    /// that people have gone on since.
    PatchUnlessDone { path: String, body: Value, since: i64 },
}

/// How a call ended.
#[derive(Debug)]
pub(crate) enum HttpOutcome {
    /// The service has it; its answer.
    Accepted(Value),
    /// It does not want it: HTTP status, and why.
    Refused(u16, String),
    /// Unknown: no answer, or one that reports a failure of the service.
    Unknown(String),
}
