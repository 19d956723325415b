//! `/sessions` and `/switch`: the native sessions of a topic, those in use and those that were put aside.

use super::status::known_by;
use crate::agent::adapters;
use crate::daemon::context::Context;
use crate::daemon::topic_choice;
use crate::session::messages::{Lang, Msg, kept};
use crate::session::routing;
use crate::store::state::{Record, SessionRow, TopicChoice};
use crate::sys::time;
use crate::wire::intake::{Job, Scope};

/// A session of the list: its key (with the id behind it when it was put aside), its row, whether it is in use.
type ListedSession<'a> = (&'a String, &'a SessionRow, bool);

/// The sessions of a topic, those in use first, then the last used first.
fn sessions_of<'a>(cx: &'a Context, scope: &Scope) -> Vec<ListedSession<'a>> {
    let (state, scope) = (cx.store.state(), routing::scope_key(scope));
    let mut items: Vec<ListedSession<'_>> = Vec::new();
    items.extend(state.sessions_of(&scope).map(|(key, row)| (key, row, true)));
    items.extend(state.history.former_sessions.of_scope(&scope).map(|(key, row)| (key, row, false)));
    items.sort_by_cached_key(|(_, row, used)| (!used, std::cmp::Reverse(row.used_at)));
    items
}

/// `/sessions`.
pub(super) fn sessions_text(cx: &Context, job: &Job, lang: Lang) -> String {
    let items = sessions_of(cx, &job.scope);
    let now = topic_choice::route(cx, &mut job.clone()).map(|route| routing::session_key(&job.scope, &route));
    if items.is_empty() {
        return Msg::SessionsNone.to(lang, &[]);
    }
    let mut out = vec![Msg::SessionsHead.to(lang, &[])];
    for (at, (key, row, kept)) in items.iter().enumerate() {
        let (name, id) = known_by(key, row);
        let mut about = time::rfc3339(row.used_at);
        if !row.title.is_empty() {
            about.push_str(&format!(", “{}”", row.title));
        }
        // those of other models and agents wait until these are chosen again
        let is_used = *kept && now.as_ref() == Ok(key);
        let used = if is_used { Msg::SessionsNow.to(lang, &[]) } else { String::new() };
        out.push(Msg::SessionsRow.to(lang, &[&(at + 1).to_string(), &name, &id, &about, &used]));
    }
    out.push(Msg::SessionsFoot.to(lang, &[]));
    out.join("\n")
}

/// What `/switch` leads to: the session under the key that the topic's messages will have from now on, and the
/// answer. An error is an answer as well.
pub(super) fn switch_to(
    cx: &mut Context,
    job: &Job,
    which: &str,
    lang: Lang,
) -> Result<(String, SessionRow, String), String> {
    let items = sessions_of(cx, &job.scope);
    let number = which.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
    let by_id = || {
        let fits = |item: &&ListedSession<'_>| item.1.any_native_id().is_some_and(|id| id.starts_with(which));
        items.iter().find(fits).filter(|_| which.len() >= 4)
    };
    let Some((key, row, _)) = number.and_then(|n| items.get(n)).or_else(by_id) else {
        return Err(Msg::SwitchUnknown.to(lang, &[&which.replace('`', "")]));
    };
    let (name, id) = known_by(key, row);
    let row = (*row).clone();
    let (adapter, model, effort) = routing::parts_of(key).unwrap_or_default();
    let config = &cx.config();
    if row.workdir != config.workdir.to_string_lossy() {
        return Err(Msg::SwitchElsewhere.to(lang, &[&row.workdir]));
    }
    if !config.adapters.contains(&adapter) || adapters::find(&adapter).is_none() {
        return Err(Msg::AdapterOff.to(lang, &[&adapter, &config.adapters.join(", ")]));
    }
    let chosen = cx.store.state().choices.get(&job.scope.to_string()).cloned().unwrap_or_default();
    let choice = TopicChoice { model, effort, adapter: Some(adapter), ..chosen };
    cx.store.record(Record::ChoiceMade { scope: job.scope.to_string(), choice });
    let route =
        topic_choice::route(cx, &mut job.clone()).map_err(|why| format!("⚠️ {}", kept(lang, &why)))?;
    let text = Msg::Switched.to(lang, &[&name, &id]);
    Ok((routing::session_key(&job.scope, &route), row, text))
}
