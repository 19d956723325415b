//! The terminal: one live status line, answers, notes. Degrades to plain lines where there is no terminal.

use super::markdown::{self, Style};
use crate::text;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

/// Assumed where the terminal does not say.
const COLUMNS: usize = 80;
/// Between the person and the text.
const PROMPT: &str = "you › ";
/// Before text that the person typed while nothing was shown of it.
const TYPED: &str = "you: ";

/// What the status line shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// `codex`, possibly with a model.
    pub who: String,
    /// `command`, `tool`, …
    pub kind: String,
    /// One line.
    pub text: String,
}

/// How much is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// A chat: prompt, status, answers.
    Chat,
    /// One answer on stdout; status only where stderr is a terminal.
    Once,
}

/// Both streams.
#[derive(Debug)]
pub struct Screen {
    manner: Manner,
    /// stderr is a terminal: the status line is rewritten in place.
    live: bool,
    /// stdin and stdout are terminals: a prompt is shown, typing is hidden while the agent works.
    pub interactive: bool,
    style: Style,
    status: Option<Status>,
    /// The status of which the one who waits was last reminded.
    reminded: Option<Status>,
    prompted: bool,
    /// The part of an only answer that was written last, without its line end.
    part: Option<String>,
    on_terminal: bool,
    echo: Option<Termios>,
}

impl Screen {
    /// Looks at the streams.
    pub fn new(manner: Manner, base_url: String, access: String) -> Screen {
        let set = |name: &str| std::env::var_os(name).is_some_and(|v| !v.is_empty());
        let smart = std::env::var_os("TERM").is_some_and(|t| t != "dumb");
        let on_terminal = io::stdout().is_terminal();
        Screen {
            manner,
            live: io::stderr().is_terminal() && smart,
            interactive: manner == Manner::Chat && on_terminal && io::stdin().is_terminal(),
            style: Style {
                colours: on_terminal && smart && !set("NO_COLOR"),
                base_url,
                access,
                columns: usize::MAX,
            },
            status: None,
            reminded: None,
            prompted: false,
            part: None,
            on_terminal,
            echo: None,
        }
    }

    /// Whether the elapsed time is worth a tick.
    pub fn is_live(&self) -> bool {
        self.live
    }

    /// Whether a person sees our own words.
    pub fn is_watched(&self) -> bool {
        io::stderr().is_terminal()
    }

    /// Shows what was typed unseen while the agent was at work.
    pub fn echo(&mut self, words: &str) {
        if self.echo.is_some() {
            self.wipe();
            let mut out = io::stdout();
            for (i, line) in words.lines().enumerate() {
                let _ = writeln!(out, "{}{}", if i == 0 { TYPED } else { "" }, markdown::printable(line));
            }
        }
    }

    /// Our own words, on stderr.
    pub fn note(&mut self, words: &str) {
        self.wipe();
        let _ = self.finish();
        // a path that breaks in the middle of a word cannot be read
        let width = if self.is_watched() { columns(io::stderr()) } else { usize::MAX };
        for line in words.lines() {
            let _ = writeln!(io::stderr(), "{}", markdown::wrap(line, width));
        }
    }

    /// Asks for input.
    pub fn prompt(&mut self) {
        self.show_typing();
        if self.interactive && !self.prompted {
            let mut out = io::stdout();
            let _ = write!(out, "{PROMPT}").and_then(|()| out.flush());
            self.prompted = true;
        }
    }

    /// The person has pressed Enter: the cursor is on a new line.
    pub fn entered(&mut self) {
        self.prompted = false;
    }

    /// What the agent does, and for how long the turn has been running.
    pub fn status(&mut self, mut status: Status, elapsed: Duration) {
        if self.live {
            self.hide_typing();
            let line = line(&status, elapsed);
            let line =
                fit(&markdown::printable(&text::one_line(&line)), columns(io::stderr()).saturating_sub(1));
            self.leave_prompt();
            let mut err = io::stderr();
            let _ = write!(err, "\r\x1b[2K{line}").and_then(|()| err.flush());
        } else if self.manner == Manner::Chat {
            if status.kind == "response" {
                // Pieces of the answer would only repeat what is about to come.
                status.text = "answering".to_owned();
            }
            if self.status.as_ref() != Some(&status) {
                let _ = writeln!(io::stderr(), "· {}", text::one_line(&label(&status)));
            }
        }
        self.status = Some(status);
    }

