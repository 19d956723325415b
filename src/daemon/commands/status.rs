//! `/status` and `/queue`: what runs and what waits.

use crate::daemon::context::Context;
use crate::daemon::outbound::Outbound;
use crate::daemon::permissions::PermissionRequests;
use crate::daemon::scheduler::Scheduler;
use crate::daemon::topic_choice;
use crate::session::messages::{Lang, Msg, kept};
use crate::session::routing;
use crate::store::state::SessionRow;
use crate::sys::time;
use crate::wire::intake::Job;

/// `/status`.
pub(super) fn status_text(
    cx: &Context,
    scheduler: &Scheduler,
    permissions: &PermissionRequests,
    outbound: &Outbound,
    job: &Job,
    lang: Lang,
) -> String {
    let config = &cx.config();
    let mut lines = vec![Msg::OnThisHost.to(lang, &[env!("CARGO_PKG_VERSION")])];
    let mut mode = config.mode;
    match topic_choice::route(cx, &mut job.clone()) {
        Ok(route) => {
            mode = route.mode;
            lines.push(
                Msg::Adapter.to(lang, &[&route.adapter, &kept(lang, route.why), &config.adapters.join(", ")]),
            );
            let mut model = route.model.unwrap_or_else(|| Msg::OwnDefault.to(lang, &[]));
            if let Some(note) = route.note {
                model.push_str(&format!("; {}", kept(lang, &note)));
            }
            lines.push(Msg::ModelRow.to(lang, &[&model]));
        }
        Err(why) => lines.push(Msg::AdapterBad.to(lang, &[&kept(lang, &why)])),
    }
    lines.push(Msg::ModeRow.to(lang, &[mode.name()]));
    lines.push(Msg::Workdir.to(lang, &[&config.workdir.to_string_lossy()]));
    if let Some(since) = cx.link.up_since {
        lines.push(Msg::Connected.to(lang, &[&seconds(since.elapsed().as_secs())]));
    }
    let turns: Vec<_> = scheduler.turns(&job.scope).collect();
    lines.push(match turns.iter().find_map(|t| t.began.map(|began| (t, began))) {
        Some((turn, began)) => {
            let say = if turn.is_stopping { Msg::HereStopping } else { Msg::HereRunning };
            let (for_, waiting) = (seconds(began.elapsed().as_secs()), (turns.len() - 1).to_string());
            say.to(lang, &[&turn.adapter, &kept(lang, turn.adapter_reason), &for_, &waiting])
        }
        None => Msg::HereIdle.to(lang, &[]),
    });
    let elsewhere = (scheduler.count() - turns.len()).to_string();
    lines.push(Msg::Elsewhere.to(lang, &[&elsewhere, &outbound.undelivered().to_string()]));
    for (key, row) in cx.store.state().sessions_of(&routing::scope_key(&job.scope)) {
        let (name, id) = known_by(key, row);
        lines.push(Msg::SessionRow.to(lang, &[&name, &id]));
    }
    let here = job.scope.to_string();
    for (_, deferred) in cx.store.state().deferred.iter().filter(|(_, deferred)| deferred.scope == here) {
        lines.push(Msg::KeptRow.to(lang, &[&time::rfc3339(deferred.until)]));
    }
    lines.extend(permissions.status_lines(cx, job, lang));
    lines.extend(cx.store.repairs().iter().map(|note| Msg::Note.to(lang, &[note])));
    lines.join("\n")
}

/// `/queue`.
pub(super) fn queue_text(scheduler: &Scheduler, job: &Job, lang: Lang) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut waiting = 0;
    for turn in scheduler.turns(&job.scope) {
        if let Some(began) = turn.began {
            lines.push(Msg::QueueRuns.to(lang, &[&seconds(began.elapsed().as_secs()), &turn.title]));
            continue;
        }
        if waiting == 0 {
            lines.push(Msg::QueueHead.to(lang, &[]));
        }
        waiting += 1;
        lines.push(format!("{waiting}. {}", turn.title));
    }
    if lines.is_empty() { Msg::QueueEmpty.to(lang, &[]) } else { lines.join("\n") }
}

/// What people know a native session by: its agent with the model, and the beginning of its id.
pub(super) fn known_by(key: &str, row: &SessionRow) -> (String, String) {
    let (mut name, model, effort) = routing::parts_of(key).unwrap_or_default();
    for part in [model, effort].into_iter().flatten() {
        name.push_str(&format!(" {part}"));
    }
    (name, row.any_native_id().unwrap_or_default().chars().take(SHORT_ID).collect())
}

/// As much of an id as distinguishes sessions. Those that begin with the time need more than eight.
const SHORT_ID: usize = 13;

fn seconds(secs: u64) -> String {
    humantime::format_duration(std::time::Duration::from_secs(secs)).to_string()
}
