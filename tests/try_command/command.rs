//! `wtt-connect try` as a whole: the real binary, its service, the real connector, the demonstration agent.

use crate::support::daemon::until;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(20);

/// A home, a temporary directory and a working directory of its own.
pub(super) struct TestMachine {
    dir: TempDir,
}

impl TestMachine {
    pub(super) fn new() -> TestMachine {
        let dir = tempfile::tempdir().unwrap();
        for name in ["home", "tmp", "work"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        TestMachine { dir }
    }

    pub(super) fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    pub(super) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wtt-connect"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("WTT_") || name.to_string_lossy().starts_with("XDG_") {
                command.env_remove(name);
            }
        }
        command
            .arg("try")
            .args(args)
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.path("tmp"))
            .current_dir(self.path("work"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Whether all three directories are empty.
    pub(super) fn is_clean(&self) -> bool {
        ["home", "tmp", "work"].iter().all(|name| count(&self.path(name)) == 0)
    }
}

fn count(folder: &Path) -> usize {
    names(folder).len()
}

/// Names of the entries of a folder, without the empty folder for sockets whose own path would be too long: it stays.
fn names(folder: &Path) -> Vec<String> {
    let sockets = format!("wtt-connect-{}", rustix::process::geteuid().as_raw());
    let entries =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let is_left =
        |name: &String| *name == sockets && std::fs::read_dir(folder.join(name)).unwrap().count() == 0;
    let mut names: Vec<String> = entries.filter(|name| !is_left(name)).collect();
    names.sort();
    names
}

/// A running `try`, and the lines that it has printed so far.
struct TryProcess {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<(char, String)>,
    lines_read: Vec<String>,
    /// For each stream, the index behind the line that was waited for last.
    passed: Vec<(char, usize)>,
}

impl TryProcess {
    fn start(mut command: Command) -> TryProcess {
        let mut child = command.spawn().unwrap();
        let (to, lines) = channel();
        let streams: [(char, Box<dyn Read + Send>); 2] =
            [('o', Box::new(child.stdout.take().unwrap())), ('e', Box::new(child.stderr.take().unwrap()))];
        for (stream, pipe) in streams {
            let to = to.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                    let _ = to.send((stream, line));
                }
            });
        }
        TryProcess { stdin: child.stdin.take(), child, lines, lines_read: Vec::new(), passed: Vec::new() }
    }

    fn type_in(&mut self, text: &str) {
        self.stdin.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// Waits for a line of a stream (`o` or `e`) that contains `words`, after the line of this stream that was waited for
    /// before. The order of lines of different streams means nothing. Returns the line.
    fn wait_for_line(&mut self, stream: char, words: &str) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let from = self.passed.iter().rfind(|(of, _)| *of == stream).map_or(0, |(_, next)| *next);
            let is_meant = |line: &String| line.starts_with(stream) && line[2..].contains(words);
            if let Some(at) = self.lines_read[from..].iter().position(is_meant) {
                self.passed.push((stream, from + at + 1));
                return self.lines_read[from + at].clone();
            }
            let left = until.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok((from, line)) => self.lines_read.push(format!("{from} {line}")),
                Err(_) => {
                    panic!("no line with {words:?} on {stream}; the lines:\n{}", self.lines_read.join("\n"))
                }
            }
        }
    }

    fn interrupt(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    }

    /// Closes stdin and waits for the end. Returns exit code, stdout and stderr.
    fn end(mut self) -> (i32, String, String) {
        drop(self.stdin.take());
        let status = wait(&mut self.child);
        let rest = self.lines.iter().map(|(stream, line)| format!("{stream} {line}"));
        let all: Vec<String> = self.lines_read.drain(..).chain(rest).collect();
        let of = |stream: &str| {
            all.iter().filter_map(|l| l.strip_prefix(stream)).map(|l| format!("{l}\n")).collect::<String>()
        };
        (status.code().unwrap_or(-1), of("o "), of("e "))
    }
}

