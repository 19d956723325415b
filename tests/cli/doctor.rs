//! `doctor` on machines in different states. The service is asked only where a test says so.

use super::{CANARY, Machine, Run, shown};

fn quoted(token: &str) -> String {
    format!("\"{}\"", token.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$"))
}

/// The token in none of its spellings.
fn no_canary(run: Run) -> Run {
    run.hides(CANARY).hides("CANARY").hides("7f3a")
}

#[test]
fn shows_values_sources_and_directories() {
    let m = Machine::new().env("WTT_CONNECT_LOG", "warn");
    let file = m.profile("p", &format!("WTT_AGENT_ID=agent-1\n\nWTT_TOKEN={}\n", quoted(CANARY)));
    m.run(&["doctor", "--profile", "p", "--offline"]).says("WTT_CONNECT_LOG").hides("WTT_CONNECT_MODE");
    let run = no_canary(m.run(&["doctor", "--profile", "p", "--offline", "--verbose"]))
        .says(&format!("{}:1", shown(&file)))
        .says("agent-1")
        .says(&format!("*** ({} characters)", CANARY.chars().count()))
        .says(&format!("{} will be created", shown(&m.path("home/.wtt-connect/agent-1"))))
        .says("ok       state: not running");
    let line = |name: &str| run.stdout.lines().find(|l| l.trim_start().starts_with(name)).unwrap().to_owned();
    assert!(line("WTT_CONNECT_MODE").ends_with("default"), "{run}");
    assert!(line("WTT_CONNECT_LOG").ends_with("environment"), "{run}");
    assert!(!m.path("home/.wtt-connect").exists(), "doctor creates nothing");
}

/// A stand-in for codex that knows its version and its login state.
fn codex(m: &Machine, login: &str) -> String {
    let text = format!(
        "#!/bin/sh\ncase $* in\n--version) echo 'codex-cli 9.8.7' ;;\n'login status') echo '{login}' >&2; case '{login}' in Not*) exit 1;; esac ;;\nesac\n"
    );
    let path = m.file("bin/codex", "");
    crate::support::program::program(&path, text);
    shown(&path)
}

#[test]
fn a_machine_that_is_ready() {
    let m = Machine::new().env("WTT_AGENT_ID", "agent-1").env("WTT_TOKEN", CANARY);
    let command = codex(&m, "Logged in using an API key - sk-x");
    let m = m.env("WTT_CONNECT_CODEX_COMMAND", &command);
    no_canary(m.run(&["doctor", "--offline"]))
        .code(0)
        .says("codex-cli 9.8.7")
        .says("logged in")
        .says("No problems found.");
}

/// In a container our session has often begun outside of the PID namespace, and the kernel then calls it 0.
#[test]
fn works_where_our_session_has_no_number() {
    let unshare = |program: &std::process::Command| {
        let mut outer = std::process::Command::new("unshare");
        outer.args(["--map-root-user", "--pid", "--fork", "--mount-proc", "--kill-child"]);
        outer.arg(program.get_program()).args(program.get_args());
        outer.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        outer
    };
    let allowed = unshare(std::process::Command::new("true").env("PATH", "/usr/bin:/bin")).output();
    if !allowed.is_ok_and(|run| run.status.success()) {
        eprintln!("skipped: no PID namespace can be made here");
        return;
    }
    let m = Machine::new().env("WTT_AGENT_ID", "agent-1").env("WTT_TOKEN", CANARY);
    let command = codex(&m, "Logged in using an API key - sk-x");
    let m = m.env("WTT_CONNECT_CODEX_COMMAND", &command);
    let run = unshare(&m.command(&["doctor", "--offline"])).output().unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && said.contains("codex-cli 9.8.7"), "{run:?}");
}

