//! `wtt-connect try` on a terminal: what a person sees, through a pseudo-terminal and a terminal emulator.

use super::command::{TestMachine, wait};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcgetattr, tcsetwinsize};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::process::Child;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);
/// Nothing is expected to happen within this.
const SILENCE: Duration = Duration::from_millis(300);
const ROWS: u16 = 24;
const PROMPT: &str = "you › ";
const ENTER: &str = "\r";
const CTRL_C: &str = "\u{3}";
const CTRL_D: &str = "\u{4}";
const CTRL_R: &str = "\u{12}";
const UP: &str = "\u{1b}[A";
const LEFT: &str = "\u{1b}[D";
const HOME: &str = "\u{1b}[H";
const END: &str = "\u{1b}[F";
const BACKSPACE: &str = "\u{7f}";

/// A running `try` with a terminal on all three streams.
struct Session {
    child: Child,
    keyboard: File,
    output: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    /// Everything that was written to the terminal.
    written: String,
    /// The part of `written` that [`Session::see`] has passed.
    seen: usize,
}

struct Terminal<'a> {
    columns: u16,
    term: &'a str,
    claude: &'a str,
}

impl Default for Terminal<'_> {
    fn default() -> Self {
        Terminal { columns: 80, term: "xterm", claude: "/no/such/program" }
    }
}

