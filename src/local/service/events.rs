//! What the owner of the service can observe ([`Observed`]), and the faults that it can inject ([`Faults`]).

use serde_json::Value;
use std::time::{Duration, Instant};

/// Something that happened at the service. Observers receive events in their order.
#[derive(Debug, Clone)]
pub struct Observed {
    /// When it happened.
    pub at: Instant,
    /// The agent concerned; empty for HTTP requests without a token.
    pub agent: String,
    /// What happened.
    pub event: ServiceEvent,
}

/// What can happen at the service.
#[derive(Debug, Clone, PartialEq)]
pub enum ServiceEvent {
    /// A socket was opened for the agent.
    SocketOpened,
    /// A socket of the agent has closed, for this reason.
    SocketClosed(String),
    /// An `auth` frame arrived; whether its token was accepted.
    Auth(bool),
    /// A `ping` text frame arrived.
    Ping,
    /// A message was stored and pushed: all its fields. Includes those of [`super::Service::post_message`].
    Message(Value),
    /// A `typing` frame arrived from the agent.
    Typing(Value),
    /// Any other frame arrived: actions (`publish` among them, before its [`ServiceEvent::Message`]), answers to requests
    /// of the service, and as a string whatever is no JSON object.
    Frame(Value),
    /// A task has changed: all its fields.
    TaskChanged(Value),
    /// An agent asked for a change of a task.
    TaskPatch {
        /// Id of the task.
        task_id: String,
        /// The body of the request.
        body: Value,
        /// Status of the response.
        status: u16,
    },
    /// An HTTP request was answered.
    HttpRequest {
        /// In upper case.
        method: String,
        /// Path and query.
        target: String,
        /// Status of the response.
        status: u16,
    },
}

/// Faults that the service injects. The default is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults {
    /// Answers `auth` with an error and closes with 4401.
    pub reject_auth: bool,
    /// Accepts `auth`, but never answers it.
    pub silent_auth: bool,
    /// Performs actions, but never answers them, except `auth`.
    pub drop_results: bool,
    /// Answers actions this much later.
    pub delay_results: Option<Duration>,
    /// Answers `publish` with this error instead of publishing.
    pub refuse_publish: Option<String>,
    /// Sends every `new_message` twice.
    pub duplicate_pushes: bool,
    /// Sends `metadata` as JSON text.
    pub metadata_as_string: bool,
    /// Sends `sender_type` in upper case.
    pub upper_case_sender: bool,
    /// Omits `topic_type` in pushes.
    pub omit_topic_type: bool,
    /// Names the id `message_id` in pushes.
    pub push_message_id: bool,
    /// Omits `metadata` in pushes; the history has it.
    pub omit_metadata: bool,
    /// Does not push an agent's own messages back to it.
    pub no_echo: bool,
    /// Refuses actions whose existence is only assumed: `runtime_info` and `message_stream`.
    pub unknown_action_errors: bool,
    /// Answers 404 on `/tasks/{id}/run`, to test the fallback.
    pub no_task_run: bool,
    /// Statuses of the next responses to patches of tasks; 200 means that the patch is applied.
    pub patch_answers: Vec<u16>,
    /// Answers 422 to patches of tasks with one of these fields.
    pub unknown_task_fields: Vec<String>,
    /// Answers 404 on paths without `/api/v1`.
    pub api_v1_only: bool,
    /// The number of messages posted by HTTP that are answered with 500.
    pub failing_posts: u32,
    /// The number of messages posted by HTTP, after those, that are stored but answered with 504.
    pub posts_answered_late: u32,
    /// Returns absolute upload addresses.
    pub absolute_upload_url: bool,
    /// The number of commits that are answered as if the file was not uploaded yet.
    pub late_uploads: u32,
    /// Accepts connections and reads from them, but never sends a frame.
    pub answer_nothing: bool,
}