#[test]
fn an_agent_without_login_is_a_problem_with_a_remedy() {
    let m = Machine::new().env("WTT_AGENT_ID", "agent-1").env("WTT_TOKEN", CANARY);
    let command = codex(&m, "Not logged in");
    let m = m.env("WTT_CONNECT_CODEX_COMMAND", &command);
    m.run(&["doctor", "--offline"]).code(1).says("problem  codex: codex-cli 9.8.7").says("codex login");
    let m = m.env("WTT_CONNECT_CODEX_COMMAND", "/nowhere/codex");
    m.run(&["doctor", "--offline"])
        .code(1)
        .says("`/nowhere/codex` of the configured command is not an executable")
        .says("correct WTT_CONNECT_CODEX_COMMAND");
}

#[test]
fn one_agent_alone_is_looked_at() {
    let m = Machine::new();
    let command = codex(&m, "Logged in using an API key - sk-x");
    let m = m.env("WTT_CONNECT_CODEX_COMMAND", &command);
    let run = m.run(&["doctor", "codex"]).code(0).says("codex: codex-cli 9.8.7");
    assert_eq!(run.stdout.lines().count(), 1, "nothing else is told");
    m.run(&["doctor", "codex", "--json"]).code(0).says("\"ok\": true").hides("WTT_AGENT_ID");
    m.run(&["doctor", "crush"]).code(1).says("problem  crush: no `crush` on PATH").hides("codex-cli");
    m.profile("mine", "WTT_AGENT_ID=agent-1\n");
    m.run(&["doctor", "mine"]).code(2).says("for the profile use `--profile mine`");
}

#[test]
fn a_running_connector_is_shown() {
    let m = Machine::new().env("WTT_AGENT_ID", "agent-1").env("WTT_TOKEN", CANARY);
    let lock = m.file("home/.local/state/wtt-connect/agent-1-codex/lock", "");
    m.run(&["doctor", "--offline"]).says("ok       state: not running");
    let held = wtt_connect::store::lock::acquire(&lock).unwrap();
    let pid = std::process::id();
    m.run(&["doctor", "--offline"]).says(&format!("process {pid} is running with this state directory"));
    drop(held);
}

#[test]
fn a_bad_rule_file_is_a_problem_with_its_place() {
    let m = Machine::new().env("WTT_AGENT_ID", "agent-1").env("WTT_TOKEN", CANARY);
    let rules = m.file("rules.json", "[{\"action\": \"deny\"}, {\"action\": \"forbid\"}]");
    let m = m.env("WTT_CONNECT_PERMISSIONS", rules.to_str().unwrap());
    m.run(&["doctor", "--offline"])
        .code(1)
        .says("problem  WTT_CONNECT_PERMISSIONS")
        .says("rules.json")
        .says("rule 2: ")
        .says("need to be fixed first");
    m.file("rules.json", "[{\"action\": \"deny\"}]");
    m.run(&["doctor", "--offline"]).hides("problem  WTT_CONNECT_PERMISSIONS");
    std::fs::remove_file(rules).unwrap();
    m.run(&["doctor", "--offline"]).code(1).says("cannot be read");
}

#[test]
fn problems_are_listed_and_counted() {
    let m =
        Machine::new().env("WTT_CONNECT_MODE", "fast").env("WTT_TOKEN", "CANARY x").env("WTT_NEW_KEY", "1");
    m.run(&["doctor", "--offline"])
        .code(1)
        .says("problem  WTT_CONNECT_MODE (environment) \"fast\" is not a mode")
        .says("WTT_AGENT_ID is not set")
        .says("ignored: WTT_NEW_KEY")
        .says("need to be fixed first")
        .hides("CANARY");
}

