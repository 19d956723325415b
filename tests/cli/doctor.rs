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
    use std::os::unix::fs::PermissionsExt;
    let text = format!(
        "#!/bin/sh\ncase $* in\n--version) echo 'codex-cli 9.8.7' ;;\n'login status') echo '{login}' >&2; case '{login}' in Not*) exit 1;; esac ;;\nesac\n"
    );
    let path = m.file("bin/codex", &text);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
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
        .says("All is well.");
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
fn a_running_connector_is_shown() {
    let m = Machine::new().env("WTT_AGENT_ID", "agent-1").env("WTT_TOKEN", CANARY);
    let lock = m.file("home/.local/state/wtt-connect/agent-1-codex/lock", "");
    m.run(&["doctor", "--offline"]).says("ok       state: not running");
    let held = wtt_connect::store::lock::take(&lock).unwrap();
    let pid = std::process::id();
    m.run(&["doctor", "--offline"]).says(&format!("process {pid} is running with this state directory"));
    drop(held);
}

#[test]
fn problems_are_listed_and_counted() {
    let m =
        Machine::new().env("WTT_CONNECT_MODE", "fast").env("WTT_TOKEN", "CANARY x").env("WTT_NEW_KEY", "1");
    m.run(&["doctor", "--offline"])
        .code(1)
        .says("problem  WTT_CONNECT_MODE (environment) \"fast\" is not a mode")
        .says("WTT_AGENT_ID is not set")
        .says("passed over: WTT_NEW_KEY")
        .says("need to be put right first")
        .hides("CANARY");
}

#[test]
fn without_an_identity_everything_else_is_looked_at() {
    use wtt_connect::local::service::{Options, Service};
    let service = Service::start(Options::default()).unwrap();
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
    use wtt_connect::local::service::{Options, Service};
    let service = Service::start(Options::default()).unwrap();
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
