//! The prompt of a chat on a terminal: rustyline on a thread of its own, and the terminal mode around it.
//!
//! The thread edits one line at a time and waits for the chat after each. It never sends anything by itself: what is
//! typed before there is a prompt comes up behind it, and goes when Enter is pressed.

use super::input_history;
use super::prompt_display::{PromptDisplay, PromptHelper};
use super::strings::PROMPT;
use crate::error::{Error, Result};
use crate::sys::thread;
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{
    InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};
use rustyline::config::{BellStyle, ColorMode};
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{Config, Editor, ExternalPrinter as _};
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::Arc;

/// How long the rest of an escape sequence may take over a slow line, in milliseconds; then it was the key Escape.
const ESCAPE_SEQUENCE_MS: u16 = 200;
/// What wakes the editor: rustyline prints it above the prompt and then draws the prompt. It ends with the cursor where
/// it began.
const WAKE_UP: &str = "\x1b[A\n";

/// What the person did at the prompt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PromptEvent {
    /// Enter: a message of one or more lines.
    Line(String),
    /// Ctrl-C.
    Interrupt {
        /// In the middle of a line.
        has_draft: bool,
    },
    /// Ctrl-D on an empty line, or the terminal is gone. The last event.
    EndOfInput,
}

/// What becomes of the text that was edited when Ctrl-C was pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Draft {
    /// It is shown again.
    Keep,
    /// The next line begins empty.
    Drop,
}

/// The editor; one line is edited at a time, the next one after [`LineEditor::resume`].
#[derive(Debug)]
pub(super) struct LineEditor {
    /// What the person does.
    pub(super) events: Receiver<PromptEvent>,
    resume: Sender<Draft>,
    display: Arc<PromptDisplay>,
}

impl LineEditor {
    /// Starts the thread and shows the first prompt, with `typed_ahead` behind it. The second value is where output goes
    /// from now on.
    pub(super) fn start(typed_ahead: String) -> Result<(LineEditor, Arc<PromptDisplay>)> {
        let failed =
            |e: &dyn std::fmt::Display| Error::Failed(format!("cannot edit lines on this terminal: {e}"));
        let (wake, woken) = bounded(1);
        let display = Arc::new(PromptDisplay::new(wake));
        let mut editor = editor(display.clone()).map_err(|e| failed(&e))?;
        let mut printer = editor.create_external_printer().map_err(|e| failed(&e))?;
        // a thread of its own, because a wake-up blocks while an earlier one has not been seen
        thread::spawn_small("prompt-wake", move || {
            while woken.recv().is_ok() && printer.print(WAKE_UP.to_owned()).is_ok() {}
        })
        .map_err(|e| failed(&e))?;
        let (events_to, events) = unbounded();
        let (resume, resumed) = bounded(1);
        let body = PromptThread { editor, display: display.clone(), events: events_to, resumed };
        thread::spawn("prompt", move || body.run(typed_ahead)).map_err(|e| failed(&e))?;
        Ok((LineEditor { events, resume, display: display.clone() }, display))
    }

    /// Shows the next prompt after an event.
    pub(super) fn resume(&self, draft: Draft) {
        let _ = self.resume.try_send(draft);
    }

    /// Shows the next prompt, empty, and waits until it is drawn: from then on the editor has what was typed meanwhile.
    pub(super) fn resume_and_wait(&self) {
        let lines_begun = self.display.lines_begun();
        self.resume(Draft::Drop);
        self.display.wait_for_line(lines_begun);
    }
}

fn editor(display: Arc<PromptDisplay>) -> rustyline::Result<Editor<PromptHelper, FileHistory>> {
    let config = Config::builder()
        .max_history_size(input_history::ENTRIES_MAX)?
        .keyseq_timeout(Some(ESCAPE_SEQUENCE_MS))
        // there is nothing to complete, and a bell for each Tab would be all that is heard of it
        .bell_style(BellStyle::None)
        // not for colors: only then does the editor ask its helper for the prompt
        .color_mode(ColorMode::Forced)
        .build();
    let mut editor = Editor::with_config(config)?;
    editor.set_helper(Some(PromptHelper(display)));
    Ok(editor)
}

