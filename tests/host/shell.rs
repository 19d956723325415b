//! One-shot shell commands and runtime info.

use super::{answer, open_house};
use crate::support::daemon::{AGENT, Connector, Home, Wtt, binary, is_alive, until};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// Runs a command as the web does; the answer of the connector.
fn job(wtt: &Wtt, command: &str, more: Value) -> Value {
    let id = wtt_connect::sys::id::hex();
    let mut frame = json!({"type":"shell_exec","request_id":id,"command":command});
    for (name, value) in more.as_object().unwrap() {
        frame[name] = value.clone();
    }
    answer(wtt, frame)
}

#[test]
fn a_script_runs_in_the_workdir_and_tells_how_it_ended() {
    let (wtt, home, _connector) = open_house(&[("WTT_E2E_PASSWORD", "CANARY-e2e")]);
    let script = "cat <<'END'\na $HOME 'x'\nEND\npwd -P; read line; echo \"[$line]\" >&2\nexit 3\n";
    let done = job(&wtt, script, json!({"timeout_seconds": 120}));
    let work = home.path().join("work").canonicalize().unwrap();
    let stdout = format!("a $HOME 'x'\n{}\n", work.display());
    assert_eq!(
        (&done["ok"], &done["exit_code"], &done["truncated"]),
        (&json!(true), &json!(3), &json!(false)),
        "{done}"
    );
    assert_eq!(done["result"], json!({"exit_code":3,"exitCode":3,"stdout":stdout,"stderr":"[]\n"}));
    // neither secrets nor settings, nor the script on a command line; and the running program is found
    let probe = "env | grep -c CANARY; env | grep -o '^WTT_[A-Z_0-9]*'; command -v wtt-connect; : s3cret; tr '\\0' ' ' </proc/$$/cmdline | grep -c s3cret";
    let done = job(&wtt, probe, json!({}));
    let expected = format!("0\nWTT_BASE_URL\n{}\n0\n", binary().display());
    assert_eq!(done["stdout"], expected.as_str(), "{done}");
    let done = job(&wtt, "kill -9 $$", json!({}));
    assert_eq!(done["exit_code"], 137, "{done}");
    assert_eq!(job(&wtt, "  ", json!({}))["error"], "bad_request");
}

#[test]
fn time_and_output_are_bounded_and_what_stays_on_purpose_stays() {
    let (wtt, home, _connector) = open_house(&[("WTT_CONNECT_SHELL_MAX_OUTPUT_CHARS", "100")]);
    let took = crate::support::watch::Watch::start();
    let done = job(&wtt, "echo first; sleep 1000 & echo $! > child; sleep 1000", json!({"timeout_ms": 2000}));
    assert_eq!(
        (&done["ok"], &done["timed_out"], &done["exit_code"]),
        (&json!(false), &json!(true), &json!(124)),
        "{done}"
    );
    assert_eq!((&done["status"], &done["stdout"]), (&json!("timeout"), &json!("first\n")));
    assert!(took.counted() < Duration::from_secs(15));
    let child = std::fs::read_to_string(home.path().join("work/child")).unwrap();
    until("the end of its whole group", || !is_alive(child.trim()));
    let done = job(&wtt, "yes 漢 | head -n 200000; echo last", json!({}));
    let stdout = done["stdout"].as_str().unwrap();
    assert!(
        stdout.ends_with("漢\nlast\n") && stdout.chars().count() == 100 && done["truncated"] == true,
        "{done}"
    );
    // over when its shell is over, although a child holds its pipes
    let done =
        job(&wtt, "nohup sleep 1000 & echo $! > stays; sleep 1000 & echo $! >> stays; echo out", json!({}));
    assert_eq!((&done["exit_code"], &done["stdout"]), (&json!(0), &json!("out\n")), "{done}");
    let stays = std::fs::read_to_string(home.path().join("work/stays")).unwrap();
    for pid in stays.lines() {
        assert!(is_alive(pid), "{pid} of {stays}");
        rustix::process::kill_process(
            rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap(),
            rustix::process::Signal::KILL,
        )
        .unwrap();
    }
}

