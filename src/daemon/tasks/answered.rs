//! A task whose message was answered, or put off, before the service said that the task is being done: that message is
//! its run, and it is not answered a second time. Whether message and task are one request is decided here.

use crate::daemon::hub::Hub;
use crate::json::object;
use crate::session::task::{Link, Run};
use crate::store::outbox::ReplyKind;
use crate::store::state::{Parked, Record};
use crate::wire::intake::Scope;
use crate::wire::message::Message;
use crate::wire::task::Task;
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A message that comes so soon before or after the service's word is the same request (6.5: "a few seconds").
const SAME_REQUEST: Duration = Duration::from_secs(10);
/// The same by the service's own clock, which no delay on the way to us changes. In milliseconds.
const SAME_MOMENT: u64 = 5_000;
/// Answers that are remembered for it; each may hold the text of a task's result.
pub(super) const ANSWERS: usize = 32;

/// An answer to a message of a task's chat.
#[derive(Debug)]
pub(in crate::daemon) struct Answer {
    /// When the message was accepted.
    pub(in crate::daemon) accepted: Instant,
    /// When it was sent, by the service's clock.
    pub(in crate::daemon) sent_at: Option<i64>,
    /// What the turn has ended with.
    pub(in crate::daemon) link: Arc<Link>,
}

/// When a message was sent, by the service's clock.
pub(in crate::daemon) fn sent_at(message: &Value) -> Option<i64> {
    Message::decode(message).ok()?.created_at
}

/// Whether a message of a task's chat and the task's being done are one request.
pub(in crate::daemon) fn is_same_request(task: &Task, accepted: Instant, sent_at: Option<i64>) -> bool {
    match (task.updated_at, sent_at) {
        (Some(changed), Some(sent)) => changed.abs_diff(sent) < SAME_MOMENT,
        _ => accepted.elapsed() < SAME_REQUEST,
    }
}

/// The same for a message that is being answered: a little late is early enough.
pub(in crate::daemon) fn belongs(task: &Task, accepted: Instant, message: &Value) -> bool {
    accepted.elapsed() < SAME_REQUEST || is_same_request(task, accepted, sent_at(message))
}

impl Hub {
    /// A turn is over: if it has answered a message of a task's chat, the task may still be told of.
    pub(in crate::daemon) fn note_answer(&mut self, scope: &Scope, generation: u64) {
        let Scope::Task(task_id) = scope else { return };
        let Some(answer) = self.sessions.answer(scope, generation) else { return };
        if self.tasks.answered.len() >= ANSWERS {
            self.tasks.answered = crate::list::Table::new();
        }
        self.tasks.answered.insert(task_id.clone(), answer);
    }

    /// The service says that a task is being done. Whether that was done already, or will be, by a message's turn.
    pub(super) fn is_answered(&mut self, task: &Task, key: &str) -> bool {
        if self.is_put_off(task) {
            self.store.record(Record::Seen { key: key.to_owned() });
            return true;
        }
        let answer = self.tasks.answered.remove(&task.id);
        let same = |answer: &Answer| is_same_request(task, answer.accepted, answer.sent_at);
        let errand = answer.filter(same).and_then(|answer| answer.link.promote_late(Run::of(task)));
        let (Some(errand), Some(topic_id)) = (errand, &task.topic_id) else { return false };
        log::debug!(target: "hub", "task {} was carried out by an answer that is out already", task.id);
        let mut entry = self.shared.outbox.entry(key, topic_id, None, Vec::new(), ReplyKind::Done);
        entry.after.push(errand);
        self.shared.outbox.keep(&entry);
        self.store.record(Record::Seen { key: key.to_owned() });
        self.delivery.add(entry, false);
        true
    }

    /// Whether the message that set it going waits for a usage limit to reset: then it carries the task out.
    fn is_put_off(&mut self, task: &Task) -> bool {
        let scope = Scope::Task(task.id.clone()).to_string();
        let now = Instant::now();
        let fits = |parked: &Parked| {
            parked.scope == scope && is_same_request(task, now, Some(sent_at(&parked.message).unwrap_or(0)))
        };
        let all = &self.store.state().parked;
        let found =
            all.iter().find(|(_, parked)| fits(parked)).map(|(key, parked)| (key.clone(), parked.clone()));
        let Some((key, parked)) = found else { return false };
        let message = object!({ "task_run": task.source, "message": parked.message });
        self.store.record(Record::Parked { key, parked: Parked { message, ..parked } });
        true
    }
}