impl Drop for TryProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(super) fn wait(child: &mut Child) -> ExitStatus {
    let mut status = None;
    until("the end of `try`", || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    status.unwrap()
}

fn once(machine: &TestMachine, args: &[&str]) -> (i32, String, String) {
    TryProcess::start(machine.command(args)).end()
}

#[test]
fn a_prompt_is_answered_on_stdout_and_nothing_is_left_behind() {
    let machine = TestMachine::new();
    let (code, out, err) = once(&machine, &["--adapter", "demo", "hello"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.starts_with("Hello! I am the **demonstration agent**"), "{out}");
    assert!(machine.is_clean());
}

#[test]
fn a_failed_turn_exits_with_1_and_an_empty_stdout() {
    let machine = TestMachine::new();
    let (code, out, err) = once(&machine, &["--adapter", "demo", "fail"]);
    assert_eq!((code, out.as_str()), (1, ""), "{err}");
    assert!(err.contains("asked to") && !err.contains("Claude Code"), "{err}");
}

#[test]
fn an_answer_that_cannot_be_written_is_an_error_and_a_closed_pipe_is_not() {
    let machine = TestMachine::new();
    let to = |stdout: Stdio| {
        let mut command = machine.command(&["--adapter", "demo", "ls"]);
        let output = command.stdout(stdout).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let (code, err) = to(full.into());
    assert!(code == 1 && err.contains("could not be written") && err.lines().count() == 1, "{err}");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    assert_eq!(to(writer.into()), (0, String::new()));
    assert!(machine.is_clean());
}

#[test]
fn a_blank_prompt_is_one_sentence() {
    let machine = TestMachine::new();
    for args in [&[""][..], &["  ", "\t"]] {
        let (code, out, err) = once(&machine, args);
        assert!((code, out.as_str()) == (2, "") && err.contains("prompt is empty"), "{err}");
        assert_eq!(err.lines().count(), 1, "{err}");
    }
}

#[test]
fn the_second_turn_of_a_chat_remembers_the_first() {
    let machine = TestMachine::new();
    let mut chat = TryProcess::start(machine.command(&["--adapter", "demo"]));
    chat.type_in("remember rhubarb\nwhat did I say\n/status\n/new\nwhat did I say\n");
    let (code, out, err) = chat.end();
    let order =
        ["I will remember: rhubarb", "- remember rhubarb", "**wtt-connect", "fresh session", "Nothing yet"];
    let at: Vec<_> = order.iter().map(|words| out.find(words)).collect();
    assert!(code == 0 && at.iter().all(Option::is_some) && at.is_sorted(), "{out}\n{err}");
    assert!(machine.is_clean());
}

#[test]
fn the_demonstration_agent_requests_permission_in_mode_suggest() {
    let machine = TestMachine::new();
    std::fs::write(machine.path("work").join("pear.txt"), "").unwrap();
    let mut chat = TryProcess::start(machine.command(&["--adapter", "demo", "--mode", "suggest"]));
    for (typed, heard) in [
        ("list files", "ls -1"),
        ("/approve", "pear.txt"),
        ("list files", "ls -1"),
        ("/deny not today", "could not list"),
        ("/usage\n/sessions", "1. demonstration agent"),
        ("/model gpt-5.5 high", "gpt-5.5 is not a model for the demonstration agent, so"),
        ("/status", "gpt-5.5 is not a model for the demonstration agent, so"),
        ("/switch 1", "continues the session demonstration agent"),
        ("／usage", "- 演示智能体：输入"),
        ("/sessions", "1. 演示智能体 `"),
    ] {
        chat.type_in(&format!("{typed}\n"));
        chat.wait_for_line('o', heard);
    }
    let (code, out, _) = chat.end();
    assert!(code == 0 && out.contains("- demonstration agent: ") && !out.contains("claude-code"), "{out}");
}

#[test]
fn yolo_is_refused_before_anything_starts() {
    let (code, out, err) = once(&TestMachine::new(), &["--adapter", "demo", "--mode", "yolo", "hello"]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("full-auto") && err.lines().count() == 1, "{err}");
}

#[test]
fn help_and_quit_are_local() {
    let machine = TestMachine::new();
    let mut chat = TryProcess::start(machine.command(&["--adapter", "demo"]));
    chat.type_in("/help\n");
    chat.wait_for_line('e', "Anything else goes to the agent");
    chat.type_in("/quit\nhello\n");
    let (code, out, _) = chat.end();
    assert_eq!((code, out.as_str()), (0, ""));
}

#[test]
fn ctrl_c_stops_the_turn_and_the_second_one_quits() {
    let machine = TestMachine::new();
    let mut chat = TryProcess::start(machine.command(&["--adapter", "demo"]));
    chat.type_in("count to 900 slowly\n");
    chat.wait_for_line('e', "answering");
    chat.interrupt();
    chat.wait_for_line('o', "Stopped");
    chat.type_in("ls\n");
    chat.wait_for_line('o', "working directory is empty");
    chat.interrupt();
    let (code, ..) = chat.end();
    assert!(code == 0 && machine.is_clean());
}

#[test]
fn a_signal_during_a_single_answer_has_its_own_exit_code() {
    use rustix::process::{Pid, Signal, kill_process};
    for (signal, expected) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let machine = TestMachine::new();
        // stderr is no terminal, so no status shows when the agent has begun; its transcript file does.
        let mut single = TryProcess::start(machine.command(&["--adapter", "demo", "count to 900 slowly"]));
        let begun = || {
            let stages = std::fs::read_dir(machine.path("tmp")).unwrap().flatten();
            stages.map(|s| s.path().join("demo")).any(|d| d.is_dir() && count(&d) > 0)
        };
        until("the agent has begun", begun);
        if signal == Signal::TERM {
            // A reminder appears after some seconds, and not on stdout.
            single.wait_for_line('e', "demonstration agent · ");
        }
        kill_process(Pid::from_child(&single.child), signal).unwrap();
        let (code, out, err) = single.end();
        assert_eq!((code, out.as_str()), (expected, ""), "{err}");
        assert!(machine.is_clean());
    }
}

#[test]
fn settings_of_another_connector_do_not_reach_this_one() {
    let machine = TestMachine::new();
    let file = std::fs::File::create(machine.path("work").join(".env"));
    file.unwrap().write_all(b"WTT_BASE_URL=http://127.0.0.1:9\nWTT_AGENT_ID=other\n").unwrap();
    let mut command = machine.command(&["--adapter", "demo", "ls"]);
    command
        .env("WTT_BASE_URL", "http://127.0.0.1:9")
        .env("WTT_TOKEN", "x")
        .env("WTT_CONNECT_ADAPTER", "codex");
    command.env("WTT_CONNECT_MODE", "nonsense").env("WTT_CONNECT_CLAUDE_CODE_COMMAND", "/no/such/program");
    let (code, out, err) = TryProcess::start(command).end();
    assert!(code == 0 && out.contains("working directory is empty"), "{out}\n{err}");
    let said = "do not apply here: WTT_BASE_URL, WTT_CONNECT_ADAPTER, \
        WTT_CONNECT_CLAUDE_CODE_COMMAND, WTT_CONNECT_MODE, WTT_TOKEN.";
    assert!(err.contains(said), "{err}");
}

#[test]
fn a_wrong_or_missing_adapter_is_one_sentence() {
    let machine = TestMachine::new();
    let (code, _, err) = once(&machine, &["--adapter", "emacs", "hello"]);
    assert!(code == 2 && err.contains("emacs") && err.lines().count() == 1, "{err}");
    let mut command = machine.command(&["--adapter", "codex", "hello"]);
    command.env("WTT_CONNECT_CODEX_COMMAND", "/no/such/program");
    let (code, _, err) = TryProcess::start(command).end();
    assert!(code == 69 && err.contains("Codex") && err.lines().count() == 1, "{err}");
    let (code, _, err) = once(&machine, &["--adapter", "demo", "--workdir", "/no/such/folder", "hello"]);
    assert!(
        code == 2 && err.contains("/no/such/folder: no such directory") && !err.contains("os error"),
        "{err}"
    );
}

#[test]
fn a_script_gets_the_demonstration_agent_only_when_it_asks() {
    let machine = TestMachine::new();
    let bare = |codex: &Path, words: &[&str]| {
        let mut command = machine.command(words);
        command
            .env("WTT_CONNECT_CODEX_COMMAND", codex)
            .env("WTT_CONNECT_CLAUDE_CODE_COMMAND", "/no/such/program")
            .env("PATH", "/usr/bin:/bin");
        TryProcess::start(command).end()
    };
    let (code, out, err) = bare(Path::new("/no/such/program"), &["hello"]);
    assert!(code == 69 && out.is_empty() && err.contains("No agent CLI was found"), "{out}\n{err}");

    let codex = machine.path("codex");
    let script =
        "#!/bin/sh\ncase $* in --version) echo codex-cli 1.2.3;; *) echo Not logged in >&2; exit 1;; esac\n";
    crate::support::program::program(&codex, script);
    // with a prompt, and without one if stdin is no terminal
    for words in [&["hello"][..], &[]] {
        let (code, out, err) = bare(&codex, words);
        assert!(code == 69 && out.is_empty() && err.lines().count() == 1, "{words:?} {out}\n{err}");
        assert!(err.contains("Codex is installed but not logged in") && err.contains("codex login"), "{err}");
        assert!(err.contains("--adapter demo"), "{err}");
    }
    let (code, out, err) = bare(&codex, &["--adapter", "demo", "hello"]);
    assert!(code == 0 && out.contains("demonstration agent"), "{out}\n{err}");
}

#[test]
fn the_connector_ends_even_when_try_is_killed() {
    let machine = TestMachine::new();
    let mut chat = TryProcess::start(machine.command(&["--adapter", "demo", "--verbose"]));
    chat.type_in("ls\n");
    chat.wait_for_line('o', "working directory is empty");
    let log = chat.lines_read.iter().find_map(|l| l.split_once("logs to ")).unwrap().1.to_owned();
    chat.child.kill().unwrap();
    let stage = Path::new(&log).parent().unwrap();
    until("the connector has ended", || {
        let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let cwd = |p: std::fs::DirEntry| std::fs::read_link(p.path().join("cwd")).ok();
        !all.filter_map(cwd).any(|cwd| cwd == stage)
    });
}

#[test]
fn leftovers_of_a_killed_try_are_removed_a_day_later() {
    let machine = TestMachine::new();
    let days_ago = |days: u64| std::time::SystemTime::now() - Duration::from_secs(days * 86_400 + 60);
    let folder = |name: &str, days: u64| {
        let path = machine.path("tmp").join(name);
        std::fs::create_dir_all(path.join("state")).unwrap();
        let file = |name: &str| std::fs::File::create(path.join(name)).unwrap();
        file("connector.log").set_modified(days_ago(days)).unwrap();
        let lock = file("state/lock");
        std::fs::File::open(&path).unwrap().set_modified(days_ago(days)).unwrap();
        lock
    };
    let mut locked = folder("wtt-try-0123456789ab", 3);
    locked.write_all(b"1\n").unwrap();
    locked.lock().unwrap();
    drop((folder("wtt-try-aaaaaaaaaaaa", 1), folder("wtt-try-bbbbbbbbbbbb", 0), folder("other", 9)));
    let (code, ..) = once(&machine, &["--adapter", "demo", "ls"]);
    assert_eq!(
        (code, names(&machine.path("tmp")).join(" ").as_str()),
        (0, "other wtt-try-0123456789ab wtt-try-bbbbbbbbbbbb")
    );
}

#[test]
fn verbose_keeps_the_log_and_prints_its_path() {
    let machine = TestMachine::new();
    let (code, _, err) = once(&machine, &["--adapter", "demo", "--verbose", "ls"]);
    let log = err.lines().find_map(|l| l.split_once("logs to ")).unwrap().1;
    assert!(code == 0 && std::fs::metadata(log).unwrap().len() > 0, "{err}");
    assert_eq!(count(Path::new(log).parent().unwrap()), 1);
}

#[test]
fn the_parts_of_a_long_single_answer_are_joined_without_a_change() {
    use serde_json::json;
    let machine = TestMachine::new();
    let claude = machine.path("claude");
    let script = "#!/bin/sh\n\
        case $* in *--version*) echo '2.1.330 (Claude Code)'; exit;; *auth*) echo '{\"loggedIn\": true}'; exit;; esac\n\
        cat >/dev/null; cat \"$0.jsonl\"\n";
    crate::support::program::program(&claude, script);
    let lines: Vec<String> = (0..4000).map(|n| format!("line {n}")).collect();
    let answer = lines.join("\n");
    let session = "11111111-2222-4333-8444-555555555555";
    let said = [
        json!({"type": "system", "subtype": "init", "session_id": session, "cwd": "/", "model": "m"}),
        json!({"type": "assistant", "session_id": session, "parent_tool_use_id": null, "message": {"id": "m1",
            "role": "assistant", "content": [{"type": "text", "text": answer}]}}),
        json!({"type": "result", "subtype": "success", "is_error": false, "session_id": session, "result": answer}),
    ];
    std::fs::write(machine.path("claude.jsonl"), said.map(|line| line.to_string() + "\n").concat()).unwrap();
    let mut command = machine.command(&["--adapter", "claude-code", "count"]);
    command.env("WTT_CONNECT_CLAUDE_CODE_COMMAND", &claude);
    let (code, out, err) = TryProcess::start(command).end();
    assert!(code == 0 && out.lines().count() == 4000, "{} lines; {err}", out.lines().count());
    assert!(out == answer + "\n" && err.is_empty(), "{err}");
}

#[test]
fn a_permission_request_is_answered_in_the_chat() {
    let machine = TestMachine::new();
    let agent = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/agents/asking.sh");
    let mut command = machine.command(&["--adapter", "claude-code", "--mode", "suggest"]);
    command.env("WTT_CONNECT_CLAUDE_CODE_COMMAND", agent);
    let mut chat = TryProcess::start(command);
    chat.type_in("RUN:bash 'touch one'; question; answer finished\n");
    chat.wait_for_line('o', "Claude Code asks to run a command");
    chat.wait_for_line('o', "/approve ");
    assert!(!machine.path("work/one").exists());
    chat.type_in("/approve\n");
    chat.wait_for_line('o', "allowed by");
    chat.wait_for_line('o', "Which color?");
    chat.type_in("/approve 2\n");
    chat.wait_for_line('o', "answered with “Blue”");
    chat.wait_for_line('o', "finished");
    let (code, _, err) = chat.end();
    assert_eq!(code, 0, "{err}");
    assert!(machine.path("work/one").exists());
}

#[test]
fn a_permission_request_at_the_end_of_the_input_is_denied_at_once() {
    let machine = TestMachine::new();
    let agent = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/agents/asking.sh");
    for script in
        ["bash 'touch one'; answer finished", "bash 'touch one'; bash 'touch two'; question; answer finished"]
    {
        let mut command = machine.command(&["--adapter", "claude-code", "--mode", "suggest"]);
        command.env("WTT_CONNECT_CLAUDE_CODE_COMMAND", &agent);
        let mut chat = TryProcess::start(command);
        chat.type_in(&format!("RUN:{script}\n"));
        let (code, out, err) = chat.end();
        assert!(code == 0 && out.contains("denied by") && out.contains("finished"), "{out}\n{err}");
        assert!(err.contains("nobody can answer: denied") && !machine.path("work/one").exists(), "{err}");
    }
}

#[test]
fn files_are_attached_and_received() {
    let machine = TestMachine::new();
    std::fs::write(machine.path("home/to do.md"), "milk\n").unwrap();
    let claude = machine.path("claude");
    let script = "#!/bin/sh\n\
        case $* in *--version*) echo '2.1.330 (Claude Code)'; exit;; *auth*) echo '{\"loggedIn\": true}'; exit;; esac\n\
        cp \"$(grep -o '/[^ \"]*/inbox/[^\"]*\\.md' | head -n 1)\" back.md 2>err\n\
        said='done\\n[WTT_ARTIFACT_FILE path=\"back.md\" title=\"Back\"]'\n\
        said=$(printf %s \"$said\" | sed 's/\"/\\\\\"/g')\n\
        id=11111111-2222-4333-8444-555555555555\n\
        printf '{\"type\":\"system\",\"subtype\":\"init\",\"session_id\":\"%s\",\"model\":\"m\"}\\n' $id\n\
        printf '{\"type\":\"result\",\"subtype\":\"success\",\"is_error\":false,\"session_id\":\"%s\",\"result\":\"%s\"}\\n' $id \"$said\"\n";
    crate::support::program::program(&claude, script);
    let mut command = machine.command(&["--adapter", "claude-code"]);
    command.env("WTT_CONNECT_CLAUDE_CODE_COMMAND", &claude);
    let mut chat = TryProcess::start(command);
    chat.type_in("/attach\n");
    chat.wait_for_line('e', "/attach needs a path");
    chat.type_in("/attach /no/such.md\n");
    chat.wait_for_line('e', "/no/such.md was not attached: no such file.");
    chat.type_in(&format!("'{}'\n", machine.path("home/to do.md").display()));
    chat.wait_for_line('e', "Attached to do.md (5 bytes): it goes with your next message.");
    chat.type_in("send it back\n");
    chat.wait_for_line('o', "file: Back <http://127.0.0.1:");
    let kept = chat
        .wait_for_line('e', "Kept until the chat ends: ")
        .split_once("ends: ")
        .unwrap()
        .1
        .strip_suffix(" (5 bytes)")
        .unwrap()
        .to_owned();
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), "milk\n");
    assert!(kept.ends_with("-back.md"), "{kept}");
    let (code, _, err) = chat.end();
    assert!(code == 0 && !Path::new(&kept).exists(), "{err}");
}

