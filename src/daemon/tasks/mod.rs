//! Tasks, from what the service says of one to a turn that carries it out (see TASKS in wtt-connect-protocol(7)).
//!
//! A push, a hint or the sweep makes a task *pending*: it is looked at by HTTP, perhaps claimed, held for a moment in
//! case a person's message belongs to it, and then accepted like a message. Its end goes with the reply
//! (`session/task.rs`).

pub(crate) mod answered;
mod heartbeat;
mod lookup;
mod timing;

use crate::daemon::context::{AcceptedAs, Context};
use crate::daemon::effect::{Effect, Effects, StartTurn, own_status};
use crate::daemon::outbound::Outbound;
use crate::daemon::outbound::http_call::{HttpCall, HttpPurpose, TaskQuery};
use crate::daemon::scheduler::{Scheduler, deferred};
use crate::session::messages::Msg;
use crate::session::task::{self, TaskLink, TaskRun};
use crate::store::state::Record;
use crate::sys::id;
use crate::wire::intake::{Job, Scope};
use crate::wire::message::{Message, TopicKind};
use crate::wire::outgoing::StatusKind;
use crate::wire::task::{self as wire_task, Task, TaskCause, TaskHint, TaskStatus};
use answered::AnsweredBefore;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};
use timing::TaskTiming;

/// A push of a changed task within this time after a change by this connector is its echo; a later one is another's change.
const OWN_NEWS: Duration = Duration::from_secs(60);
/// Topics whose task is remembered, and own changes. Beyond it all are forgotten, which costs one look each.
const REMEMBERED: usize = 10_000;
/// Most tasks that are looked at together: a board full of them must not become a storm of requests.
const PENDING: usize = 100;
/// Where a pending task stands.
#[derive(Debug)]
enum PendingState {
    /// The service is being asked.
    Asking,
    /// It is to be asked, at this time.
    AskAt(Instant),
    /// It is to be run, at this time.
    RunAt(Instant, Box<Task>),
}

/// A task that may have to be run.
#[derive(Debug)]
struct PendingTask {
    cause: TaskCause,
    comment: Option<String>,
    /// When a person sent its result back: milliseconds since the epoch, by the service's clock.
    sent_back_at: Option<i64>,
    state: PendingState,
    /// It was looked at before.
    was_looked_at: bool,
    /// Looks that failed.
    failures: u32,
    /// The service spoke of it while it was looked at: what is seen may be older.
    has_news: bool,
    /// Messages of its chat that came meanwhile.
    jobs: Vec<Job>,
}

/// A change of a task by this connector.
#[derive(Debug)]
struct OwnChange {
    status: TaskStatus,
    made: Instant,
}

/// What is known of tasks.
#[derive(Debug)]
pub(crate) struct Tasks {
    timing: TaskTiming,
    pending: BTreeMap<String, PendingTask>,
    /// Task by topic.
    topics: HashMap<String, String>,
    /// The last change of each task by this connector, by path.
    own_changes: HashMap<String, OwnChange>,
    /// When the service is asked for the tasks that are being done; none without a connection.
    sweep_at: Option<Instant>,
}

/// The parts that tasks look at.
#[derive(Debug)]
pub(crate) struct Neighbors<'a> {
    /// Which turns carry tasks out.
    pub(crate) scheduler: &'a mut Scheduler,
    /// Which changes of tasks are on their way.
    pub(crate) outbound: &'a Outbound,
    /// What was missed is being read: the message that has set a task going may be in it.
    pub(crate) is_catching_up: bool,
}

impl Tasks {
    /// Nothing is known yet.
    pub(crate) fn new() -> Tasks {
        Tasks {
            timing: TaskTiming::from_env(),
            pending: BTreeMap::new(),
            topics: HashMap::new(),
            own_changes: HashMap::new(),
            sweep_at: None,
        }
    }

    /// A task's chat is in this topic.
    pub(crate) fn remember_topic(&mut self, topic_id: &str, task_id: &str) {
        if self.topics.len() >= REMEMBERED {
            self.topics.clear();
        }
        self.topics.insert(topic_id.to_owned(), task_id.to_owned());
    }

    /// The task of a topic.
    pub(crate) fn of_topic(&self, topic_id: &str) -> Option<&str> {
        self.topics.get(topic_id).map(String::as_str)
    }