impl Session {
    fn start(machine: &TestMachine, terminal: &Terminal<'_>, args: &[&str]) -> Session {
        let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&keyboard).unwrap();
        unlockpt(&keyboard).unwrap();
        let name = ptsname(&keyboard, Vec::new()).unwrap();
        let open = || OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        let size = Winsize { ws_row: ROWS, ws_col: terminal.columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&keyboard, size).unwrap();
        let mut command = machine.command(args);
        command.env("TERM", terminal.term).env_remove("TERM_PROGRAM").env_remove("NO_COLOR");
        command.env("WTT_CONNECT_CLAUDE_CODE_COMMAND", terminal.claude);
        command.env("WTT_CONNECT_CODEX_COMMAND", "/no/such/program").env("PATH", "/usr/bin:/bin");
        command.stdin(open()).stdout(open()).stderr(open());
        let child = command.spawn().unwrap();
        drop(command);
        let keyboard = File::from(keyboard);
        let mut terminal_output = keyboard.try_clone().unwrap();
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 65536];
            while let Ok(n @ 1..) = terminal_output.read(&mut buffer) {
                let _ = sender.send(buffer[..n].to_vec());
            }
        });
        let screen = vt100::Parser::new(nonzero(ROWS), nonzero(terminal.columns), 3000);
        Session { child, keyboard, output, screen, written: String::new(), seen: 0 }
    }

    /// A chat with the demonstration agent, at its first prompt.
    fn chat(machine: &TestMachine) -> Session {
        let mut session = Session::start(machine, &Terminal::default(), &["--adapter", "demo"]);
        session.wait_for_draft("");
        session
    }

    /// The same on a terminal that cannot move the cursor.
    fn line_chat(machine: &TestMachine) -> Session {
        let terminal = Terminal { term: "dumb", ..Terminal::default() };
        let mut session = Session::start(machine, &terminal, &["--adapter", "demo"]);
        session.see(PROMPT);
        session
    }

    fn keys(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// As terminals do that mark pastes.
    fn paste(&mut self, text: &str) {
        self.keys(&format!("\u{1b}[200~{text}\u{1b}[201~"));
    }

    fn receive(&mut self, time: Duration) -> bool {
        let Ok(bytes) = self.output.recv_timeout(time) else { return false };
        self.screen.process(&bytes);
        self.written.push_str(&String::from_utf8_lossy(&bytes));
        true
    }

    /// Waits until these words are written, after those seen before. Returns what came up to them.
    fn see(&mut self, words: &str) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.written[self.seen..].find(words) {
                let before = self.written[self.seen..self.seen + at].to_owned();
                self.seen += at + words.len();
                return before;
            }
            let left = until.saturating_duration_since(Instant::now());
            assert!(self.receive(left), "did not see {words:?} in:\n{}", &self.written[self.seen..]);
        }
    }

    /// The rows of the screen, without the empty ones at its end.
    fn rows(&self) -> Vec<String> {
        let columns = self.screen.screen().size().1;
        let mut rows: Vec<String> = self.screen.screen().rows(0, columns.get()).collect();
        while rows.last().is_some_and(|row| row.trim().is_empty()) {
            rows.pop();
        }
        rows
    }

    #[track_caller]
    fn wait_until(&mut self, what: &str, condition: impl Fn(&Session) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !condition(self) {
            let left = until.saturating_duration_since(Instant::now());
            assert!(self.receive(left), "{what}; the screen:\n{}", self.rows().join("\n"));
        }
    }

    #[track_caller]
    fn wait_for(&mut self, words: &str) {
        self.wait_until(&format!("{words:?} is not on the screen"), |s| s.rows().join("\n").contains(words));
    }

    /// What stands behind the last prompt, and the row above it: the status.
    fn prompt(&self) -> Option<(String, String)> {
        let rows = self.rows();
        let at = rows.iter().rposition(|row| format!("{row} ").starts_with(PROMPT))?;
        let above = at.checked_sub(1).map_or("", |above| rows[above].trim());
        let draft = format!("{} ", rows[at..].join("\n"));
        Some((draft[PROMPT.len()..].trim_end().to_owned(), above.to_owned()))
    }

    /// Waits until the last thing on the screen is the prompt with this behind it.
    #[track_caller]
    fn wait_for_draft(&mut self, draft: &str) {
        self.wait_until(&format!("{draft:?} is not behind the prompt"), |s| {
            s.prompt().is_some_and(|(text, _)| text == draft)
        });
    }

    /// Waits until nothing runs any more.
    #[track_caller]
    fn wait_for_idle(&mut self) {
        self.wait_for_idle_with_draft("");
    }

    #[track_caller]
    fn wait_for_idle_with_draft(&mut self, draft: &str) {
        self.wait_until(&format!("it does not become idle with {draft:?}"), |s| {
            s.prompt().is_some_and(|(text, status)| text == draft && status.is_empty())
        });
    }

    #[track_caller]
    fn wait_for_status(&mut self) {
        self.wait_until("no status is shown", |s| {
            s.prompt().is_some_and(|(_, status)| status.starts_with("demonstration agent · "))
        });
    }

    /// Everything that happens within a moment in which nothing is expected.
    fn settle(&mut self) {
        let until = Instant::now() + SILENCE;
        while Instant::now() < until {
            self.receive(until.saturating_duration_since(Instant::now()));
        }
    }

    fn count_on_screen(&self, words: &str) -> usize {
        self.rows().join("\n").matches(words).count()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn code(mut self) -> i32 {
        wait(&mut self.child).code().unwrap_or(-1)
    }

    fn quit(mut self) {
        self.keys(&format!("/quit{ENTER}"));
        assert_eq!(self.code(), 0);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn nonzero(number: u16) -> std::num::NonZero<u16> {
    number.try_into().unwrap()
}

fn history_file(machine: &TestMachine) -> std::path::PathBuf {
    machine.path("home/.local/state/wtt-connect/try_history")
}

#[test]
fn in_a_chat_the_demonstration_agent_steps_in_and_says_why() {
    let machine = TestMachine::new();
    let mut session = Session::start(&machine, &Terminal { columns: 200, ..Terminal::default() }, &[]);
    session.see("No agent CLI was found");
    session.see("no language model");
    session.wait_for_draft("");
    session.quit();
}

#[test]
fn a_terminal_uses_the_whole_path_and_this_one_is_restored() {
    let machine = TestMachine::new();
    let terminal = Terminal { columns: 90, ..Terminal::default() };
    let mut session = Session::start(&machine, &terminal, &["--terminal"]);
    session.see("`exit` ends it");
    session.keys("PS1='rea''dy> '; stty size; echo ov''er\r");
    session.see("24 90");
    session.see("over");
    session.see("ready> ");
    let size = Winsize { ws_row: 11, ws_col: 77, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&session.keyboard, size).unwrap();
    session.signal(Signal::WINCH);
    session.keys("sleep 1000\r");
    session.see("sleep 1000");
    session.keys(CTRL_C);
    // what is typed while bash still sets up its terminal is lost, or ends it
    session.see("ready> ");
    session.keys("stty size; exit 5\r");
    session.see("11 77");
    assert_eq!(session.code(), 5);
}

#[test]
fn the_status_goes_after_a_command_during_a_turn() {
    for (command, answer) in [("/status", "this topic"), ("/model", "Model:"), ("/new", "fresh session")] {
        let machine = TestMachine::new();
        let mut session = Session::chat(&machine);
        session.keys(&format!("count to 3 slowly{ENTER}"));
        session.wait_for_status();
        session.keys(&format!("{command}{ENTER}"));
        let (first, second) = if command == "/new" { ("done.", answer) } else { (answer, "done.") };
        session.wait_for(first);
        session.wait_for(second);
        session.wait_for_idle();
        session.quit();
    }
}

#[test]
fn without_an_editor_the_prompt_comes_back_after_a_command_during_a_turn() {
    for (command, answer) in [("/status", "this topic"), ("/model", "Model:"), ("/new", "fresh session")] {
        let machine = TestMachine::new();
        let mut session = Session::line_chat(&machine);
        session.keys("count to 3 slowly\n");
        session.see("· ");
        session.keys(&format!("{command}\n"));
        let (first, second) = if command == "/new" { ("done.", answer) } else { (answer, "done.") };
        session.see(first);
        assert!(!session.see(second).contains(PROMPT), "{command}: {}", session.written);
        session.see(PROMPT);
        session.keys("/quit\n");
        assert_eq!(session.code(), 0);
    }
}

#[test]
fn without_an_editor_the_prompt_comes_back_after_a_queued_message_and_after_a_stop() {
    let machine = TestMachine::new();
    let mut session = Session::line_chat(&machine);
    session.keys("count to 3 slowly\n");
    session.see("· ");
    session.keys("ls\n");
    session.see("done.");
    assert!(!session.see("directory is empty").contains(PROMPT), "{}", session.written);
    session.see(PROMPT);
    session.keys("count to 900 slowly\n");
    session.see("· ");
    session.keys("/help\n");
    session.see("goes to the agent");
    session.keys("/stop\n");
    assert!(!session.see("Stopped").contains(PROMPT), "{}", session.written);
    session.see(PROMPT);
    session.keys("/quit\n");
    assert_eq!(session.code(), 0);
}

#[test]
fn the_status_goes_after_a_queued_message_and_after_a_stop() {
    let machine = TestMachine::new();
    let mut session = Session::chat(&machine);
    session.keys(&format!("count to 3 slowly{ENTER}"));
    session.wait_for_status();
    session.keys(&format!("ls{ENTER}"));
    session.see("done.");
    session.see("directory is empty");
    session.wait_for_idle();
    session.keys(&format!("count to 900 slowly{ENTER}"));
    session.wait_for_status();
    session.keys(&format!("/help{ENTER}"));
    session.see("goes to the agent");
    session.wait_for_status();
    session.keys(&format!("/stop{ENTER}"));
    session.see("Stopped");
    session.wait_for_idle();
    session.quit();
}

#[test]
fn the_first_ctrl_c_at_the_prompt_drops_the_line_and_ends_nothing() {
    for is_key in [true, false] {
        let machine = TestMachine::new();
        let mut session = Session::chat(&machine);
        let interrupt = |session: &mut Session| match is_key {
            true => session.keys(CTRL_C),
            false => session.signal(Signal::INT),
        };
        session.keys("half a sent");
        session.wait_for_draft("half a sent");
        interrupt(&mut session);
        session.wait_for("Ctrl-C again to quit");
        session.wait_for_draft("");
        interrupt(&mut session);
        assert_eq!(session.code(), 0);
        assert!(machine.is_clean());
    }
}

#[test]
fn without_an_editor_the_first_ctrl_c_at_the_prompt_ends_nothing() {
    let machine = TestMachine::new();
    let mut session = Session::line_chat(&machine);
    session.keys("half a sent");
    session.see("half a sent");
    session.signal(Signal::INT);
    session.see("Ctrl-C again to quit");
    session.see(PROMPT);
    session.signal(Signal::INT);
    assert_eq!(session.code(), 0);
    assert!(machine.is_clean());
}

#[test]
fn other_signals_end_a_chat_with_their_own_code() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129)] {
        let machine = TestMachine::new();
        let session = Session::chat(&machine);
        session.signal(signal);
        assert_eq!(session.code(), code);
        assert!(machine.is_clean());
    }
}

