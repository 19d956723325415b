//! Which adapter, model and effort a message gets, and why. Pure.
//!
//! Order (README of the original): the task's `exec_mode`, `model_config.adapter`, an adapter mention, the family of
//! the message's model, the default. What an adapter's CLI makes of model and effort is the adapter's business.

use crate::wire::intake::{Job, Scope};
use crate::wire::mention;

/// What is available.
#[derive(Debug, Clone)]
pub struct Defaults<'a> {
    /// Default adapter.
    pub adapter: &'a str,
    /// Enabled adapters.
    pub enabled: &'a [String],
    /// Fallback model.
    pub model: Option<&'a str>,
    /// Fallback effort.
    pub effort: Option<&'a str>,
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
    /// One phrase for `/status` and the debug log.
    pub why: &'static str,
}

/// Words that name an adapter in `exec_mode`, `model_config.adapter` and mentions, and the adapter's name.
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

/// Makers of models, as far as routing knows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    OpenAi,
    Claude,
    DeepSeek,
    Kimi,
    Gemini,
}

/// `provider/` prefixes of the web's model ids.
const PROVIDERS: [(&str, Family); 12] = [
    ("openai", Family::OpenAi),
    ("openai-codex", Family::OpenAi),
    ("codex", Family::OpenAi),
    ("anthropic", Family::Claude),
    ("claude", Family::Claude),
    ("claude-code", Family::Claude),
    ("deepseek", Family::DeepSeek),
    ("moonshot", Family::Kimi),
    ("moonshotai", Family::Kimi),
    ("kimi", Family::Kimi),
    ("google", Family::Gemini),
    ("gemini", Family::Gemini),
];

/// How model ids begin that carry no prefix.
const MODELS: [(&str, Family); 14] = [
    ("gpt", Family::OpenAi),
    ("chatgpt", Family::OpenAi),
    ("codex", Family::OpenAi),
    ("o1", Family::OpenAi),
    ("o3", Family::OpenAi),
    ("o4", Family::OpenAi),
    ("claude", Family::Claude),
    ("opus", Family::Claude),
    ("sonnet", Family::Claude),
    ("haiku", Family::Claude),
    ("deepseek", Family::DeepSeek),
    ("kimi", Family::Kimi),
    ("moonshot", Family::Kimi),
    ("gemini", Family::Gemini),
];

/// No model id is longer; it also ends up in file names and process arguments.
const MODEL_CHARS: usize = 128;

/// Decides, or says which adapter was asked for that is not available.
pub fn route(job: &Job, defaults: &Defaults<'_>) -> Result<Route, String> {
    let asked = job.model.model.as_deref().map(Model::parse).transpose()?.flatten();
    let (adapter, why) = adapter(job, asked.as_ref(), defaults)?;
    let fallback = || {
        let model = defaults.model.map(Model::parse)?.ok()??;
        // The fallback belongs to the default adapter; to another one only if it is at home there.
        let fits = adapter == defaults.adapter || model.family.map(home) == Some(adapter.as_str());
        fits.then_some(model)
    };
    let model =
        asked.filter(|m| m.is_known_to(&adapter)).or_else(fallback).filter(|m| m.is_known_to(&adapter));
    let provider = job.model.provider.clone().or_else(|| model.as_ref()?.provider.clone());
    let effort = job.model.effort.as_deref().and_then(effort).or_else(|| defaults.effort.and_then(effort));
    Ok(Route { model: model.map(|m| m.id_for(&adapter)), effort, provider, why, adapter })
}

/// Whether a text can be the name of a model, or why not.
pub fn check_model(id: &str) -> Result<(), String> {
    Model::parse(id).map(drop)
}

