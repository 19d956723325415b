//! From the merged settings to [`Config`]: parses each value, works out defaults, records everything that is wrong.
//!
//! Looks at the disk only for certificate files and the permission rules.

use super::adapter_names::ADAPTER_NAMES;
use super::keys;
use super::permissions::{self, Rule};
use super::source::{Source, key, take_parsed};
use super::{Config, Limits, Mode, Selection, Settings, profile, value, voice};
use crate::config::model_switch;
use crate::config::model_switch::Switch;
use crate::secret::Secret;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

/// The configuration, as far as it can be worked out; complete when `settings` has no problems afterwards. What is
/// missing is empty.
pub(super) fn build(selection: &Selection, settings: &mut Settings) -> Config {
    let s = settings;
    let places = selection.places();
    let path = |text: &str| places.absolute(text);
    let url = |schemes: &'static [&'static str]| move |text: &str| value::url(text, schemes);

    let base_url = take_parsed(s, "WTT_BASE_URL", url(&["http://", "https://"]))
        .unwrap_or_else(|| key("WTT_BASE_URL").default.to_owned());
    let ws_url = take_parsed(s, "WTT_WS_URL", url(&["ws://", "wss://"]));
    let home = match &selection.profile {
        Some(_) => "put it into the profile",
        None => "put it into .env here, into a file named by --env-file, or start a profile with --profile",
    };
    let agent_id = required(s, "WTT_AGENT_ID", home, value::agent_id);
    let token = required(s, "WTT_TOKEN", home, value::token).map(Secret::new);
    let http_token = take_parsed(s, "WTT_HTTP_TOKEN", value::token).map(Secret::new);
    let (adapter, adapters) = adapters(selection, s);
    let mode = take_parsed(s, "WTT_CONNECT_MODE", value::mode).unwrap_or_default();
    let allow_yolo = take_parsed(s, "WTT_CONNECT_ALLOW_YOLO", value::flag).unwrap_or(false);
    if mode == Mode::Yolo && !allow_yolo {
        let place = s.get("WTT_CONNECT_MODE").map_or_else(String::new, |m| format!(" ({})", m.source));
        s.problem(format!(
            "WTT_CONNECT_MODE{place} is yolo, which switches every safety off; set WTT_CONNECT_ALLOW_YOLO=1 as well if that is meant"
        ));
    }

    let id = agent_id.clone().unwrap_or_default();
    let name = selection.profile.clone().unwrap_or_else(|| profile::default_name(&id, &adapter));
    let workdir = parsed_or(s, "WTT_CONNECT_WORKDIR", path, places.workdir(&id));
    let state_dir = parsed_or(s, "WTT_CONNECT_STATE_DIR", path, places.state_dir(&name));
    let below = |file: &str| state_dir.as_ref().map(|d| d.join(file)).ok_or("");
    let store_file = parsed_or(s, "WTT_CONNECT_STORE_FILE", path, below("state.json"));
    let inbox_dir = parsed_or(s, "WTT_CONNECT_INBOX_DIR", path, below("inbox"));
    let artifact_dir = parsed_or(s, "WTT_CONNECT_ARTIFACT_DIR", path, below("artifacts"));

    let (mut commands, mut transports) = (BTreeMap::new(), BTreeMap::new());
    for (adapter, _) in ADAPTER_NAMES {
        let row = |what| {
            let name = adapter.replace('-', "_").to_ascii_uppercase();
            keys::find(&format!("WTT_CONNECT_{name}_{what}"))
        };
        if let Some(words) = row("COMMAND").and_then(|row| take_parsed(s, row.name, value::command)) {
            commands.insert((*adapter).to_owned(), words);
        }
        let of = |row: &'static keys::Key| {
            take_parsed(s, row.name, |word| row.kind.check(word).map(|()| word.to_ascii_lowercase()))
        };
        if let Some(word) = row("TRANSPORT").and_then(of) {
            transports.insert((*adapter).to_owned(), word);
        }
    }
    let usual = Limits::default();
    let limits = Limits {
        first_event: take_parsed(s, "WTT_CONNECT_FIRST_EVENT_SECONDS", value::seconds)
            .unwrap_or(usual.first_event),
        idle: take_parsed(s, "WTT_CONNECT_IDLE_SECONDS", value::seconds).unwrap_or(usual.idle),
        total: take_parsed(s, "WTT_CONNECT_TURN_SECONDS", value::seconds).unwrap_or(usual.total),
    };
    let text = |t: &str| value::text(t);
    let provider_map = provider_map(s, &adapters);
    let rust_log = s.foreign(selection, "RUST_LOG").unwrap_or("info").to_owned();
    let token_source = s.get("WTT_TOKEN").map_or(Source::Default, |t| t.source.clone());
    Config {
        token_source,
        profile: selection.profile.clone(),
        base_url,
        ws_url,
        http_token: http_token.or_else(|| token.clone()).unwrap_or_default(),
        token: token.unwrap_or_default(),
        adapter,
        adapters,
        mode,
        allow_yolo,
        upload_artifacts: take_parsed(s, "WTT_CONNECT_UPLOAD_ARTIFACTS", value::flag).unwrap_or(false),
        permissions: take_parsed(s, "WTT_CONNECT_PERMISSIONS", |text| rules(text, path)).unwrap_or_default(),
        approval: take_parsed(s, "WTT_CONNECT_APPROVAL_SECONDS", value::seconds).unwrap_or(APPROVAL),
        aliases: take_parsed(s, "WTT_CONNECT_AGENT_ALIASES", |t| Ok(value::list(t))).unwrap_or_default(),
        model: take_parsed(s, "WTT_CONNECT_MODEL", text),
        effort: take_parsed(s, "WTT_CONNECT_EFFORT", text),
        switch: switcher(s),
        voice: voice::build(s),
        media_hosts: take_parsed(s, "WTT_CONNECT_MEDIA_HOSTS", |t| Ok(value::list(t))).unwrap_or_default(),
        provider_map,
        publish_progress: take_parsed(s, "WTT_CONNECT_PUBLISH_PROGRESS", value::flag).unwrap_or(false),
        commands,
        transports,
        limits,
        catch_up: take_parsed(s, "WTT_CONNECT_CATCH_UP_MINUTES", value::minutes).unwrap_or(CATCH_UP),
        busy: take_parsed(s, keys::chat::BUSY, keys::chat::busy).unwrap_or_default(),
        merge_waiting: take_parsed(s, keys::chat::MERGE, value::flag).unwrap_or(false),
        auto_reexec: take_parsed(s, "WTT_CONNECT_AUTO_REEXEC", value::flag).unwrap_or(false),
        max_agents: take_parsed(s, "WTT_CONNECT_MAX_AGENTS", value::count).unwrap_or(MAX_AGENTS),
        agent_idle: take_parsed(s, "WTT_CONNECT_AGENT_IDLE_SECONDS", value::seconds).unwrap_or(AGENT_IDLE),
        session_idle: take_parsed(s, "WTT_CONNECT_SESSION_IDLE_SECONDS", value::seconds)
            .unwrap_or(SESSION_IDLE),
        shell: crate::config::shell::shell(s),
        e2e_password: take_parsed(s, "WTT_E2E_PASSWORD", text).map(Secret::new),
        ca_file: ca_file(selection, s, path),
        log: take_parsed(s, "WTT_CONNECT_LOG", text).unwrap_or(rust_log),
        extra_env: s.extra.iter().map(|(k, v)| (k.clone(), Secret::new(v.clone()))).collect(),
        notes: s.notes.clone(),
        selection: selection.clone(),
        agent_id: agent_id.unwrap_or_default(),
        workdir: workdir.unwrap_or_default(),
        state_dir: state_dir.unwrap_or_default(),
        store_file: store_file.unwrap_or_default(),
        inbox_dir: inbox_dir.unwrap_or_default(),
        artifact_dir: artifact_dir.unwrap_or_default(),
    }
}

