//! `wtt-connect try` on a terminal: what a person sees, byte by byte, through a pseudo-terminal.

use super::command::{Place, wait};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::process::Child;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);
const PROMPT: &str = "you › ";

/// A running `try` with a terminal on all three streams.
struct Seat {
    child: Child,
    keys: File,
    shown: Receiver<String>,
    all: String,
    /// What has been looked at already.
    read: usize,
}

impl Seat {
    fn new(place: &Place, columns: u16, args: &[&str]) -> Seat {
        Seat::with(place, columns, args, "/no/such/program")
    }

    fn with(place: &Place, columns: u16, args: &[&str], claude: &str) -> Seat {
        let keys = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&keys).unwrap();
        unlockpt(&keys).unwrap();
        let name = ptsname(&keys, Vec::new()).unwrap();
        let open = || OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&keys, size).unwrap();
        let mut command = place.command(args);
        command.env("TERM", "xterm").env("WTT_CONNECT_CLAUDE_CODE_COMMAND", claude);
        command.env("WTT_CONNECT_CODEX_COMMAND", "/no/such/program").env("PATH", "/usr/bin:/bin");
        command.stdin(open()).stdout(open()).stderr(open());
        let child = command.spawn().unwrap();
        drop(command);
        let mut keys = File::from(keys);
        let mut screen = keys.try_clone().unwrap();
        let (to, shown) = channel();
        std::thread::spawn(move || {
            let (mut buffer, mut rest) = ([0; 4096], Vec::new());
            while let Ok(n @ 1..) = screen.read(&mut buffer) {
                rest.extend_from_slice(&buffer[..n]);
                let whole = std::str::from_utf8(&rest).map_or_else(|e| e.valid_up_to(), str::len);
                let text = String::from_utf8(rest.drain(..whole).collect()).unwrap();
                let _ = to.send(text);
            }
        });
        let _ = keys.flush();
        Seat { child, keys, shown, all: String::new(), read: 0 }
    }

    fn chat(place: &Place) -> Seat {
        let mut seat = Seat::new(place, 80, &["--adapter", "demo"]);
        seat.see(PROMPT);
        seat
    }

    fn keys(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until these words appear, after those seen before; what came up to them.
    fn see(&mut self, words: &str) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.all[self.read..].find(words) {
                let seen = self.all[self.read..self.read + at].to_owned();
                self.read += at + words.len();
                return seen;
            }
            let left = until.saturating_duration_since(Instant::now());
            match self.shown.recv_timeout(left) {
                Ok(text) => self.all.push_str(&text),
                Err(_) => panic!("did not see {words:?} in:\n{}", &self.all[self.read..]),
            }
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn code(mut self) -> i32 {
        wait(&mut self.child).code().unwrap_or(-1)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn in_a_chat_the_demonstration_agent_steps_in_and_says_why() {
    let place = Place::new();
    let mut seat = Seat::new(&place, 200, &[]);
    seat.see("No agent CLI was found");
    seat.see("no language model");
    seat.see(PROMPT);
    seat.keys("/quit\n");
    assert!(seat.child.wait().unwrap().success());
}

#[test]
fn a_terminal_goes_the_long_way_round_and_gives_this_one_back() {
    let place = Place::new();
    let mut seat = Seat::new(&place, 90, &["--terminal"]);
    seat.see("`exit` ends it");
    seat.keys("PS1='rea''dy> '; stty size; echo ov''er\r");
    seat.see("24 90");
    seat.see("over");
    seat.see("ready> ");
    let size = Winsize { ws_row: 11, ws_col: 77, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&seat.keys, size).unwrap();
    seat.signal(Signal::WINCH);
    seat.keys("sleep 1000\r");
    seat.see("sleep 1000");
    seat.keys("\u{3}");
    // what is typed while bash still sets up its terminal is lost, or ends it
    seat.see("ready> ");
    seat.keys("stty size; exit 5\r");
    seat.see("11 77");
    assert_eq!(seat.code(), 5);
}

#[test]
fn the_prompt_comes_back_after_a_command_during_a_turn() {
    for (command, answer) in [("/status", "this topic"), ("/model", "Model:"), ("/new", "fresh session")] {
        let place = Place::new();
        let mut seat = Seat::chat(&place);
        seat.keys("count to 3 slowly\n");
        seat.see("demonstration agent · ");
        seat.keys(&format!("{command}\n"));
        let (first, second) = if command == "/new" { ("done.", answer) } else { (answer, "done.") };
        seat.see(first);
        assert!(!seat.see(second).contains(PROMPT), "{command}: {}", seat.all);
        seat.see(PROMPT);
        seat.keys("/quit\n");
        assert_eq!(seat.code(), 0);
    }
}

#[test]
fn the_prompt_comes_back_after_a_queued_message_and_after_a_stop() {
    let place = Place::new();
    let mut seat = Seat::chat(&place);
    seat.keys("count to 3 slowly\n");
    seat.see("demonstration agent · ");
    seat.keys("ls\n");
    seat.see("done.");
    assert!(!seat.see("directory is empty").contains(PROMPT), "{}", seat.all);
    seat.see(PROMPT);
    seat.keys("count to 900 slowly\n");
    seat.see("demonstration agent · ");
    seat.keys("/help\n");
    seat.see("goes to the agent");
    seat.keys("/stop\n");
    assert!(!seat.see("Stopped").contains(PROMPT), "{}", seat.all);
    seat.see(PROMPT);
    seat.keys("/quit\n");
    assert_eq!(seat.code(), 0);
}

#[test]
fn the_first_ctrl_c_at_the_prompt_ends_nothing() {
    let place = Place::new();
    let mut seat = Seat::chat(&place);
    seat.keys("half a sent");
    seat.see("half a sent");
    seat.signal(Signal::INT);
    seat.see("Ctrl-C again ends");
    seat.see(PROMPT);
    seat.signal(Signal::INT);
    assert_eq!(seat.code(), 0);
    assert!(place.is_clean());
}

#[test]
fn other_signals_end_a_chat_with_their_own_code() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129)] {
        let place = Place::new();
        let seat = Seat::chat(&place);
        seat.signal(signal);
        assert_eq!(seat.code(), code);
        assert!(place.is_clean());
    }
}

