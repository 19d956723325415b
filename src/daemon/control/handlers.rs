//! The answers to the command line, as functions over the parts that they need: what `status` shows of a running
//! connector, what `restart`, `upload-file`, `approve` and `deny` do to it.

use crate::agent::adapters;
use crate::agent::discovery::locate;
use crate::agent::runner::CURRENT_TURN;
use crate::config::Config;
use crate::daemon::context::Context;
use crate::daemon::control::reply::{ControlRequest, reply};
use crate::daemon::control::{PermissionAnswer, Request, UploadRequest};
use crate::daemon::effect::{Effect, Effects};
use crate::daemon::outbound::Outbound;
use crate::daemon::outbound::uploads::UploadJob;
use crate::daemon::permissions::{PermissionRequests, last_decisions};
use crate::daemon::scheduler::Scheduler;
use crate::daemon::tasks::Tasks;
use crate::session::turn::TurnId;
use crate::sys::time;
use crate::wire::intake::Scope;
use serde_json::{Value, json};
use std::os::unix::net::UnixStream;
use std::time::Instant;

/// The parts that the command line can look at or change.
#[derive(Debug)]
pub(crate) struct ControlParts<'a> {
    /// Sessions and their turns.
    pub(crate) scheduler: &'a mut Scheduler,
    /// What waits to be sent.
    pub(crate) outbound: &'a mut Outbound,
    /// What people are asked.
    pub(crate) permissions: &'a mut PermissionRequests,
    /// The tasks of the topics.
    pub(crate) tasks: &'a Tasks,
}

/// Answers a request; the client may be gone.
pub(crate) fn handle(cx: &mut Context, parts: &mut ControlParts<'_>, asked: ControlRequest) -> Effects {
    let (answer, effects) = match asked.request {
        Request::Status => {
            cx.lifecycle.self_update.check_soon();
            (status(cx, parts), Effects::none())
        }
        Request::Restart { now } => restart(cx, parts.scheduler, now),
        Request::Approve(answer) => decide(cx, parts, true, &answer),
        Request::Deny(answer) => decide(cx, parts, false, &answer),
        Request::Upload(request) => {
            upload(cx, parts, request, asked.back);
            return Effects::none();
        }
    };
    reply(asked.back, &answer);
    effects
}

/// Starts again when the running turns are over, or now. Messages that come meanwhile are deferred.
fn restart(cx: &mut Context, scheduler: &Scheduler, now: bool) -> (Value, Effects) {
    let mut effects = Effects::none();
    if cx.lifecycle.is_shutting_down() {
        return (json!({ "error": "it is ending already" }), effects);
    }
    let turns = scheduler.count();
    cx.lifecycle.restart_pending = true;
    if now {
        effects.push(Effect::BeginShutdown);
    } else if turns > 0 {
        log::info!(target: "hub", "starting again when {turns} turn(s) are over");
    }
    (json!({ "instance": instance(cx), "turns": if now { 0 } else { turns } }), effects)
}

/// Decides a permission request, or lists those that are open.
fn decide(
    cx: &mut Context,
    parts: &mut ControlParts<'_>,
    allow: bool,
    answer: &PermissionAnswer,
) -> (Value, Effects) {
    let (id, words) = (answer.id.as_deref(), answer.words.as_str());
    parts.permissions.decide_on_host(cx, parts.scheduler, allow, id, words)
}

/// Sends files into a topic; the upload threads answer.
fn upload(cx: &Context, parts: &mut ControlParts<'_>, request: UploadRequest, back: UnixStream) {
    let topic_id = request.topic_id.as_str();
    let task_id = parts.tasks.of_topic(topic_id).map(str::to_owned);
    let running = task_id.clone().and_then(|id| parts.scheduler.running_task(&Scope::Task(id)));
    // a process that is left of an earlier turn says which one it served
    let is_of_turn = |turn_id: TurnId| {
        matches!(request.turn.as_str(), "" | CURRENT_TURN) || request.turn == cx.shared.turn(turn_id)
    };
    let turn = running.filter(|running| is_of_turn(running.turn_id)).map(|running| running.task);
    let encrypted = parts.scheduler.answers_encrypted(topic_id).then(|| cx.language_of(topic_id));
    parts.outbound.send_requested(cx, UploadJob { request, back, task_id, turn, encrypted });
}