#[test]
fn ctrl_d_ends_a_chat_and_the_terminal_is_as_before() {
    let machine = TestMachine::new();
    let mut session = Session::start(&machine, &Terminal::default(), &["--adapter", "demo"]);
    let keyboard = session.keyboard.try_clone().unwrap();
    session.wait_for_draft("");
    let editing = tcgetattr(&keyboard).unwrap();
    session.keys("ab");
    session.wait_for_draft("ab");
    // at the end of a line with text it does nothing
    session.keys(CTRL_D);
    session.keys("c");
    session.wait_for_draft("abc");
    session.keys(&BACKSPACE.repeat(3));
    session.wait_for_draft("");
    session.keys(CTRL_D);
    wait(&mut session.child);
    let after = tcgetattr(&keyboard).unwrap();
    use rustix::termios::LocalModes;
    let shown_as_typed = LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
    assert!(!editing.local_modes.intersects(shown_as_typed), "{editing:?}");
    assert!(after.local_modes.contains(shown_as_typed), "{after:?}");
    assert!(session.child.wait().unwrap().success());
    session.settle();
    let (on, off) = (session.written.rfind("\u{1b}[?2004h"), session.written.rfind("\u{1b}[?2004l"));
    assert!(on.is_some() && on < off, "bracketed paste stays on");
    assert!(machine.is_clean());
}

