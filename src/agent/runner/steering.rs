//! Steering: further messages of the user for a running turn. An agent that can take them gets them at once; any other
//! agent is interrupted and continues with all of them. What happens to each message is reported at once
//! ([`RunnerEvent::Steered`]); the end of the turn then answers it as well.

use crate::agent::dialect::DialectEffects;
use crate::agent::outcome::AgentOutcome;
use crate::agent::runner::completion::CompletedTurn;
use crate::agent::runner::context::Runner;
use crate::agent::runner::messages::{RunnerEvent, SteerOutcome, SteeringMessage};
use crate::agent::runner::termination::{CANCEL_STEPS, StopCause};
use crate::agent::runner::turn::{RunningTurn, TurnPhase};
use crate::agent::{TurnRequest, Usage};

impl RunningTurn<'_> {
    /// A steering message has arrived.
    pub(crate) fn on_steering_message(&mut self, message: SteeringMessage) {
        let SteeringMessage { id, text, interrupt } = message;
        let outcome = match &self.phase {
            TurnPhase::Running => {
                let mut effects = DialectEffects::default();
                let is_accepted = !interrupt && self.process.dialect.steer(&text, &mut effects);
                self.apply(effects);
                if is_accepted {
                    self.accepted_messages.push(text);
                    SteerOutcome::Accepted
                } else {
                    self.interrupting_messages.push(text);
                    self.terminate(StopCause::Interrupted, CANCEL_STEPS);
                    SteerOutcome::Interrupting
                }
            }
            TurnPhase::Terminating { cause: StopCause::Interrupted, .. } => {
                self.interrupting_messages.push(text);
                SteerOutcome::Interrupting
            }
            TurnPhase::Answered { .. } | TurnPhase::Terminating { .. } => SteerOutcome::TooLate,
        };
        self.emit(RunnerEvent::Steered { id, outcome });
    }
}

/// Accepts the messages that have arrived before the agent is started; their texts go into its prompt.
pub(crate) fn accept_early_messages(runner: &Runner<'_>, emit: &mut dyn FnMut(RunnerEvent)) -> Vec<String> {
    let mut texts = Vec::new();
    for SteeringMessage { id, text, .. } in runner.steers.try_iter() {
        texts.push(text);
        emit(RunnerEvent::Steered { id, outcome: SteerOutcome::Accepted });
    }
    texts
}

/// The request with further messages at the end of its prompt.
pub(crate) fn append_messages(request: &TurnRequest, texts: &[String]) -> TurnRequest {
    let extend = |prompt: &String| {
        let mut prompt = prompt.clone();
        for text in texts {
            prompt.push_str("\n\n");
            prompt.push_str(text);
        }
        prompt
    };
    TurnRequest {
        prompt: extend(&request.prompt),
        fresh_prompt: request.fresh_prompt.as_ref().map(extend),
        is_slash_command: request.is_slash_command && texts.is_empty(),
        ..request.clone()
    }
}

/// The request that continues an interrupted turn in the native session `session`. It repeats the first message: an
/// agent that was ended early may not have stored it.
pub(crate) fn continue_request(
    request: &TurnRequest,
    session: Option<String>,
    texts: &[String],
) -> TurnRequest {
    let combine = |prompt: &String| {
        let further = texts.join("\n\n");
        format!(
            "You were working on this message when a further one interrupted you:\n\n{prompt}\n\n\
             The further message is below. Continue with both from where you were, and give one answer to both.\n\n\
             {further}"
        )
    };
    let fresh = combine(request.fresh_prompt.as_ref().unwrap_or(&request.prompt));
    match session {
        Some(id) => TurnRequest {
            prompt: combine(&request.prompt),
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

/// What the interrupted parts of a turn contribute to its report.
#[derive(Default)]
pub(crate) struct InterruptedParts {
    /// Answers that were already complete.
    text: String,
    usage: Option<Usage>,
}

impl InterruptedParts {
    /// Adds the report of an interrupted part.
    pub(crate) fn add(&mut self, part: &CompletedTurn) {
        if let AgentOutcome::Done(text) = &part.report.outcome {
            self.text.push_str(text.trim());
            self.text.push_str("\n\n");
        }
        self.usage = Usage::sum(self.usage, part.report.usage);
    }

    /// Completes the report of the last part with the earlier ones.
    pub(crate) fn merge_into(self, last: &mut CompletedTurn) {
        if let AgentOutcome::Done(text) = &mut last.report.outcome {
            text.insert_str(0, &self.text);
        }
        last.report.usage = Usage::sum(self.usage, last.report.usage);
    }
}