#[test]
fn the_end_of_stdin_ends_the_shell_even_while_it_starts() {
    let machine = TestMachine::new();
    for (input, code) in [("", 0), ("(exit 7)\n", 7), ("exit 4", 4)] {
        let mut command = machine.command(&["--terminal"]);
        command.env("SHELL", "/bin/bash");
        let mut shell = TryProcess::start(command);
        shell.type_in(input);
        let (ended, out, err) = shell.end();
        assert_eq!(ended, code, "{input:?} {out}\n{err}");
    }
}

#[test]
fn a_file_sent_with_a_single_answer_is_named_and_kept() {
    let machine = TestMachine::new();
    std::fs::write(machine.path("work/report.md"), "milk\n").unwrap();
    let (code, out, err) = TryProcess::start(machine.command(&["--adapter", "demo", "send report.md"])).end();
    assert!(code == 0 && out == "Here it is.\n", "{out}\n{err}");
    let (_, kept) = err.split_once("another day removes it: ").unwrap_or_else(|| panic!("{err}"));
    let kept = kept.trim_end().strip_suffix(" (5 bytes)").unwrap();
    assert_eq!(std::fs::read_to_string(kept).unwrap(), "milk\n");
    // a script whose input has ended is told, too
    let mut chat = TryProcess::start(machine.command(&["--adapter", "demo"]));
    chat.type_in("send report.md\n");
    let (code, out, err) = chat.end();
    assert!(code == 0 && out.contains("file: report.md <") && err.contains("Kept until"), "{out}\n{err}");
}