#[test]
fn the_terminal_is_restored_when_a_signal_ends_the_chat_in_the_middle_of_a_line() {
    let machine = TestMachine::new();
    let mut session = Session::chat(&machine);
    let keyboard = session.keyboard.try_clone().unwrap();
    session.keys("not sent");
    session.wait_for_draft("not sent");
    session.signal(Signal::TERM);
    assert_eq!(wait(&mut session.child).code(), Some(143));
    assert!(tcgetattr(&keyboard).unwrap().local_modes.contains(rustix::termios::LocalModes::ECHO));
    session.settle();
    assert_eq!(session.rows().last().map(String::as_str), Some("you › not sent"));
    assert_eq!(session.count_on_screen("not sent"), 1);
}

#[test]
fn a_marked_paste_of_fifty_lines_is_one_message() {
    let machine = TestMachine::new();
    let mut session = Session::chat(&machine);
    let lines: Vec<String> = (1..=50).map(|n| format!("pasted {n}")).collect();
    session.paste(&lines.join("\r"));
    session.wait_for("pasted 50");
    session.settle();
    assert!(!session.written.contains("You said"), "a paste is not sent by itself");
    session.keys(ENTER);
    session.see("\nYou said: “pasted 1\r\npasted 2\r\n");
    session.see("pasted 50”");
    session.wait_for_idle();
    session.settle();
    assert_eq!(session.written.matches("\nYou said").count(), 1);
    session.keys(&format!("what did I say{ENTER}"));
    session.see("• pasted 1 ⏎ pasted 2 ⏎");
    session.quit();
}

#[test]
fn an_unmarked_paste_is_one_message_and_waits_for_enter() {
    let machine = TestMachine::new();
    let mut session = Session::chat(&machine);
    session.keys("plum\npear\nmedl");
    session.see("2 lines pasted");
    session.wait_for_draft("medl");
    session.keys("ar\n");
    session.see("\nYou said: “plum\r\npear\r\nmedlar”");
    session.wait_for_idle();
    session.keys("plum\npear\n");
    session.see("2 lines pasted");
    session.wait_for_draft("");
    session.keys(CTRL_C);
    session.see("are dropped");
    session.wait_for_draft("");
    session.keys(&format!("ls{ENTER}"));
    session.see("directory is empty");
}

#[test]
fn without_an_editor_a_paste_is_one_message_and_waits_for_enter() {
    let machine = TestMachine::new();
    let mut session = Session::line_chat(&machine);
    session.keys("plum\npear\nmedl");
    session.see("2 lines pasted");
    session.see(PROMPT);
    session.keys("ar\n");
    session.see("\nYou said: “plum\r\npear\r\nmedlar”");
    session.see(PROMPT);
    session.keys("plum\npear\n");
    session.see("2 lines pasted");
    session.signal(Signal::INT);
    session.see("are dropped");
    session.see(PROMPT);
    session.keys("ls\n");
    session.see("directory is empty");
}

#[test]
fn a_line_of_100_kb_is_sent_whole() {
    let machine = TestMachine::new();
    let mut session = Session::chat(&machine);
    let line = "0123456789".repeat(10_240);
    session.paste(&line);
    session.keys("!");
    session.settle();
    session.keys(ENTER);
    session.see("(the first 2000 of 102401 characters)");
    session.wait_for_idle();
    session.quit();
}