#[test]
fn a_long_script_is_run_and_one_that_nobody_reads_ends_in_time() {
    let (wtt, home, _connector) = open_house(&[]);
    let filler = ": filler filler filler filler\n".repeat(8000);
    assert!(filler.len() > 3 * 64 * 1024);
    let done = job(&wtt, &format!("{filler}echo read"), json!({}));
    assert_eq!((&done["exit_code"], &done["stdout"]), (&json!(0), &json!("read\n")), "{done}");
    drop(_connector);
    // what reads the script does not: it stays in the pipe, which holds 64 KiB
    let bin = home.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    crate::support::program::program(&bin.join("cat"), "#!/bin/sh\nexec sleep 1000\n");
    let path = format!("{}:/usr/bin:/bin", bin.display());
    let (wtt, _home, _connector) = open_house(&[("PATH", &path)]);
    for _ in 0..5 {
        let done = job(&wtt, &filler, json!({"timeout_ms": 200}));
        assert_eq!((&done["timed_out"], &done["exit_code"]), (&json!(true), &json!(124)), "{done}");
    }
}

#[test]
fn the_modes_readonly_and_off() {
    let (wtt, home, _connector) = open_house(&[("WTT_CONNECT_SHELL_MODE", "readonly")]);
    std::fs::write(home.path().join("work/a b"), "text\n").unwrap();
    assert_eq!(job(&wtt, "cat 'a b'", json!({}))["stdout"], "text\n");
    for command in ["rm 'a b'", "cat 'a b' > c", "ls; rm 'a b'", "find . -delete"] {
        let done = job(&wtt, command, json!({}));
        let said = done["stderr"].as_str().unwrap();
        assert!(done["exit_code"] == 126 && said.contains("WTT_CONNECT_SHELL_MODE=readonly"), "{done}");
    }
    assert!(home.path().join("work/a b").exists() && !home.path().join("work/c").exists());
    let (wtt, _home, _connector) = open_house(&[("WTT_CONNECT_SHELL_MODE", "off")]);
    assert_eq!(job(&wtt, "true", json!({}))["error"], "shell_disabled");
    let open = json!({"type":"terminal_open","request_id":"t","session_id":"s","cols":80,"rows":24});
    assert_eq!(answer(&wtt, open)["ok"], true, "the terminal does not depend on it");
}

/// Git in a folder, without the settings of whoever runs the tests. False also where there is none.
fn git(folder: &Path, args: &[&str]) -> bool {
    let mut command = std::process::Command::new("git");
    command.args(["-c", "user.name=t", "-c", "user.email=t@t", "-C", folder.to_str().unwrap()]).args(args);
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").output().is_ok_and(|out| out.status.success())
}

#[test]
fn a_checkout_by_hand_is_told_without_a_turn() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let work = home.path().join("work");
    std::fs::create_dir(&work).unwrap();
    let git = |args: &[&str]| git(&work, args);
    if !git(&["init", "-q", "-b", "main"]) || !git(&["commit", "-q", "--allow-empty", "-m", "one"]) {
        eprintln!("skipped: no git");
        return;
    }
    let often = ("WTT_CONNECT_TEST_HOST_TIMES", r#"{"glance":50}"#);
    let _connector = Connector::start(&wtt, &home, &[often]);
    let told = |branch: &str| {
        wtt.wait(branch, |o| match &o.event {
            wtt_connect::local::service::ServiceEvent::Frame(frame)
                if frame["runtime"]["git"]["branch"] == branch =>
            {
                Some(())
            }
            _ => None,
        });
    };
    told("main");
    assert!(git(&["checkout", "-q", "-b", "other"]));
    told("other");
}

/// The steps of the page's own script (see SHELL in wtt-connect-protocol(7)), in our words.
const CLONE: &str = r#"set -eu
base="${WTT_BASE_URL:-https://www.waxbyte.com}"
profile="agent-clone-claude-code"
mkdir -p "$HOME/.wtt-connect"
clean() { env -u WTT_BASE_URL -u WTT_WS_URL -u WTT_AGENT_ID -u WTT_TOKEN -u WTT_AGENT_TOKEN -u WTT_HTTP_TOKEN   -u WTT_CONNECT_CONFIG -u WTT_CONNECT_ENV_FILE -u WTT_CONNECT_ADAPTER -u WTT_CONNECT_ADAPTERS -u WTT_CONNECT_WORKDIR   -u WTT_CONNECT_STATE_DIR -u WTT_CONNECT_STORE_FILE -u WTT_CONNECT_ARTIFACT_DIR -u WTT_CONNECT_INBOX_DIR   -u WTT_CONNECT_MODE "$@"; }
up="wtt-connect up claude-code agent-clone wtt-tok-clone --profile $profile --base-url $base --mode full-auto --yes"
clean $up --no-start
nohup env -u WTT_BASE_URL wtt-connect start --profile "$profile" > "$HOME/.wtt-connect/$profile.log" 2>&1 &
echo "started $!"
"#;