#[test]
fn without_an_identity_everything_else_is_looked_at() {
    use wtt_connect::local::service::{Service, ServiceOptions};
    let service = Service::start(ServiceOptions::default()).unwrap();
    let m = Machine::new().env("WTT_BASE_URL", &service.base_url());
    let command = codex(&m, "Not logged in");
    let m = m.env("WTT_CONNECT_CODEX_COMMAND", &command);
    let run = m.run(&["doctor"]).code(1).says("not logged in").says("proxy: none").says("answer: it is up");
    let last: Vec<&str> = run.stdout.lines().rev().take(4).collect();
    assert!(last[1].contains("WTT_TOKEN is not set") && last[2].contains("WTT_AGENT_ID is not set"), "{run}");
    m.env("WTT_CONNECT_ADAPTER", "nonsense").run(&["doctor", "--offline"]).says("codex: codex-cli 9.8.7");
    // An address that is not known is not guessed.
    let m = Machine::new();
    m.run(&["doctor", "--env-file", "none.env"]).code(1).says("no such file").hides("Service");
    Machine::new().env("WTT_BASE_URL", "127.0.0.1:9").run(&["doctor"]).code(1).hides("Service");
}

#[test]
fn long_values_are_whole_in_a_pipe() {
    let long = format!("/data/{}", "x".repeat(90));
    let m = Machine::new().env("WTT_CONNECT_WORKDIR", &long);
    m.run(&["doctor", "--offline"]).says(&format!("{long}  environment"));
}

#[test]
fn json_has_the_same_and_masks_too() {
    let m = Machine::new().env("WTT_AGENT_ID", "agent-1").env("WTT_TOKEN", CANARY);
    let run = no_canary(m.run(&["doctor", "--json", "--offline"]));
    let all: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let settings = all["settings"].as_array().unwrap();
    let of = |name: &str| settings.iter().find(|s| s["name"] == name).unwrap();
    assert_eq!(of("WTT_AGENT_ID")["value"], "agent-1");
    assert_eq!(of("WTT_AGENT_ID")["source"], "environment");
    assert_eq!(of("WTT_CONNECT_MODE")["source"], "default");
    assert_eq!(of("WTT_CONNECT_MODE")["value"], "full-auto");
    assert!(of("WTT_CONNECT_MODEL")["value"].is_null() && of("WTT_CONNECT_CA_FILE")["value"].is_null());
    assert_eq!(all["ok"].as_bool(), Some(run.code == Some(0)), "{run}");
    assert!(all["findings"].as_array().unwrap().iter().any(|f| f["area"] == "directories"), "{run}");
}

#[test]
fn a_state_directory_that_cannot_be_used_is_a_problem() {
    let m = Machine::new().env("WTT_AGENT_ID", "agent-1").env("WTT_TOKEN", "tok-x");
    let file = m.file("not-a-dir", "");
    let m = m.env("WTT_CONNECT_STATE_DIR", &format!("{}/state", shown(&file)));
    m.run(&["doctor", "--offline"]).code(1).says("cannot be created below");
}

#[test]
fn a_directory_is_tried_and_not_believed() {
    // The kernel says that it can be written, to root at least.
    let m = Machine::new().env("WTT_AGENT_ID", "agent-1").env("WTT_TOKEN", "tok-x");
    let m = m.env("WTT_CONNECT_WORKDIR", "/proc/x");
    m.run(&["doctor", "--offline"]).code(1).says("problem  workspace: /proc/x cannot be created below /proc");
    m.run(&["start"]).code(78).says("cannot create /proc/x (WTT_CONNECT_WORKDIR)");
}

#[test]
fn the_service_is_asked() {
    use wtt_connect::local::service::{Service, ServiceOptions};
    let service = Service::start(ServiceOptions::default()).unwrap();
    service.add_agent("agent-1", CANARY, "Alice");
    let machine = |token: &str| {
        let m = Machine::new().env("WTT_AGENT_ID", "agent-1").env("WTT_TOKEN", token);
        let command = codex(&m, "Logged in using an API key - sk-x");
        m.env("WTT_CONNECT_CODEX_COMMAND", &command).env("WTT_BASE_URL", &service.base_url())
    };
    no_canary(machine(CANARY).run(&["doctor"])).code(0).says("answer: it is up").says("token: accepted");
    let wrong = machine("CANARY-wrong").run(&["doctor"]).code(1);
    wrong.says("problem  token: refused").says("put it into WTT_TOKEN").hides("CANARY");

    let here = machine(CANARY);
    service.stop();
    no_canary(here.run(&["doctor"])).code(0).says("note     answer: cannot reach").says("Ready to start");
}