fn adapter(
    job: &Job,
    model: Option<&Model>,
    defaults: &Defaults<'_>,
) -> Result<(String, &'static str), String> {
    let is_enabled = |name: &str| name == defaults.adapter || defaults.enabled.iter().any(|e| e == name);
    let available = |asked: &str, by: &'static str| {
        let name = adapter_named(asked).unwrap_or(asked);
        if is_enabled(name) { Ok((name.to_owned(), by)) } else { Err(unavailable(asked, defaults)) }
    };
    // `reasoning`, `plan` and so on are ways to work and name no adapter (protocol 17, question 12).
    if let Some(name) =
        job.exec_mode.as_deref().filter(|mode| is_enabled(mode) || adapter_named(mode).is_some())
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
    match model.and_then(|m| m.family) {
        // The CLI of the maker itself, when it is the default, keeps its models.
        Some(Family::Kimi) if defaults.adapter == "kimi" => Ok(("kimi".to_owned(), "default")),
        Some(family) if is_enabled(home(family)) => Ok((home(family).to_owned(), "model of the message")),
        _ => Ok((defaults.adapter.to_owned(), "default")),
    }
}

fn adapter_named(word: &str) -> Option<&'static str> {
    let word = mention::normal(word);
    ADAPTERS.iter().find(|(name, _)| mention::normal(name) == word).map(|(_, adapter)| *adapter)
}

fn unavailable(asked: &str, defaults: &Defaults<'_>) -> String {
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

/// The adapter that a family of models is routed to.
fn home(family: Family) -> &'static str {
    match family {
        Family::OpenAi => "codex",
        Family::Claude | Family::DeepSeek | Family::Kimi => "claude-code",
        Family::Gemini => "gemini",
    }
}

/// Adapters whose CLI reaches the models of many makers.
fn takes_any(adapter: &str) -> bool {
    !matches!(adapter, "codex" | "claude-code" | "gemini" | "kimi")
}

/// A model id, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Model {
    provider: Option<String>,
    name: String,
    family: Option<Family>,
}

impl Model {
    /// None for the words that mean "whatever is the default"; an error for what cannot be a model id, because it
    /// becomes an argument of a program.
    fn parse(id: &str) -> Result<Option<Model>, String> {
        let id = id.trim();
        if id.is_empty() || id.eq_ignore_ascii_case("default") || id.eq_ignore_ascii_case("auto") {
            return Ok(None);
        }
        let is_plain = |c: char| !c.is_whitespace() && !c.is_control();
        if id.starts_with(['-', '/', '@']) || !id.chars().all(is_plain) || id.chars().count() > MODEL_CHARS {
            let shown = crate::text::truncate(&crate::text::one_line(id), 40).replace('`', "");
            return Err(format!("`{shown}` cannot be the name of a model; choose another one"));
        }
        let known =
            |word: &str| PROVIDERS.iter().find(|(p, _)| word.eq_ignore_ascii_case(p)).map(|(_, f)| *f);
        if let Some((provider, name)) = id.split_once('/') {
            if let Some(family) = known(provider).filter(|_| !name.is_empty() && !name.starts_with('-')) {
                let (provider, name) = (provider.to_lowercase(), name.to_owned());
                return Ok(Some(Model { provider: Some(provider), name, family: Some(family) }));
            }
            return Ok(Some(Model { provider: None, name: id.to_owned(), family: None }));
        }
        let lower = id.to_lowercase();
        let family = MODELS.iter().find(|(start, _)| lower.starts_with(start)).map(|(_, f)| *f);
        Ok(Some(Model { provider: None, name: id.to_owned(), family }))
    }

    /// Whether this adapter's CLI can know the model: passing a foreign one would only make the turn fail.
    fn is_known_to(&self, adapter: &str) -> bool {
        match (adapter, self.family) {
            (_, None) => true,
            ("kimi", Some(family)) => family == Family::Kimi,
            (_, Some(family)) => takes_any(adapter) || home(family) == adapter,
        }
    }

    /// As the CLI wants it: `provider/model` for the ones that choose among providers, else the bare name.
    fn id_for(self, adapter: &str) -> String {
        match self.provider {
            Some(provider) if matches!(adapter, "opencode" | "crush" | "pi") => {
                format!("{provider}/{}", self.name)
            }
            _ => self.name,
        }
    }
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
    let mut bytes = Vec::with_capacity(id.len());
    let mut rest = id.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

fn escape(part: &str) -> String {
    let mut out = String::with_capacity(part.len());
    for c in part.chars() {
        if matches!(c, ':' | '%') || c.is_whitespace() || c.is_control() {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                out.push_str(&format!("%{byte:02X}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}