/// Long enough for somebody who reads along; an agent that waits longer is forgotten.
const APPROVAL: Duration = Duration::from_secs(600);
/// Long enough for a restart, a reboot or a lost network; older questions have usually found another answer.
const CATCH_UP: Duration = Duration::from_secs(60 * 60);
/// A waiting thread holds nothing that is not on disk; a few seconds spare a new one to quick follow-ups.
const SESSION_IDLE: Duration = Duration::from_secs(10);
/// Most follow-ups come within minutes; a kept agent holds 150 to 250 MiB, so not much longer on a small host.
const AGENT_IDLE: Duration = Duration::from_secs(300);
/// As in the original; a switcher writes one small file.
const SWITCH: Duration = Duration::from_secs(15);
/// As many as 2 GiB of memory can hold.
const MAX_AGENTS: usize = 8;

/// The map; an adapter that is not enabled is told of now, and not only when somebody asks for its model.
fn provider_map(settings: &mut Settings, enabled: &[String]) -> Vec<model_switch::MapRow> {
    let rows = take_parsed(settings, "WTT_CONNECT_MODEL_PROVIDER_MAP", model_switch::map).unwrap_or_default();
    for row in &rows {
        if let Some(adapter) = row.adapter.as_ref().filter(|adapter| !enabled.contains(adapter)) {
            settings.notes.push(format!(
                "WTT_CONNECT_MODEL_PROVIDER_MAP gives \"{}\" to {adapter}, which is not in WTT_CONNECT_ADAPTERS",
                crate::text::one_line(&row.pattern)
            ));
        }
    }
    rows
}