#[test]
fn a_proxy_of_the_profile_is_shown_without_its_password() {
    let m = Machine::new();
    m.profile(
        "p",
        "WTT_AGENT_ID=agent-1\nWTT_TOKEN=tok-x\nHTTPS_PROXY=http://me:CANARY@proxy.example:3128\n",
    );
    m.run(&["doctor", "--profile", "p", "--offline"])
        .says("proxy: http://proxy.example:3128")
        .hides("CANARY");
}

/// A machine whose Claude Code is the one for rehearsals.
fn stage(fault: &str) -> Machine {
    let agent = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/agents/rehearsal.sh");
    let command = format!("/bin/sh {}", shown(&agent));
    Machine::new().env("FAULT", fault).env("WTT_CONNECT_CLAUDE_CODE_COMMAND", &command)
}

#[test]
fn a_rehearsal_answers_resumes_and_stops() {
    let m = stage("none").env("WTT_CONNECT_ADAPTER", "claude").env("WTT_CONNECT_MODEL", "anthropic/claude-x");
    let run = m.run(&["doctor", "--rehearse"]).code(0).hides("WTT_TOKEN").hides("note").hides("problem");
    let steps: Vec<&str> = run.stdout.lines().map(str::trim).collect();
    assert_eq!(steps.len(), 3, "{run}");
    for (line, begins) in steps.iter().zip([
        "ok       claude-code: turn: answered in ",
        "ok       claude-code: resume: remembered the word, in ",
        "ok       claude-code: stop: ended in ",
    ]) {
        assert!(line.starts_with(begins), "{run}");
    }
    let runs = std::fs::read_to_string(m.path("home/runs")).unwrap();
    let runs: Vec<&str> = runs.lines().collect();
    assert!(runs.len() == 3 && runs[1].contains("|1|") && runs[0].contains("--model=claude-x"), "{runs:?}");
    let place = std::path::Path::new(runs[0].split('|').next().unwrap());
    assert!(!place.exists() && !place.parent().unwrap().exists(), "{runs:?}");
    let pid = std::fs::read_to_string(m.path("home/long")).unwrap();
    assert!(!crate::support::daemon::is_alive(pid.trim()), "nothing is left running");
}

#[test]
fn a_rehearsal_says_what_went_wrong() {
    let run = |fault| stage(fault).run(&["doctor", "--rehearse", "claude-code"]);
    run("login").code(1).says("problem  claude-code: turn: Claude Code is not logged in").hides("resume:");
    run("stale").code(1).says("problem  claude-code: resume: the session was lost");
    run("forgets")
        .code(0)
        .says("note     claude-code: resume: answered in ")
        .says("which word?")
        .says("stop: ended");
    run("quick").code(0).says("note     claude-code: stop: it answered before");
    let run = stage("login").run(&["doctor", "--rehearse", "claude", "--json"]).code(1);
    let all: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((&all["ok"], &all["findings"][0]["verdict"]), (&false.into(), &"problem".into()));
    let m = Machine::new().env("WTT_CONNECT_CODEX_COMMAND", "/nowhere/codex");
    m.run(&["doctor", "--rehearse", "codex"]).code(1).says("codex: Codex was not found");
    let command = codex(&m, "Not logged in");
    let here = stage("none").env("WTT_CONNECT_CODEX_COMMAND", &command);
    let here = here.env("WTT_CONNECT_GEMINI_COMMAND", "/nowhere/gemini").env("WTT_CONNECT_ADAPTERS", "codex");
    here.run(&["doctor", "--rehearse", "gemini"]).code(1).says("installed here: codex, claude-code");
    m.run(&["doctor", "--rehearse", "gpt"]).code(2).says("there is no adapter `gpt`");
}

