//! What the person sees: answers on stdout, notes and the status of the agent on stderr. On a terminal with an editable
//! prompt all of it goes above the line that is being typed; elsewhere it is plain lines.

use super::line_editor::{KeyboardMode, LineEditor};
use super::markdown::{self, MarkdownStyle};
use super::prompt_display::PromptDisplay;
use super::strings::{self, PROMPT};
use crate::error::Result;
use crate::text;
use rustix::termios::tcgetwinsize;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

/// Columns of a terminal that does not say how many it has.
const DEFAULT_COLUMNS: usize = 80;
/// Terminals, by TERM, that cannot move the cursor.
const LINE_TERMINALS: &[&str] = &["dumb", "cons25", "emacs"];

/// What the agent is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AgentStatus {
    /// `codex`, possibly with a model.
    pub agent: String,
    /// `command`, `tool`, … as in `status_kind`, see PROGRESS in wtt-connect-protocol(7).
    pub kind: String,
    /// One line.
    pub text: String,
}

/// How much is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScreenMode {
    /// A chat: prompt, status, answers.
    Chat,
    /// One answer on stdout; a status only if stderr is a terminal.
    SingleAnswer,
}

/// How the person is asked for input.
#[derive(Debug)]
enum Prompt {
    /// Not at all: stdin is a pipe, or there is only one answer.
    None,
    /// A terminal that cannot move the cursor: the prompt is printed before each line.
    Line { is_shown: bool },
    /// The line editor; until it starts, what is typed is kept back.
    Editor { display: Option<Arc<PromptDisplay>>, keyboard: KeyboardMode },
}

/// Both output streams, and the prompt.
#[derive(Debug)]
pub struct Screen {
    mode: ScreenMode,
    /// stderr is a terminal: the status is rewritten in place.
    has_live_status: bool,
    /// stdin and stdout are terminals: there is a person at the prompt.
    is_interactive: bool,
    style: MarkdownStyle,
    status: Option<AgentStatus>,
    /// The status that the last reminder showed.
    reminded: Option<AgentStatus>,
    prompt: Prompt,
    /// The part of a single answer that was written last, without its line end.
    part: Option<String>,
}

