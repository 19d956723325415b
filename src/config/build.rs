//! Builds [`Config`] from the merged settings: parses each value, determines defaults, and records every problem.
//!
//! Reads only certificate files and the permission rules from disk.

use super::adapter_names::ADAPTER_NAMES;
use super::keys;
use super::model_switch::{self, ModelSwitch};
use super::paths::Places;
use super::permissions::{self, PermissionRule};
use super::source::Source;
use super::typed::key;
use super::{Busy, Config, Limits, Mode, Selection, Settings, profile, shell, value, voice};
use crate::secret::Secret;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

/// Builds the configuration. If `settings` has problems afterwards, it is incomplete: what is missing is empty.
pub(super) fn build(selection: &Selection, settings: &mut Settings) -> Config {
    let s = settings;
    let places = &selection.places();
    let base_url = s.url("WTT_BASE_URL").unwrap_or_else(|| key("WTT_BASE_URL").default.to_owned());
    let ws_url = s.url("WTT_WS_URL");
    let home = match &selection.profile {
        Some(_) => "put it into the profile",
        None => "put it into .env here, into a file named by --env-file, or start a profile with --profile",
    };
    let agent_id = required(s, "WTT_AGENT_ID", home);
    let token = Secret::new(required(s, "WTT_TOKEN", home));
    let http_token = s.secret("WTT_HTTP_TOKEN").unwrap_or_else(|| token.clone());
    let (adapter, adapters) = adapters(selection, s);
    let mode = s.checked("WTT_CONNECT_MODE").and_then(|word| value::mode(&word).ok()).unwrap_or_default();
    let allow_yolo = s.flag("WTT_CONNECT_ALLOW_YOLO");
    if mode == Mode::Yolo && !allow_yolo {
        let place = s.get("WTT_CONNECT_MODE").map_or_else(String::new, |m| format!(" ({})", m.source));
        s.problem(format!(
            "WTT_CONNECT_MODE{place} is yolo, which switches every safety off; set WTT_CONNECT_ALLOW_YOLO=1 as well if that is meant"
        ));
    }

    let name = selection.profile.clone().unwrap_or_else(|| profile::default_name(&agent_id, &adapter));
    let workdir = s.path("WTT_CONNECT_WORKDIR", places, places.workdir(&agent_id));
    let state_dir = s.path("WTT_CONNECT_STATE_DIR", places, places.state_dir(&name));
    // empty, and not relative, if there is no state directory
    let is_missing = state_dir.as_os_str().is_empty();
    let below = |file: &str| Ok(if is_missing { PathBuf::new() } else { state_dir.join(file) });
    let store_file = s.path("WTT_CONNECT_STORE_FILE", places, below("state.json"));
    let inbox_dir = s.path("WTT_CONNECT_INBOX_DIR", places, below("inbox"));
    let artifact_dir = s.path("WTT_CONNECT_ARTIFACT_DIR", places, below("artifacts"));

    let (mut commands, mut transports) = (BTreeMap::new(), BTreeMap::new());
    for (adapter, _) in ADAPTER_NAMES {
        let prefix = format!("WTT_CONNECT_{}", adapter.replace('-', "_").to_ascii_uppercase());
        if let Some(words) = keys::find(&format!("{prefix}_COMMAND")).and_then(|key| s.command(key.name)) {
            commands.insert((*adapter).to_owned(), words);
        }
        if let Some(word) = keys::find(&format!("{prefix}_TRANSPORT")).and_then(|key| s.word(key.name)) {
            transports.insert((*adapter).to_owned(), word.to_owned());
        }
    }
    let default = Limits::default();
    let limits = Limits {
        first_event: s.seconds("WTT_CONNECT_FIRST_EVENT_SECONDS", default.first_event),
        idle: s.seconds("WTT_CONNECT_IDLE_SECONDS", default.idle),
        total: s.seconds("WTT_CONNECT_TURN_SECONDS", default.total),
    };
    let busy = match s.word(keys::chat::BUSY) {
        Some("steer") => Busy::Steer,
        Some("interrupt") => Busy::Interrupt,
        _ => Busy::Queue,
    };
    let catch_up = s.number("WTT_CONNECT_CATCH_UP_MINUTES");
    let permissions = s.parsed("WTT_CONNECT_PERMISSIONS", &|text| rules(text, places)).unwrap_or_default();
    let rust_log = s.foreign(selection, "RUST_LOG").unwrap_or("info").to_owned();
    Config {
        profile: selection.profile.clone(),
        base_url,
        ws_url,
        token_source: s.get("WTT_TOKEN").map_or(Source::Default, |t| t.source.clone()),
        http_token,
        token,
        mode,
        allow_yolo,
        upload_artifacts: s.flag("WTT_CONNECT_UPLOAD_ARTIFACTS"),
        permissions,
        approval: s.seconds("WTT_CONNECT_APPROVAL_SECONDS", APPROVAL),
        aliases: s.list("WTT_CONNECT_AGENT_ALIASES"),
        model: s.checked("WTT_CONNECT_MODEL"),
        effort: s.checked("WTT_CONNECT_EFFORT"),
        switch: switcher(s),
        speech: voice::build(s),
        media_hosts: s.list("WTT_CONNECT_MEDIA_HOSTS"),
        provider_map: provider_map(s, &adapters),
        adapter,
        adapters,
        publish_progress: s.flag("WTT_CONNECT_PUBLISH_PROGRESS"),
        commands,
        transports,
        limits,
        catch_up: catch_up.map_or(CATCH_UP, |minutes| Duration::from_secs(minutes * 60)),
        busy,
        merge_waiting: s.flag(keys::chat::MERGE),
        auto_reexec: s.flag("WTT_CONNECT_AUTO_REEXEC"),
        max_agents: s.count("WTT_CONNECT_MAX_AGENTS", MAX_AGENTS),
        agent_idle: s.seconds("WTT_CONNECT_AGENT_IDLE_SECONDS", AGENT_IDLE),
        session_idle: s.seconds("WTT_CONNECT_SESSION_IDLE_SECONDS", SESSION_IDLE),
        shell: shell::build(s),
        e2e_password: s.secret("WTT_E2E_PASSWORD"),
        ca_file: ca_file(selection, s, places),
        log: s.checked("WTT_CONNECT_LOG").unwrap_or(rust_log),
        extra_env: s.extra.iter().map(|(k, v)| (k.clone(), Secret::new(v.clone()))).collect(),
        notes: s.notes.clone(),
        selection: selection.clone(),
        agent_id,
        workdir,
        state_dir,
        store_file,
        inbox_dir,
        artifact_dir,
    }
}

