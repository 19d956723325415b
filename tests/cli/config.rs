//! Settings in layers: who wins, what is wrong, what is created.

use super::{CANARY, Machine, shown};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use wtt_connect::config::{Config, Mode, Selection, Settings};
use wtt_connect::error::Error;

/// A selection on that machine: its home and current directory, and these variables.
fn select(machine: &Machine, vars: &[(&str, &str)]) -> Selection {
    let mut environment: BTreeMap<String, String> =
        vars.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    environment.entry("HOME".into()).or_insert_with(|| shown(&machine.path("home")));
    Selection { environment, cwd: machine.path("cwd"), ..Selection::default() }
}

const IDENTITY: &str = "WTT_AGENT_ID=agent-file\nWTT_TOKEN=tok-file\n";

fn value(selection: &Selection, key: &str) -> (String, String) {
    let settings = Settings::read(selection);
    assert_eq!(settings.problems, [], "{key}");
    let setting = settings.get(key).unwrap_or_else(|| panic!("{key} is not set"));
    (setting.text.clone(), setting.source.to_string())
}

fn refusal(selection: &Selection) -> String {
    match Config::load(selection) {
        Err(error @ Error::Config(_)) => {
            assert_eq!(error.exit_code(), 78);
            error.to_string()
        }
        other => panic!("must be refused: {other:?}"),
    }
}