/// Everything that only this process knows.
fn status(cx: &Context, parts: &ControlParts<'_>) -> Value {
    let (config, lifecycle) = (cx.config(), &cx.lifecycle);
    let turns =
        || parts.scheduler.all().flat_map(|(scope, turns)| turns.iter().map(move |turn| (scope, turn)));
    let running: Vec<Value> = turns()
        .filter_map(|(scope, turn)| {
            Some(json!({
                "session": scope.to_string(), "adapter": turn.adapter,
                "seconds": turn.began?.elapsed().as_secs(), "stopping": turn.is_stopping,
            }))
        })
        .collect();
    let waiting = turns().filter(|(_, turn)| turn.began.is_none()).count();
    let deferred = &cx.store.state().deferred;
    let next = deferred.values().map(|deferred| deferred.until).min().map(time::rfc3339);
    let oldest = parts.outbound.oldest_undelivered();
    let last = lifecycle.last_message.as_ref().map(
        |last| json!({ "at": wall_clock(last.at), "seconds": last.at.elapsed().as_secs(), "topic": last.topic_id }),
    );
    json!({
        "agents": agents(config), "service": lifecycle.notifier.manager(),
        "version": env!("CARGO_PKG_VERSION"), "pid": std::process::id(), "instance": instance(cx),
        "started": wall_clock(lifecycle.started), "seconds": lifecycle.started.elapsed().as_secs(),
        "agent_id": cx.identity.agent_id, "display_name": cx.identity.display_name,
        "base_url": config.base_url, "adapter": config.adapter,
        "model": config.model, "mode": config.mode.name(), "workdir": config.workdir.display().to_string(),
        "link": link_status(cx), "last_message": last, "running": running, "waiting": waiting,
        "outbox": { "replies": parts.outbound.undelivered(), "oldest": oldest.map(time::rfc3339),
            "seconds": oldest.map(|at| (time::now_ms() - at).max(0) / 1000) },
        "parked": { "messages": deferred.len(), "next": next },
        "asks": parts.permissions.open_as_json(), "decisions": last_decisions(cx),
        "restarting": lifecycle.restart_pending, "replaced": lifecycle.self_update.image().is_replaced(),
        "problems": problems(cx, parts.outbound),
    })
}

/// What needs attention, in sentences.
fn problems(cx: &Context, outbound: &Outbound) -> Vec<String> {
    let mut problems: Vec<String> = cx.store.repairs().to_vec();
    if let Some(why) = &cx.lifecycle.disk_problem {
        problems.push(format!(
            "the disk refuses: {why}; replies and sessions are kept in memory until it does not"
        ));
    }
    if let Some(reply) = outbound.refused_reply() {
        problems.push(format!(
            "the service refuses a reply in topic {}: {}; it is tried again",
            reply.topic_id, reply.why
        ));
    }
    if outbound.is_full() {
        problems
            .push("the outbox is full: no new turn begins until the service takes some replies".to_owned());
    }
    problems
}

/// Where the programs of the enabled adapters are.
fn agents(config: &Config) -> Vec<Value> {
    let specs = config.adapters.iter().filter_map(|name| adapters::find(name));
    specs
        .map(|spec| {
            let command = config.commands.get(spec.name).map(Vec::as_slice).unwrap_or_default();
            let found = locate::locate(spec, command).map(|program| program.path.display().to_string());
            let problem = found.as_ref().err().map(|why| format!("{why}; {}", locate::remedy(spec, command)));
            json!({ "adapter": spec.name, "path": found.ok(), "problem": problem })
        })
        .collect()
}

fn link_status(cx: &Context) -> Value {
    let link = &cx.link;
    if let Some(since) = link.up_since {
        return json!({ "state": "connected", "problem": null, "since": wall_clock(since), "seconds": since.elapsed().as_secs() });
    }
    let state = match (&link.last_error, link.is_refused) {
        (None, _) => "connecting",
        (_, true) => "refused",
        (_, false) => "retrying",
    };
    let left = link.retry_at.map(|at| at.saturating_duration_since(Instant::now()).as_secs());
    json!({ "state": state, "problem": link.last_error, "seconds": left })
}

/// Names this process: another one answers after a restart.
fn instance(cx: &Context) -> &str {
    cx.shared.owner.rsplit(':').next().unwrap_or_default()
}

/// A moment of this process by the wall clock, in RFC 3339.
fn wall_clock(at: Instant) -> String {
    let ago = i64::try_from(at.elapsed().as_millis()).unwrap_or(0);
    time::rfc3339(time::now_ms() - ago)
}
