//! The state that the dialects of small one-shot CLIs share: text, complaints, and the one outcome. Pure.
//!
//! The folders `adapters/pi`, `adapters/cursor` and `adapters/crush` read the lines.

use crate::agent::dialect::{
    DialectEffects, Exit, StrayOutput, TextCollector, completed_outcome, failed_outcome, outcome_from_exit,
};
use crate::agent::outcome::{AgentOutcome, Reason};
use crate::agent::{AgentEvent, PromptImage, TurnRequest, classify};
use std::fmt::Write;

/// The shared state of one turn.
#[derive(Debug, Default)]
pub(super) struct OneShotState {
    pub(super) said: TextCollector,
    /// The last complaint of the CLI; empty once it continues.
    pub(super) complaint: String,
    /// Whether the request resumes a session and so includes a history.
    pub(super) resumed: bool,
    pub(super) stray: StrayOutput,
    /// Whether a piece of the current message has come.
    streamed: bool,
    /// Whether a tool call has succeeded.
    worked: bool,
    ended: bool,
}

impl OneShotState {
    pub(super) fn new(request: &TurnRequest) -> Self {
        Self { resumed: request.resume.is_some(), ..Self::default() }
    }

    /// A new message begins: the next piece of text starts a paragraph.
    pub(super) fn new_message(&mut self) {
        self.streamed = false;
    }

    /// Whether pieces have come since [`OneShotState::new_message`].
    pub(super) fn in_pieces(&self) -> bool {
        self.streamed
    }

    /// Text has come, a piece or a whole message.
    pub(super) fn text(&mut self, piece: &str, effects: &mut DialectEffects) {
        if piece.is_empty() {
            return;
        }
        self.complaint.clear();
        if std::mem::replace(&mut self.streamed, true) {
            self.said.push_delta(piece);
        } else {
            self.said.push_message(piece);
        }
        effects.events.push(AgentEvent::Text(piece.to_owned()));
    }

    /// A tool call has ended.
    pub(super) fn tool_end(&mut self, id: String, ok: bool, effects: &mut DialectEffects) {
        self.worked |= ok;
        effects.events.push(AgentEvent::ToolEnd { id, ok });
    }

    /// Sets the outcome; only the first one counts.
    pub(super) fn finish(&mut self, outcome: AgentOutcome, effects: &mut DialectEffects) {
        if !std::mem::replace(&mut self.ended, true) {
            effects.outcome = Some(outcome);
        }
    }

    /// The CLI reports that it is done, with this answer, which may be empty.
    pub(super) fn done(&mut self, answer: &str, effects: &mut DialectEffects) {
        let outcome = completed_outcome(answer, self.worked, "", self.said.text());
        self.finish(outcome, effects);
    }

    /// The CLI reports that it has failed: `401: {"message": …}`, `500 words`, or just words.
    pub(super) fn failed(&mut self, words: &str, effects: &mut DialectEffects) {
        let status = words.get(..3).and_then(|code| code.parse().ok()).unwrap_or(0);
        let outcome = failed_outcome(
            classify::by_http_status(words, status, self.resumed),
            body(words),
            self.said.text(),
        );
        self.finish(outcome, effects);
    }

    /// The child has exited without reporting an outcome. Some of these CLIs exit with 0 whatever has happened, so stderr is
    /// consulted even then, if there is no text.
    pub(super) fn end(&mut self, exit: Exit, stderr_tail: &str, effects: &mut DialectEffects) {
        let partial = self.said.text();
        let from_stderr =
            classify::by_stderr_tail(stderr_tail).filter(|_| exit == Exit::Code(0) && partial.is_empty());
        let outcome = match from_stderr {
            Some((reason, words)) => failed_outcome(reason, &words, partial),
            None => outcome_from_exit(exit, &self.complaint, &self.stray, stderr_tail, partial),
        };
        self.finish(outcome, effects);
    }

    /// Why nothing came, for timeouts.
    pub(super) fn classify(&self, stderr_tail: &str) -> Option<Reason> {
        classify::by_message(&self.complaint)
            .or_else(|| classify::by_stderr_tail(stderr_tail).map(|(reason, _)| reason))
    }
}

/// The JSON that follows a provider's status, or the whole text if there is none.
pub(super) fn body(words: &str) -> &str {
    words.split_once(": ").map(|(_, body)| body).filter(|body| body.starts_with('{')).unwrap_or(words)
}

/// The prompt with the paths of the images, for CLIs that take no images: the agent opens the files itself.
pub(super) fn naming(prompt: &str, images: &[PromptImage]) -> String {
    let mut out = prompt.to_owned();
    if !images.is_empty() {
        out.push_str("\n\nImages that came with this message; open them as files:");
    }
    for image in images {
        let _ = write!(out, "\n{}", image.path.display());
    }
    out
}
