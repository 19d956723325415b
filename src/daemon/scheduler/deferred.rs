//! Messages whose turn is deferred until a usage limit resets, or until the connector has started again: kept on disk, run
//! by themselves, shown by `/status`, dropped by `/stop`.

use crate::daemon::context::Context;
use crate::daemon::effect::{Effect, Effects, StartTurn, own_status};
use crate::session::messages::{Msg, kept};
use crate::session::task::{self, TaskLink};
use crate::store::outbox::{OutboxEntry, ReplyKind};
use crate::store::state::{DeferredTurn, Record};
use crate::sys::time;
use crate::wire::assumed::CHUNK_CHARS;
use crate::wire::identity::Identity;
use crate::wire::intake::{Job, Scope, Verdict, intake};
use crate::wire::message::Message;
use crate::wire::outbound_text::chunk;
use crate::wire::outgoing::StatusKind;
use crate::wire::task::Task;
use serde_json::Value;
use std::time::{Duration, Instant};

/// While a message is deferred the wall clock is looked at this often: it goes on while the machine sleeps, timers do not.
const CHECK_EVERY: Duration = Duration::from_secs(60);

/// Messages that are deferred until the same moment are spaced by milliseconds within this time, so that they keep
/// their order; they are still taken up together. More than a mailbox holds.
const TOGETHER_MS: i64 = 100;

/// Defers a message until a time (milliseconds since the epoch), behind those of its session that wait for the same moment.
pub(crate) fn defer(cx: &mut Context, key: &str, scope: &Scope, until: i64, message: Value) {
    let name = scope.to_string();
    let others = cx.store.state().deferred.values().filter(|other| other.scope == name);
    let last = others.map(|other| other.until).filter(|at| (0..TOGETHER_MS).contains(&(at - until))).max();
    let until = last.map_or(until, |last| last + 1);
    log::info!(target: "hub", "a message in {scope} is kept until {}", time::rfc3339(until));
    let deferred = DeferredTurn { until, scope: name, message, ..DeferredTurn::default() };
    cx.store.record(Record::Deferred { key: key.to_owned(), turn: deferred });
    cx.store.record(Record::Finished { key: key.to_owned() });
    cx.commit_now = true;
}

/// Defers a message for the program that will follow in this process.
pub(crate) fn defer_until_restart(cx: &mut Context, job: Job) -> Effects {
    let text = Msg::WaitsForRestart.to(cx.language_of(&job.topic_id), &[]);
    let mut effects = Effects::none();
    effects.show_now(&job.topic_id, own_status(&text, StatusKind::Queued, &cx.config().adapter));
    cx.record_seen(&job.key);
    defer(cx, &job.key, &job.scope, time::now_ms(), job.source);
    effects
}

/// When to call [`take_due`].
pub(crate) fn deadline(cx: &Context, now: Instant) -> Option<Instant> {
    if !may_run(cx) {
        return None;
    }
    let next = cx.store.state().deferred.values().map(|deferred| deferred.until).min()?;
    let wait = u64::try_from(next - time::now_ms()).unwrap_or(0);
    Some(now + Duration::from_millis(wait).min(CHECK_EVERY))
}

/// Not before the first connection, which brings the name by which a message may mention this agent, and not at the end.
fn may_run(cx: &Context) -> bool {
    !cx.lifecycle.is_shutting_down() && !cx.lifecycle.restart_pending && cx.is_connected()
}

/// Takes up the messages whose time has come, as if they came now.
pub(crate) fn take_due(cx: &mut Context) -> Effects {
    let mut effects = Effects::none();
    if !may_run(cx) {
        return effects;
    }
    let now = time::now_ms();
    let deferred = &cx.store.state().deferred;
    if !deferred.values().any(|deferred| deferred.until <= now) {
        return effects;
    }
    let together = deferred.iter().filter(|(_, deferred)| deferred.until < now + TOGETHER_MS);
    let mut due: Vec<(String, DeferredTurn)> =
        together.map(|(key, row)| (key.clone(), row.clone())).collect();
    due.sort_by_cached_key(|(_, deferred)| deferred.until);
    for (key, deferred) in due {
        cx.store.record(Record::DeferralEnded { key: key.clone() });
        match revive(&deferred.message, &cx.identity) {
            Ok(turn) => {
                let text = turn.task.title().unwrap_or_else(|| turn.job.instruction.clone());
                cx.languages.guess(&turn.job.topic_id, &text);
                effects.start(turn);
            }
            Err(why) => {
                log::warn!(target: "hub", "a message that was deferred cannot be run any more: {why}");
                cx.commit_now = true;
                effects.extend(
                    notice_of_loss(cx, &key, &deferred, why).map(|entry| Effect::Post(Box::new(entry))),
                );
            }
        }
    }
    effects
}

/// The turn of a deferred message. It was for this agent when it was accepted, whatever names the agent has now.
fn revive(source: &Value, me: &Identity) -> Result<StartTurn, &'static str> {
    if let Some((job, run)) = task::restore(source, me) {
        return Ok(StartTurn::for_task(job, TaskLink::to(run)));
    }
    let message = Message::decode(source)?;
    let verdict = match intake(&message, me) {
        Verdict::Ignore(_) => intake(&message.aimed_at(&me.agent_id), me),
        run => run,
    };
    match verdict {
        Verdict::Run(job) => Ok(StartTurn::for_message(*job)),
        Verdict::Ignore(why) => Err(why),
    }
}

/// Tells people that a deferred message is not answered, and the service, if it was to carry out a task. None: what is on
/// disk names no topic.
fn notice_of_loss(cx: &Context, key: &str, deferred: &DeferredTurn, why: &str) -> Option<OutboxEntry> {
    let (source, run) = (&deferred.message, Task::decode(&deferred.message["task_run"]));
    let message = Message::decode(source).or_else(|_| Message::decode(&source["message"])).ok();
    let of_scope = || deferred.scope.strip_prefix("wtt:topic:").map(str::to_owned);
    let topic_id = match (&message, &run) {
        (Some(message), _) => Some(message.topic_id.clone()),
        (None, Some(task)) => task.topic_id.clone(),
        (None, None) => None,
    };
    let topic_id = topic_id.or_else(of_scope)?;
    let lang = cx.language_of(&topic_id);
    let text = Msg::DeferredLost.to(lang, &[&kept(lang, why)]);
    let reply_to = message.and_then(|message| message.id);
    let parts = chunk(&text, CHUNK_CHARS);
    let mut entry = cx.shared.outbox.new_entry(key, &topic_id, reply_to.as_deref(), parts, ReplyKind::Failed);
    entry.follow_ups.extend(run.map(|task| task::interrupted(&task.id, &text)));
    Some(entry)
}

/// Forgets what is deferred in a session. Returns how many messages that were.
pub(crate) fn drop_deferred(cx: &mut Context, scope: &Scope) -> usize {
    let scope = scope.to_string();
    let deferred = cx.store.state().deferred.iter().filter(|(_, deferred)| deferred.scope == scope);
    let keys: Vec<String> = deferred.map(|(key, _)| key.clone()).collect();
    let count = keys.len();
    cx.commit_now |= count > 0;
    for key in keys {
        cx.store.record(Record::DeferralEnded { key });
    }
    count
}

/// Whether a run of the task of a session is deferred.
pub(crate) fn is_task_deferred(cx: &Context, scope: &Scope) -> bool {
    let scope = scope.to_string();
    let mut deferred = cx.store.state().deferred.values();
    deferred.any(|deferred| deferred.scope == scope && deferred.message.get("task_run").is_some())
}
