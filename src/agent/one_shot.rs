//! What the dialects of small one-shot CLIs share: what was said, what was complained about, the one verdict. Pure.
//!
//! Their lines are read in `pi.rs`, `cursor.rs` and `crush.rs`.

use crate::agent::dialect::{
    Effects, Exit, StrayOutput, TextCollector, completed_outcome, failed_outcome, outcome_from_exit,
};
use crate::agent::outcome::{AgentOutcome, Reason};
use crate::agent::{AgentEvent, PromptImage, TurnRequest, classify};
use std::fmt::Write;

/// The common part of one turn.
#[derive(Debug, Default)]
pub(super) struct OneShotState {
    pub(super) said: TextCollector,
    /// What it complained about last, until work goes on.
    pub(super) complaint: String,
    /// Whether a history goes with the request.
    pub(super) resumed: bool,
    pub(super) stray: StrayOutput,
    /// Whether the text of the present message comes in pieces.
    streamed: bool,
    /// Whether a tool call has succeeded.
    worked: bool,
    ended: bool,
}

impl OneShotState {
    pub(super) fn new(request: &TurnRequest) -> Self {
        Self { resumed: request.resume.is_some(), ..Self::default() }
    }

    /// The next piece of text begins a paragraph of its own.
    pub(super) fn new_message(&mut self) {
        self.streamed = false;
    }

    /// Whether pieces have come since [`Core::new_message`].
    pub(super) fn in_pieces(&self) -> bool {
        self.streamed
    }

    /// A piece of text, or all of it.
    pub(super) fn text(&mut self, piece: &str, effects: &mut Effects) {
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

    /// A tool call is over.
    pub(super) fn tool_end(&mut self, id: String, ok: bool, effects: &mut Effects) {
        self.worked |= ok;
        effects.events.push(AgentEvent::ToolEnd { id, ok });
    }

    /// The first verdict counts.
    pub(super) fn finish(&mut self, outcome: AgentOutcome, effects: &mut Effects) {
        if !std::mem::replace(&mut self.ended, true) {
            effects.outcome = Some(outcome);
        }
    }

    /// The verdict by the CLI's own word that it is done: the answer, if there is one.
    pub(super) fn done(&mut self, answer: &str, effects: &mut Effects) {
        let outcome = completed_outcome(answer, self.worked, "", self.said.text());
        self.finish(outcome, effects);
    }

    /// The verdict by the CLI's own word that it has failed: `401: {"message": ...}`, `500 words`, words.
    pub(super) fn failed(&mut self, words: &str, effects: &mut Effects) {
        let status = words.get(..3).and_then(|code| code.parse().ok()).unwrap_or(0);
        let outcome = failed_outcome(
            classify::by_http_status(words, status, self.resumed),
            body(words),
            self.said.text(),
        );
        self.finish(outcome, effects);
    }

    /// The verdict on a child that is gone without a word. Some of these exit with 0 whatever has happened, so stderr is
    /// asked then too, if nothing was said.
    pub(super) fn end(&mut self, exit: Exit, stderr_tail: &str, effects: &mut Effects) {
        let partial = self.said.text();
        let told =
            classify::by_stderr_tail(stderr_tail).filter(|_| exit == Exit::Code(0) && partial.is_empty());
        let outcome = match told {
            Some((reason, words)) => failed_outcome(reason, &words, partial),
            None => outcome_from_exit(exit, &self.complaint, &self.stray, stderr_tail, partial),
        };
        self.finish(outcome, effects);
    }

    /// Why nothing came, for time-outs.
    pub(super) fn classify(&self, stderr_tail: &str) -> Option<Reason> {
        classify::by_message(&self.complaint)
            .or_else(|| classify::by_stderr_tail(stderr_tail).map(|(reason, _)| reason))
    }
}

/// What a provider said behind its status, if that is JSON; else all of it.
pub(super) fn body(words: &str) -> &str {
    words.split_once(": ").map(|(_, body)| body).filter(|body| body.starts_with('{')).unwrap_or(words)
}

/// The prompt with the images named, for CLIs that cannot be given any: the agent opens the files itself.
pub(super) fn naming(prompt: &str, images: &[PromptImage]) -> String {
    let mut out = prompt.to_owned();
    if !images.is_empty() {
        out.push_str("\n\nImages that came with this message, to be opened as files:");
    }
    for image in images {
        let _ = write!(out, "\n{}", image.path.display());
    }
    out
}
