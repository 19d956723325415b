//! The state that the dialects of one-shot CLIs share: the request, the text, complaints, and the one outcome. Pure.
//!
//! The folders below `adapters` read the lines.

use crate::agent::dialect::{
    DialectEffects, Exit, StrayOutput, TextCollector, completed_outcome, failed_outcome, outcome_from_exit,
};
use crate::agent::outcome::{AgentOutcome, Reason};
use crate::agent::{AgentEvent, PromptImage, TurnRequest, classify};
use std::fmt::Write;
use std::path::PathBuf;

/// The shared state of one turn.
#[derive(Debug, Default)]
pub(super) struct OneShotState {
    /// The prompt; empty once it is sent.
    pub(super) prompt: String,
    pub(super) workdir: PathBuf,
    /// The session to resume. With one, the request includes a history.
    pub(super) resume: Option<String>,
    /// All text of the agent.
    pub(super) said: TextCollector,
    /// The last complaint of the CLI; empty once it continues.
    pub(super) complaint: String,
    /// The title of the last tool call that the mode refused.
    pub(super) denied: String,
    pub(super) stray: StrayOutput,
    /// Whether a piece of the current message has come.
    streamed: bool,
    /// Whether a tool call has succeeded.
    pub(super) worked: bool,
    pub(super) started: bool,
    /// Whether the outcome is reported.
    pub(super) ended: bool,
}

impl OneShotState {
    pub(super) fn new(request: &TurnRequest) -> Self {
        Self {
            prompt: request.prompt.clone(),
            workdir: request.workdir.clone(),
            resume: request.resume.clone(),
            ..Self::default()
        }
    }

    /// Sends the prompt, or refuses the turn if the session id cannot be resumed.
    pub(super) fn start(&mut self, is_valid: fn(&str) -> bool, effects: &mut DialectEffects) {
        match invalid_session(self.resume.as_deref(), is_valid) {
            Some(refused) => self.finish(refused, effects),
            None => effects.stdin.push(std::mem::take(&mut self.prompt)),
        }
    }

    /// The model turn has begun. CLIs repeat this line; the first one counts.
    pub(super) fn started(&mut self, effects: &mut DialectEffects) {
        if !std::mem::replace(&mut self.started, true) {
            effects.events.push(AgentEvent::Started);
        }
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

    /// A whole message has come.
    pub(super) fn message(&mut self, text: &str, effects: &mut DialectEffects) {
        self.new_message();
        self.text(text, effects);
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
        let outcome = completed_outcome(answer, self.worked, &self.denied, self.said.text());
        self.finish(outcome, effects);
    }

    /// The turn has failed for this reason; `words` is the CLI's own message.
    pub(super) fn fail(&mut self, reason: Reason, words: &str, effects: &mut DialectEffects) {
        self.finish(failed_outcome(reason, words, self.said.text()), effects);
    }

    /// The provider has answered with this HTTP status (0: unknown) and these words.
    pub(super) fn fail_by_status(&mut self, words: &str, status: u64, effects: &mut DialectEffects) {
        self.fail(classify::by_http_status(words, status, self.resume.is_some()), words, effects);
    }

    /// The CLI reports that it has failed: `401: {"message": …}`, `500 words`, or just words.
    pub(super) fn failed(&mut self, words: &str, effects: &mut DialectEffects) {
        let status = words.get(..3).and_then(|code| code.parse().ok()).unwrap_or(0);
        let reason = classify::by_http_status(words, status, self.resume.is_some());
        self.fail(reason, body(words), effects);
    }

    /// The child has exited without reporting an outcome.
    pub(super) fn exited(&mut self, exit: Exit, stderr_tail: &str, effects: &mut DialectEffects) {
        let partial = self.said.text();
        let outcome = outcome_from_exit(exit, &self.complaint, &self.stray, stderr_tail, partial);
        self.finish(outcome, effects);
    }

    /// The same for CLIs that exit with 0 whatever has happened: stderr is consulted even then, if there is no text.
    pub(super) fn exited_with_any_code(
        &mut self,
        exit: Exit,
        stderr_tail: &str,
        effects: &mut DialectEffects,
    ) {
        let is_silent = exit == Exit::Code(0) && self.said.text().is_empty();
        match classify::by_stderr_tail(stderr_tail).filter(|_| is_silent) {
            Some((reason, words)) => self.fail(reason, &words, effects),
            None => self.exited(exit, stderr_tail, effects),
        }
    }

    /// Why nothing came, for timeouts.
    pub(super) fn classify(&self, stderr_tail: &str) -> Option<Reason> {
        classify::by_message(&self.complaint)
            .or_else(|| classify::by_stderr_tail(stderr_tail).map(|(reason, _)| reason))
    }
}

/// Refuses a session id that the CLI does not take.
pub(super) fn invalid_session(resume: Option<&str>, is_valid: fn(&str) -> bool) -> Option<AgentOutcome> {
    let id = resume.filter(|id| !is_valid(id))?;
    Some(failed_outcome(Reason::StaleSession, &format!("`{id}` is not a session id"), String::new()))
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