struct PromptThread {
    editor: Editor<PromptHelper, FileHistory>,
    display: Arc<PromptDisplay>,
    events: Sender<PromptEvent>,
    resumed: Receiver<Draft>,
}

impl PromptThread {
    fn run(mut self, typed_ahead: String) {
        let history = input_history::path();
        if let Some(path) = &history {
            // there is none before the first line
            let _ = self.editor.load_history(path);
        }
        // the status row, and the prompt below it
        let prompt = format!("\n{PROMPT}");
        let mut draft = (typed_ahead, String::new());
        while self.display.start_editing() {
            let line = self.editor.readline_with_initial(&prompt, (&draft.0, &draft.1));
            self.display.stop_editing();
            let event = match line {
                Ok(line) => {
                    let line = printable_lines(&line);
                    self.record(&line, history.as_ref());
                    PromptEvent::Line(line)
                }
                Err(ReadlineError::Interrupted) => {
                    PromptEvent::Interrupt { has_draft: self.display.has_draft() }
                }
                Err(ReadlineError::Io(e)) if e.kind() == ErrorKind::InvalidData => {
                    // a byte that is not UTF-8 spoils no line
                    draft = self.display.take_draft();
                    continue;
                }
                Err(_) => PromptEvent::EndOfInput,
            };
            let is_last = event == PromptEvent::EndOfInput;
            if self.events.send(event).is_err() || is_last {
                return;
            }
            draft = match self.resumed.recv() {
                Ok(Draft::Keep) => self.display.take_draft(),
                Ok(Draft::Drop) => Default::default(),
                Err(_) => return,
            };
        }
    }

    fn record(&mut self, line: &str, path: Option<&PathBuf>) {
        if !input_history::is_recorded(line) {
            return;
        }
        let added = self.editor.add_history_entry(line).unwrap_or(false);
        if let Some(path) = path.filter(|_| added) {
            let saved = input_history::make_folder(path).map_err(ReadlineError::from);
            if let Err(e) = saved.and_then(|()| self.editor.append_history(path)) {
                log::debug!("the history of try: {}: {e}", path.display());
            }
        }
    }
}

/// Only what the screen has shown: no control characters, line ends and tabs excepted.
fn printable_lines(text: &str) -> String {
    text.chars().filter(|c| matches!(c, '\n' | '\t') || !c.is_control()).collect()
}

/// The terminal as it is between two lines: keys are neither shown nor held back until Enter, so that none is lost and
/// none is seen anywhere but at the prompt. Restores what was before when dropped.
#[derive(Debug)]
pub(super) struct KeyboardMode {
    before: Termios,
}

impl KeyboardMode {
    /// None when stdin is no terminal.
    pub(super) fn enter() -> Option<KeyboardMode> {
        let before = tcgetattr(io::stdin()).ok()?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON);
        quiet.input_modes.insert(InputModes::ICRNL);
        quiet.special_codes[SpecialCodeIndex::VMIN] = 1;
        quiet.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(io::stdin(), OptionalActions::Now, &quiet).ok()?;
        Some(KeyboardMode { before })
    }

    /// What has been typed by now, without its last line end: it was meant for whatever was on the screen then. Nothing
    /// behind a control character counts, because only an editor would know what it does.
    pub(super) fn typed_ahead(&self) -> String {
        let mut typed = Vec::new();
        let mut buffer = [0; 4096];
        let is_ready = || {
            let stdin = io::stdin();
            let mut fds = [PollFd::new(&stdin, PollFlags::IN)];
            poll(&mut fds, Some(&Timespec::default())).is_ok_and(|count| count > 0)
        };
        while is_ready()
            && let Ok(count @ 1..) = rustix::io::read(io::stdin(), &mut buffer)
        {
            typed.extend_from_slice(&buffer[..count]);
        }
        let text = String::from_utf8_lossy(&typed).replace('\r', "\n");
        let end = text.find(|c: char| c.is_control() && !matches!(c, '\n' | '\t')).unwrap_or(text.len());
        text[..end].trim_end().to_owned()
    }
}

impl Drop for KeyboardMode {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_screen_does_not_show_is_not_sent() {
        assert_eq!(printable_lines("a\u{7}b\u{1b}[31m\tc\nd\r"), "ab[31m\tc\nd");
    }
}
