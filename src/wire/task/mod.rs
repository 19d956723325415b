//! Tasks on the wire: the task object, the decision about one, and the requests that change it (see TASKS in
//! wtt-connect-protocol(7)). Pure.

mod settled;
use crate::text;
use crate::wire::intake::{ModelConfig, model_config};
use crate::wire::lenient_json::{self, Object};
use crate::wire::message::Message;
use crate::wire::timestamp;
use serde_json::{Value, json};

pub use settled::is_settled;

/// Longest `notes` and `output` (see LIMITS in wtt-connect-protocol(7)).
pub const OUTPUT_CHARS: usize = 50_000;
/// The counters of a task, in the order of [`Task::usage`].
const USAGE: [&str; 5] = [
    "usage_prompt_tokens",
    "usage_completion_tokens",
    "usage_cache_read_tokens",
    "usage_cache_write_tokens",
    "usage_total_tokens",
];
/// The fields that are stored with a task whose run is deferred.
const KEPT: [&str; 9] = [
    "id",
    "topic_id",
    "status",
    "title",
    "description",
    "exec_mode",
    "runner_agent_id",
    "updated_at",
    "model_config",
];

/// The status of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskStatus {
    /// Not started.
    Todo,
    /// In progress.
    Doing,
    /// Waiting for the review of a person.
    Review,
    /// Accepted.
    Done,
    /// Cannot continue.
    Blocked,
    /// No longer wanted.
    Cancelled,
    /// A word of a later version, or none.
    Other,
}

impl TaskStatus {
    /// Parses the word of the service, or an alias of it.
    pub fn of(word: &str) -> TaskStatus {
        match word {
            "todo" | "open" | "ready" => TaskStatus::Todo,
            "doing" | "in_progress" | "running" => TaskStatus::Doing,
            "review" => TaskStatus::Review,
            "done" | "approved" => TaskStatus::Done,
            "blocked" => TaskStatus::Blocked,
            "cancelled" | "canceled" => TaskStatus::Cancelled,
            _ => TaskStatus::Other,
        }
    }

    /// Whether no agent should work on the task.
    pub fn is_over(self) -> bool {
        matches!(self, TaskStatus::Done | TaskStatus::Blocked | TaskStatus::Cancelled)
    }
}

/// A task.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// Its id.
    pub id: String,
    /// Its status.
    pub status: TaskStatus,
    /// The agent that works on it.
    pub runner: Option<String>,
    /// The agent that owns it.
    pub owner: Option<String>,
    /// Its topic.
    pub topic_id: Option<String>,
    /// Title.
    pub title: Option<String>,
    /// Description; none for a placeholder of the web page.
    pub description: Option<String>,
    /// An execution mode, or the name of an adapter.
    pub exec_mode: Option<String>,
    /// The comment of its last review.
    pub comment: Option<String>,
    /// The model that it asks for.
    pub model: ModelConfig,
    /// The time of its last change, as sent.
    pub stamp: Option<String>,
    /// The same in milliseconds since the epoch.
    pub updated_at: Option<i64>,
    /// Tokens so far: input, output, cache reads, cache writes, total.
    pub usage: [u64; 5],
    /// The fields that are needed to run it later.
    pub source: Value,
}

/// The row itself, or the one in an answer.
fn inner(row: &Value) -> Option<&Object> {
    let row = row.as_object()?;
    Some(lenient_json::object(row, &["task", "data"]).unwrap_or(row))
}

