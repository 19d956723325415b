//! What the service lets its owner see ([`Observed`]) and how its owner makes it misbehave ([`Faults`]).

use serde_json::Value;
use std::time::{Duration, Instant};

/// Something that the service saw, in the order in which it saw it.
#[derive(Debug, Clone)]
pub struct Observed {
    /// When.
    pub at: Instant,
    /// The agent concerned; empty for HTTP requests without a token.
    pub agent: String,
    /// What.
    pub event: ServiceEvent,
}

/// The kinds of [`Observed`].
#[derive(Debug, Clone, PartialEq)]
pub enum ServiceEvent {
    /// A socket was opened for the agent.
    SocketOpened,
    /// A socket is gone, with why.
    SocketClosed(String),
    /// An `auth` frame, and whether the token was good.
    Auth(bool),
    /// A bare `ping`.
    Ping,
    /// A message was stored and pushed: the row as pushed. Also those that [`super::Service::say`] makes.
    Message(Value),
    /// A `typing` frame as sent by the agent.
    Typing(Value),
    /// Any other frame as it came: actions (`publish` among them, before its [`Seen::Message`]), answers to requests
    /// of the service, garbage as a string.
    Frame(Value),
    /// A task changed: the whole task.
    TaskChanged(Value),
    /// An agent asked for a change of a task: the body as sent, and the status of the answer.
    TaskPatch {
        /// The task.
        task_id: String,
        /// What was to change.
        body: Value,
        /// Status of the answer.
        status: u16,
    },
    /// An HTTP request was answered.
    HttpRequest {
        /// e.g. `GET`.
        method: String,
        /// Path and query.
        target: String,
        /// Status of the answer.
        status: u16,
    },
}

/// Misbehavior on demand. The default is a well-behaved service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults {
    /// Answers `auth` with an error and closes with 4401.
    pub reject_auth: bool,
    /// Never answers `auth`, but takes it.
    pub silent_auth: bool,
    /// Carries actions out but never says so (`auth` excepted).
    pub drop_results: bool,
    /// Says so this much later.
    pub delay_results: Option<Duration>,
    /// Answers `publish` with this error instead of publishing.
    pub refuse_publish: Option<String>,
    /// Sends every `new_message` twice.
    pub duplicate_pushes: bool,
    /// Sends `metadata` as JSON text.
    pub metadata_as_string: bool,
    /// Sends `sender_type` in capitals.
    pub upper_case_sender: bool,
    /// Leaves `topic_type` out.
    pub omit_topic_type: bool,
    /// Calls the id `message_id` in pushes as well.
    pub push_message_id: bool,
    /// Leaves the metadata out of pushes; the history has it.
    pub omit_metadata: bool,
    /// Does not push an agent's own messages back to it.
    pub no_echo: bool,
    /// Refuses the actions that are only assumed: `runtime_info` and `message_stream`.
    pub unknown_action_errors: bool,
    /// Answers 404 on `/tasks/{id}/run`, to test the fallback.
    pub no_task_run: bool,
    /// The next patches of tasks are answered with these; 200 means as usual.
    pub patch_answers: Vec<u16>,
    /// Patches of tasks with one of these fields are answered with 422.
    pub unknown_task_fields: Vec<String>,
    /// Answers 404 on paths without `/api/v1`.
    pub api_v1_only: bool,
    /// So many messages posted by HTTP are answered with 500.
    pub failing_posts: u32,
    /// So many after those are taken, but answered with 504.
    pub posts_answered_late: u32,
    /// Hands out absolute upload addresses.
    pub absolute_upload_url: bool,
    /// So many commits answer that the file is not there yet.
    pub late_uploads: u32,
    /// Takes connections, reads, and answers nothing at all.
    pub answer_nothing: bool,
}
