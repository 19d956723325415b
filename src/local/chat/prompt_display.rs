//! What is drawn around the line that the person edits: output above the prompt, a status row, and the prompt itself.
//!
//! The editor's thread alone draws while a line is edited: the chat leaves its output here and wakes that thread, and
//! rustyline asks for it whenever it draws the prompt ([`Highlighter::highlight_prompt`]). So output never lands in the
//! middle of the line, and the line stays on the screen. Holds no history and reads no keys.

use super::markdown;
use super::strings::PROMPT;
use crossbeam_channel::Sender;
use rustix::termios::tcgetwinsize;
use rustyline::completion::Completer;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The editor needs microseconds between its start and its first prompt; this is for a machine in trouble.
const START_TIME: Duration = Duration::from_secs(1);
/// Switches bracketed paste off, which the editor has switched on.
const BRACKETED_PASTE_OFF: &str = "\x1b[?2004l";

/// Whether a line is edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    /// No: the editor waits for the chat, or has ended.
    #[default]
    Stopped,
    /// Almost: the terminal is being prepared, nothing is drawn yet.
    Starting,
    /// Yes.
    Editing,
    /// Never again: the screen belongs to the chat.
    Closed,
}

#[derive(Debug, Default)]
struct DisplayState {
    phase: Phase,
    lines_begun: u64,
    /// Whole lines that go above the prompt as soon as something is drawn.
    output: String,
    /// The row above the prompt; empty when nothing runs.
    status: String,
    /// Enter was pressed: the status row stays behind in the scrollback, so it is emptied.
    accepted: bool,
    /// Ctrl-R was pressed: the prompt is the one of the search and has no status row.
    searching: bool,
    /// The text under the editor's control, and the place of the cursor in bytes.
    draft: String,
    cursor: usize,
}

/// Shared by the chat, which writes, and the editor's thread, which draws.
#[derive(Debug)]
pub(super) struct PromptDisplay {
    state: Mutex<DisplayState>,
    changed: Condvar,
    /// Makes the editor's thread draw.
    wake: Sender<()>,
}

impl PromptDisplay {
    /// `wake` must reach rustyline's external printer; a wake-up that is already under way is enough.
    pub(super) fn new(wake: Sender<()>) -> PromptDisplay {
        PromptDisplay { state: Mutex::default(), changed: Condvar::new(), wake }
    }

    fn lock(&self) -> MutexGuard<'_, DisplayState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts text above the prompt.
    pub(super) fn print(&self, text: &str) {
        let mut state = self.lock();
        state.output.push_str(text);
        if !text.ends_with('\n') {
            state.output.push('\n');
        }
        self.wake(&state);
    }

    /// Replaces the status row; an empty one clears it. `status` fits into one row.
    pub(super) fn set_status(&self, status: &str) {
        let mut state = self.lock();
        if state.status == status {
            return;
        }
        status.clone_into(&mut state.status);
        // a line that fills the screen would be drawn once more in the scrollback with each second that passes
        if !is_taller_than_the_screen(&state.draft) {
            self.wake(&state);
        }
    }

    fn wake(&self, state: &DisplayState) {
        if state.phase == Phase::Editing {
            let _ = self.wake.try_send(());
        }
    }

    /// The editor is about to take the terminal; false when it must not any more.
    pub(super) fn start_editing(&self) -> bool {
        let mut state = self.lock();
        if state.phase == Phase::Closed {
            return false;
        }
        (state.phase, state.accepted, state.searching) = (Phase::Starting, false, false);
        state.draft.clear();
        true
    }

    /// The editor has given the terminal back.
    pub(super) fn stop_editing(&self) {
        let mut state = self.lock();
        if state.phase != Phase::Closed {
            state.phase = Phase::Stopped;
        }
        self.changed.notify_all();
    }

    /// Whether there was text behind the prompt when editing stopped.
    pub(super) fn has_draft(&self) -> bool {
        !self.lock().draft.is_empty()
    }

    /// Takes what was being edited off the screen after Ctrl-C, so that it can be shown again in the same place. Its
    /// text left and right of the cursor.
    pub(super) fn take_draft(&self) -> (String, String) {
        let mut state = self.lock();
        let (columns, rows) = screen_size();
        let used = rows_of(&state.draft, columns);
        if !state.draft.is_empty() && !state.searching && used + 1 < rows {
            // status row, the rows of the draft, and the line end behind them
            write_to_terminal(&format!("\x1b[{}A\r\x1b[J", used + 1));
        }
        let mut left = std::mem::take(&mut state.draft);
        let right = left.split_off(state.cursor.min(left.len()));
        (left, right)
    }

    /// The number of lines that the editor has begun to edit.
    pub(super) fn lines_begun(&self) -> u64 {
        self.lock().lines_begun
    }

    /// Waits until the editor has begun to edit more lines than this.
    pub(super) fn wait_for_line(&self, lines_begun: u64) {
        drop(self.wait_while(self.lock(), |state| state.lines_begun <= lines_begun));
    }

