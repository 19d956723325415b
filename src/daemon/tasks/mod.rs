//! The hub's part of tasks: from what the service says of one to a turn that carries it out (see TASKS in
//! wtt-connect-protocol(7)).
//!
//! A push, a hint or the sweep makes a task *pending*: it is looked at by HTTP, perhaps claimed, held for a moment in
//! case a person's message belongs to it, and then accepted like a message. Its end goes with the reply
//! (`session/task.rs`).

pub(crate) mod answered;
mod heartbeat;
mod lookup;

use crate::daemon::hub::Hub;
use crate::daemon::outbound::http_call::TaskQuery;
use crate::json;
use crate::session::messages::Say;
use crate::session::task::{self, TaskLink, TaskRun};
use crate::store::state::Record;
use crate::wire::intake::{Job, Scope};
use crate::wire::message::{Message, TopicKind};
use crate::wire::outgoing::StatusKind;
use crate::wire::task::{Cause, Hint, Status, Task};
use answered::AnsweredBefore;
use serde_json::Value;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Our own change of a task comes back as news; after so long it is somebody else's.
const OWN_NEWS: Duration = Duration::from_secs(60);
/// Topics whose task is remembered, and changes of our own.
const REMEMBERED: usize = 10_000;
/// Most tasks that are looked at together: a board full of them must not become a storm of requests.
const PENDING: usize = 100;
/// The name of the variable that shortens [`TaskTiming`] for tests: a JSON object of milliseconds by field name.
const TEST_PACE: &str = "WTT_CONNECT_TEST_TASK_TIMING";

/// The pauses.
#[derive(Debug)]
struct TaskTiming {
    /// A run waits so long for a message that belongs to it.
    hold: Duration,
    /// A task that is only to be done is looked at again after this.
    recheck: Duration,
    /// After a look that failed.
    retry: Duration,
    /// Between two sweeps.
    sweep: Duration,
    /// Between two signs of life of a run.
    beat: Duration,
}

impl TaskTiming {
    fn from_env() -> TaskTiming {
        let text = std::env::var(TEST_PACE).unwrap_or_default();
        let changes = json::parse::<Value>(text).unwrap_or_default();
        let pause = |name: &str, usual| Duration::from_millis(changes[name].as_u64().unwrap_or(usual));
        TaskTiming {
            hold: pause("hold", 1_500),
            recheck: pause("recheck", 6_000),
            retry: pause("retry", 5_000),
            sweep: pause("sweep", 60_000),
            beat: pause("beat", 60_000),
        }
    }
}

/// Where a pending task stands.
#[derive(Debug)]
enum PendingState {
    /// The service is being asked.
    Asking,
    /// It is to be asked, at this time.
    Again(Instant),
    /// It is to be run, at this time.
    Held(Instant, Box<Task>),
}

#[derive(Debug)]
struct PendingTask {
    cause: Cause,
    comment: Option<String>,
    /// When a person sent its result back, by the service's clock.
    sent_back: Option<i64>,
    at: PendingState,
    /// It was looked at before.
    waited: bool,
    /// Looks that failed.
    failed: u32,
    /// The service spoke of it while it was looked at: what is seen may be older.
    news: bool,
    /// Messages of its chat that came meanwhile.
    jobs: Vec<Job>,
}

/// What is known of tasks.
#[derive(Debug)]
pub(crate) struct Tasks {
    pace: TaskTiming,
    pending: BTreeMap<String, PendingTask>,
    /// Task by topic.
    topics: BTreeMap<String, String>,
    /// What this connector has made of tasks lately, by path.
    own: BTreeMap<String, (Status, Instant)>,
    sweep_at: Option<Instant>,
}

impl Tasks {
    pub(crate) fn new() -> Tasks {
        let (pending, topics, own) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Tasks { pace: TaskTiming::from_env(), pending, topics, own, sweep_at: None }
    }

    /// A task's chat is in this topic.
    pub(crate) fn note_topic(&mut self, topic_id: &str, task_id: &str) {
        if self.topics.len() >= REMEMBERED {
            self.topics.clear();
        }
        self.topics.insert(topic_id.to_owned(), task_id.to_owned());
    }

    /// The task of a topic.
    pub(crate) fn of_topic(&self, topic_id: &str) -> Option<&str> {
        self.topics.get(topic_id).map(String::as_str)
    }

    /// A message that does not say its task shares the mailbox of the task all the same.
    pub(crate) fn complete(&self, message: &mut Message) {
        if message.task_id.is_none()
            && let Some(task_id) = self.of_topic(&message.topic_id)
        {
            message.task_id = Some(task_id.to_owned());
            message.topic_kind = TopicKind::Task;
            // also when it is put off and decoded again
            if let Value::Object(row) = &mut message.source {
                row.insert("task_id".to_owned(), task_id.into());
            }
        }
    }

    /// A change of a task by this connector goes out.
    pub(crate) fn note_own(&mut self, path: &str, body: &Value, now: Instant) {
        if let Some(word) = body.get("status").and_then(Value::as_str) {
            if self.own.len() >= REMEMBERED {
                self.own.clear();
            }
            self.own.insert(path.to_owned(), (Status::of(word), now));
        }
    }