#[test]
fn a_rehearsal_that_is_interrupted_leaves_nothing_running() {
    use crate::support::daemon::{is_alive, until};
    let m = stage("none");
    let log = std::fs::File::create(m.path("log")).unwrap();
    let mut doctor = m.command(&["doctor", "--rehearse", "claude"]).stdout(log).spawn().unwrap();
    // whichever turn it is in by then: the last one does not end by itself
    until("a turn", || m.path("home/long").exists());
    let pid = rustix::process::Pid::from_raw(i32::try_from(doctor.id()).unwrap()).unwrap();
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
    assert!(doctor.wait().unwrap().code().is_some_and(|code| code <= 1), "it ended by itself");
    let long = std::fs::read_to_string(m.path("home/long")).unwrap();
    assert!(!is_alive(long.trim()));
}

#[test]
fn nobody_is_missed_while_the_adapters_are_in_doubt() {
    let machine = || Machine::new().env("WTT_AGENT_ID", "agent-1").env("WTT_TOKEN", CANARY);
    machine().run(&["doctor", "--offline"]).code(1).says("problem  codex: no `codex` on PATH");
    let broken = machine().env("WTT_CONNECT_ADAPTER", "codeks");
    broken.run(&["doctor", "--offline"]).code(1).says("\"codeks\" is not an adapter").hides("on PATH");
    let broken = machine().env("WTT_CONNECT_ADAPTERS", "codex,claud");
    broken.run(&["doctor", "--offline"]).code(1).says("is not an adapter").hides("on PATH");
    // what is there is shown all the same
    let broken = machine().env("WTT_CONNECT_ADAPTER", "codeks");
    let command = codex(&broken, "Not logged in");
    let broken = broken.env("WTT_CONNECT_CODEX_COMMAND", &command);
    broken.run(&["doctor", "--offline"]).says("note     codex: codex-cli 9.8.7");
}

#[test]
fn a_broken_cli_is_shown_by_its_error_and_a_missing_login_is_a_note() {
    let m = Machine::new().env("WTT_AGENT_ID", "agent-1").env("WTT_TOKEN", CANARY);
    let command = codex(&m, "Not logged in");
    let stack = "#!/bin/sh\nprintf '%s\\n' 'node:internal/x:1' '  throw new Error(1)' '' 'TypeError: no tea' '  at y' >&2\nexit 1\n";
    let broken = m.file("bin/claude", "");
    crate::support::program::program(&broken, stack);
    let m = m.env("WTT_CONNECT_CODEX_COMMAND", &command).env("WTT_CONNECT_ADAPTER", "claude-code");
    let m =
        m.env("WTT_CONNECT_CLAUDE_CODE_COMMAND", &shown(&broken)).env("WTT_CONNECT_ADAPTERS", "claude-code");
    m.run(&["doctor", "--offline"])
        .code(1)
        .says("`--version` failed with exit code 1: TypeError: no tea")
        .says("note     codex: codex-cli 9.8.7")
        .says("not logged in; not in WTT_CONNECT_ADAPTERS");
}

#[test]
fn a_found_agent_that_is_not_enabled_is_named_last_and_a_missing_switcher_is_said() {
    let m = stage("none").env("WTT_AGENT_ID", "agent-1").env("WTT_TOKEN", CANARY);
    let command = codex(&m, "Logged in using an API key - sk-x");
    let m = m.env("WTT_CONNECT_CODEX_COMMAND", &command).env("WTT_CONNECT_MODEL_SWITCH_MODE", "cc-switch");
    let run = m.run(&["doctor", "--offline"]).code(0);
    let at = |text: &str| run.stdout.find(text).unwrap_or_else(|| panic!("`{text}` is missing in {run}"));
    assert!(at("ok       codex: ") < at("ok       claude-code: 9.9.9 (Claude Code), "), "{run}");
    at("logged in (api key); not in WTT_CONNECT_ADAPTERS");
    at("note     model switcher: `cc-switch` is not an executable program");
}