#[test]
fn layers_without_a_profile() {
    let m = Machine::new();
    let json = m.file("c.json", r#"{"model": "json", "agentId": "json"}"#);
    let mut s = select(&m, &[]);
    s.config_file = Some(json.clone());
    assert_eq!(value(&s, "WTT_CONNECT_MODEL"), ("json".into(), shown(&json)));

    let dot_env = m.file("cwd/.env", "\nWTT_CONNECT_MODEL=dot\n");
    assert_eq!(value(&s, "WTT_CONNECT_MODEL"), ("dot".into(), format!("{}:2", shown(&dot_env))));
    assert_eq!(value(&s, "WTT_AGENT_ID").0, "json", "what .env leaves open is still read");

    let file = m.file("x.env", "WTT_CONNECT_MODEL=file # c\n");
    s.env_file = Some(file.clone());
    assert_eq!(value(&s, "WTT_CONNECT_MODEL"), ("file".into(), format!("{}:1", shown(&file))));

    s.environment.insert("WTT_CONNECT_MODEL".into(), "env".into());
    assert_eq!(value(&s, "WTT_CONNECT_MODEL"), ("env".into(), "environment".into()));

    // Empty is "set to nothing": it hides what lies below, as in every dotenv program.
    s.environment.insert("WTT_CONNECT_MODEL".into(), String::new());
    assert!(Settings::read(&s).get("WTT_CONNECT_MODEL").is_none());
}

#[test]
fn files_named_by_variables_are_the_same_layers() {
    let m = Machine::new();
    let file = m.file("x.env", "WTT_CONNECT_EFFORT=high");
    let json = m.file("cwd/c.json", r#"{"effort": "low", "model": "m"}"#);
    let s = select(&m, &[("WTT_CONNECT_ENV_FILE", &shown(&file)), ("WTT_CONNECT_CONFIG", "c.json")]);
    assert_eq!(value(&s, "WTT_CONNECT_EFFORT").0, "high");
    assert_eq!(value(&s, "WTT_CONNECT_MODEL"), ("m".into(), shown(&json)));
}

#[test]
fn a_profile_does_not_see_who_started_it() {
    let m = Machine::new();
    m.profile("p", IDENTITY);
    m.file("cwd/.env", "WTT_CONNECT_CODEX_COMMAND=/evil\nOPENAI_API_KEY=stray");
    let mut s = select(
        &m,
        &[
            ("WTT_AGENT_ID", "agent-host"),
            ("WTT_TOKEN", "tok-host"),
            ("WTT_WS_URL", "wss://host"),
            ("WTT_CONNECT_STATE_DIR", "/host/state"),
            ("WTT_CONNECT_ENV_FILE", "/host/none.env"),
            ("WTT_CONNECT_CONFIG", "/host/none.json"),
            ("WTT_CONNECT_MODEL", "host"),
            ("WTT_CONNECT_LOG", "debug"),
        ],
    );
    s.profile = Some("p".into());
    let config = Config::load(&s).unwrap();
    assert_eq!(config.agent_id, "agent-file");
    assert_eq!(config.token.expose(), "tok-file");
    assert_eq!((config.ws_url.as_deref(), config.model.as_deref()), (None, None));
    assert_eq!(config.state_dir, m.path("home/.local/state/wtt-connect/p"));
    assert_eq!(config.log, "debug");
    assert!(config.commands.is_empty() && config.extra_env.is_empty());

    let over = m.file("over.env", "WTT_CONNECT_MODEL=over\nWTT_AGENT_ID=agent-over");
    s.env_file = Some(over);
    let config = Config::load(&s).unwrap();
    assert_eq!((config.agent_id.as_str(), config.model.as_deref()), ("agent-over", Some("over")));
}

#[test]
fn other_spellings_and_defaults() {
    let m = Machine::new();
    let s = select(
        &m,
        &[
            ("WTT_AGENT_ID", "agent-1"),
            ("WTT_AGENT_TOKEN", CANARY),
            ("WTT_BASE_URL", "http://127.0.0.1:9/"),
            ("WTT_CONNECT_ADAPTERS", "claude, codex"),
        ],
    );
    let config = Config::load(&s).unwrap();
    assert_eq!(config.token.expose(), CANARY);
    assert_eq!(config.http_token.expose(), CANARY);
    assert_eq!(config.base_url, "http://127.0.0.1:9");
    assert_eq!((config.adapter.as_str(), config.adapters.len()), ("claude-code", 2));
    assert_eq!(config.mode, Mode::FullAuto);
    assert_eq!(config.workdir, m.path("home/.wtt-connect/agent-1"));
    assert_eq!(config.store_file, m.path("home/.local/state/wtt-connect/agent-1-claude-code/state.json"));
    for dir in [&config.workdir, &config.state_dir] {
        assert_eq!(std::fs::metadata(dir).unwrap().permissions().mode() & 0o777, 0o700, "{dir:?}");
    }
    let text = format!("{config:?}");
    assert!(!text.contains("CANARY"), "Debug of the configuration shows the token");
}

#[test]
fn everything_that_is_wrong_is_said_at_once_with_its_place() {
    let m = Machine::new();
    let file = m.file(
        "x.env",
        &format!(
            "WTT_AGENT_ID=a b\nWTT_TOKEN='{} x'\nWTT_CONNECT_MODE=fast\nnonsense CANARY\n\
             WTT_CONNECT_TURN_SECONDS=soon\nWTT_BASE_URL=waxbyte.com\nWTT_CONNECT_ADAPTER=gpt\n",
            "CANARY-tok"
        ),
    );
    let mut s = select(&m, &[("WTT_CONNECT_CA_FILE", "/nowhere.pem")]);
    s.env_file = Some(file.clone());
    let text = refusal(&s);
    for line in [
        "8 settings are wrong:".to_owned(),
        format!("{}:4: the line is not of the form KEY=value", shown(&file)),
        format!("WTT_AGENT_ID ({}:1) is not an agent id; accepted: 1 to 200", shown(&file)),
        format!("WTT_TOKEN ({}:2) has a blank", shown(&file)),
        format!(
            "WTT_CONNECT_MODE ({}:3) \"fast\" is not a mode; accepted: one of full-auto, auto-edit, yolo, suggest",
            shown(&file)
        ),
        format!(
            "WTT_CONNECT_TURN_SECONDS ({}:5) \"soon\" is not a whole number; accepted: whole seconds from 1",
            shown(&file)
        ),
        format!("WTT_BASE_URL ({}:6)", shown(&file)),
        format!("WTT_CONNECT_ADAPTER ({}:7) \"gpt\" is not an adapter; accepted: one of codex", shown(&file)),
        "WTT_CONNECT_CA_FILE (environment) names /nowhere.pem, which is not a file".to_owned(),
    ] {
        assert!(text.contains(&line), "`{line}` is missing in:\n{text}");
    }
    assert!(!text.contains("CANARY"), "{text}");
    assert!(!m.path("home/.local").exists(), "nothing is created before everything is right");
}

#[test]
fn what_cannot_be_read_is_said() {
    let m = Machine::new();
    let mut s = select(&m, &[]);
    assert!(refusal(&s).contains("WTT_AGENT_ID is not set; put it into .env"));
    s.env_file = Some("none.env".into());
    assert!(
        refusal(&s)
            .contains(&format!("cannot read {}: no such file; create it", shown(&m.path("cwd/none.env"))))
    );
    s.env_file = None;
    s.config_file = Some(m.file("c.json", "{\"token\": CANARY"));
    let text = refusal(&s);
    assert!(text.contains("c.json: is not JSON (line 1") && !text.contains("CANARY"), "{text}");
    s.config_file = None;
    s.profile = Some("nobody".into());
    assert!(refusal(&s).contains("profile nobody does not exist: there is no "), "{}", refusal(&s));
    m.profile("agent-1-codex", IDENTITY);
    s.profile = Some("agent-1".into());
    assert!(refusal(&s).contains("agent-1.env; did you mean agent-1-codex?"), "{}", refusal(&s));
    s.profile = Some("../x".into());
    assert!(refusal(&s).contains("is not a profile name"));
    s.profile = Some("p".into());
    s.environment.remove("HOME");
    assert!(refusal(&s).contains("HOME is not set"), "{}", refusal(&s));
}

#[test]
fn a_file_that_cannot_be_used_is_the_only_mistake() {
    let m = Machine::new();
    std::fs::create_dir(m.path("cwd/dir")).unwrap();
    std::fs::write(m.path("cwd/latin.env"), b"WTT_TOKEN=\xe4\n").unwrap();
    m.file("cwd/bad.json", "{");
    m.file("cwd/line.env", "nonsense\n");
    for (words, sentence) in [
        (&["--env-file", "none.env"][..], "none.env: no such file; create it"),
        (&["--env-file", "dir"], "dir: is a directory"),
        (&["--env-file", "latin.env"], "latin.env is not UTF-8 text"),
        (&["--env-file", "line.env"], "line.env:1: the line is not of the form"),
        (&["--config", "bad.json"], "bad.json: is not JSON"),
        (&["--profile", "p"], "p.env; `wtt-connect up` creates one"),
    ] {
        m.run(&[&["start"], words].concat()).code(78).one_line().says(sentence);
    }
    m.profile("half", "WTT_AGENT_ID=a");
    m.run(&["start", "--profile", "half"])
        .code(78)
        .one_line()
        .says("WTT_TOKEN is not set; put it into the profile");
    std::fs::remove_file(m.path("home/.config/wtt-connect/profiles/half.env")).unwrap();
    m.profile("alice", IDENTITY);
    m.run(&["start", "--profile", "zzz"]).code(78).one_line().says("there is alice");
}

#[test]
fn a_dot_env_that_is_a_directory_is_said() {
    let m = Machine::new();
    std::fs::create_dir(m.path("cwd/.env")).unwrap();
    let s = select(&m, &[("WTT_AGENT_ID", "a"), ("WTT_TOKEN", "tok-x")]);
    let notes = Config::load(&s).unwrap().notes;
    assert_eq!(notes, [format!("{} is a directory and is not read", shown(&m.path("cwd/.env")))]);
}

#[test]
fn yolo_needs_its_permission() {
    let m = Machine::new();
    m.file("cwd/.env", &format!("{IDENTITY}WTT_CONNECT_MODE=yolo\n"));
    let mut s = select(&m, &[]);
    assert!(refusal(&s).contains("set WTT_CONNECT_ALLOW_YOLO=1 as well"), "{}", refusal(&s));
    s.environment.insert("WTT_CONNECT_ALLOW_YOLO".into(), "1".into());
    assert_eq!(Config::load(&s).unwrap().mode, Mode::Yolo);
}

#[test]
fn adapters_that_this_build_lacks() {
    let m = Machine::new();
    m.file("cwd/.env", &format!("{IDENTITY}WTT_CONNECT_ADAPTERS=codex,gemini,devin\n"));
    let mut s = select(&m, &[]);
    s.adapters = vec!["codex".into(), "claude-code".into()];
    let config = Config::load(&s).unwrap();
    assert_eq!(config.adapters, ["codex"]);
    assert!(config.notes.iter().any(|n| n.contains("gemini, devin")), "{:?}", config.notes);
    s.environment.insert("WTT_CONNECT_ADAPTER".into(), "gemini".into());
    assert_eq!(
        refusal(&s),
        "WTT_CONNECT_ADAPTER (environment) is gemini, which a later version will drive; set it to one of codex, claude-code"
    );
}

#[test]
fn settings_accept_the_adapters_of_this_build() {
    let names: Vec<&str> = wtt_connect::agent::adapters::ADAPTERS.iter().map(|a| a.name).collect();
    let accepted: Vec<&str> =
        wtt_connect::config::adapter_names::ADAPTER_NAMES.iter().map(|(name, _)| *name).collect();
    assert_eq!(accepted, names);
}

#[test]
fn other_variables_of_files_are_for_the_agents() {
    let m = Machine::new();
    m.file(
        "cwd/.env",
        &format!("{IDENTITY}OPENAI_API_KEY=from-file\nPATH=/evil\nWTT_CONNECT_OF_A_LATER_VERSION=none\n"),
    );
    let s = select(&m, &[("PATH", "/usr/bin")]);
    let config = Config::load(&s).unwrap();
    assert_eq!(config.variable("OPENAI_API_KEY").as_deref(), Some("from-file"));
    assert_eq!(config.variable("PATH").as_deref(), Some("/usr/bin"));
    assert_eq!(config.extra_env.keys().collect::<Vec<_>>(), ["OPENAI_API_KEY"]);
    assert_eq!(config.extra_env["OPENAI_API_KEY"].expose(), "from-file");
    let unknown = Settings::read(&s).unknown;
    assert_eq!(unknown.into_iter().collect::<Vec<_>>(), ["WTT_CONNECT_OF_A_LATER_VERSION"]);
}

#[test]
fn certificates_of_other_programs_are_used_when_they_exist() {
    let m = Machine::new();
    m.file("cwd/.env", IDENTITY);
    let pem = m.file("ca.pem", "");
    let s = select(&m, &[("SSL_CERT_FILE", "/nowhere"), ("NODE_EXTRA_CA_CERTS", &shown(&pem))]);
    let config = Config::load(&s).unwrap();
    assert_eq!(config.ca_file, Some(pem));
    assert!(config.notes[0].contains("SSL_CERT_FILE"), "{:?}", config.notes);
}

#[test]
fn a_profile_becomes_private_and_its_new_token_is_seen() {
    let m = Machine::new();
    let file = m.profile("p", IDENTITY);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let mut s = select(&m, &[]);
    s.profile = Some("p".into());
    let config = Config::load(&s).unwrap();
    let private = format!("{} could be read by other users; it is private now", shown(&file));
    assert_eq!(config.notes, [private], "one true note");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(config.token_now().expose(), "tok-file");
    std::fs::write(&file, "WTT_TOKEN=tok-new").unwrap();
    assert_eq!(config.token_now().expose(), "tok-new");
    std::fs::remove_file(&file).unwrap();
    assert_eq!(
        config.token_now().expose(),
        "tok-file",
        "the last known one while the file is being replaced"
    );
}

#[test]
fn a_home_with_blanks_and_a_relative_xdg_folder() {
    let m = Machine::new();
    std::fs::create_dir(m.path("my home")).unwrap();
    let home = shown(&m.path("my home"));
    let s = select(
        &m,
        &[("HOME", &home), ("XDG_STATE_HOME", "relative"), ("WTT_AGENT_ID", "a"), ("WTT_TOKEN", "tok-x")],
    );
    let config = Config::load(&s).unwrap();
    assert_eq!(config.state_dir, PathBuf::from(home).join(".local/state/wtt-connect/a-codex"));
}

#[test]
fn start_says_what_is_wrong_and_exits_with_78() {
    let m = Machine::new();
    m.run(&["start"]).code(78).says("WTT_AGENT_ID is not set").says("WTT_TOKEN is not set");
    m.run(&["start", "--profile", "none"]).code(78).says("profile none does not exist");
    m.file("cwd/.env", &format!("WTT_AGENT_ID=a\nWTT_TOKEN=\"{}\n", "CANARY"));
    m.run(&["start"]).code(78).says(".env:2: the line opens a quote").hides("CANARY");
}

#[test]
fn settings_of_the_switcher_are_checked() {
    let m = || Machine::new().env("WTT_AGENT_ID", "agent-1").env("WTT_TOKEN", "tok-x");
    let name = |tail: &str| format!("WTT_CONNECT_MODEL_{tail}");
    for (set, says) in [
        (&[("SWITCH_MODE", "maybe")][..], "accepted: one of off, cc-switch, command, custom"),
        (&[("SWITCH_MODE", "command")], "mode command needs WTT_CONNECT_MODEL_SWITCH_COMMAND"),
        (&[("SWITCH_MODE", "custom")], "mode custom WTT_CONNECT_MODEL_SWITCH_TEMPLATE"),
        (&[("SWITCH_ARGS", "use {adapter}")], "is not a JSON list of texts"),
        (&[("SWITCH_TEMPLATE", "{provider} x")], "has a placeholder where the program is"),
        (&[("SWITCH_TEMPLATE", "x {modle}")], "has the unknown placeholder {modle}"),
        (&[("SWITCH_TIMEOUT_MS", "1")], "1 is not between 100 and 600000"),
        (
            &[("PROVIDER_MAP", r#"{"a/*":{"adapter":"gpt"}}"#)],
            "has an adapter that does not exist for \"a/*\"",
        ),
    ] {
        let machine = set.iter().fold(m(), |m, (tail, value)| m.env(&name(tail), value));
        machine.run(&["doctor", "--offline"]).code(1).says(says);
    }
    let config = r#"{"modelSwitchMode": "cc-switch", "modelSwitchArgs": ["use", "{provider}"],
        "modelProviderMap": {"deepseek/*": {"adapter": "claude-code", "provider": "deepseek"}}}"#;
    let machine = m();
    let file = machine.file("c.json", config);
    let run = machine.run(&["doctor", "--offline", "--config", &shown(&file)]);
    run.says(r#"["use","{provider}"]"#)
        .says("gives \"deepseek/*\" to claude-code, which is not in WTT_CONNECT_ADAPTERS");
}
