//! What is true under a real service manager. Each test has its own agent, and removes its profile at the end.

use super::INSIDE;
use crate::support::daemon::{AGENT, TOKEN, Wtt, until};
use std::path::PathBuf;
use std::process::{Command, Output};

fn home() -> Option<PathBuf> {
    std::env::var_os(INSIDE)?;
    std::env::var_os("HOME").map(PathBuf::from)
}

/// This user's machine. Removes the profiles when the test is over.
struct Machine {
    home: PathBuf,
    wtt: Wtt,
}

impl Machine {
    fn new(home: PathBuf) -> Machine {
        let claude = home.join(".local/bin/claude");
        std::fs::create_dir_all(claude.parent().unwrap()).unwrap();
        // says a word after as many seconds as the prompt's last number, and who runs it
        let script = "#!/bin/sh\n[ \"$1\" = --version ] && echo '2.1.0 (Claude Code)' && exit\n[ \"$1\" = auth ] && exit\n\
                      prompt=$(cat; echo)\ncase $prompt in *slow*) touch ~/began; sleep 60 & wait ;; esac\n\
                      text=\"umask $(umask), core $(ulimit -c), nnp $(sed -n 's/^NoNewPrivs:[^0-9]*//p' /proc/self/status)\"\n\
                      echo '{\"type\":\"system\",\"subtype\":\"init\",\"session_id\":\"01a201fc-49a6-73b2-93a6-9a4fe7056111\"}'\n\
                      printf '{\"type\":\"result\",\"subtype\":\"success\",\"is_error\":false,\"result\":\"%s\",\"session_id\":\"01a201fc-49a6-73b2-93a6-9a4fe7056111\"}\\n' \"$text\"\n";
        std::fs::write(&claude, script).unwrap();
        crate::service::make_program(&claude);
        Machine { home, wtt: Wtt::start() }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("wtt-connect");
        let path = format!("{}:/usr/bin:/bin", self.home.join("bin").display());
        command.args(args).env("PATH", path).env_remove(INSIDE).current_dir(&self.home);
        command
    }

    #[track_caller]
    fn run(&self, args: &[&str], code: i32) -> String {
        said(&self.command(args).output().unwrap(), code)
    }

    #[track_caller]
    fn up(&self, more: &[&str]) -> String {
        let base = self.wtt.service.base_url();
        let mut words = vec!["up", "claude-code", AGENT, TOKEN, "--base-url", &base];
        words.extend(more);
        let said = self.run(&words, 0);
        assert!(!said.contains("CANARY"), "{said}");
        said
    }

    fn property(&self, unit: &str, name: &str) -> String {
        let query = ["--user", "show", "--value", &format!("--property={name}"), unit];
        let output = Command::new("systemctl").args(query).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        for name in ["agent-001-claude-code", "agent-002-claude-code"] {
            let _ = self.command(&["down", name, "--purge"]).output();
        }
    }
}

#[track_caller]
fn said(output: &Output, code: i32) -> String {
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{text}");
    text
}

const PROFILE: &str = "agent-001-claude-code";
const UNIT: &str = "wtt-connect@agent-001-claude-code.service";

#[test]
fn the_first_minute() {
    let Some(home) = home() else { return };
    let machine = Machine::new(home);
    let began = std::time::Instant::now();
    let text = machine.up(&[]);
    eprintln!("from `up` typed to connected: {} ms\n{text}", began.elapsed().as_millis());
    assert!(text.contains("connected to"), "{text}");
    machine.wtt.connected();
    assert_eq!(machine.property(UNIT, "ActiveState"), "active");
    assert_eq!(machine.property(UNIT, "UnitFileState"), "enabled");
    assert!(machine.property(UNIT, "StatusText").starts_with("connected as agent-001"));
    let verify =
        Command::new("systemd-analyze").args(["verify", "--user", "--man=no", UNIT]).output().unwrap();
    assert!(verify.stdout.is_empty() && verify.stderr.is_empty(), "{}", said(&verify, 0));
    assert!(machine.run(&["status", PROFILE], 0).contains("since"));
    assert!(machine.run(&["list"], 0).contains(PROFILE));
    until("the journal", || {
        machine.run(&["logs", AGENT, "--lines", "20"], 0).contains("connected as agent-001")
    });

    // the unit restricts nothing that an agent needs
    let topic = machine.wtt.p2p();
    machine.wtt.say(&topic, "who are you?");
    let shell = Command::new("sh")
        .args(["-c", "echo \"umask $(umask), core $(ulimit -c), nnp 0\""])
        .output()
        .unwrap();
    let row = machine.wtt.answer(&topic, "umask");
    assert_eq!(row["content"].as_str().unwrap().trim(), String::from_utf8_lossy(&shell.stdout).trim());
}

