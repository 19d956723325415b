//! What the chat does with a line, with Ctrl-C and with the end of the input.

use super::event_loop::INTERRUPTED;
use super::event_loop::{Chat, ChatStep};
use super::help::help_text;
use super::input::{is_for_running_turn, is_permission_answer};
use super::line_editor::{Draft, PromptEvent};
use super::strings;
use crate::error::Error;
use crate::sys::signal::{self, Signal};
use crossbeam_channel::Receiver;
use std::time::{Duration, Instant};

/// After `/stop` the connector needs up to 10 s to be sure that nothing is left running.
const STOP_TIME: Duration = Duration::from_secs(15);
/// Lines of a paste follow each other at once on a terminal that does not mark its beginning and end; nobody types
/// that fast.
const PASTE_GAP: Duration = Duration::from_millis(50);
/// Lines of such a paste; more is not meant for a prompt.
const PASTE_LINES_MAX: usize = 2000;
/// A terminal without an editor keeps this many bytes of a line and drops the rest, see `MAX_CANON` in termios(3).
const TERMINAL_LINE_BYTES: usize = 4095;

impl Chat<'_> {
    pub(super) fn handle_input(&mut self, event: PromptEvent, more: &Receiver<PromptEvent>) -> ChatStep {
        match event {
            PromptEvent::Line(line) if self.screen.is_interactive() => self.handle_typed_line(line, more),
            PromptEvent::Line(line) => self.handle_line(&line),
            PromptEvent::Interrupt { has_draft } => {
                // what was being typed waits for the end of the turn that Ctrl-C stops
                let draft = if self.conversation.is_busy() && self.pasted.is_empty() {
                    Draft::Keep
                } else {
                    Draft::Drop
                };
                // a Ctrl-C that drops a line is the first one
                self.is_quit_warned &= !has_draft;
                let step = self.handle_interrupt();
                self.resume_editor(draft);
                step
            }
            PromptEvent::EndOfInput => {
                self.has_input_ended = true;
                self.deny_unanswerable_requests();
                let waits = self.conversation.is_busy() && !self.screen.is_interactive();
                if waits { ChatStep::Continue } else { self.quit(None) }
            }
        }
    }

    /// The time that the editor needs to start is not part of [`PASTE_GAP`]: on a slow terminal it may be longer.
    fn resume_for_next_line(&self) {
        if let Some(editor) = &self.editor {
            editor.resume_and_wait();
        }
    }

    fn resume_editor(&self, draft: Draft) {
        if let Some(editor) = &self.editor {
            editor.resume(draft);
        }
    }

    /// A line from a terminal. A terminal that does not mark pastes passes one on as many lines, and one without an
    /// editor cuts long lines silently.
    fn handle_typed_line(&mut self, first: String, more: &Receiver<PromptEvent>) -> ChatStep {
        self.is_quit_warned = false;
        self.screen.line_entered();
        let (lines, next) = self.collect_paste(first, more);
        let is_cut = self.editor.is_none() && lines.iter().any(|line| line.len() >= TERMINAL_LINE_BYTES);
        let is_paste = lines.len() > 1 && lines.iter().any(|line| !line.trim().is_empty());
        let step = if is_cut {
            self.pasted.clear();
            self.screen.note(strings::LINE_TOO_LONG);
            self.rest_unless_busy()
        } else {
            self.pasted.extend(lines);
            if is_paste {
                self.screen.note(&strings::lines_pasted(self.pasted.len()));
                self.rest_unless_busy()
            } else {
                let message = std::mem::take(&mut self.pasted).join("\n").trim_end().to_owned();
                self.handle_line(&message)
            }
        };
        match (step, next) {
            (ChatStep::Continue, Some(event)) => self.handle_input(event, more),
            (step, _) => step,
        }
    }

    /// The line and those that follow at once, and what came then if it was no line.
    fn collect_paste(
        &self,
        first: String,
        more: &Receiver<PromptEvent>,
    ) -> (Vec<String>, Option<PromptEvent>) {
        let mut lines = vec![first];
        self.resume_for_next_line();
        while lines.len() < PASTE_LINES_MAX
            && let Ok(event) = more.recv_timeout(PASTE_GAP)
        {
            let PromptEvent::Line(line) = event else { return (lines, Some(event)) };
            lines.push(line);
            self.resume_for_next_line();
        }
        (lines, None)
    }

    /// A message or command, from a terminal or a script.
    pub(super) fn handle_line(&mut self, line: &str) -> ChatStep {
        let text = line.trim();
        let is_answer = is_permission_answer(text) && self.open_requests.pop().is_some();
        let must_wait = self.conversation.is_busy() && !self.screen.is_interactive();
        if must_wait && !is_answer && !is_for_running_turn(text) {
            self.queued_lines.push_back(line.to_owned());
            return ChatStep::Continue;
        }
        match text {
            "" => {}
            "/quit" | "/exit" => return self.quit(None),
            "/help" => self.screen.note(&help_text()),
            _ if self.attach_files(text) => {}
            _ if text.starts_with('/') => self.send(line),
            _ => {
                let links = std::mem::take(&mut self.attached_links);
                self.send(&format!("{line}{links}"));
            }
        }
        self.rest_unless_busy()
    }

    pub(super) fn handle_signal(&mut self, signal: Option<Signal>) -> ChatStep {
        let code = signal::exit_code(signal);
        if code == INTERRUPTED { self.handle_interrupt() } else { self.quit(Some(code)) }
    }

    /// Ctrl-C, as a key or as a signal.
    fn handle_interrupt(&mut self) -> ChatStep {
        if !self.pasted.is_empty() {
            self.pasted.clear();
            self.screen.note(strings::PASTE_DROPPED);
            return self.rest_unless_busy();
        }
        if self.conversation.is_busy() && self.stop_end.is_none() {
            self.send("/stop");
            self.stop_end = Some(Instant::now() + STOP_TIME);
            self.screen.note(strings::STOPPING);
            return ChatStep::Continue;
        }
        if !self.conversation.is_busy() && self.screen.is_interactive() && !self.is_quit_warned {
            // What was typed is gone already.
            self.is_quit_warned = true;
            self.screen.note(strings::QUIT_WARNING);
            return self.rest();
        }
        self.quit(self.is_single_answer.then_some(INTERRUPTED))
    }

    /// Ends with an exit code, or without one when that is what the person wanted.
    fn quit(&mut self, code: Option<u8>) -> ChatStep {
        self.screen.end_turn();
        if self.conversation.is_busy() {
            self.screen.note(strings::ENDING_TURN);
        }
        ChatStep::Quit(code.map_or(Ok(()), |code| Err(Error::Silent(code))))
    }
}
