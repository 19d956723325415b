//! Turns that are put off until a usage limit resets, or the connector has started again: kept on disk, run by themselves, shown by `/status`, dropped by
//! `/stop`.

use crate::daemon::hub::Hub;
use crate::session::messages::Say;
use crate::session::task::{self, TaskLink};
use crate::session::turn::TurnEnd;
use crate::store::outbox::Entry;
use crate::store::state::{Parked, Record};
use crate::sys::time;
use crate::wire::intake::{Job, Scope, Verdict, intake};
use crate::wire::message::Message;
use crate::wire::outgoing::{Status, StatusKind};
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// While something is parked the wall clock is looked at this often: it goes on while the machine sleeps, timers do not.
const LOOK: Duration = Duration::from_secs(60);

/// Turns that are put off until the same moment are told apart by milliseconds within this time, so that they keep their order;
/// they are still taken up together. More than a mailbox holds.
const TOGETHER_MS: i64 = 100;

impl Hub {
    /// Puts a turn off, behind those of its session that wait for the same moment.
    pub(crate) fn park(&mut self, key: &str, scope: &Scope, until: i64, message: Value) {
        let name = scope.to_string();
        let others = self.store.state().parked.iter().filter(|(_, other)| other.scope == name);
        let last =
            others.map(|(_, other)| other.until).filter(|at| (0..TOGETHER_MS).contains(&(at - until))).max();
        let until = last.map_or(until, |last| last + 1);
        log::info!(target: "hub", "a message in {scope} is kept until {}", time::rfc3339(until));
        let parked = Parked { until, scope: name, message, ..Parked::default() };
        self.store.record(Record::Parked { key: key.to_owned(), parked });
        self.store.record(Record::Finished { key: key.to_owned() });
        self.commit_now = true;
    }

    /// A turn's reply is to be delivered. The one that says that a message is put off reaches the disk behind the message:
    /// after a crash between the two the message is not lost.
    pub(crate) fn add_reply(&mut self, end: &TurnEnd, reply: Entry) {
        if matches!(end, TurnEnd::Parked { .. }) {
            // a disk that refuses is reported with the batch
            let _ = self.store.commit();
            self.shared.outbox.keep(&reply);
        }
        self.delivery.add(reply, false);
    }

    /// When to call [`Hub::run_parked`].
    pub(crate) fn parked_deadline(&self, now: Instant) -> Option<Instant> {
        if !self.may_run_parked() {
            return None;
        }
        let next = self.store.state().parked.values().map(|parked| parked.until).min()?;
        let wait = u64::try_from(next - time::now_ms()).unwrap_or(0);
        Some(now + Duration::from_millis(wait).min(LOOK))
    }

    /// Not before the first connection, which tells the name that a message may mention us by, and not at the end.
    fn may_run_parked(&self) -> bool {
        self.drain.is_none() && !self.care.again && self.link.up_since.is_some()
    }

    /// Keeps a message for the program that will follow in this process.
    pub(crate) fn keep_for_later(&mut self, job: Job) {
        let text = Say::WaitsForRestart.to(self.tongues.of(&job.topic_id), &[]);
        let adapter = self.shared.config.adapter.clone();
        self.show_now(&job.topic_id, &Status { text, kind: StatusKind::Queued, adapter, model: None });
        self.store.record(Record::Seen { key: job.key.clone() });
        self.park(&job.key, &job.scope, time::now_ms(), job.source);
    }

    /// Takes up the turns whose time has come, as if their messages came now.
    pub(crate) fn run_parked(&mut self) {
        if !self.may_run_parked() {
            return;
        }
        let now = time::now_ms();
        let parked = &self.store.state().parked;
        let mut due = Vec::new();
        if parked.iter().any(|(_, p)| p.until <= now) {
            let together = parked.iter().filter(|(_, p)| p.until < now + TOGETHER_MS);
            due.extend(together.map(|(key, p)| (p.until, key.to_owned(), p.message.clone())));
            due.sort_by_key(|(until, ..)| *until);
        }
        for (_, key, message) in due {
            self.store.record(Record::Unparked { key });
            if let Some((job, run)) = task::restore(&message, &self.me) {
                self.tongues.guess(&job.topic_id, &run.title);
                self.accept_for(job, Arc::new(TaskLink::to(run)));
                continue;
            }
            match Message::decode(&message).map(|message| intake(&message, &self.me)) {
                Ok(Verdict::Run(job)) => {
                    self.tongues.guess(&job.topic_id, &job.instruction);
                    self.accept(*job);
                }
                Ok(Verdict::Ignore(why)) | Err(why) => {
                    log::warn!(target: "hub", "a message that was kept cannot be run any more: {why}");
                }
            }
        }
    }

    /// Forgets what is put off in a session; how many.
    pub(crate) fn drop_parked(&mut self, scope: &Scope) -> usize {
        let scope = scope.to_string();
        let parked = &self.store.state().parked;
        let keys: Vec<String> =
            parked.iter().filter(|(_, p)| p.scope == scope).map(|(k, _)| k.to_owned()).collect();
        let count = keys.len();
        self.commit_now |= count > 0;
        for key in keys {
            self.store.record(Record::Unparked { key });
        }
        count
    }
}