#[test]
fn it_comes_back_after_a_kill_and_after_a_hang() {
    let Some(home) = home() else { return };
    let machine = Machine::new(home);
    machine.up(&[]);
    let drop_in = machine.home.join(".config/systemd/user/wtt-connect@.service.d");
    std::fs::create_dir_all(&drop_in).unwrap();
    std::fs::write(drop_in.join("quick.conf"), "[Service]\nRestartSec=0\nWatchdogSec=2\n").unwrap();
    assert!(Command::new("systemctl").args(["--user", "daemon-reload"]).status().unwrap().success());
    assert!(Command::new("systemctl").args(["--user", "restart", UNIT]).status().unwrap().success());
    for (signal, result) in [("-KILL", "signal"), ("-STOP", "watchdog")] {
        let pid = machine.property(UNIT, "MainPID");
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        until(&format!("another process after {result}"), || {
            let now = machine.property(UNIT, "MainPID");
            now != "0" && now != pid && machine.property(UNIT, "ActiveState") == "active"
        });
        until("a connection", || machine.run(&["list"], 0).contains("connected"));
    }
    assert_eq!(machine.property(UNIT, "NRestarts"), "2");
    std::fs::remove_dir_all(drop_in).unwrap();
}

#[test]
fn a_new_token_is_one_restart_and_a_refused_one_none() {
    let Some(home) = home() else { return };
    let machine = Machine::new(home);
    machine.up(&[]);
    let pid = machine.property(UNIT, "MainPID");
    machine.wtt.service.add_agent(AGENT, "CANARY-2", "Alice");
    let base = machine.wtt.service.base_url();
    let up = |token: &str, code| machine.run(&["up", "claude-code", AGENT, token, "--base-url", &base], code);
    assert!(up(TOKEN, 78).contains("the service refuses this token"));
    assert_eq!(machine.property(UNIT, "MainPID"), pid);
    assert!(up("CANARY-2", 0).contains("restarted"));
    let after = machine.property(UNIT, "MainPID");
    assert_ne!(after, pid);
    assert!(up("CANARY-2", 0).contains("runs already"));
    assert_eq!(machine.property(UNIT, "MainPID"), after);
    // the same process starts again
    assert!(machine.run(&["restart", PROFILE], 0).contains("restarted"));
    assert!(machine.run(&["workdir", AGENT, "elsewhere", "--restart"], 0).contains("restarted"));
    assert_eq!(
        (machine.property(UNIT, "MainPID"), machine.property(UNIT, "ActiveState")),
        (after, "active".into())
    );
}

#[test]
fn stopping_ends_the_agents_and_down_is_for_good() {
    let Some(home) = home() else { return };
    let machine = Machine::new(home);
    machine.up(&[]);
    let topic = machine.wtt.p2p();
    machine.wtt.say(&topic, "be slow");
    until("the agent", || machine.home.join("began").exists());
    let group = format!("/sys/fs/cgroup{}", machine.property(UNIT, "ControlGroup"));
    assert!(std::fs::read_to_string(format!("{group}/cgroup.procs")).unwrap().lines().count() > 1);
    assert!(machine.run(&["down", AGENT], 0).contains("will not start again"));
    assert!(!std::path::Path::new(&group).exists(), "nothing is left in {group}");
    assert_eq!(machine.property(UNIT, "Result"), "success");
    assert_eq!(machine.property(UNIT, "UnitFileState"), "disabled");
    assert!(machine.run(&["status", PROFILE], 69).contains("not run"));
}

#[test]
fn two_profiles_side_by_side_and_the_script_of_the_web() {
    let Some(home) = home() else { return };
    let machine = Machine::new(home);
    machine.up(&[]);
    let pid = machine.property(UNIT, "MainPID");
    machine.wtt.service.add_agent("agent-002", "CANARY-2", "Bob");
    // what the web sends as a shell job to a host agent, in our words
    let script = r#"
        set -e
        base="${WTT_BASE_URL:-https://www.waxbyte.com}"
        profile="agent-002-claude-code"
        mkdir -p "$HOME/.wtt-connect"
        clean="env -u WTT_BASE_URL -u WTT_WS_URL -u WTT_AGENT_ID -u WTT_TOKEN -u WTT_AGENT_TOKEN -u WTT_HTTP_TOKEN
            -u WTT_CONNECT_CONFIG -u WTT_CONNECT_ENV_FILE -u WTT_CONNECT_ADAPTER -u WTT_CONNECT_ADAPTERS
            -u WTT_CONNECT_WORKDIR -u WTT_CONNECT_STATE_DIR -u WTT_CONNECT_STORE_FILE -u WTT_CONNECT_ARTIFACT_DIR
            -u WTT_CONNECT_INBOX_DIR -u WTT_CONNECT_MODE"
        up="wtt-connect up claude-code agent-002 $1 --profile $profile --base-url $base --mode full-auto --yes"
        if systemctl --user show-environment >/dev/null 2>&1; then
            $clean $up
        else
            $clean $up --no-start
            $clean nohup wtt-connect start --profile "$profile" >"$HOME/.wtt-connect/$profile.log" 2>&1 &
        fi
    "#;
    let job = |with_bus: bool| {
        let mut bash = Command::new("bash");
        let like = machine.command(&[]);
        bash.args(["-c", script, "bash", "CANARY-2"]).current_dir(&machine.home);
        bash.envs(like.get_envs().filter_map(|(name, value)| Some((name, value?))));
        bash.env("WTT_BASE_URL", machine.wtt.service.base_url()).env("WTT_AGENT_ID", AGENT);
        bash.env("WTT_CONNECT_STATE_DIR", machine.home.join("of-the-host"));
        bash.env("WTT_CONNECT_RUN_MARK", "owner:turn");
        if !with_bus {
            bash.env("XDG_RUNTIME_DIR", "/nowhere").env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere");
        }
        said(&bash.output().unwrap(), 0)
    };
    assert!(job(true).contains("connected to"));
    assert_eq!(machine.property(UNIT, "MainPID"), pid, "the first one is left alone");
    let list = machine.run(&["list", "--json"], 0);
    assert_eq!(list.matches("\"connected\"").count(), 2, "{list}");
    machine.run(&["down", "agent-002", "--purge"], 0);
    // without a user's manager it runs in the background, by hand
    job(false);
    until("a connection by hand", || {
        machine.run(&["list", "--json"], 0).matches("\"connected\"").count() == 2
    });
    let text = machine.run(&["down", "agent-002"], 0);
    assert!(text.contains("is stopped (process "), "{text}");
}