    /// Waits while a condition holds, but at most [`START_TIME`].
    fn wait_while<'a>(
        &self,
        state: MutexGuard<'a, DisplayState>,
        condition: impl Fn(&DisplayState) -> bool,
    ) -> MutexGuard<'a, DisplayState> {
        let wait = self.changed.wait_timeout_while(state, START_TIME, |state| condition(state));
        wait.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Ends drawing for good, writes what still waits, and leaves the cursor at the beginning of an empty line. The
    /// editor's thread may hang in its call from then on; the terminal's mode is the caller's to restore.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state = self.wait_while(state, |state| state.phase == Phase::Starting);
        let before = std::mem::replace(&mut state.phase, Phase::Closed);
        let mut text = String::new();
        if before == Phase::Editing {
            let (columns, rows) = screen_size();
            let above = rows_of(state.draft.get(..state.cursor).unwrap_or_default(), columns);
            if above < rows {
                text = format!("\x1b[{}A\r\x1b[J", above - usize::from(state.searching));
            } else {
                text.push('\n');
            }
            text.push_str(BRACKETED_PASTE_OFF);
        }
        text.push_str(&std::mem::take(&mut state.output));
        if before == Phase::Editing && !state.draft.is_empty() {
            // it was not sent, but it need not be typed again
            text.push_str(&format!("{PROMPT}{}\n", state.draft));
        }
        write_to_terminal(&text);
    }

    /// What a callback of the editor works on. Once the display is closed, its thread stays here: it must not draw.
    fn drawing(&self) -> MutexGuard<'_, DisplayState> {
        let state = self.lock();
        let mut state = self
            .changed
            .wait_while(state, |state| state.phase == Phase::Closed)
            .unwrap_or_else(PoisonError::into_inner);
        if state.phase == Phase::Starting {
            state.phase = Phase::Editing;
            state.lines_begun += 1;
            self.changed.notify_all();
        }
        state
    }
}

/// The helper of rustyline: its callbacks draw, and they see each change of the line.
pub(super) struct PromptHelper(pub(super) Arc<PromptDisplay>);

impl rustyline::Helper for PromptHelper {}

impl Completer for PromptHelper {
    type Candidate = String;
}

impl Hinter for PromptHelper {
    type Hint = String;
}

impl Validator for PromptHelper {
    fn validate(&self, _line: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let mut state = self.0.drawing();
        state.accepted = true;
        // a message, even an empty one, makes the editor draw the prompt once more
        let redraw = !state.status.is_empty() && !is_taller_than_the_screen(&state.draft);
        Ok(ValidationResult::Valid(redraw.then(String::new)))
    }
}

impl Highlighter for PromptHelper {
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, default: bool) -> Cow<'b, str> {
        let mut state = self.0.drawing();
        state.searching = !default;
        let mut text = std::mem::take(&mut state.output);
        if default && !state.accepted {
            text.push_str(&state.status);
        }
        text.push_str(prompt);
        Cow::Owned(text)
    }

    fn highlight_char(&self, line: &str, cursor: usize, _: CmdKind) -> bool {
        let mut state = self.0.drawing();
        line.clone_into(&mut state.draft);
        state.cursor = cursor;
        false
    }
}

/// Columns and rows of the terminal.
fn screen_size() -> (usize, usize) {
    match tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
        _ => (80, 24),
    }
}

/// Rows that the prompt takes with this text behind it, the status row not counted.
fn rows_of(draft: &str, columns: usize) -> usize {
    let (mut rows, mut column) = (1, markdown::text_width(PROMPT));
    for c in draft.chars() {
        let wide = markdown::width(c);
        if c == '\n' || column + wide > columns {
            rows += 1;
            column = 0;
        }
        column += if c == '\n' { 0 } else { wide };
    }
    rows + usize::from(column >= columns)
}

fn is_taller_than_the_screen(draft: &str) -> bool {
    let (columns, rows) = screen_size();
    // every row takes a byte at least, so short drafts need no count
    draft.len() >= rows.saturating_sub(1) && rows_of(draft, columns) + 1 >= rows
}

/// Past the buffer of `io::stdout`, as the editor writes: both orders are one.
fn write_to_terminal(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_counted_as_the_terminal_breaks_them() {
        for (draft, columns, rows) in [
            ("", 80, 1),
            ("abc", 10, 1),
            ("abcd", 10, 2),
            ("abcde", 10, 2),
            ("a\nb\nc", 10, 3),
            ("你好", 10, 2),
            ("a你", 9, 2),
        ] {
            assert_eq!(rows_of(draft, columns), rows, "{draft:?} in {columns} columns");
        }
    }

    #[test]
    fn output_and_status_are_drawn_with_the_prompt() {
        let (wake, woken) = crossbeam_channel::bounded(1);
        let helper = PromptHelper(Arc::new(PromptDisplay::new(wake)));
        let display = &helper.0;
        display.print("early");
        assert!(woken.is_empty(), "nothing is edited yet");
        assert!(display.start_editing());
        assert_eq!(helper.highlight_prompt("\n> ", true), "early\n\n> ");
        display.set_status("working");
        display.print("answer\n");
        assert_eq!(woken.len(), 1);
        assert_eq!(helper.highlight_prompt("\n> ", true), "answer\nworking\n> ");
        assert_eq!(helper.highlight_prompt("(search) ", false), "(search) ");
    }

    #[test]
    fn an_interrupted_line_is_given_back_at_its_cursor() {
        let (wake, _woken) = crossbeam_channel::bounded(1);
        let helper = PromptHelper(Arc::new(PromptDisplay::new(wake)));
        assert!(helper.0.start_editing());
        helper.highlight_char("half a line", 4, CmdKind::Other);
        helper.0.stop_editing();
        assert_eq!(helper.0.take_draft(), ("half".into(), " a line".into()));
    }
}