impl Task {
    /// Decodes a row, an answer with one, or a flattened push; none if it has no id.
    pub fn decode(row: &Value) -> Option<Task> {
        let row = inner(row)?;
        let id = lenient_json::text(row, &["task_id", "taskId", "id"])?;
        let description = lenient_json::text(row, &["description"]);
        let comment = lenient_json::text(row, &["review_comment", "comment", "feedback"]).or_else(|| {
            lenient_json::text(lenient_json::object(row, &["review", "last_review"])?, &["comment"])
        });
        let mut source = Object::new();
        source.extend(KEPT.iter().filter_map(|key| Some(((*key).to_owned(), row.get(*key)?.clone()))));
        source.insert("id".to_owned(), id.as_str().into());
        Some(Task {
            status: TaskStatus::of(&lenient_json::word(row, &["status", "task_status"]).unwrap_or_default()),
            runner: lenient_json::text(row, &["runner_agent_id", "runnerAgentId"]),
            owner: lenient_json::text(row, &["owner_agent_id"]),
            topic_id: lenient_json::text(row, &["topic_id", "topicId"]),
            title: lenient_json::text(row, &["title", "task_title"]),
            description: description.filter(|text| !super::intake::is_placeholder(text)),
            exec_mode: lenient_json::word(row, &["exec_mode", "execMode"]),
            comment,
            model: model_config(row),
            stamp: lenient_json::text(row, &["updated_at", "started_at"]),
            updated_at: row.get("updated_at").and_then(timestamp::millis),
            usage: USAGE.map(|key| row.get(key).and_then(Value::as_u64).unwrap_or_default()),
            source: Value::Object(source),
            id,
        })
    }

    /// Identifies one request to run the task, because a task changes between two requests. None if the time of the
    /// last change is unknown.
    pub fn run_key(&self) -> Option<String> {
        Some(format!("task:{}:{}", self.id, self.stamp.as_ref()?))
    }
}

/// The tasks of a list, in any of its forms.
pub fn rows(data: &Value) -> Vec<Task> {
    let rows = ["tasks", "items", "data"].iter().find_map(|key| data.get(*key)).unwrap_or(data);
    rows.as_array().into_iter().flatten().filter_map(Task::decode).collect()
}

/// Why a task is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskCause {
    /// The service reported it as to do.
    Todo,
    /// The service reported it as in progress.
    Doing,
    /// A person rejected its result.
    Reject,
    /// It is in progress, but no agent seems to work on it.
    Sweep,
}

/// What to do about a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskDecision {
    /// Run it.
    Run,
    /// Report it to the service as in progress, then run it.
    Claim,
    /// Check again a little later.
    Later,
    /// Do nothing, for this reason.
    Skip(&'static str),
}

/// Decides by the current state of the task. `waited`: it was checked once already, a little earlier.
pub fn decide(cause: TaskCause, task: &Task, me: &str, waited: bool) -> TaskDecision {
    // without a runner it belongs to its owner, because several agents may be notified of one task
    let whose = task.runner.as_ref().or(task.owner.as_ref());
    if whose.is_none_or(|agent| agent != me) {
        return TaskDecision::Skip("task of another agent");
    }
    match (task.status, cause) {
        (TaskStatus::Doing, _) => TaskDecision::Run,
        (TaskStatus::Todo, TaskCause::Todo) if waited => TaskDecision::Claim,
        (TaskStatus::Todo, TaskCause::Todo) => TaskDecision::Later,
        (TaskStatus::Todo | TaskStatus::Review, TaskCause::Reject) => TaskDecision::Claim,
        (TaskStatus::Todo, _) => TaskDecision::Skip("not begun"),
        (TaskStatus::Review | TaskStatus::Done | TaskStatus::Blocked | TaskStatus::Cancelled, _) => {
            TaskDecision::Skip("over")
        }
        (TaskStatus::Other, _) => TaskDecision::Skip("its status is not known"),
    }
}

/// A message about a task that is not meant for the agent of the task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskHint {
    /// The task.
    pub task_id: String,
    /// Whether its result was rejected; otherwise it should run.
    pub rejected: bool,
    /// The comment of the review.
    pub comment: Option<String>,
    /// The time by the clock of the service, in milliseconds since the epoch.
    pub at: Option<i64>,
}

