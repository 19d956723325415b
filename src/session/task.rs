//! A turn that carries out a task: how it is asked for, and what the service is told when it ends. No IO.
//!
//! Which turn carries a task out may be known only after it has begun: a person writes into the task's chat, and the
//! service says a moment later that the task is being done. So the hub and the worker share a [`TaskLink`].

use crate::agent::Usage;
use crate::session::turn::TurnEnd;
use crate::store::follow_up::FollowUp;
use crate::text;
use crate::wire::attachment;
use crate::wire::identity::Identity;
use crate::wire::intake::{self, Job, Scope, Verdict};
use crate::wire::message::{Message, SenderKind, TopicKind};
use crate::wire::task::{self, Task};
use serde_json::{Value, json};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A title is a label.
const TITLE_CHARS: usize = 200;
/// A longer description or comment belongs into a file.
const TEXT_CHARS: usize = 16_000;
/// Files that one run may list in its task: an agent in a loop must not grow it without end.
const FILES: usize = 100;

/// What is known of a task that a turn carries out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskRun {
    /// The task.
    pub task_id: String,
    /// Its title; empty without one.
    pub title: String,
    /// Its counters before the turn.
    pub usage: [u64; 5],
}

impl TaskRun {
    /// Of a task as the service has it.
    pub fn of(task: &Task) -> TaskRun {
        TaskRun { task_id: task.id.clone(), title: task.title.clone().unwrap_or_default(), usage: task.usage }
    }
}

#[derive(Debug, Default)]
struct TaskLinkState {
    run: Option<TaskRun>,
    /// The turn has ended.
    is_committed: bool,
    /// How, when it has carried no task out.
    ended: Option<Value>,
    /// Somebody else has ended the task.
    over: bool,
    /// Files that were sent while the turn ran, as rows of the task.
    files: Vec<Value>,
}

/// What the service is told of a task, by how a turn has ended (see [`TaskLink::commit_finished`]).
pub fn final_patch(ended: &Value, run: &TaskRun) -> FollowUp {
    let text = |name: &str| ended[name].as_str().unwrap_or_default();
    let sums = ended["used"].as_array().map(|used| {
        let used = |at: usize| used.get(at).and_then(Value::as_u64).unwrap_or_default();
        // the counters come from the network
        let [input, output, read, written, total] = run.usage;
        [
            input.saturating_add(used(0)),
            output.saturating_add(used(2)),
            read.saturating_add(used(1)),
            written,
            total.saturating_add(used(0)).saturating_add(used(2)),
        ]
    });
    let source = format!("wtt-connect:{}", text("adapter"));
    let mut body = task::end_body(text("status"), text("said"), sums, &source);
    if let Some(files) = ended["files"].as_array().filter(|files| !files.is_empty()) {
        body["artifacts"] = Value::Array(files.clone());
    }
    FollowUp::Patch { path: task::path(&run.task_id), body }
}

/// The task of a turn, if it has one.
#[derive(Debug, Default)]
pub struct TaskLink(Mutex<TaskLinkState>);

impl TaskLink {
    /// A turn that is made for a task.
    pub fn to(run: TaskRun) -> TaskLink {
        TaskLink(Mutex::new(TaskLinkState { run: Some(run), ..TaskLinkState::default() }))
    }

    fn lock(&self) -> MutexGuard<'_, TaskLinkState> {
        // nothing that could panic is done under it
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The task.
    pub fn task_id(&self) -> Option<String> {
        self.lock().run.as_ref().map(|run| run.task_id.clone())
    }

    /// The task's title, in a turn that carries one out.
    pub fn title(&self) -> Option<String> {
        self.lock().run.as_ref().map(|run| run.title.clone())
    }

    /// From now on the turn carries this task out. False when it has ended, or carries one out already.
    pub fn promote(&self, run: TaskRun) -> bool {
        let mut shared = self.lock();
        let free = !shared.is_committed && shared.run.is_none();
        if free {
            shared.run = Some(run);
        }
        free
    }

    /// Somebody else has ended the task: the service is not told how this turn ends.
    pub fn end_elsewhere(&self) {
        self.lock().over = true;
    }

    /// A file was sent while the turn runs: it is listed in the task.
    pub fn add_file(&self, row: Value) {
        let mut shared = self.lock();
        if !shared.is_committed && shared.files.len() < FILES {
            shared.files.push(row);
        }
    }