/// The permission rules, inline or out of their file.
fn rules(text: &str, path: impl Fn(&str) -> Result<PathBuf, String>) -> Result<Vec<Rule>, String> {
    if value::is_json(text) {
        return permissions::read(text);
    }
    let file = path(text)?;
    let said = |why: String| format!("names {}, which {why}", file.display());
    let open = std::fs::File::open(&file);
    let mut rules = String::new();
    open.and_then(|file| file.take(permissions::MAX_BYTES + 1).read_to_string(&mut rules))
        .map_err(|e| said(format!("cannot be read: {}", crate::error::reason(&e))))?;
    if rules.len() as u64 > permissions::MAX_BYTES {
        return Err(said(format!("is larger than {} KiB", permissions::MAX_BYTES / 1024)));
    }
    permissions::read(&rules).map_err(said)
}

/// What the switcher runs, when it is on.
fn switcher(settings: &mut Settings) -> Option<Switch> {
    let mode =
        take_parsed(settings, "WTT_CONNECT_MODEL_SWITCH_MODE", |text| value::word(text, model_switch::MODES));
    let program = take_parsed(settings, "WTT_CONNECT_MODEL_SWITCH_COMMAND", value::command);
    let args = take_parsed(settings, "WTT_CONNECT_MODEL_SWITCH_ARGS", model_switch::arguments);
    let template = take_parsed(settings, "WTT_CONNECT_MODEL_SWITCH_TEMPLATE", model_switch::template);
    let strict = take_parsed(settings, "WTT_CONNECT_MODEL_SWITCH_STRICT", value::flag).unwrap_or(false);
    let timeout = take_parsed(settings, "WTT_CONNECT_MODEL_SWITCH_TIMEOUT_MS", value::count);
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let (cc_switch, needed) = match mode? {
        "cc-switch" => {
            let program = program.unwrap_or_else(|| owned(&["cc-switch"]));
            (true, Some([program, args.unwrap_or_else(|| owned(model_switch::CC_SWITCH_ARGS))].concat()))
        }
        "command" => {
            let args = args.unwrap_or_else(|| owned(model_switch::COMMAND_ARGS));
            (false, program.map(|program| [program, args].concat()))
        }
        "custom" => (false, template),
        _ => return None,
    };
    let Some(words) = needed else {
        settings.problem(
            "WTT_CONNECT_MODEL_SWITCH_MODE is set, but not what it runs: mode command needs \
             WTT_CONNECT_MODEL_SWITCH_COMMAND, mode custom WTT_CONNECT_MODEL_SWITCH_TEMPLATE"
                .to_owned(),
        );
        return None;
    };
    let timeout = timeout.map_or(SWITCH, |ms| Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX)));
    Some(Switch { words, cc_switch, strict, timeout })
}

