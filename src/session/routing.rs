//! Which adapter, model and effort a message gets, and why. Pure.
//!
//! Order (README of the original): the task's `exec_mode`, `model_config.adapter`, an adapter mention, the user's map
//! and then the family of the message's model, the default. What an adapter's CLI makes of model and effort is the
//! adapter's business.

use crate::agent::adapters;
use crate::config::Mode;
use crate::config::model_switch::MapRow;
use crate::session::model::{ModelFamily, ParsedModel, home_adapter};
use crate::wire::intake::{Job, Scope};
use crate::wire::mention;
use percent_encoding::{percent_decode_str, percent_encode_byte};
use std::borrow::Cow;

/// What is available.
#[derive(Debug, Clone)]
pub struct RoutingDefaults<'a> {
    /// Default adapter.
    pub adapter: &'a str,
    /// The adapter that people chose for the topic; one that is not enabled any more does not count.
    pub chosen: Option<&'a str>,
    /// The permission mode.
    pub mode: Mode,
    /// Enabled adapters.
    pub enabled: &'a [String],
    /// Fallback model.
    pub model: Option<&'a str>,
    /// Fallback effort.
    pub effort: Option<&'a str>,
    /// Which adapter and provider serve which models, as the user has it.
    pub map: &'a [MapRow],
}

/// The decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Adapter name.
    pub adapter: String,
    /// Model as the CLI wants it (provider prefix removed).
    pub model: Option<String>,
    /// Effort.
    pub effort: Option<String>,
    /// Provider, when stated.
    pub provider: Option<String>,
    /// Permission mode.
    pub mode: Mode,
    /// The answer is spoken as well.
    pub speak: bool,
    /// One phrase for `/status` and the debug log.
    pub why: &'static str,
    /// What was asked for and is not done, for the same places.
    pub note: Option<String>,
}

impl Route {
    /// All of it in one line.
    pub fn words(&self) -> String {
        let mut out = self.adapter.clone();
        for part in [&self.model, &self.effort].into_iter().flatten() {
            out.push_str(&format!(" {part}"));
        }
        if let Some(provider) = &self.provider {
            out.push_str(&format!(" of {}", crate::text::truncate(&crate::text::one_line(provider), 40)));
        }
        out.push_str(&format!(" ({})", self.why));
        if let Some(note) = &self.note {
            out.push_str(&format!("; {note}"));
        }
        out
    }
}

/// Words that mention an adapter, and the adapter's name. Tasks and messages may also name it by an alias of its spec.
const ADAPTERS: [(&str, &str); 13] = [
    ("codex", "codex"),
    ("claude", "claude-code"),
    ("claude-code", "claude-code"),
    ("cursor", "cursor"),
    ("gemini", "gemini"),
    ("qoder", "qoder"),
    ("opencode", "opencode"),
    ("crush", "crush"),
    ("iflow", "iflow"),
    ("kimi", "kimi"),
    ("pi", "pi"),
    ("acp", "acp"),
    ("devin", "devin"),
];

/// Decides, or says which adapter was asked for that is not available.
pub fn route(job: &Job, defaults: &RoutingDefaults<'_>) -> Result<Route, String> {
    let asked = job.model.model.as_deref().map(ParsedModel::parse).transpose()?.flatten();
    let (adapter, why) = adapter(job, asked.as_ref(), defaults)?;
    // The model as this adapter is to have it, if it can, and the provider that the map names for both.
    let known = |model: ParsedModel| {
        let here = |row: &&MapRow| row.adapter.as_ref().is_none_or(|name| *name == adapter);
        let row = model.row(defaults.map).filter(here);
        let (model, provider) = match row {
            Some(row) => (model.mapped(row), row.provider.clone()),
            None => (model, None),
        };
        model.is_known_to(&adapter).then_some((model, provider))
    };
    let fallback = || {
        let model = defaults.model.map(ParsedModel::parse)?.ok()??;
        // The fallback belongs to the default adapter; to another one only if it is at home there.
        let fits = adapter == defaults.adapter || model.family.map(home_adapter) == Some(adapter.as_str());
        fits.then_some(model).and_then(known)
    };
    let is_asked = asked.is_some();
    let usable = asked.and_then(known);
    let foreign = is_asked && usable.is_none();
    let note = job.model.model.as_deref().filter(|_| foreign);
    let note = note.map(|id| format!("{} is not a model for {adapter}, so its usual one is used", id.trim()));
    let (model, mapped) = usable.or_else(fallback).unzip();
    // What a message says of the provider belongs to its model.
    let stated = job.model.provider.clone().filter(|_| !foreign);
    let provider = mapped.flatten().or(stated).or_else(|| model.as_ref()?.provider.clone());
    let effort = job.model.effort.as_deref().and_then(effort).or_else(|| defaults.effort.and_then(effort));
    Ok(Route {
        speak: false,
        model: model.map(|m| m.id_for(&adapter)),
        effort,
        provider,
        mode: defaults.mode,
        why,
        note,
        adapter,
    })
}