    /// Adds the task to a message that does not name it, so that it shares the mailbox of the task all the same.
    pub(crate) fn complete(&self, message: &mut Message) {
        if message.task_id.is_none()
            && let Some(task_id) = self.of_topic(&message.topic_id)
        {
            message.task_id = Some(task_id.to_owned());
            message.topic_kind = TopicKind::Task;
            // also when it is deferred and decoded again
            if let Value::Object(row) = &mut message.source {
                row.insert("task_id".to_owned(), task_id.into());
            }
        }
    }

    /// A change of a task by this connector goes out.
    pub(crate) fn note_own_change(&mut self, path: &str, body: &Value) {
        if let Some(word) = body.get("status").and_then(Value::as_str) {
            if self.own_changes.len() >= REMEMBERED {
                self.own_changes.clear();
            }
            let change = OwnChange { status: TaskStatus::of(word), made: Instant::now() };
            self.own_changes.insert(path.to_owned(), change);
        }
    }

    /// A connection is up: the first sweep is due. Or it is gone, and there is none.
    pub(crate) fn set_connected(&mut self, is_connected: bool) {
        self.sweep_at = is_connected.then(Instant::now);
    }

    /// When to call [`Tasks::on_timer`].
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let pending = self.pending.values().filter_map(|pending| match &pending.state {
            PendingState::Asking => None,
            PendingState::AskAt(at) | PendingState::RunAt(at, _) => Some(*at),
        });
        pending.chain(self.sweep_at).min()
    }

    /// The service says that a task has changed.
    pub(crate) fn on_task_status(
        &mut self,
        cx: &mut Context,
        n: &mut Neighbors<'_>,
        fields: &Value,
    ) -> Effects {
        let mut effects = Effects::none();
        let Some(task) = Task::decode(fields) else { return effects };
        log::debug!(target: "hub", "task {}: {:?}", task.id, task.status);
        if let Some(topic_id) = &task.topic_id {
            self.remember_topic(topic_id, &task.id);
        }
        let cause = match task.status {
            TaskStatus::Todo => TaskCause::Todo,
            TaskStatus::Doing => TaskCause::Doing,
            status if status.is_over() => {
                self.on_task_over(cx, n, &task.id, status, &mut effects);
                return effects;
            }
            _ => return effects,
        };
        if task.runner.as_ref().is_none_or(|runner| *runner == cx.identity.agent_id) {
            self.consider(cx, n, &task.id, cause, task.comment, &mut effects);
        }
        effects
    }

    /// A message speaks of a task to its runner.
    pub(crate) fn on_hint(&mut self, cx: &mut Context, n: &mut Neighbors<'_>, hint: TaskHint) -> Effects {
        let mut effects = Effects::none();
        let cause = if hint.rejected { TaskCause::Reject } else { TaskCause::Doing };
        self.consider(cx, n, &hint.task_id, cause, hint.comment, &mut effects);
        if let Some(pending) = self.pending.get_mut(&hint.task_id).filter(|_| hint.rejected) {
            pending.sent_back_at = hint.at;
        }
        effects
    }

    /// Makes a task pending, unless it is dealt with already.
    fn consider(
        &mut self,
        cx: &mut Context,
        n: &Neighbors<'_>,
        task_id: &str,
        cause: TaskCause,
        comment: Option<String>,
        effects: &mut Effects,
    ) {
        let scope = Scope::Task(task_id.to_owned());
        let is_dealt_with = n.scheduler.runs_task(&scope) || deferred::is_task_deferred(cx, &scope);
        if cx.lifecycle.is_shutting_down() || is_dealt_with {
            return;
        }
        let is_ending = is_ending(n, task_id);
        if is_ending && cause == TaskCause::Sweep {
            return;
        }
        if let Some(pending) = self.pending.get_mut(task_id) {
            if pending.add_news(cause, comment) {
                self.ask(cx, task_id, TaskQuery::Current, effects);
            }
            return;
        }
        if self.pending.len() < PENDING {
            self.add_pending(task_id, cause, comment);
            if !is_ending {
                self.ask(cx, task_id, TaskQuery::Current, effects);
            }
        }
    }

    /// Makes a task pending, to be looked at a little later.
    fn add_pending(&mut self, task_id: &str, cause: TaskCause, comment: Option<String>) {
        let pending = PendingTask {
            cause,
            comment,
            sent_back_at: None,
            state: PendingState::AskAt(Instant::now() + self.timing.hold),
            was_looked_at: false,
            failures: 0,
            has_news: false,
            jobs: Vec::new(),
        };
        self.pending.insert(task_id.to_owned(), pending);
    }

    /// A pending task is looked at after a pause.
    fn ask_after(&mut self, task_id: &str, pause: Duration) {
        if let Some(pending) = self.pending.get_mut(task_id) {
            pending.state = PendingState::AskAt(Instant::now() + pause);
        }
    }

    /// A message of a task's chat: kept, when it may be the one that set the task going; else given back.
    pub(crate) fn fold(
        &mut self,
        cx: &mut Context,
        n: &mut Neighbors<'_>,
        job: Job,
        effects: &mut Effects,
    ) -> Option<Job> {
        let Scope::Task(task_id) = &job.scope else { return Some(job) };
        let task_id = task_id.clone();
        let Some(pending) = self.pending.get_mut(&task_id) else { return Some(job) };
        match &mut pending.state {
            // nobody waits for a person's message here, and a person should not wait either
            PendingState::AskAt(_) => return Some(job),
            PendingState::Asking => {
                cx.record_accepted(&job, AcceptedAs::default());
                let text = Msg::LooksAtTask.to(cx.language_of(&job.topic_id), &[]);
                let status = own_status(&text, StatusKind::Queued, &cx.config().adapter);
                effects.show_now(&job.topic_id, status);
                pending.jobs.push(job);
            }
            PendingState::RunAt(..) => {
                pending.jobs.push(job);
                self.run(cx, n, &task_id, effects);
            }
        }
        None
    }

    /// The service lets a task be run: at once, or after a moment in which a message that belongs to it may come.
    fn hold(&mut self, cx: &mut Context, n: &mut Neighbors<'_>, task: Task, effects: &mut Effects) {
        let Some(pending) = self.pending.get_mut(&task.id) else { return };
        let key = task.run_key();
        if key.is_some_and(|key| cx.store.state().has_seen(&key)) {
            return self.drop_pending(&task.id, "it was run before", effects);
        }
        let is_alone =
            pending.cause == TaskCause::Doing && pending.comment.is_none() && pending.jobs.is_empty();
        let until = Instant::now() + if is_alone { self.timing.hold } else { Duration::ZERO };
        let waits_for_catch_up = n.is_catching_up && pending.jobs.is_empty();
        let task_id = task.id.clone();
        pending.state = PendingState::RunAt(until, Box::new(task));
        let is_asked_in_chat = n.scheduler.turns(&Scope::Task(task_id.clone())).next().is_some();
        if (!is_alone && !waits_for_catch_up) || is_asked_in_chat {
            self.run(cx, n, &task_id, effects);
        }
    }

    /// Runs a task that is held.
    fn run(&mut self, cx: &mut Context, n: &mut Neighbors<'_>, task_id: &str, effects: &mut Effects) {
        let Some(pending) = self.pending.remove(task_id) else { return };
        let PendingState::RunAt(_, task) = pending.state else { return };
        let key = task.run_key().unwrap_or_else(|| format!("task:{task_id}:{}", id::hex()));
        let comment = take_comment(cx, &task, pending.comment, pending.cause);
        let mut jobs = pending.jobs.into_iter();
        // what is said of it from now on is news
        self.own_changes.remove(&wire_task::path(task_id));
        let first = jobs.next();
        cx.commit_now = true;
        if first.is_none() {
            if promote_turn(cx, n, &task, &key) {
                return;
            }
            if comment.is_none() {
                match answered::look_up(cx, n.scheduler, &task, &key, effects) {
                    AnsweredBefore::Yes => return,
                    AnsweredBefore::Soon => return self.add_pending(task_id, pending.cause, None),
                    AnsweredBefore::No => {}
                }
            }
        }
        cx.languages.guess_by(&task);
        let job = match first {
            Some(job) => {
                cx.record_seen(&key);
                Some(task::merge_task(job, &task))
            }
            None => task::job(&task, comment.as_deref(), key),
        };
        match job {
            Some(job) => effects.start(StartTurn::for_task(job, TaskLink::to(TaskRun::of(&task)))),
            None => log::warn!(target: "hub", "task {task_id} has no topic; it is not run"),
        }
        for job in jobs {
            effects.start(StartTurn::for_message(job));
        }
    }

    /// A pending task is not run; the messages that were kept for it are answered like any other.
    fn drop_pending(&mut self, task_id: &str, why: &str, effects: &mut Effects) {
        let Some(pending) = self.pending.remove(task_id) else { return };
        log::debug!(target: "hub", "task {task_id} is not run: {why}");
        for job in pending.jobs {
            effects.start(StartTurn::for_message(job));
        }
    }

    /// Stops the work on a task.
    fn on_task_over(
        &mut self,
        cx: &mut Context,
        n: &mut Neighbors<'_>,
        task_id: &str,
        status: TaskStatus,
        effects: &mut Effects,
    ) {
        let own = self.own_changes.get(&wire_task::path(task_id));
        if own.is_some_and(|own| own.status == status && own.made.elapsed() < OWN_NEWS) {
            return;
        }
        self.drop_pending(task_id, "it is over", effects);
        let scope = Scope::Task(task_id.to_owned());
        if n.scheduler.end_task(&scope) {
            log::info!(target: "hub", "task {task_id} was ended elsewhere; its run is stopped");
        }
        deferred::drop_deferred(cx, &scope);
    }

    /// Asks the service about a task; a pending one waits for the answer.
    fn ask(&mut self, cx: &Context, task_id: &str, query: TaskQuery, effects: &mut Effects) {
        if let Some(pending) = self.pending.get_mut(task_id) {
            pending.state = PendingState::Asking;
        }
        effects.push(query_call(cx, task_id, query));
    }
}