/// Long enough for a person who reads the chat, and short enough that an agent does not block its topic for long.
const APPROVAL: Duration = Duration::from_secs(600);
/// Long enough for a restart, a reboot or a lost network; older messages are usually out of date.
const CATCH_UP: Duration = Duration::from_secs(60 * 60);
/// A waiting thread has no state of its own; a few seconds avoid a new thread for quick follow-ups.
const SESSION_IDLE: Duration = Duration::from_secs(10);
/// Most follow-ups come within minutes. A kept agent takes 150 to 250 MiB, too much for a small host to keep it longer.
const AGENT_IDLE: Duration = Duration::from_secs(300);
/// As in the original connector; a switcher writes one small file.
const SWITCH: Duration = Duration::from_secs(15);
/// The number of agents that fit into 2 GiB of memory.
const MAX_AGENTS: usize = 8;

/// The provider map. An adapter that is not enabled is noted now, and not only when a message asks for its model.
fn provider_map(settings: &mut Settings, enabled: &[String]) -> Vec<model_switch::MapRow> {
    let rows = settings.parsed("WTT_CONNECT_MODEL_PROVIDER_MAP", &model_switch::map).unwrap_or_default();
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

/// The permission rules, inline or from their file.
fn rules(text: &str, places: &Places) -> Result<Vec<PermissionRule>, String> {
    if value::is_json(text) {
        return permissions::read(text);
    }
    let file = places.absolute(text)?;
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

/// The model switcher, if it is on.
fn switcher(settings: &mut Settings) -> Option<ModelSwitch> {
    let mode = settings.word("WTT_CONNECT_MODEL_SWITCH_MODE");
    let program = settings.command("WTT_CONNECT_MODEL_SWITCH_COMMAND");
    let args = settings.parsed("WTT_CONNECT_MODEL_SWITCH_ARGS", &model_switch::arguments);
    let template = settings.parsed("WTT_CONNECT_MODEL_SWITCH_TEMPLATE", &model_switch::template);
    let strict = settings.flag("WTT_CONNECT_MODEL_SWITCH_STRICT");
    let timeout =
        settings.number("WTT_CONNECT_MODEL_SWITCH_TIMEOUT_MS").map_or(SWITCH, Duration::from_millis);
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
    Some(ModelSwitch { words, cc_switch, strict, timeout })
}

/// A value that has no default; empty if it is missing.
fn required(settings: &mut Settings, name: &str, remedy: &str) -> String {
    if settings.get(name).is_some() {
        return settings.checked(name).unwrap_or_default();
    }
    // a setting that an unreadable profile or env file may contain is not reported again
    if !settings.incomplete {
        let remedy = if settings.problems.is_empty() { format!("; {remedy}") } else { String::new() };
        settings.problem(format!("{name} is not set{remedy}"));
    }
    String::new()
}

/// The default adapter and all enabled ones.
fn adapters(selection: &Selection, settings: &mut Settings) -> (String, Vec<String>) {
    let list = settings.parsed("WTT_CONNECT_ADAPTERS", &value::adapters).unwrap_or_default();
    let usable = |name: &String| selection.adapters.is_empty() || selection.adapters.contains(name);
    let (mut list, rest): (Vec<_>, Vec<_>) = list.into_iter().partition(usable);
    if !rest.is_empty() {
        let have = selection.adapters.join(", ");
        settings.notes.push(format!(
            "WTT_CONNECT_ADAPTERS names {}, which this version cannot drive; it drives {have}",
            rest.join(", ")
        ));
    }
    let mut adapter = settings.parsed("WTT_CONNECT_ADAPTER", &value::adapter);
    if let Some(name) = adapter.take_if(|name| !usable(name)) {
        let place = settings.get("WTT_CONNECT_ADAPTER").map_or(Source::Default, |s| s.source.clone());
        settings.problem(format!(
            "WTT_CONNECT_ADAPTER ({place}) is {name}, which a later version will drive; set it to one of {}",
            selection.adapters.join(", ")
        ));
    }
    let adapter = adapter.or_else(|| list.first().cloned()).unwrap_or_else(|| "codex".to_owned());
    if !list.contains(&adapter) {
        list.insert(0, adapter.clone());
    }
    (adapter, list)
}

/// The certificate file. That of our own setting must exist; variables for all programs are used if their file exists.
fn ca_file(selection: &Selection, settings: &mut Settings, places: &Places) -> Option<PathBuf> {
    if settings.get("WTT_CONNECT_CA_FILE").is_some() {
        return settings.parsed("WTT_CONNECT_CA_FILE", &|text| {
            let file = places.absolute(text)?;
            let wrong = format!("names {}, which is not a file", file.display());
            if file.is_file() { Ok(file) } else { Err(wrong) }
        });
    }
    for name in ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"] {
        let Some(file) = settings.foreign(selection, name).map(PathBuf::from) else { continue };
        if file.is_file() {
            return Some(file);
        }
        settings.notes.push(format!("{name} names {}, which is not a file; it is not used", file.display()));
    }
    None
}