fn adapter(
    job: &Job,
    model: Option<&ParsedModel>,
    defaults: &RoutingDefaults<'_>,
) -> Result<(String, &'static str), String> {
    let is_enabled = |name: &str| name == defaults.adapter || defaults.enabled.iter().any(|e| e == name);
    let available = |asked: &str, by: &'static str| {
        let name = adapter_asked(asked).unwrap_or(asked);
        if is_enabled(name) { Ok((name.to_owned(), by)) } else { Err(unavailable(asked, defaults)) }
    };
    // `reasoning`, `plan` and so on are ways to work and name no adapter (see TASKS in
    // wtt-connect-protocol(7)).
    if let Some(name) =
        job.exec_mode.as_deref().filter(|mode| is_enabled(mode) || adapter_asked(mode).is_some())
    {
        return available(name, "exec_mode of the task");
    }
    if let Some(name) = job.model.adapter.as_deref().filter(|name| !matches!(*name, "default" | "auto")) {
        return available(name, "adapter of the message");
    }
    // A mention of an adapter that is not enabled here may be a person or another agent.
    let mentioned = job.mentions.iter().find_map(|m| adapter_named(m).filter(|name| is_enabled(name)));
    if let Some(name) = mentioned {
        return Ok((name.to_owned(), "mention"));
    }
    if let Some(name) = model.and_then(|m| m.row(defaults.map)?.adapter.as_deref()) {
        return available(name, "model of the message, by WTT_CONNECT_MODEL_PROVIDER_MAP");
    }
    let (usual, why) = match defaults.chosen.filter(|name| is_enabled(name)) {
        Some(chosen) => (chosen, "chosen for this topic"),
        None => (defaults.adapter, "default"),
    };
    match model.and_then(|m| m.family) {
        // The CLI of the maker itself, when it is the default, keeps its models.
        Some(ModelFamily::Kimi) if usual == "kimi" => Ok(("kimi".to_owned(), why)),
        Some(family) if is_enabled(home_adapter(family)) => {
            Ok((home_adapter(family).to_owned(), "model of the message"))
        }
        _ => Ok((usual.to_owned(), why)),
    }
}

fn adapter_named(word: &str) -> Option<&'static str> {
    let word = mention::normalize_name(word);
    ADAPTERS.iter().find(|(name, _)| mention::normalize_name(name) == word).map(|(_, adapter)| *adapter)
}

/// By what people type in settings too. Not for mentions, where a common word would be taken for an adapter.
fn adapter_asked(word: &str) -> Option<&'static str> {
    adapter_named(word).or_else(|| adapters::find(word.trim()).map(|spec| spec.name))
}

fn unavailable(asked: &str, defaults: &RoutingDefaults<'_>) -> String {
    let asked = crate::text::truncate(&crate::text::one_line(asked), 40).replace('`', "");
    let mut names: Vec<&str> = defaults.enabled.iter().map(String::as_str).collect();
    if !names.contains(&defaults.adapter) {
        names.insert(0, defaults.adapter);
    }
    format!(
        "adapter `{asked}` is not enabled on this agent; available: {} (WTT_CONNECT_ADAPTERS adds more)",
        names.join(", ")
    )
}

/// An effort word; anything else is ignored.
fn effort(word: &str) -> Option<String> {
    let word = word.trim().to_lowercase();
    let is_word = !word.is_empty() && word.len() <= 16 && word.chars().all(|c| c.is_ascii_alphanumeric());
    (is_word && !matches!(word.as_str(), "default" | "auto")).then_some(word)
}

/// The stored session key: `wtt:topic:<topic_id>:<adapter>:<model>:<effort>` (README); absent parts are `default`.
///
/// Colons, blanks, `%` and control characters inside a part are written as `%XX`, so that no two different choices
/// share a key.
pub fn session_key(scope: &Scope, route: &Route) -> String {
    let part = |value: &Option<String>| value.as_deref().map_or_else(|| "default".to_owned(), escape);
    let (model, effort) = (part(&route.model), part(&route.effort));
    format!("{}:{}:{model}:{effort}", scope_key(scope), escape(&route.adapter))
}

/// What the session keys of a topic or task begin with, before the next colon.
pub fn scope_key(scope: &Scope) -> String {
    match scope {
        Scope::Topic(id) => format!("wtt:topic:{}", escape(id)),
        Scope::Task(id) => format!("wtt:task:{}", escape(id)),
    }
}

/// The topic of a session key; none for a task's.
pub fn topic_of(session_key: &str) -> Option<String> {
    let (id, _) = session_key.strip_prefix("wtt:topic:")?.split_once(':')?;
    unescape(id)
}

/// Adapter, model and effort of a session key, also with a native id behind it.
pub fn parts_of(session_key: &str) -> Option<(String, Option<String>, Option<String>)> {
    let mut parts = session_key.split(':').skip(3);
    let mut next = || unescape(parts.next()?);
    let adapter = next()?;
    let given = |part: String| (part != "default").then_some(part);
    Some((adapter, next().and_then(given), next().and_then(given)))
}

fn unescape(id: &str) -> Option<String> {
    percent_decode_str(id).decode_utf8().ok().map(Cow::into_owned)
}

fn escape(part: &str) -> String {
    let mut out = String::with_capacity(part.len());
    for c in part.chars() {
        if matches!(c, ':' | '%') || c.is_whitespace() || c.is_control() {
            out.extend(c.encode_utf8(&mut [0; 4]).bytes().map(percent_encode_byte));
        } else {
            out.push(c);
        }
    }
    out
}