impl PendingTask {
    /// The service speaks of it again. Returns whether it is to be looked at at once.
    fn add_news(&mut self, cause: TaskCause, comment: Option<String>) -> bool {
        self.comment = comment.or(self.comment.take());
        if cause == TaskCause::Reject {
            self.cause = cause;
        }
        self.has_news |= matches!(self.state, PendingState::Asking);
        if cause != TaskCause::Todo && self.cause == TaskCause::Todo {
            self.cause = cause;
            return matches!(self.state, PendingState::AskAt(_));
        }
        false
    }
}

/// The call that asks the service about a task.
fn query_call(cx: &Context, task_id: &str, query: TaskQuery) -> Effect {
    let path = wire_task::path(task_id);
    let me = &cx.identity.agent_id;
    let call = match query {
        TaskQuery::Current | TaskQuery::WhileRunning => HttpCall::Get { path },
        TaskQuery::List => HttpCall::Get { path: wire_task::DOING.to_owned() },
        TaskQuery::Claim => HttpCall::Post { path: format!("{path}/run"), body: wire_task::run_body(me) },
        TaskQuery::ClaimByStatus => HttpCall::Patch { path, body: wire_task::doing_body(me) },
    };
    let purpose = HttpPurpose::Task { task_id: task_id.to_owned(), query };
    Effect::CallHttp { purpose, call }
}