#[test]
fn the_pages_clone_agent_script_leaves_a_second_connector_that_outlives_the_first() {
    let (wtt, home) = (Wtt::start(), Home::new());
    wtt.service.add_agent("agent-clone", "wtt-tok-clone", "Clone");
    let agent = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/agents/ok.sh");
    let claude = home.path().join(".local/bin/claude");
    std::fs::create_dir_all(claude.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(agent, &claude).unwrap();
    let connector = Connector::start(&wtt, &home, &[("WTT_CONNECT_ENABLE_SHELL", "1")]);
    wtt.forget();
    let done = job(&wtt, CLONE, json!({"timeout_seconds": 120}));
    assert_eq!(done["exit_code"], 0, "{done}");
    let pid = done["stdout"].as_str().unwrap().rsplit("started ").next().unwrap().trim().to_owned();
    wtt.wait("the clone", |o| {
        (o.agent == "agent-clone" && o.event == wtt_connect::local::service::ServiceEvent::Auth(true))
            .then_some(())
    });
    // neither the end of the job, nor of the connector, nor its sweep at the next start ends the clone
    assert!(connector.stop().success());
    wtt.forget();
    let again = Connector::start(&wtt, &home, &[]);
    assert!(is_alive(&pid));
    drop(again);
    let pid = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
}

#[test]
fn runtime_info_is_told_when_connected_and_when_it_changes() {
    use wtt_connect::local::service::{Faults, ServiceEvent};
    let (wtt, home) = (Wtt::start(), Home::new());
    let work = home.path().join("work");
    std::fs::create_dir(&work).unwrap();
    let git = |args: &[&str]| git(&work, args);
    let has_git = git(&["init", "-q", "-b", "main"])
        && std::fs::write(work.join("f"), "1").is_ok()
        && git(&["add", "f"])
        && git(&["commit", "-q", "-m", "one"]);
    let _connector = Connector::start(
        &wtt,
        &home,
        &[("WTT_CONNECT_ENABLE_SHELL", "1"), ("WTT_CONNECT_MODEL", "m-1"), ("WTT_CONNECT_EFFORT", "high")],
    );
    let told = |what: &str, wanted: &dyn Fn(&Value) -> bool| {
        wtt.wait(what, |o| match &o.event {
            ServiceEvent::Frame(frame) if frame["action"] == "runtime_info" && wanted(&frame["runtime"]) => {
                Some(frame["runtime"].clone())
            }
            _ => None,
        })
    };
    let info = told("runtime info", &|_| true);
    for (name, value) in [
        ("kind", json!("wtt-connect")),
        ("adapter", json!("claude-code")),
        ("adapters", json!(["claude-code", "codex"])),
        ("model", json!("m-1")),
        ("reasoning_effort", json!("high")),
        ("workdir", json!(work.to_str().unwrap())),
        ("workdir_name", json!("work")),
        ("capabilities", json!({"shell": true, "terminal": true})),
    ] {
        assert_eq!(info[name], value, "{name} in {info}");
    }
    assert!(info["hostname"].as_str().is_some_and(|name| !name.is_empty()));
    if !has_git {
        eprintln!("skipped in part: no git");
        return;
    }
    assert_eq!(
        (&info["git"]["repo"], &info["git"]["branch"], &info["git"]["dirty"]),
        (&json!("work"), &json!("main"), &json!(false))
    );
    std::fs::write(work.join("f"), "2").unwrap();
    let topic = wtt.p2p();
    wtt.say(&topic, "hello");
    let changed = told("the change", &|runtime| runtime["git"]["dirty"] == true);
    let used = json!({"requests":1,"input_tokens":3,"output_tokens":2,"cache_tokens":0,"total_tokens":5});
    assert_eq!(changed["usage_totals"], used, "{changed}");
    let asked = answer(&wtt, json!({"type":"runtime_info_request","request_id":"i"}));
    assert_eq!(
        (&asked["type"], &asked["runtime"]["git"]["dirty"]),
        (&json!("runtime_info_response"), &json!(true))
    );
    // a service that does not know it is not asked again until the next connection
    wtt.service.set_faults(Faults { unknown_action_errors: true, ..Faults::default() });
    std::fs::write(work.join("f"), "1").unwrap();
    wtt.forget();
    for text in ["first", "second"] {
        wtt.say(&topic, text);
        if text == "first" {
            told("one more", &|runtime| runtime["git"]["dirty"] == false);
            std::fs::write(work.join("f"), "3").unwrap();
            wtt.forget();
        }
    }
    let asked = answer(&wtt, json!({"type":"runtime_info","request_id":"j"}));
    assert_eq!(asked["ok"], true);
    assert!(wtt.service.push_frame(AGENT, json!({"type":"typing"})), "it is still connected");
}