/// Typed, so that the editor sees each character; more than a terminal without an editor takes.
#[test]
fn a_long_typed_line_is_sent_whole() {
    let machine = TestMachine::new();
    let mut session = Session::chat(&machine);
    session.keys(&"x".repeat(9_000));
    session.keys(ENTER);
    session.see("(the first 2000 of 9000 characters)");
    session.wait_for_idle();
    session.quit();
}

#[test]
fn a_line_that_a_terminal_without_an_editor_has_cut_is_not_sent() {
    let machine = TestMachine::new();
    let mut session = Session::line_chat(&machine);
    session.keys(&"x".repeat(4100));
    session.keys("\n");
    session.see("Break it up");
    session.see(PROMPT);
    session.keys("ls\n");
    assert!(!session.see("directory is empty").contains("You said"));
}

#[test]
fn cursor_keys_edit_narrow_and_wide_characters() {
    let machine = TestMachine::new();
    let mut session = Session::chat(&machine);
    for (keys, draft, cursor) in [
        (format!("wrd{LEFT}{LEFT}o"), "word", 2),
        (format!("{HOME}pass{END}!"), "password!", 9),
        (format!("{BACKSPACE}{LEFT}{BACKSPACE}"), "passwod", 6),
        // Ctrl-U clears up to the cursor, Ctrl-K from it
        ("\u{15}\u{b}".to_owned(), "", 0),
        (format!("你好吗{LEFT}{LEFT}们"), "你们好吗", 4),
        (format!("{LEFT}{BACKSPACE}"), "们好吗", 0),
        (format!("{END}🦀b{LEFT}{LEFT}a"), "们好吗a🦀b", 7),
        (format!("{END}{BACKSPACE}{BACKSPACE}{BACKSPACE}"), "们好吗", 6),
    ] {
        session.keys(&keys);
        session.wait_for_draft(draft);
        let column = u16::try_from(PROMPT.chars().count() + cursor).unwrap();
        session.wait_until(&format!("the cursor is not at {column}"), |s| {
            s.screen.screen().cursor_position().1 == column
        });
    }
    session.keys(ENTER);
    session.see("\nYou said: “们好吗”");
    session.wait_for_idle();
    session.quit();
}

#[test]
fn the_history_lasts_across_starts_and_is_searched_with_ctrl_r() {
    use std::os::unix::fs::PermissionsExt;
    let machine = TestMachine::new();
    let mut session = Session::chat(&machine);
    for line in ["first pear", "second plum", "/token hunter2", "the password is hunter2", " kept out"] {
        session.keys(&format!("{line}{ENTER}"));
        session.see("\nYou said");
        session.wait_for_idle();
    }
    session.paste("third\rmedlar");
    session.keys(ENTER);
    session.see("third\r\nmedlar”");
    session.wait_for_idle();
    session.quit();

    let kept = std::fs::read_to_string(history_file(&machine)).unwrap();
    assert_eq!(kept, "#V2\nfirst pear\nsecond plum\nthird\\nmedlar\n");
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&history_file(&machine)), 0o600);
    assert_eq!(mode(history_file(&machine).parent().unwrap()), 0o700);

    let mut session = Session::chat(&machine);
    session.keys(UP);
    session.wait_for_draft("third\nmedlar");
    session.keys(CTRL_C);
    session.wait_for_draft("");
    // within a text of several lines it goes up a line
    session.keys(&format!("{UP}{UP}"));
    session.wait_for_draft("third\nmedlar");
    session.keys(UP);
    session.wait_for_draft("second plum");
    // a Ctrl-C that drops a line is never the second one
    session.keys(CTRL_C);
    session.wait_for_draft("");
    session.keys(CTRL_R);
    session.keys("pea");
    session.wait_for("(reverse-i-search)`pea': first pear");
    session.keys(ENTER);
    session.see("\nYou said: “first pear”");
    session.wait_for_idle();
    session.quit();
}

#[test]
fn an_answer_leaves_half_a_line_on_the_screen_and_it_is_sent_whole() {
    let machine = TestMachine::new();
    let mut session = Session::chat(&machine);
    session.keys(&format!("count to 4 slowly{ENTER}"));
    session.wait_for_status();
    session.keys("half a ");
    session.wait_for_draft("half a");
    // it stays behind the prompt while the status changes and until the answer is above it
    session.wait_for("1 2 3 4 – done.");
    session.wait_for_idle_with_draft("half a");
    assert_eq!(session.count_on_screen("half a"), 1);
    assert_eq!(session.count_on_screen("demonstration agent · "), 0);
    assert!(!session.written.contains("You said"), "nothing is sent without Enter");
    session.keys(&format!("line{ENTER}"));
    session.see("\nYou said: “half a line”");
    session.wait_for_idle();
    session.quit();
}