    /// The turn has ended: what the service is to be told of its task.
    pub fn commit_finished(
        &self,
        end: &TurnEnd,
        said: &str,
        used: Option<Usage>,
        adapter: &str,
    ) -> Option<FollowUp> {
        let mut shared = self.lock();
        shared.is_committed = true;
        let status = match end {
            TurnEnd::Done => "review",
            // it goes on by itself
            TurnEnd::Parked { .. } => return None,
            TurnEnd::Failed(_) | TurnEnd::Cancelled | TurnEnd::Interrupted { .. } | TurnEnd::Refused => {
                "blocked"
            }
        };
        if shared.over {
            return None;
        }
        let used = used.map(|used| [used.input, used.cached, used.output].map(Value::from).to_vec());
        let ended = json!({
            "status": status, "said": text::truncate(said, task::OUTPUT_CHARS), "adapter": adapter,
            "used": used.map(Value::Array), "files": Value::Array(std::mem::take(&mut shared.files)),
        });
        let errand = shared.run.as_ref().map(|run| final_patch(&ended, run));
        shared.ended = errand.is_none().then_some(ended);
        errand
    }

    /// How the turn has ended, when it has carried no task out: one may turn out to be its.
    pub fn ended(&self) -> Option<Value> {
        self.lock().ended.take()
    }
}

/// What the service is told of a task whose turn a crash has cut.
pub fn interrupted(task_id: &str, said: &str) -> FollowUp {
    FollowUp::Patch { path: task::path(task_id), body: task::end_body("blocked", said, None, "") }
}

/// The turn that carries out a task that nobody has written about. None: the task has no topic.
pub fn job(task: &Task, comment: Option<&str>, key: String) -> Option<Job> {
    let text = request(task, comment);
    let topic_id = task.topic_id.clone()?;
    let source = json!({ "task_run": task.source, "comment": comment, "key": key });
    Some(Job {
        message_id: None,
        scope: Scope::Task(task.id.clone()),
        topic_id,
        topic_name: None,
        kind: TopicKind::Task,
        sender_id: task.owner.clone().unwrap_or_default(),
        sender_name: None,
        sender_kind: SenderKind::Human,
        media: attachment::in_text(&text),
        instruction: text.clone(),
        text,
        mentions: Vec::new(),
        forwarded_command: false,
        model: task.model.clone(),
        exec_mode: task.exec_mode.clone(),
        task_title: None,
        task_description: None,
        personas: Vec::new(),
        sent_at: None,
        encrypted: false,
        source,
        key,
    })
}

/// A message that a person has sent to set the task going carries it out.
pub fn merge_task(mut job: Job, task: &Task) -> Job {
    job.scope = Scope::Task(task.id.clone());
    job.kind = TopicKind::Task;
    job.task_title = job.task_title.or_else(|| task.title.clone());
    job.task_description = job.task_description.or_else(|| task.description.clone());
    job.exec_mode = job.exec_mode.or_else(|| task.exec_mode.clone());
    job.source = json!({ "task_run": task.source, "message": job.source });
    job
}

/// The same turn again, from what it was put off with.
pub fn restore(source: &Value, me: &Identity) -> Option<(Job, TaskRun)> {
    let task = Task::decode(source.get("task_run")?)?;
    let run = TaskRun::of(&task);
    let text = |key: &str| source.get(key).and_then(Value::as_str);
    let job = match source.get("message") {
        Some(message) => match intake::intake(&Message::decode(message).ok()?, me) {
            Verdict::Run(job) => merge_task(*job, &task),
            Verdict::Ignore(_) => return None,
        },
        None => job(&task, text("comment"), text("key")?.to_owned())?,
    };
    Some((job, run))
}

fn request(task: &Task, comment: Option<&str>) -> String {
    let title = task.title.as_deref().map(text::one_line).unwrap_or_default();
    let title = match title.as_str() {
        "" => String::new(),
        title => format!(" “{}”", text::truncate(title, TITLE_CHARS)),
    };
    let mut parts = vec![match comment {
        None => format!("Carry out the WTT task{title} now."),
        Some(_) => format!("Your result for the WTT task{title} was reviewed and sent back."),
    }];
    if let Some(description) = &task.description {
        parts.push(format!("Its description:\n{}", text::truncate(description.trim(), TEXT_CHARS)));
    }
    if let Some(comment) = comment {
        parts.push(format!("The review says:\n{}", text::truncate(comment.trim(), TEXT_CHARS)));
    }
    parts.push("Your last answer becomes the result of the task, which a person then reviews.".to_owned());
    parts.join("\n\n")
}