/// Parses the text of a message as a hint.
pub fn hint(message: &Message) -> Option<TaskHint> {
    let text = message.content.trim();
    let (mark, rest) = text.strip_prefix('[')?.split_once(']')?;
    let field = |name: &str| {
        let all =
            ["action", "task_id", "by", "runner", "exec_mode", "type", "title", "description", "comment"];
        let (_, value) = rest.split_once(&format!(" {name}="))?;
        let ends = all.iter().filter_map(|next| value.find(&format!(" {next}=")));
        let value = value[..ends.min().unwrap_or(value.len())].trim();
        (!value.is_empty()).then(|| value.to_owned())
    };
    let at = message.created_at;
    let task_id = || field("task_id").or_else(|| message.task_id.clone());
    match mark {
        "TASK_RUN" | "TASK_REQUEST" => {
            Some(TaskHint { task_id: task_id()?, rejected: false, comment: None, at })
        }
        "TASK_REVIEW" if field("action").as_deref() == Some("reject") => {
            Some(TaskHint { task_id: task_id()?, rejected: true, comment: field("comment"), at })
        }
        _ => None,
    }
}

/// Fields that the service may not know, the least certain first; a refused request is repeated without them.
const UNCERTAIN: [&[&str]; 3] = [
    &["artifacts"],
    &["output"],
    &[
        "usage_prompt_tokens",
        "usage_completion_tokens",
        "usage_cache_read_tokens",
        "usage_cache_write_tokens",
        "usage_total_tokens",
        "usage_source",
    ],
];

/// The path of the tasks in progress, the latest first.
pub const DOING: &str = "/tasks?status=doing&limit=100&sort=updated_at&order=desc";

/// The body of a POST to `<path>/run`.
pub fn run_body(agent_id: &str) -> Value {
    json!({ "trigger_agent_id": agent_id, "runner_agent_id": agent_id })
}

/// The body of a PATCH for a service without `/run`.
pub fn doing_body(agent_id: &str) -> Value {
    json!({ "status": "doing", "runner_agent_id": agent_id })
}

/// The body for the end of a run: status, notes, the output of a result, and the sums of the counters.
pub fn end_body(status: &str, text: &str, usage: Option<[u64; 5]>, source: &str) -> Value {
    let text = text::truncate(text, OUTPUT_CHARS);
    let mut body = json!({ "status": status, "notes": text });
    if status == "review" {
        body["output"] = text.into();
    }
    if let Some(counts) = usage {
        for (key, count) in USAGE.iter().zip(counts) {
            body[*key] = count.into();
        }
        body["usage_source"] = source.into();
    }
    body
}

/// The path of a task. Ids come from the network, so they are percent-encoded.
pub fn path(task_id: &str) -> String {
    format!("/tasks/{}", text::percent_encode(task_id))
}

/// Removes the fields that a service that refused the request most probably does not know. False if none is left.
pub fn weaken(status: u16, body: &mut Value) -> bool {
    if !matches!(status, 400 | 422) {
        return false;
    }
    let Some(fields) = body.as_object_mut() else { return false };
    UNCERTAIN.iter().any(|names| names.iter().filter(|name| fields.remove(**name).is_some()).count() > 0)
}

