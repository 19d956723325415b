//! Calls to the service by HTTP, as data: what is called, for what, and how it ended.

use serde_json::Value;

/// What a call is for; comes back with its outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HttpPurpose {
    /// This part of an outbox entry.
    Part { seq: u64, part: usize },
    /// The first errand of an entry that has so many left.
    Errand { seq: u64, left: usize },
    /// A task that is looked at (`daemon/tasks/`).
    Task { task_id: String, about: TaskQuery },
}

/// What is asked about tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TaskQuery {
    /// How it is now, before it is run.
    Now,
    /// The same, while it is run.
    Still,
    /// To be the one that runs it.
    Run,
    /// The same of a service without `/run`.
    Doing,
    /// Which ones are being done.
    List,
}

/// One call.
#[derive(Debug)]
pub(crate) enum HttpCall {
    /// GET.
    Get { path: String },
    /// POST this body.
    Post { path: String, body: Value },
    /// PATCH with this body.
    Patch { path: String, body: Value },
    /// The same of a task, unless it shows that this was done at this time or later, or that people have gone on since.
    Again { path: String, body: Value, since: i64 },
}

/// How a call ended.
#[derive(Debug)]
pub(crate) enum HttpOutcome {
    /// The service has it; its answer.
    Taken(Value),
    /// It does not want it: HTTP status, and why.
    Refused(u16, String),
    /// Nobody knows: no answer, or one that speaks of trouble on its side.
    Unknown(String),
}
