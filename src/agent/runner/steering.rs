//! Further messages of the user for a turn that runs: into the agent where it can take them, else the agent is
//! interrupted and goes on with both. What becomes of each is told at once ([`Progress::Steered`]); once it is taken,
//! the turn's end is its answer.

use crate::agent::dialect::Effects;
use crate::agent::outcome::AgentOutcome;
use crate::agent::runner::completion::Over;
use crate::agent::runner::termination::{CANCEL, Ending};
use crate::agent::runner::turn::Turn;
use crate::agent::runner::{Book, Runner, RunnerEvent};
use crate::agent::{TurnRequest, Usage};

/// A further message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SteeringMessage {
    /// The sender's name for it.
    pub id: String,
    /// The message, as a prompt.
    pub text: String,
    /// The agent is interrupted, whatever it can take.
    pub interrupt: bool,
}

/// What became of a further message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SteerOutcome {
    /// The agent has it, and the turn ends with its answer to all.
    Accepted,
    /// The agent is interrupted, and goes on with all of it in the same turn.
    Interrupting,
    /// The turn is ending; it wants one of its own.
    TooLate,
}

impl Turn<'_> {
    /// A further message has come.
    pub(crate) fn steered(
        &mut self,
        steer: SteeringMessage,
        book: &mut Book<'_>,
        on: &mut dyn FnMut(RunnerEvent),
    ) {
        let SteeringMessage { id, text, interrupt } = steer;
        let fate = match &self.ending {
            None if self.verdict.is_none() => {
                let mut effects = Effects::default();
                let taken = !interrupt && self.process.dialect.steer(&text, &mut effects);
                self.apply(effects, book, on);
                match taken {
                    true => {
                        self.taken.push(text);
                        SteerOutcome::Accepted
                    }
                    false => {
                        self.more.push(text);
                        self.end_child(Ending::Interrupt, CANCEL);
                        SteerOutcome::Interrupting
                    }
                }
            }
            Some(Ending::Interrupt) => {
                self.more.push(text);
                SteerOutcome::Interrupting
            }
            _ => SteerOutcome::TooLate,
        };
        self.tell(RunnerEvent::Steered { id, outcome: fate }, on);
    }
}

/// What has come before the agent was started goes into its prompt.
pub(crate) fn before(runner: &Runner<'_>, on: &mut dyn FnMut(RunnerEvent)) -> Vec<String> {
    let mut texts = Vec::new();
    for SteeringMessage { id, text, .. } in runner.steers.try_iter() {
        texts.push(text);
        on(RunnerEvent::Steered { id, outcome: SteerOutcome::Accepted });
    }
    texts
}

/// The same request with further messages at its end.
pub(crate) fn with(request: &TurnRequest, texts: &[String]) -> TurnRequest {
    let longer = |prompt: &String| {
        let mut prompt = prompt.clone();
        for text in texts {
            prompt.push_str("\n\n");
            prompt.push_str(text);
        }
        prompt
    };
    TurnRequest {
        prompt: longer(&request.prompt),
        fresh_prompt: request.fresh_prompt.as_ref().map(longer),
        is_slash_command: request.is_slash_command && texts.is_empty(),
        ..request.clone()
    }
}

/// The request of an agent that was interrupted. The first message is in it again: an agent that was ended early may not
/// have written it down.
pub(crate) fn again(request: &TurnRequest, session: Option<String>, texts: &[String]) -> TurnRequest {
    let both = |prompt: &String| {
        let further = texts.join("\n\n");
        format!(
            "You were at work on this message when a further one came and interrupted you:\n\n{prompt}\n\n\
             The further message is below. Go on with both, from where you were; one answer for both.\n\n{further}"
        )
    };
    let fresh = both(request.fresh_prompt.as_ref().unwrap_or(&request.prompt));
    match session {
        Some(id) => TurnRequest {
            prompt: both(&request.prompt),
            fresh_prompt: Some(fresh),
            resume: Some(id),
            is_slash_command: false,
            ..request.clone()
        },
        None => TurnRequest {
            prompt: fresh,
            fresh_prompt: None,
            resume: None,
            is_slash_command: false,
            ..request.clone()
        },
    }
}

/// What the interrupted part of a turn leaves to the rest of it.
#[derive(Default)]
pub(crate) struct Earlier {
    /// Answers that were complete already.
    text: String,
    usage: Option<Usage>,
}

impl Earlier {
    /// Takes it from the report of the interrupted part.
    pub(crate) fn keep(&mut self, over: &Over) {
        if let AgentOutcome::Done(text) = &over.report.outcome {
            self.text.push_str(text.trim());
            self.text.push_str("\n\n");
        }
        self.usage = Usage::sum(self.usage, over.report.usage);
    }

    /// Adds it to the report of the last part.
    pub(crate) fn add_to(self, over: &mut Over) {
        if let AgentOutcome::Done(text) = &mut over.report.outcome {
            text.insert_str(0, &self.text);
        }
        over.report.usage = Usage::sum(self.usage, over.report.usage);
    }
}