    /// A connection is up, or gone.
    pub(crate) fn sweep_from(&mut self, at: Option<Instant>) {
        self.sweep_at = at;
    }

    /// A task that is held is held longer.
    fn hold_on(&mut self, task_id: &str, until: Instant) {
        if let Some(PendingState::Held(at, _)) = self.pending.get_mut(task_id).map(|pending| &mut pending.at)
        {
            *at = until;
        }
    }

    /// When to call [`Hub::look_at_tasks`].
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let pending = self.pending.values().filter_map(|pending| match &pending.at {
            PendingState::Asking => None,
            PendingState::Again(at) | PendingState::Held(at, _) => Some(*at),
        });
        pending.chain(self.sweep_at).min()
    }
}

impl Hub {
    /// The service says that a task has changed.
    pub(crate) fn on_task_status(&mut self, fields: &Value) {
        let Some(task) = Task::decode(fields) else { return };
        log::debug!(target: "hub", "task {}: {:?}", task.id, task.status);
        if let Some(topic_id) = &task.topic_id {
            self.tasks.note_topic(topic_id, &task.id);
        }
        let cause = match task.status {
            Status::Todo => Cause::Todo,
            Status::Doing => Cause::Doing,
            status if status.is_over() => return self.task_is_over(&task.id, status),
            _ => return,
        };
        if task.runner.as_ref().is_none_or(|runner| *runner == self.me.agent_id) {
            self.consider_task(&task.id, cause, task.comment);
        }
    }