    /// The same status, later.
    pub fn tick(&mut self, elapsed: Duration) {
        if let Some(status) = self.status.clone().filter(|_| self.live) {
            self.status(status, elapsed);
        }
    }

    /// Says what is waited for, where no status line shows it.
    pub fn remind(&mut self, elapsed: Duration) {
        if let Some(status) = self.status.clone().filter(|now| self.reminded.as_ref() != Some(now)) {
            self.note(&text::one_line(&line(&status, elapsed)));
            self.reminded = Some(status);
        }
    }

    /// A visible message of the agent, on stdout.
    pub fn post(&mut self, words: &str) -> io::Result<()> {
        self.wipe();
        self.leave_prompt();
        if self.on_terminal {
            self.style.columns = columns(io::stdout());
        }
        let shown = markdown::render(words, &self.style);
        let mut out = io::stdout().lock();
        match self.manner {
            Manner::Chat if self.style.colours => writeln!(out, "\n{shown}\n")?,
            Manner::Chat => writeln!(out, "{shown}")?,
            Manner::Once => {
                // A long answer comes in parts; the line end of the last one is written in the end.
                let seam = self.part.take().map_or("", |part| markdown::seam(&part, words));
                self.part = Some(words.to_owned());
                self.status = None;
                write!(out, "{seam}{shown}")?;
            }
        }
        out.flush()
    }

    /// The turn is over.
    pub fn idle(&mut self) {
        self.wipe();
        self.status = None;
    }

    /// Ends the last line of an only answer.
    pub fn finish(&mut self) -> io::Result<()> {
        let mut out = io::stdout();
        if self.part.take().is_some() { writeln!(out).and_then(|()| out.flush()) } else { Ok(()) }
    }

    /// Takes the status line away.
    fn wipe(&mut self) {
        if self.live && self.status.is_some() {
            let mut err = io::stderr();
            let _ = write!(err, "\r\x1b[2K").and_then(|()| err.flush());
        }
        self.leave_prompt();
    }

    fn leave_prompt(&mut self) {
        if self.prompted {
            let _ = writeln!(io::stdout());
            self.prompted = false;
        }
    }

    /// While the status line is rewritten, typed characters would land in it.
    fn hide_typing(&mut self) {
        if !self.interactive || self.echo.is_some() {
            return;
        }
        if let Ok(before) = tcgetattr(io::stdin()) {
            let mut quiet = before.clone();
            quiet.local_modes.remove(LocalModes::ECHO);
            if tcsetattr(io::stdin(), OptionalActions::Now, &quiet).is_ok() {
                self.echo = Some(before);
            }
        }
    }

    fn show_typing(&mut self) {
        if let Some(before) = self.echo.take() {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &before);
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.wipe();
        self.show_typing();
    }
}

fn line(status: &Status, elapsed: Duration) -> String {
    format!("{} · {} · {} s", status.who, label(status), elapsed.as_secs())
}

fn label(status: &Status) -> String {
    match status.kind.as_str() {
        "session" if status.text.ends_with(" started") => format!("{}, no answer yet", status.text),
        "" | "running" | "response" | "session" => status.text.clone(),
        kind => format!("{}: {}", kind.replace('_', " "), status.text),
    }
}

fn columns(stream: impl std::os::fd::AsFd) -> usize {
    tcgetwinsize(stream).map(|s| usize::from(s.ws_col)).ok().filter(|c| *c > 0).unwrap_or(COLUMNS)
}

/// Cut to so many columns, so that the line never wraps.
fn fit(line: &str, columns: usize) -> String {
    let mut used = 0;
    line.chars()
        .take_while(|c| {
            used += markdown::width(*c);
            used <= columns
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_never_wraps() {
        assert_eq!(fit("abcdef", 4), "abcd");
        assert_eq!(fit("你好吗", 5), "你好");
        assert_eq!(fit("", 0), "");
    }

    #[test]
    fn kinds_with_a_label_show_it() {
        let of = |kind: &str| label(&Status { kind: kind.into(), text: "x".into(), ..Status::default() });
        assert_eq!(
            (of("command"), of("web_search"), of("running")),
            ("command: x".into(), "web search: x".into(), "x".into())
        );
    }
}