/// A value that has no default.
fn required<T>(
    settings: &mut Settings,
    name: &'static str,
    remedy: &str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Option<T> {
    if settings.get(name).is_none() {
        // With an unreadable profile or env file, what it might have held is not missed a second time.
        if settings.incomplete {
            return None;
        }
        if settings.problems.is_empty() {
            settings.problem(format!("{name} is not set; {remedy}"));
        } else {
            settings.problem(format!("{name} is not set"));
        }
        return None;
    }
    take_parsed(settings, name, parse)
}

/// A path, or its default; a default that cannot be made is a problem only when it is needed.
fn parsed_or<W: Into<String>>(
    settings: &mut Settings,
    name: &'static str,
    parse: impl Fn(&str) -> Result<PathBuf, String>,
    default: Result<PathBuf, W>,
) -> Option<PathBuf> {
    if settings.get(name).is_some() {
        return take_parsed(settings, name, parse);
    }
    match default {
        Ok(path) => Some(path),
        Err(why) => {
            let why = why.into();
            if !why.is_empty() && !settings.problems.iter().any(|p| p.0 == why) {
                settings.problem(why);
            }
            None
        }
    }
}

/// The default adapter and all enabled ones.
fn adapters(selection: &Selection, settings: &mut Settings) -> (String, Vec<String>) {
    let list = take_parsed(settings, "WTT_CONNECT_ADAPTERS", value::adapters).unwrap_or_default();
    let usable = |name: &String| selection.adapters.is_empty() || selection.adapters.contains(name);
    let (mut list, rest): (Vec<_>, Vec<_>) = list.into_iter().partition(usable);
    if !rest.is_empty() {
        let have = selection.adapters.join(", ");
        settings.notes.push(format!(
            "WTT_CONNECT_ADAPTERS names {}, which this version cannot drive; it drives {have}",
            rest.join(", ")
        ));
    }
    let adapter = take_parsed(settings, "WTT_CONNECT_ADAPTER", |text| {
        let name = value::adapter(text)?;
        Ok((usable(&name), name))
    });
    if let Some((false, name)) = &adapter {
        let place = settings.get("WTT_CONNECT_ADAPTER").map_or(Source::Default, |s| s.source.clone());
        settings.problem(format!(
            "WTT_CONNECT_ADAPTER ({place}) is {name}, which a later version will drive; set it to one of {}",
            selection.adapters.join(", ")
        ));
    }
    let adapter = adapter.filter(|(usable, _)| *usable).map(|(_, name)| name);
    let adapter = adapter.or_else(|| list.first().cloned()).unwrap_or_else(|| "codex".to_owned());
    if !list.contains(&adapter) {
        list.insert(0, adapter.clone());
    }
    (adapter, list)
}

/// Our own setting must work; variables that are meant for every program are used when they can be.
fn ca_file(
    selection: &Selection,
    settings: &mut Settings,
    path: impl Fn(&str) -> Result<PathBuf, String>,
) -> Option<PathBuf> {
    if settings.get("WTT_CONNECT_CA_FILE").is_some() {
        return take_parsed(settings, "WTT_CONNECT_CA_FILE", |text| {
            let file = path(text)?;
            if file.is_file() {
                Ok(file)
            } else {
                Err(format!("names {}, which is not a file", file.display()))
            }
        });
    }
    ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"].iter().find_map(|name| {
        let file = PathBuf::from(settings.foreign(selection, name)?);
        let usable = file.is_file();
        if !usable {
            settings
                .notes
                .push(format!("{name} names {}, which is not a file; it is not used", file.display()));
        }
        usable.then_some(file)
    })
}
