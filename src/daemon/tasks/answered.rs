//! A task whose message was answered, or put off, before the service said that the task is being done: that message
//! is its run, and it is not answered a second time, also after a crash. Whether message and task are one request is
//! decided here.

use crate::daemon::context::Context;
use crate::daemon::effect::{Effect, Effects};
use crate::daemon::scheduler::Scheduler;
use crate::session;
use crate::session::messages::Lang;
use crate::session::progress::formatter;
use crate::session::task::TaskRun;
use crate::session::turn::TurnId;
use crate::store::Store;
use crate::store::outbox::{OutboxEntry, ReplyKind};
use crate::store::state::{DeferredTurn, Record};
use crate::sys::time;
use crate::text;
use crate::wire::intake::{Job, Scope};
use crate::wire::message::Message;
use crate::wire::task::{self, Task};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// A message that comes so soon before or after the service's word is the same request (see TASKS in
/// wtt-connect-protocol(7)).
const SAME_REQUEST: Duration = Duration::from_secs(10);
/// The same by the service's own clock, which no delay on the way to us changes. In milliseconds.
const SAME_MOMENT: u64 = 5_000;

/// When a message was sent, by the service's clock.
fn sent_at(message: &Value) -> Option<i64> {
    Message::decode(message).ok()?.created_at
}

/// Whether a message of a task's chat, accepted so long ago, and the task's being done are one request.
fn is_same_request(task: &Task, age: Duration, sent_at: Option<i64>) -> bool {
    match (task.updated_at, sent_at) {
        (Some(changed), Some(sent)) => changed.abs_diff(sent) < SAME_MOMENT,
        _ => age < SAME_REQUEST,
    }
}

/// The same for a message that is being answered: a little late is early enough.
pub(crate) fn belongs(task: &Task, accepted: Instant, message: &Value) -> bool {
    accepted.elapsed() < SAME_REQUEST || is_same_request(task, accepted.elapsed(), sent_at(message))
}

/// Whether a task was carried out by the answer to a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum AnsweredBefore {
    /// It was not.
    No,
    /// It will be in a moment: the turn is about to end.
    Soon,
    /// It was, and the service is informed; or it will be after a usage limit.
    Yes,
}

/// Names a turn in a task's chat.
fn name(task_id: &str, key: &str) -> String {
    format!("{} {key}", task::path(task_id))
}

/// Turns that an unclean end has cut: their tasks get the same notice as the people in the chat.
pub(crate) fn close_left_over(store: &mut Store, left: &[OutboxEntry]) {
    let mut open = Vec::new();
    let cut = store.state().task_chat_turns.iter().filter(|(_, row)| row["end"].is_null());
    open.extend(cut.map(|(name, row)| (name.clone(), row.clone())));
    for (key, mut answer) in open {
        let is_its =
            |entry: &&OutboxEntry| answer["key"] == entry.key.as_str() && entry.kind != ReplyKind::Speech;
        let entry = left.iter().find(is_its);
        let status = if entry.is_some_and(|e| e.kind == ReplyKind::Done) { "review" } else { "blocked" };
        let said = entry.map_or_else(|| formatter::interrupted(Lang::En, true), |entry| entry.parts.concat());
        answer["end"] = json!({ "status": status, "said": said });
        store.record(Record::TaskChatTurn { key, turn: answer });
    }
}

/// A turn in a task's chat begins, and nobody has asked for the task: that may come later, also after a crash.
pub(crate) fn note_begun(cx: &mut Context, job: &Job) {
    let Scope::Task(task_id) = &job.scope else { return };
    let answer = json!({ "key": job.key, "at": time::now_ms(), "sent_at": job.sent_at });
    cx.store.record(Record::TaskChatTurn { key: name(task_id, &job.key), turn: answer });
}

/// The running turn of a task's chat is over: how, if it has carried no task out.
pub(crate) fn note_ended(cx: &mut Context, scheduler: &Scheduler, scope: &Scope, turn_id: TurnId) {
    let Scope::Task(task_id) = scope else { return };
    let Some((key, link)) = scheduler.task_of_running(scope, turn_id) else { return };
    let key = name(task_id, &key);
    let Some(mut answer) = cx.store.state().task_chat_turns.get(&key).cloned() else { return };
    match link.ended() {
        Some(ended) => answer["end"] = ended,
        None => answer = Value::Null,
    }
    cx.store.record(Record::TaskChatTurn { key, turn: answer });
}

/// The service says that a task is being done. Whether that was done already, or will be, by a message's turn. `key`: of
/// the run.
pub(super) fn look_up(
    cx: &mut Context,
    scheduler: &Scheduler,
    task: &Task,
    key: &str,
    effects: &mut Effects,
) -> AnsweredBefore {
    if make_deferred_message_the_run(cx, task) {
        cx.record_seen(key);
        return AnsweredBefore::Yes;
    }
    let is_same = |(_, row): &(&String, &Value)| {
        let age = time::now_ms() - row["at"].as_i64().unwrap_or_default();
        let age = Duration::from_millis(u64::try_from(age).unwrap_or_default());
        is_same_request(task, age, row["sent_at"].as_i64())
    };
    let found = text::with_prefix(&cx.store.state().task_chat_turns, &name(&task.id, "")).find(is_same);
    let Some((name, row)) = found.map(|(name, row)| (name.clone(), row.clone())) else {
        return AnsweredBefore::No;
    };
    let scope = Scope::Task(task.id.clone());
    let has_ended = !row["end"].is_null();
    if !has_ended && scheduler.turns(&scope).any(|turn| row["key"] == turn.key.as_str()) {
        return AnsweredBefore::Soon;
    }
    cx.store.record(Record::TaskChatTurn { key: name, turn: Value::Null });
    let (Some(topic_id), true) = (&task.topic_id, has_ended) else { return AnsweredBefore::No };
    log::debug!(target: "hub", "task {} was carried out by the answer to a message", task.id);
    let mut entry = cx.shared.outbox.new_entry(key, topic_id, None, Vec::new(), ReplyKind::Done);
    entry.follow_ups.push(session::task::final_patch(&row["end"], &TaskRun::of(task)));
    cx.record_seen(key);
    effects.push(Effect::Post(Box::new(entry)));
    AnsweredBefore::Yes
}

/// The message that set a task going may wait for a usage limit to reset: then it carries the task out. Whether it does.
fn make_deferred_message_the_run(cx: &mut Context, task: &Task) -> bool {
    let scope = Scope::Task(task.id.clone()).to_string();
    let fits = |deferred: &DeferredTurn| {
        let sent = sent_at(&deferred.message).unwrap_or(0);
        deferred.scope == scope && is_same_request(task, Duration::ZERO, Some(sent))
    };
    let found = cx.store.state().deferred.iter().find(|(_, deferred)| fits(deferred));
    let Some((key, deferred)) = found.map(|(key, deferred)| (key.clone(), deferred.clone())) else {
        return false;
    };
    let message = json!({ "task_run": task.source, "message": deferred.message });
    cx.store.record(Record::Deferred { key, turn: DeferredTurn { message, ..deferred } });
    true
}