impl Screen {
    /// Looks at the streams. `base_url` and `access` make links to the local service complete.
    pub fn new(mode: ScreenMode, base_url: String, access: String) -> Screen {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|v| !v.is_empty());
        let moves_cursor = can_move_cursor();
        let is_interactive =
            mode == ScreenMode::Chat && io::stdout().is_terminal() && io::stdin().is_terminal();
        Screen {
            mode,
            has_live_status: io::stderr().is_terminal() && moves_cursor,
            is_interactive,
            style: MarkdownStyle {
                colors: io::stdout().is_terminal() && moves_cursor && !is_set("NO_COLOR"),
                base_url,
                access,
                columns: usize::MAX,
            },
            status: None,
            reminded: None,
            prompt: if is_interactive { Prompt::Line { is_shown: false } } else { Prompt::None },
            part: None,
        }
    }

    /// Keeps back what is typed from now on until there is a prompt to type it at.
    pub fn hold_keyboard(&mut self) {
        if self.is_interactive
            && can_move_cursor()
            && let Some(keyboard) = KeyboardMode::enter()
        {
            self.prompt = Prompt::Editor { display: None, keyboard };
        }
    }

    /// Starts the line editor if this terminal can have one.
    pub fn start_editor(&mut self) -> Result<Option<LineEditor>> {
        let Prompt::Editor { display, keyboard } = &mut self.prompt else { return Ok(None) };
        let typed_ahead = keyboard.typed_ahead();
        let has_typed_ahead = !typed_ahead.is_empty();
        let (editor, shared) = LineEditor::start(typed_ahead)?;
        *display = Some(shared);
        if has_typed_ahead {
            self.note(strings::TYPED_AHEAD);
        }
        Ok(Some(editor))
    }

    /// Whether the status is rewritten in place, so that the elapsed time is worth a tick.
    pub fn has_live_status(&self) -> bool {
        self.has_live_status
    }

    /// Whether a person types at a prompt.
    pub fn is_interactive(&self) -> bool {
        self.is_interactive
    }

    /// Whether a person sees our notes.
    pub fn is_watched(&self) -> bool {
        io::stderr().is_terminal()
    }

    fn display(&self) -> Option<&PromptDisplay> {
        match &self.prompt {
            Prompt::Editor { display, .. } => display.as_deref(),
            Prompt::None | Prompt::Line { .. } => None,
        }
    }

    /// A note of our own, on stderr.
    pub fn note(&mut self, note: &str) {
        self.clear_status();
        let _ = self.end_answer();
        // a path that is broken in the middle of a word cannot be read
        let width = if self.is_watched() { columns(io::stderr()) } else { usize::MAX };
        let text: String = note.lines().map(|line| markdown::wrap(line, width) + "\n").collect();
        match self.display().filter(|_| self.is_watched()) {
            Some(display) => display.print(&text),
            None => drop(io::stderr().write_all(text.as_bytes())),
        }
    }

    /// Asks for a line on a terminal without an editor. The editor shows its prompt by itself.
    pub fn ask_for_line(&mut self) {
        if let Prompt::Line { is_shown } = &mut self.prompt
            && !*is_shown
        {
            let mut out = io::stdout();
            let _ = write!(out, "{PROMPT}").and_then(|()| out.flush());
            *is_shown = true;
        }
    }

    /// The person has pressed Enter: the cursor is on a new line.
    pub fn line_entered(&mut self) {
        if let Prompt::Line { is_shown } = &mut self.prompt {
            *is_shown = false;
        }
    }

    /// Shows what the agent does, and for how long its turn has been running.
    pub fn show_status(&mut self, mut status: AgentStatus, elapsed: Duration) {
        if self.has_live_status {
            let line = markdown::printable(&text::one_line(&status_line(&status, elapsed)));
            let line = fit(&line, columns(io::stderr()).saturating_sub(1));
            match self.display() {
                Some(display) => display.set_status(&line),
                None => {
                    let mut err = io::stderr();
                    let _ = write!(err, "\r\x1b[2K{line}").and_then(|()| err.flush());
                }
            }
        } else if self.mode == ScreenMode::Chat {
            if status.kind == "response" {
                // Pieces of the answer would only repeat what is about to come.
                status.text = "answering".to_owned();
            }
            if self.status.as_ref() != Some(&status) {
                self.leave_prompt();
                let _ = writeln!(io::stderr(), "· {}", text::one_line(&status_label(&status)));
            }
        }
        self.status = Some(status);
    }

    /// Shows the same status again with a later time.
    pub fn update_elapsed(&mut self, elapsed: Duration) {
        if let Some(status) = self.status.clone().filter(|_| self.has_live_status) {
            self.show_status(status, elapsed);
        }
    }

    /// Notes what is waited for, unless that was noted before.
    pub fn remind(&mut self, elapsed: Duration) {
        if let Some(status) = self.status.clone().filter(|now| self.reminded.as_ref() != Some(now)) {
            self.note(&text::one_line(&status_line(&status, elapsed)));
            self.reminded = Some(status);
        }
    }

    /// A visible message of the agent, on stdout.
    pub fn post(&mut self, message: &str) -> io::Result<()> {
        self.clear_status();
        if io::stdout().is_terminal() {
            self.style.columns = columns(io::stdout());
        }
        let shown = markdown::render(message, &self.style);
        if let Some(display) = self.display() {
            // the status row below it is empty, or separates it well enough
            display.print(&if self.style.colors { format!("\n{shown}\n") } else { shown });
            return Ok(());
        }
        let mut out = io::stdout().lock();
        match self.mode {
            ScreenMode::Chat if self.style.colors => writeln!(out, "\n{shown}\n")?,
            ScreenMode::Chat => writeln!(out, "{shown}")?,
            ScreenMode::SingleAnswer => {
                // A long answer comes in parts; the line end of the last one is written by `end_answer`.
                let seam = self.part.take().map_or("", |part| markdown::seam(&part, message));
                self.part = Some(message.to_owned());
                self.status = None;
                write!(out, "{seam}{shown}")?;
            }
        }
        out.flush()
    }

    /// The turn is over: clears the status.
    pub fn end_turn(&mut self) {
        self.clear_status();
        self.status = None;
        if let Some(display) = self.display() {
            display.set_status("");
        }
    }

    /// Ends the last line of a single answer.
    pub fn end_answer(&mut self) -> io::Result<()> {
        let mut out = io::stdout();
        if self.part.take().is_some() { writeln!(out).and_then(|()| out.flush()) } else { Ok(()) }
    }

    /// Makes room for other output where there is no editor, which does so by itself.
    fn clear_status(&mut self) {
        if self.display().is_none() && self.has_live_status && self.status.is_some() {
            let mut err = io::stderr();
            let _ = write!(err, "\r\x1b[2K").and_then(|()| err.flush());
        }
        self.leave_prompt();
    }

    fn leave_prompt(&mut self) {
        if let Prompt::Line { is_shown } = &mut self.prompt
            && std::mem::take(is_shown)
        {
            let _ = writeln!(io::stdout());
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.clear_status();
        if let Some(display) = self.display() {
            display.close();
        }
    }
}

fn can_move_cursor() -> bool {
    std::env::var_os("TERM")
        .is_some_and(|term| !LINE_TERMINALS.iter().any(|name| term.eq_ignore_ascii_case(name)))
}

fn status_line(status: &AgentStatus, elapsed: Duration) -> String {
    format!("{} · {} · {} s", status.agent, status_label(status), elapsed.as_secs())
}

fn status_label(status: &AgentStatus) -> String {
    match status.kind.as_str() {
        "session" if status.text.ends_with(" started") => format!("{}, no answer yet", status.text),
        "" | "running" | "response" | "session" => status.text.clone(),
        kind => format!("{}: {}", kind.replace('_', " "), status.text),
    }
}

fn columns(stream: impl std::os::fd::AsFd) -> usize {
    tcgetwinsize(stream).map(|s| usize::from(s.ws_col)).ok().filter(|c| *c > 0).unwrap_or(DEFAULT_COLUMNS)
}

/// The beginning of a line that fits into this many columns, so that it never wraps.
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
        let of = |kind: &str| {
            status_label(&AgentStatus { kind: kind.into(), text: "x".into(), ..AgentStatus::default() })
        };
        assert_eq!(
            (of("command"), of("web_search"), of("running")),
            ("command: x".into(), "web search: x".into(), "x".into())
        );
    }
}
