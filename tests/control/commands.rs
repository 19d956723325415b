//! `list`, `status`, `restart` and `logs` as people and scripts use them.

use crate::support::daemon::{AGENT, Home, TOKEN, Wtt, binary, until};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A user with profiles.
pub(super) struct User {
    home: Home,
    path: String,
}

/// What a command said.
pub(super) struct Said {
    code: Option<i32>,
    pub(super) out: String,
    err: String,
}

impl Said {
    #[track_caller]
    pub(super) fn check(self, code: i32, texts: &[&str]) -> Said {
        let all = format!("{}{}", self.out, self.err);
        assert_eq!(self.code, Some(code), "{all}");
        for text in texts {
            assert!(all.contains(text), "`{text}` is missing in {all}");
        }
        assert!(!all.contains("CANARY"), "{all}");
        self
    }
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap()
    }
}

/// Ends the process that a test started.
pub(super) struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl User {
    pub(super) fn new() -> User {
        let home = Home::new();
        let path = format!("{}/bin:/usr/bin:/bin", home.path().display());
        std::fs::create_dir(home.path().join("bin")).unwrap();
        User { home, path }
    }

    /// A stub of a program.
    fn program(&self, name: &str, script: &str) -> PathBuf {
        let file = self.home.path().join("bin").join(name);
        crate::support::program::program(&file, format!("#!/bin/sh\n{script}\n"));
        file
    }

    pub(super) fn profile(&self, name: &str, agent: &str, base_url: &str, more: &str) {
        let folder = self.home.path().join(".config/wtt-connect/profiles");
        std::fs::create_dir_all(&folder).unwrap();
        let text = format!(
            "WTT_BASE_URL={base_url}\nWTT_AGENT_ID={agent}\nWTT_TOKEN='{TOKEN}'\nWTT_CONNECT_ADAPTER=claude-code\n{more}\n"
        );
        let file = folder.join(format!("{name}.env"));
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn state_dir(&self, profile: &str) -> PathBuf {
        self.home.path().join(".local/state/wtt-connect").join(profile)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(words).env_clear().env("HOME", self.home.path()).env("PATH", &self.path);
        command.current_dir(self.home.path()).stdin(Stdio::null());
        command
    }

    pub(super) fn run(&self, words: &[&str]) -> Said {
        let done = self.command(words).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Said { code: done.status.code(), out: text(done.stdout), err: text(done.stderr) }
    }

    pub(super) fn start(&self, profile: &str, flags: &[&str]) -> Running {
        let mut command = self.command(&["start", "--profile", profile]);
        let child = command.args(flags).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let running = Running(child);
        until("an answer", || {
            self.run(&["list"]).out.lines().any(|l| l.contains(profile) && !l.contains("not running"))
        });
        running
    }

    pub(super) fn wait_connected(&self, profile: &str) {
        until("a connection", || {
            self.run(&["list"]).out.lines().any(|l| l.contains(profile) && l.contains("connected for"))
        });
    }
}

#[test]
fn without_a_profile_they_say_what_to_do() {
    let user = User::new();
    user.run(&["list"]).check(0, &["no profile yet", "wtt-connect up"]);
    user.run(&["status"]).check(0, &["no profile yet"]);
    user.run(&["restart", "all"]).check(0, &["no profile yet"]);
    assert_eq!(user.run(&["list", "--json"]).check(0, &[]).json()["profiles"], serde_json::json!([]));
    user.run(&["status", "alice"]).check(78, &["there is no profile alice; `wtt-connect up` creates one"]);
    user.run(&["logs"]).check(2, &["logs needs PROFILE"]);
    user.run(&["logs", "a", "b"]).check(2, &["unexpected argument"]);
    user.run(&["logs", "a", "--lines", "0"]).check(2, &["accepted: 1 to 100000"]);
}

#[test]
fn a_running_and_a_stopped_one_side_by_side() {
    let (wtt, user) = (Wtt::start(), User::new());
    user.program("claude", "echo x >> \"$HOME/asked\"; echo '2.1.330 (Claude Code)'");
    user.profile("one", AGENT, &wtt.service.base_url(), "");
    user.profile("two", "agent-002", "http://127.0.0.1:9", "WTT_CONNECT_ADAPTERS=claude-code,codex");
    let mut running = user.start("one", &[]);
    user.wait_connected("one");
    let list = user.run(&["list"]).check(0, &["by hand", "stopped", "PROFILE", "wtt-connect status PROFILE"]);
    let columns: Vec<usize> =
        list.out.lines().take(3).map(|l| l.find("agent-00").or(l.find("AGENT")).unwrap()).collect();
    assert!(columns.iter().all(|c| *c == columns[0]), "{}", list.out);
    assert!(!list.out.contains('\x1b'));
    let json = user.run(&["list", "--json"]).check(0, &[]).json();
    let rows = json["profiles"].as_array().unwrap();
    assert_eq!((&rows[0]["profile"], &rows[0]["link"]["state"]), (&"one".into(), &"connected".into()));
    assert_eq!((&rows[0]["pid"], &rows[1]["running"]), (&running.0.id().into(), &false.into()));

    let texts = [
        "one: connected for",
        "2.1.330 (Claude Code)",
        "(Alice Codex)",
        "since 20",
        "0 running, 0 waiting",
        "No problems.",
    ];
    user.run(&["status", "one"]).check(0, &texts);
    // the connector's PATH counts, not that of whoever asks
    let mut elsewhere = user.command(&["status", "one"]);
    let elsewhere = elsewhere.env("PATH", "/usr/bin:/bin").output().unwrap();
    assert!(elsewhere.status.success() && String::from_utf8(elsewhere.stdout).unwrap().contains("2.1.330"));
    // by agent id, and with the version from the note
    user.run(&["status", AGENT]).check(0, &["2.1.330"]);
    assert_eq!(std::fs::read_to_string(user.home.path().join("asked")).unwrap().lines().count(), 1);
    user.run(&["status", "two"]).check(
        69,
        &[
            "two: not running",
            "codex cannot answer",
            "up --profile two claude-code agent-002",
            "start --profile two",
        ],
    );
    user.run(&["status"]).check(69, &["one: connected", "two: not running"]);
    let json = user.run(&["status", "all", "--json"]).check(69, &[]).json();
    assert_eq!(json["profiles"][0]["live"]["link"]["state"], "connected");
    assert_eq!(
        (&json["profiles"][1]["files"]["sessions"], &json["profiles"][1]["ok"]),
        (&0.into(), &false.into())
    );
    user.run(&["status", "oen"]).check(78, &["did you mean one?"]);
    user.run(&["status", "agent-003"]).check(78, &["did you mean agent-00"]);

    user.run(&["restart", "one"]).check(0, &["one: restarted, wtt-connect "]);
    user.run(&["restart"]).check(69, &["one: restarted", "two: not running"]);
    assert!(running.0.try_wait().unwrap().is_none(), "still the same process");
    // an ambiguous id
    user.profile("three", AGENT, &wtt.service.base_url(), "");
    user.run(&["status", AGENT]).check(2, &["has 2 profiles: one, three"]);
    // settings that the next start would refuse leave the running one alone
    user.profile("one", AGENT, &wtt.service.base_url(), "WTT_CONNECT_MODE=fast");
    user.run(&["restart", "one"]).check(78, &["was not restarted", "WTT_CONNECT_MODE"]);
    user.run(&["status", "one"]).check(1, &["problem", "WTT_CONNECT_MODE", "doctor --profile one"]);
}

#[test]
fn a_refused_token_needs_somebody_and_being_offline_does_not() {
    let (wtt, user) = (Wtt::start(), User::new());
    user.program("claude", "echo 2.1.330");
    user.profile("one", "agent-x", &wtt.service.base_url(), "");
    let _running = user.start("one", &[]);
    until("a refusal", || user.run(&["status", "one"]).out.contains("token refused"));
    user.run(&["status", "one"])
        .check(1, &["refuses the token", "To continue, put a new token into", "one.env"]);
    user.profile("two", "agent-y", "http://127.0.0.1:9", "");
    let _running = user.start("two", &[]);
    until("a failed attempt", || user.run(&["status", "two"]).out.contains("cannot connect"));
    user.run(&["status", "two"]).check(0, &["two: offline, next attempt in", "keeps trying"]);
}

#[test]
fn the_files_of_a_stopped_one_are_read_and_not_touched() {
    let (wtt, user) = (Wtt::start(), User::new());
    let topic = wtt.p2p();
    let agent = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/agents/scripted.sh");
    let command = format!("WTT_CONNECT_CLAUDE_CODE_COMMAND={}", agent.display());
    user.profile("one", AGENT, &wtt.service.base_url(), &command);
    let running = user.start("one", &[]);
    user.wait_connected("one");
    wtt.say(&topic, "RUN: answer first");
    wtt.answer(&topic, "first");
    wtt.say(&topic, "RUN: touch $HOME/begun; await never; answer no");
    user.home.wait_for("begun");
    user.run(&["status", "one"]).check(0, &["claude-code for", "1 running, 0 waiting", "last one"]);
    drop(running);
    let aside = user.state_dir("one").join("state.json.corrupt-1700000000000");
    std::fs::write(&aside, "{").unwrap();
    let files = || {
        let mut all: Vec<(PathBuf, Vec<u8>)> = ["state.json", "state.json.journal", "lock"]
            .map(|name| user.state_dir("one").join(name))
            .map(|file| (file.clone(), std::fs::read(file).unwrap()))
            .into();
        all.sort();
        all
    };
    let before = files();
    let texts = [
        "not running",
        "1, last used",
        "1 turn interrupted; the next start reports it in the topic",
        "set aside as",
        "corrupt-1700000000000",
    ];
    user.run(&["status", "one"]).check(69, &texts);
    assert!(before == files());
    user.run(&["doctor", "--profile", "one", "--offline"])
        .check(0, &["set aside as", "corrupt-1700000000000"]);
    std::fs::write(user.state_dir("one").join("state.json"), "[]").unwrap();
    user.run(&["status", "one"]).check(69, &["cannot be read; the next start sets it aside"]);
}

#[test]
fn a_closed_stdout_is_not_a_failure() {
    let user = User::new();
    user.profile("one", "agent-1", "http://127.0.0.1:9", "");
    for (words, code) in [(&["list"][..], 0), (&["list", "--json"], 0), (&["status"], 69), (&["restart"], 69)]
    {
        let mut child = user.command(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert_eq!((child.wait().unwrap().code(), stderr.as_str()), (Some(code), ""), "{words:?}");
    }
}

#[test]
fn logs_of_files_are_shown_and_followed_across_a_change_of_files() {
    let (wtt, user) = (Wtt::start(), User::new());
    user.program("claude", "echo 2.1.330");
    user.profile("one", AGENT, &wtt.service.base_url(), "");
    let running = user.start("one", &["--log-to-file"]);
    user.wait_connected("one");
    let log = user.state_dir("one").join("wtt-connect.log");
    assert_eq!(std::fs::metadata(&log).unwrap().permissions().mode() & 0o777, 0o600);
    user.run(&["logs", "one"]).check(0, &["for agent-001 with claude-code", "connected as agent-001"]);
    let last = user.run(&["logs", AGENT, "-n", "1"]).check(0, &["connected as"]);
    assert_eq!(last.out.lines().count(), 1);
    drop(running);
    std::fs::write(log.with_extension("log.1"), "older 1\nolder 2\n").unwrap();
    std::fs::write(&log, "new 1\nnew 2\n").unwrap();
    assert_eq!(user.run(&["logs", "one", "--lines", "3"]).out, "older 2\nnew 1\nnew 2\n");
    let mut follow = Running(
        user.command(&["logs", "one", "-n", "1", "--follow"]).stdout(Stdio::piped()).spawn().unwrap(),
    );
    let mut lines = BufReader::new(follow.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(lines.next().unwrap(), "new 2");
    let append = |text: &str| {
        use std::io::Write;
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(&log).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    };
    append("new 3\n");
    assert_eq!(lines.next().unwrap(), "new 3");
    append("new 4\n");
    std::fs::rename(&log, log.with_extension("log.1")).unwrap();
    append("newest\n");
    assert_eq!((lines.next().unwrap(), lines.next().unwrap()), ("new 4".into(), "newest".into()));
}

#[test]
fn settings_that_are_wrong_are_in_the_log_file() {
    let user = User::new();
    user.profile("one", "agent-1", "http://127.0.0.1:9", "WTT_CONNECT_MODE=fast");
    user.run(&["start", "--profile", "one", "--log-to-file"]).check(78, &["WTT_CONNECT_MODE"]);
    user.run(&["logs", "one"]).check(0, &["ERROR daemon: WTT_CONNECT_MODE", "is not a mode"]);
}

#[test]
fn logs_of_a_service_are_the_journals() {
    let user = User::new();
    user.profile("one", "agent-1", "http://127.0.0.1:9", "");
    user.program("journalctl", "echo \"$*\"; exit 3");
    let said =
        user.run(&["logs", "one", "--lines", "7", "--follow"]).check(3, &["--user", "--lines=7", "--follow"]);
    assert!(said.out.contains("--unit=wtt-connect@one.service"), "{}", said.out);
    assert!(!user.run(&["logs", "agent-1"]).out.contains("--follow"));
    // a journal without a line, of one that was started: by hand
    user.program("journalctl", "exit 0");
    std::fs::create_dir_all(user.state_dir("one")).unwrap();
    std::fs::write(user.state_dir("one").join("lock"), "").unwrap();
    user.run(&["logs", "one"]).check(69, &["was started by hand", "--log-to-file"]);
}