#[test]
fn a_bug_is_a_restart_in_place() {
    let Some(home) = home() else { return };
    let machine = Machine::new(home);
    machine.up(&["--adapters", " claude-code, codex "]);
    let drop_in = machine.home.join(".config/systemd/user/wtt-connect@.service.d");
    std::fs::create_dir_all(&drop_in).unwrap();
    std::fs::write(drop_in.join("bug.conf"), "[Service]\nEnvironment=WTT_CONNECT_TEST_BUG=boom\n").unwrap();
    assert!(Command::new("systemctl").args(["--user", "daemon-reload"]).status().unwrap().success());
    assert!(Command::new("systemctl").args(["--user", "restart", UNIT]).status().unwrap().success());
    let pid = machine.property(UNIT, "MainPID");
    let topic = machine.wtt.p2p();
    machine.wtt.say(&topic, "boom");
    machine.wtt.answer(&topic, "interrupted");
    let service =
        ["MainPID", "NRestarts", "ActiveState", "SubState"].map(|name| machine.property(UNIT, name));
    assert_eq!(service, [pid.as_str(), "0", "active", "running"]);
    machine.wtt.say(&topic, "who are you?");
    machine.wtt.answer(&topic, "umask");
    assert!(machine.property(UNIT, "StatusText").starts_with("connected as agent-001"));
    // and it still ends in order when it is told to
    assert!(Command::new("systemctl").args(["--user", "stop", UNIT]).status().unwrap().success());
    assert_eq!(machine.property(UNIT, "Result"), "success");
    std::fs::remove_dir_all(drop_in).unwrap();
}

#[test]
fn a_crashed_one_is_not_running_and_its_log_can_be_followed() {
    let Some(home) = home() else { return };
    let machine = Machine::new(home);
    machine.up(&[]);
    // a log file of an earlier time, when somebody ran it by hand, is not what the service says
    let state_dir = machine.home.join(".local/state/wtt-connect").join(PROFILE);
    std::fs::write(state_dir.join("wtt-connect.log"), "an old file\n").unwrap();
    until("the journal", || machine.run(&["logs", PROFILE], 0).contains("connected as agent-001"));
    let mut follow = machine.command(&["logs", PROFILE, "--follow"]);
    let mut follow = follow.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut first = [0; 1];
    std::io::Read::read_exact(follow.stdout.as_mut().unwrap(), &mut first).unwrap();
    assert!(Command::new("kill").args(["-INT", &follow.id().to_string()]).status().unwrap().success());
    let ended = follow.wait_with_output().unwrap();
    assert!(ended.stderr.is_empty(), "{ended:?}");
    std::fs::remove_file(state_dir.join("wtt-connect.log")).unwrap();

    let pid = machine.property(UNIT, "MainPID");
    // the manager waits five seconds before it starts another one
    assert!(Command::new("kill").args(["-KILL", &pid]).status().unwrap().success());
    until("the crash", || machine.property(UNIT, "MainPID") == "0");
    assert!(state_dir.join("control.sock").exists());
    let text = machine.run(&["status", PROFILE], 69);
    assert!(text.contains("not running"), "{text}");
    assert!(machine.run(&["list"], 0).contains("stopped"));
    assert!(machine.run(&["restart", PROFILE], 69).contains("does not run"));
    assert!(machine.up(&[]).contains("connected to"));
    assert!(machine.run(&["status", PROFILE], 0).contains("since"));
}