/// The body that reports a task as blocked because the service refuses its result. None if the task does not exist any
/// more, or if this was refused as well.
pub fn last_resort(status: u16, body: &Value, why: &str) -> Option<Value> {
    let is_result = body.get("status").and_then(Value::as_str) == Some("review");
    let notes =
        format!("⚠️ The work is done and in the chat, but the service did not take it for review: {why}");
    (is_result && !matches!(status, 404 | 410)).then(|| json!({ "status": "blocked", "notes": notes }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn task(status: &str, runner: &str) -> Task {
        Task::decode(&json!({"id": "k", "status": status, "runner_agent_id": runner, "owner_agent_id": "me"}))
            .unwrap()
    }

    #[test]
    fn what_is_done_about_a_task() {
        use TaskCause::{Doing, Reject, Sweep, Todo};
        for (cause, status, runner, waited, step) in [
            (Doing, "doing", "me", false, TaskDecision::Run),
            (Doing, "IN_PROGRESS", "me", false, TaskDecision::Run),
            (Doing, "doing", "", false, TaskDecision::Run), // the owner's
            (Doing, "doing", "other", false, TaskDecision::Skip("task of another agent")),
            (Doing, "todo", "me", false, TaskDecision::Skip("not begun")),
            (Doing, "review", "me", false, TaskDecision::Skip("over")),
            (Todo, "todo", "me", false, TaskDecision::Later),
            (Todo, "ready", "me", true, TaskDecision::Claim),
            (Todo, "doing", "me", true, TaskDecision::Run),
            (Todo, "cancelled", "me", true, TaskDecision::Skip("over")),
            (Reject, "doing", "me", false, TaskDecision::Run),
            (Reject, "review", "me", false, TaskDecision::Claim),
            (Reject, "done", "me", false, TaskDecision::Skip("over")),
            (Sweep, "doing", "me", false, TaskDecision::Run),
            (Sweep, "todo", "me", true, TaskDecision::Skip("not begun")),
            (Sweep, "thinking", "me", false, TaskDecision::Skip("its status is not known")),
        ] {
            assert_eq!(
                decide(cause, &task(status, runner), "me", waited),
                step,
                "{cause:?} {status} {runner}"
            );
        }
    }

    #[test]
    fn tasks_of_every_shape() {
        let row = json!({"id": "k", "status": "doing", "description": "(无描述)", "usage_total_tokens": 7,
            "updated_at": "2026-04-01T08:00:00Z", "review": {"comment": "again"}});
        for data in
            [json!([row]), json!({"tasks": [row]}), json!({"items": [row, 3]}), json!({"data": [row]})]
        {
            let found = rows(&data);
            assert_eq!((found.len(), found[0].usage[4], &found[0].description), (1, 7, &None), "{data}");
            assert_eq!(found[0].comment.as_deref(), Some("again"));
            assert_eq!(found[0].run_key().as_deref(), Some("task:k:2026-04-01T08:00:00Z"));
        }
        assert_eq!(Task::decode(&json!({"task": row})).unwrap().id, "k");
        assert!(Task::decode(&json!({"status": "doing"})).is_none() && rows(&json!(null)).is_empty());
    }

    #[test]
    fn hints_are_read_and_other_texts_are_none() {
        let message = |text: &str| {
            Message::decode(&json!({"topic_id": "t", "sender_id": "u", "content": text, "task_id": "k0"}))
                .unwrap()
        };
        let read = |text: &str| hint(&message(text));
        let run =
            read("[TASK_RUN] task_id=k1 runner=a exec_mode=plan type=code title=A b description=task_id=x");
        assert_eq!(run, Some(TaskHint { task_id: "k1".into(), rejected: false, comment: None, at: None }));
        let reject = read("[TASK_REVIEW] action=reject task_id=k1 by=ana title=t comment=do it\nbetter");
        let comment = Some("do it\nbetter".to_owned());
        assert_eq!(reject, Some(TaskHint { task_id: "k1".into(), rejected: true, comment, at: None }));
        assert_eq!(read("[TASK_REQUEST]\nTask Title: x").unwrap().task_id, "k0");
        assert_eq!(read("[TASK_REVIEW] action=approve task_id=k1"), None);
        assert_eq!((read("[x] task_id=k"), read("task_id=k")), (None, None));
    }

    #[test]
    fn a_refused_result_loses_one_group_of_fields_at_a_time() {
        let mut body =
            json!({"status": "review", "notes": "n", "output": "o", "artifacts": [], "usage_source": "x"});
        assert!(!weaken(403, &mut body), "that is no matter of fields");
        let mut left = Vec::new();
        while weaken(422, &mut body) {
            left.push(body.as_object().unwrap().len());
        }
        assert_eq!((left, &body), (vec![4, 3, 2], &json!({"status": "review", "notes": "n"})));
        let blocked = last_resort(422, &body, "no reason given").unwrap();
        assert_eq!(blocked["status"], "blocked");
        assert!(blocked["notes"].as_str().unwrap().contains("no reason given"));
        assert!(last_resort(404, &body, "").is_none() && last_resort(422, &blocked, "").is_none());
    }
}