/// Whether the end of a run is on its way to the service: what it says of the task may be old.
fn is_ending(n: &Neighbors<'_>, task_id: &str) -> bool {
    n.outbound.will_patch(&wire_task::path(task_id))
}

/// Lets a turn that answers the person's message carry the task out, if there is one. Whether there was.
fn promote_turn(cx: &mut Context, n: &mut Neighbors<'_>, task: &Task, key: &str) -> bool {
    let scope = Scope::Task(task.id.clone());
    let is_same = |accepted, message: &Value| answered::belongs(task, accepted, message);
    let Some(answering) = n.scheduler.promote(&scope, &TaskRun::of(task), task, is_same) else {
        return false;
    };
    log::debug!(target: "hub", "task {} is carried out by the answer to {answering}", task.id);
    cx.record_seen(key);
    if let Some(mut turn) = cx.store.state().open.get(&answering).cloned() {
        turn.task_id = Some(task.id.clone());
        cx.store.record(Record::Accepted { key: answering, turn });
    }
    true
}

/// The comment of a review that this run gets. A service may keep a comment for ever: unless a person has just
/// said it, it is news once.
fn take_comment(cx: &mut Context, task: &Task, pushed: Option<String>, cause: TaskCause) -> Option<String> {
    let mut take = |text: Option<String>, is_always_news: bool| {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let key = format!("task:{}:comment:{:x}", task.id, hasher.finish());
        let is_news = text.is_some() && !cx.store.state().has_seen(&key);
        if is_news {
            cx.record_seen(&key);
        }
        text.filter(|_| is_news || is_always_news)
    };
    let pushed = take(pushed, cause == TaskCause::Reject);
    let kept = take(task.comment.clone(), false);
    pushed.or(kept)
}