#[test]
fn a_paste_is_one_message_and_waits_for_enter() {
    let place = Place::new();
    let mut seat = Seat::chat(&place);
    seat.keys("plum\npear\nmedl");
    seat.see("2 lines pasted");
    seat.see(PROMPT);
    seat.keys("ar\n");
    seat.see("You said: “plum\r\npear\r\nmedlar”");
    seat.see(PROMPT);
    seat.keys("plum\npear\n");
    seat.see("2 lines pasted");
    seat.signal(Signal::INT);
    seat.see("are dropped");
    seat.see(PROMPT);
    seat.keys("ls\n");
    seat.see("directory is empty");
}

#[test]
fn a_line_that_the_terminal_has_cut_is_not_sent() {
    let place = Place::new();
    let mut seat = Seat::chat(&place);
    seat.keys(&"x".repeat(4100));
    seat.keys("\n");
    seat.see("Break it up");
    seat.see(PROMPT);
    seat.keys("ls\n");
    assert!(!seat.see("directory is empty").contains("You said"));
}

#[test]
fn what_is_typed_during_a_turn_is_shown_and_lines_are_wrapped() {
    let place = Place::new();
    let mut seat = Seat::new(&place, 40, &["--adapter", "demo"]);
    seat.see(PROMPT);
    seat.keys("count to 3 slowly\n");
    seat.see("demonstration agent · ");
    seat.keys("who are you\n");
    seat.see("you: who are you");
    seat.see("done.");
    seat.see("I stand in for a coding agent so that\r\nyou can see");
    seat.see(PROMPT);
    seat.keys("/exit\n");
    assert_eq!(seat.code(), 0);
}

#[test]
fn a_real_agent_is_named_before_its_only_answer() {
    let place = Place::new();
    let agent =
        format!("{} demo-agent --memory {}", env!("CARGO_BIN_EXE_wtt-connect"), place.path("m").display());
    let mut seat = Seat::with(&place, 200, &["--adapter", "claude-code", "ls"], &agent);
    seat.see("Claude Code in ");
    seat.see("/work, free to act there without asking.");
    seat.see("directory is empty");
    assert_eq!(seat.code(), 0);
}

#[test]
fn who_is_asked_whether_he_is_logged_in_is_shown_meanwhile() {
    let place = Place::new();
    let claude = place.path("claude");
    let script = "#!/bin/sh\ncase $* in --version) echo '2.1.330 (Claude Code)';; *) echo '{\"loggedIn\": false}'; exit 1;; esac\n";
    crate::support::program::program(&claude, script);
    let mut seat = Seat::with(&place, 200, &[], claude.to_str().unwrap());
    seat.see("Looking for agents: claude-code…");
    seat.see("\r\u{1b}[2K");
    seat.see("Claude Code is installed but not logged in");
    let rest = seat.see(PROMPT);
    assert!(!rest.contains("Also installed"), "{rest}");
}
