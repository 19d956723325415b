//! The end of a turn: reaping, sweeping, and the verdict on an agent that went without a last word.

use crate::agent::dialect::{Effects, Exit};
use crate::agent::outcome::{AgentOutcome, Reason, SessionAction, TurnReport};
use crate::agent::runner::RunnerEvent;
use crate::agent::runner::accounting::Book;
use crate::agent::runner::process::Process;
use crate::agent::runner::termination::Ending;
use crate::agent::runner::turn::Turn;
use crate::sys::child_process::ChildExit;
use crate::sys::os;
use crate::sys::process_tree::KillScope;
use std::time::Instant;

/// A turn that is over.
pub(crate) struct Over {
    pub(crate) report: TurnReport,
    /// The process, when it can serve another turn.
    pub(crate) kept: Option<Process>,
    /// A kept process went before it gave a sign of life in this turn: the turn has not really begun.
    pub(crate) unheard: bool,
    /// Further messages that the agent has taken.
    pub(crate) taken: Vec<String>,
    /// Those that it was interrupted for: the turn goes on with them.
    pub(crate) more: Vec<String>,
}

impl Over {
    /// A turn without a process.
    pub(crate) fn without(report: TurnReport) -> Self {
        Self { report, kept: None, unheard: false, taken: Vec::new(), more: Vec::new() }
    }
}

/// Whether the process that ended its turn so can serve another. After what people or time must mend (a login, credit)
/// a new process looks at it afresh.
pub(crate) fn is_usable(outcome: &AgentOutcome) -> bool {
    match outcome {
        AgentOutcome::Done(_) => true,
        AgentOutcome::Failed { reason, .. } => {
            matches!(reason, Reason::RateLimited | Reason::ProviderError | Reason::Network)
        }
        AgentOutcome::Cancelled { .. } => false,
    }
}

/// What the CLI itself has said.
pub(crate) fn verdict(said: Option<(AgentOutcome, Instant)>) -> AgentOutcome {
    let unsaid =
        AgentOutcome::Failed { reason: Reason::Internal, detail: String::new(), partial: String::new() };
    said.map_or(unsaid, |(outcome, _)| outcome)
}

/// Reaps, sweeps, decides.
pub(crate) fn finish(
    mut turn: Turn<'_>,
    unheard: bool,
    book: &mut Book<'_>,
    on: &mut dyn FnMut(RunnerEvent),
) -> Over {
    let spare = match (&turn.ending, &turn.verdict) {
        (None | Some(Ending::Linger), Some(_)) => KillScope::AttachedOnly,
        _ => KillScope::Everything,
    };
    let taken = std::mem::take(&mut turn.taken);
    let mut more = std::mem::take(&mut turn.more);
    if !matches!(turn.ending, Some(Ending::Interrupt)) {
        more.clear();
    }
    let (oom_kills, unsaid) = (turn.process.oom_kills, turn.verdict.is_none());
    let (exit, mut dialect, stderr) = turn.process.bury(spare);
    let partial = dialect.partial_text();
    let stderr = stderr.text();
    let unheard = unheard && unsaid && matches!(turn.ending, None | Some(Ending::Linger));
    let outcome = match (turn.verdict, turn.ending) {
        // It would be run again, and the request to stop has been used up.
        (Some((AgentOutcome::Failed { reason, .. }, _)), Some(Ending::Stop))
            if reason.session_action() == SessionAction::ForgetAndRetry =>
        {
            AgentOutcome::Cancelled { partial }
        }
        (said @ Some(_), _) => verdict(said),
        (None, Some(Ending::Stop | Ending::Interrupt)) => AgentOutcome::Cancelled { partial },
        (None, Some(Ending::Limit(reason, limit))) => {
            // A CLI that was complaining when it fell silent has told the reason.
            let known = (reason != Reason::TotalTimeout).then(|| dialect.classify(&stderr)).flatten();
            let limit = humantime::format_duration(limit).to_string();
            match known {
                Some(known) => {
                    let detail = format!("nothing more within {limit}");
                    AgentOutcome::Failed { reason: known, detail, partial }
                }
                None => AgentOutcome::Failed { reason, detail: limit, partial },
            }
        }
        (None, None | Some(Ending::Linger)) => {
            let exit = match exit {
                Some(ChildExit::Code(code)) => Exit::Code(code),
                Some(ChildExit::Signal(signal)) => Exit::Signal(signal),
                None => Exit::Code(-1),
            };
            let mut effects = Effects::default();
            dialect.on_exit(exit, &stderr, &mut effects);
            let done = effects.outcome.take();
            book.note(&mut effects);
            if !unheard {
                effects.events.into_iter().for_each(|event| on(RunnerEvent::Agent(event)));
            }
            let unsaid = || AgentOutcome::Failed { reason: Reason::Internal, detail: String::new(), partial };
            out_of_memory(done.unwrap_or_else(unsaid), oom_kills)
        }
    };
    Over { unheard, taken, more, ..Over::without(book.report(outcome)) }
}

/// A SIGKILL that was not ours, while the kernel ended somebody for want of memory, was most likely that.
fn out_of_memory(outcome: AgentOutcome, before: Option<u64>) -> AgentOutcome {
    match outcome {
        AgentOutcome::Failed { reason: Reason::Killed(9), detail, partial }
            if before.zip(os::oom_kills()).is_some_and(|(before, now)| now > before) =>
        {
            AgentOutcome::Failed { reason: Reason::OutOfMemory, detail, partial }
        }
        other => other,
    }
}