#[test]
fn a_permission_request_is_shown_above_half_a_line() {
    let machine = TestMachine::new();
    std::fs::write(machine.path("work").join("pear.txt"), "").unwrap();
    let args = ["--adapter", "demo", "--mode", "suggest"];
    let mut session = Session::start(&machine, &Terminal::default(), &args);
    session.wait_for_draft("");
    session.keys(&format!("list files{ENTER}"));
    session.keys("half a");
    session.wait_for("ls -1");
    session.wait_for("/approve ");
    session.wait_for_draft("half a");
    session.keys(&format!("{HOME}/approve{}", "\u{b}"));
    session.wait_for_draft("/approve");
    session.keys(ENTER);
    session.wait_for("pear.txt");
    session.wait_for_idle();
    session.quit();
}

#[test]
fn ctrl_c_during_a_turn_stops_it_and_keeps_what_is_being_typed() {
    let machine = TestMachine::new();
    let mut session = Session::chat(&machine);
    session.keys(&format!("count to 900 slowly{ENTER}"));
    session.wait_for_status();
    session.keys(&format!("next mesage{LEFT}{LEFT}"));
    session.wait_for_draft("next mesage");
    session.keys(CTRL_C);
    session.wait_for("Stopped");
    session.wait_for_idle_with_draft("next mesage");
    assert_eq!(session.count_on_screen("next mesage"), 1);
    // the cursor is where it was
    session.keys(&format!("{LEFT}s{ENTER}"));
    session.see("\nYou said: “next message”");
    session.wait_for_idle();
    session.quit();
}

#[test]
fn what_is_typed_before_the_prompt_is_shown_and_not_sent() {
    let machine = TestMachine::new();
    let mut session = Session::start(&machine, &Terminal::default(), &["--adapter", "demo"]);
    session.keys("rm -rf\nls\n");
    session.wait_for("Enter sends it");
    session.wait_for_draft("rm -rf\nls");
    session.settle();
    assert!(!session.written.contains("You said") && !session.written.contains("directory is empty"));
    session.keys(ENTER);
    session.see("directory is empty");
    session.wait_for_idle();
    session.quit();
}

#[test]
fn what_is_typed_during_a_turn_is_shown_and_lines_are_wrapped() {
    let machine = TestMachine::new();
    let terminal = Terminal { columns: 40, ..Terminal::default() };
    let mut session = Session::start(&machine, &terminal, &["--adapter", "demo"]);
    session.wait_for_draft("");
    session.keys(&format!("count to 3 slowly{ENTER}"));
    session.wait_for_status();
    session.keys(&format!("who are you{ENTER}"));
    session.wait_for("you › who are you");
    session.see("done.");
    session.see("I stand in for a coding agent so that\r\nyou can see");
    session.wait_for_idle();
    session.keys(&format!("/exit{ENTER}"));
    assert_eq!(session.code(), 0);
}

#[test]
fn a_real_agent_is_named_before_its_single_answer() {
    let machine = TestMachine::new();
    let agent =
        format!("{} demo-agent --memory {}", env!("CARGO_BIN_EXE_wtt-connect"), machine.path("m").display());
    let terminal = Terminal { columns: 200, claude: &agent, ..Terminal::default() };
    let mut session = Session::start(&machine, &terminal, &["--adapter", "claude-code", "ls"]);
    session.see("Claude Code in ");
    session.see("/work, free to act there without asking.");
    session.see("directory is empty");
    assert_eq!(session.code(), 0);
}

#[test]
fn a_cli_that_is_asked_for_its_login_is_named_meanwhile() {
    let machine = TestMachine::new();
    let claude = machine.path("claude");
    let script = "#!/bin/sh\ncase $* in --version) echo '2.1.330 (Claude Code)';; *) echo '{\"loggedIn\": false}'; exit 1;; esac\n";
    crate::support::program::program(&claude, script);
    let terminal = Terminal { columns: 200, claude: claude.to_str().unwrap(), ..Terminal::default() };
    let mut session = Session::start(&machine, &terminal, &[]);
    session.see("Looking for agents: claude-code…");
    session.see("\r\u{1b}[2K");
    session.see("Claude Code is installed but not logged in");
    let rest = session.see(PROMPT);
    assert!(!rest.contains("Also installed"), "{rest}");
}