    /// A message speaks of a task to its runner.
    pub(crate) fn on_task_hint(&mut self, hint: Hint) -> Result<(), &'static str> {
        let cause = if hint.rejected { Cause::Reject } else { Cause::Doing };
        self.consider_task(&hint.task_id, cause, hint.comment);
        if let Some(pending) = self.tasks.pending.get_mut(&hint.task_id).filter(|_| hint.rejected) {
            pending.sent_back = hint.at;
        }
        Err("about a task; the task is looked at")
    }

    /// Makes a task pending, unless it is dealt with already.
    fn consider_task(&mut self, task_id: &str, cause: Cause, comment: Option<String>) {
        let scope = Scope::Task(task_id.to_owned());
        if self.drain.is_some() || self.sessions.runs_task(&scope) || self.is_task_parked(&scope) {
            return;
        }
        let ends = self.is_task_ending(task_id);
        if ends && cause == Cause::Sweep {
            return;
        }
        if let Some(pending) = self.tasks.pending.get_mut(task_id) {
            pending.comment = comment.or(pending.comment.take());
            if cause == Cause::Reject {
                pending.cause = cause;
            }
            pending.news |= matches!(pending.at, PendingState::Asking);
            if cause != Cause::Todo && pending.cause == Cause::Todo {
                pending.cause = cause;
                if matches!(pending.at, PendingState::Again(_)) {
                    self.ask_about(task_id, TaskQuery::Now);
                }
            }
            return;
        }
        if self.tasks.pending.len() < PENDING {
            self.look_again(task_id, cause, comment);
            if !ends {
                self.ask_about(task_id, TaskQuery::Now);
            }
        }
    }

    /// Makes a task pending, to be looked at a little later.
    fn look_again(&mut self, task_id: &str, cause: Cause, comment: Option<String>) {
        let at = PendingState::Again(Instant::now() + self.tasks.pace.hold);
        let (waited, failed, news, jobs) = (false, 0, false, Vec::new());
        let pending = PendingTask { cause, comment, sent_back: None, at, waited, failed, news, jobs };
        self.tasks.pending.insert(task_id.to_owned(), pending);
    }

    /// Its run is put off.
    pub(crate) fn is_task_parked(&self, scope: &Scope) -> bool {
        let scope = scope.to_string();
        let parked = &self.store.state().parked;
        parked.values().any(|parked| parked.scope == scope && parked.message.get("task_run").is_some())
    }

    /// The end of a run is on its way to the service: what it says of the task may be old.
    fn is_task_ending(&self, task_id: &str) -> bool {
        self.delivery.will_patch(&crate::wire::task::path(task_id))
    }

    /// A pending task is looked at a little later.
    fn look_later(&mut self, task_id: &str) {
        let at = Instant::now() + self.tasks.pace.hold;
        if let Some(pending) = self.tasks.pending.get_mut(task_id) {
            pending.at = PendingState::Again(at);
        }
    }

    /// A message of a task's chat: kept, when it may be the one that set the task going; else given back.
    pub(crate) fn fold_into_task(&mut self, job: Job) -> Option<Job> {
        let Scope::Task(task_id) = &job.scope else { return Some(job) };
        let task_id = task_id.clone();
        let Some(pending) = self.tasks.pending.get_mut(&task_id) else { return Some(job) };
        match &mut pending.at {
            // nobody waits for a person's message here, and a person should not wait either
            PendingState::Again(_) => return Some(job),
            PendingState::Asking => {
                pending.jobs.push(job.clone());
                self.record_accepted(&job, false, None);
                let adapter = self.shared.config.adapter.clone();
                let text = Say::LooksAtTask.to(self.tongues.of(&job.topic_id), &[]);
                let status = crate::daemon::inbound::intake::status(&text, StatusKind::Queued, &adapter);
                self.show_now(&job.topic_id, &status);
            }
            PendingState::Held(..) => {
                pending.jobs.push(job);
                self.run_task(&task_id);
            }
        }
        None
    }

    /// The service lets it be run: at once, or after a moment in which a message that belongs to it may come.
    fn hold_task(&mut self, task: Task) {
        let Some(pending) = self.tasks.pending.get_mut(&task.id) else { return };
        let key = task.run_key();
        if key.is_some_and(|key| self.store.state().has_seen(&key)) {
            return self.let_go(&task.id, "it was run before");
        }
        let alone = pending.cause == Cause::Doing && pending.comment.is_none() && pending.jobs.is_empty();
        let until = Instant::now() + if alone { self.tasks.pace.hold } else { Duration::ZERO };
        let task_id = task.id.clone();
        let reads = self.catch_up.deadline().is_some() && pending.jobs.is_empty();
        pending.at = PendingState::Held(until, Box::new(task));
        if (!alone && !reads) || self.is_asked_in_chat(&task_id) {
            self.run_task(&task_id);
        }
    }

    fn is_asked_in_chat(&self, task_id: &str) -> bool {
        self.sessions.turns(&Scope::Task(task_id.to_owned())).next().is_some()
    }

    /// Runs a task that is held.
    fn run_task(&mut self, task_id: &str) {
        let Some(pending) = self.tasks.pending.remove(task_id) else { return };
        let PendingState::Held(_, task) = pending.at else { return };
        let key = task.run_key().unwrap_or_else(|| format!("task:{task_id}:{}", crate::sys::id::hex()));
        let (scope, run) = (Scope::Task(task_id.to_owned()), TaskRun::of(&task));
        let comment = self.comment(&task, pending.comment, pending.cause);
        let mut jobs = pending.jobs.into_iter();
        // what is said of it from now on is news
        self.tasks.own.remove(&crate::wire::task::path(task_id));
        let first = jobs.next();
        self.commit_now = true;
        if first.is_none()
            && let Some(answering) = self.sessions.promote(&scope, &run, &task)
        {
            log::debug!(target: "hub", "task {task_id} is carried out by the answer to {answering}");
            self.store.record(Record::Seen { key });
            if let Some(mut turn) = self.store.state().open.get(&answering).cloned() {
                turn.task = Some(task_id.to_owned());
                self.store.record(Record::Accepted { key: answering, turn });
            }
            return;
        }
        if first.is_none() && comment.is_none() {
            match self.is_answered(&task, &key) {
                AnsweredBefore::Yes => return,
                AnsweredBefore::Soon => return self.look_again(task_id, pending.cause, None),
                AnsweredBefore::No => {}
            }
        }
        self.tongues.guess_by(&task);
        let job = match first {
            Some(job) => {
                self.store.record(Record::Seen { key });
                Some(task::merge_task(job, &task))
            }
            None => task::job(&task, comment.as_deref(), key),
        };
        match job {
            Some(job) => self.accept_for(job, Arc::new(TaskLink::to(run))),
            None => log::warn!(target: "hub", "task {task_id} has no topic; it is not run"),
        }
        for job in jobs {
            self.accept(job);
        }
    }

    /// What a review has said that this run is to hear. A service may keep a comment for ever: unless a person has just
    /// said it, it is news once.
    fn comment(&mut self, task: &Task, told: Option<String>, cause: Cause) -> Option<String> {
        let mut hears = |text: Option<String>, always: bool| {
            let mut hasher = DefaultHasher::new();
            text.hash(&mut hasher);
            let key = format!("task:{}:comment:{:x}", task.id, hasher.finish());
            let is_news = text.is_some() && !self.store.state().has_seen(&key);
            if is_news {
                self.store.record(Record::Seen { key });
            }
            text.filter(|_| is_news || always)
        };
        let told = hears(told, cause == Cause::Reject);
        let kept = hears(task.comment.clone(), false);
        told.or(kept)
    }

    /// A pending task is not run; the messages that were kept for it are answered like any other.
    fn let_go(&mut self, task_id: &str, why: &str) {
        let Some(pending) = self.tasks.pending.remove(task_id) else { return };
        log::debug!(target: "hub", "task {task_id} is not run: {why}");
        for job in pending.jobs {
            self.accept(job);
        }
    }

    /// Nobody is to work on a task any more.
    fn task_is_over(&mut self, task_id: &str, status: Status) {
        let own = self.tasks.own.get(&crate::wire::task::path(task_id));
        if own.is_some_and(|(made, at)| *made == status && at.elapsed() < OWN_NEWS) {
            return;
        }
        self.let_go(task_id, "it is over");
        let scope = Scope::Task(task_id.to_owned());
        if self.sessions.end_task(&scope) {
            log::info!(target: "hub", "task {task_id} was ended by somebody else; its run is stopped");
        }
        self.drop_parked(&scope);
    }
}
