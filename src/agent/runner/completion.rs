//! The end of a turn: reaping, sweeping, and the verdict on an agent that went without a last word.

use crate::agent::dialect::{Effects, Exit};
use crate::agent::outcome::{Next, Outcome, Reason, Report};
use crate::agent::runner::Progress;
use crate::agent::runner::accounting::Book;
use crate::agent::runner::process::Process;
use crate::agent::runner::termination::Ending;
use crate::agent::runner::turn::Turn;
use crate::sys::child_process::{self, Ended};
use crate::sys::process_tree::Spare;
use std::time::Instant;

/// A turn that is over.
pub(crate) struct Over {
    pub(crate) report: Report,
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
    pub(crate) fn without(report: Report) -> Self {
        Self { report, kept: None, unheard: false, taken: Vec::new(), more: Vec::new() }
    }
}

/// Whether the process that ended its turn so can serve another. After what people or time must mend (a login, credit)
/// a new process looks at it afresh.
pub(crate) fn is_usable(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Done(_) => true,
        Outcome::Failed { reason, .. } => {
            matches!(reason, Reason::RateLimited | Reason::ProviderError | Reason::Network)
        }
        Outcome::Cancelled { .. } => false,
    }
}

/// What the CLI itself has said.
pub(crate) fn verdict(said: Option<(Outcome, Instant)>) -> Outcome {
    let unsaid = Outcome::Failed { reason: Reason::Internal, detail: String::new(), partial: String::new() };
    said.map_or(unsaid, |(outcome, _)| outcome)
}

/// Reaps, sweeps, decides.
pub(crate) fn finish(
    mut turn: Turn<'_>,
    unheard: bool,
    book: &mut Book<'_>,
    on: &mut dyn FnMut(Progress),
) -> Over {
    let spare = match (&turn.ending, &turn.verdict) {
        (None | Some(Ending::Linger), Some(_)) => Spare::Detached,
        _ => Spare::Nothing,
    };
    let taken = std::mem::take(&mut turn.taken);
    let mut more = std::mem::take(&mut turn.more);
    if !matches!(turn.ending, Some(Ending::Interrupt)) {
        more.clear();
    }
    let (oom_kills, unsaid) = (turn.process.oom_kills, turn.verdict.is_none());
    let (exit, mut dialect, stderr) = turn.process.bury(spare);
    let partial = dialect.partial();
    let stderr = stderr.text();
    let unheard = unheard && unsaid && matches!(turn.ending, None | Some(Ending::Linger));
    let outcome = match (turn.verdict, turn.ending) {
        // It would be run again, and the request to stop has been used up.
        (Some((Outcome::Failed { reason, .. }, _)), Some(Ending::Stop))
            if reason.next() == Next::RetryFresh =>
        {
            Outcome::Cancelled { partial }
        }
        (said @ Some(_), _) => verdict(said),
        (None, Some(Ending::Stop | Ending::Interrupt)) => Outcome::Cancelled { partial },
        (None, Some(Ending::Limit(reason, limit))) => {
            // A CLI that was complaining when it fell silent has told the reason.
            let known = (reason != Reason::TotalTimeout).then(|| dialect.classify(&stderr)).flatten();
            let limit = humantime::format_duration(limit).to_string();
            match known {
                Some(known) => {
                    let detail = format!("nothing more within {limit}");
                    Outcome::Failed { reason: known, detail, partial }
                }
                None => Outcome::Failed { reason, detail: limit, partial },
            }
        }
        (None, None | Some(Ending::Linger)) => {
            let exit = match exit {
                Some(Ended::Code(code)) => Exit::Code(code),
                Some(Ended::Signal(signal)) => Exit::Signal(signal),
                None => Exit::Code(-1),
            };
            let mut fx = Effects::default();
            dialect.end(exit, &stderr, &mut fx);
            let done = fx.done.take();
            book.note(&mut fx);
            if !unheard {
                fx.events.into_iter().for_each(|event| on(Progress::Event(event)));
            }
            let unsaid = || Outcome::Failed { reason: Reason::Internal, detail: String::new(), partial };
            out_of_memory(done.unwrap_or_else(unsaid), oom_kills)
        }
    };
    Over { unheard, taken, more, ..Over::without(book.report(outcome)) }
}

/// A SIGKILL that was not ours, while the kernel ended somebody for want of memory, was most likely that.
fn out_of_memory(outcome: Outcome, before: Option<u64>) -> Outcome {
    match outcome {
        Outcome::Failed { reason: Reason::Killed(9), detail, partial }
            if before.zip(child_process::oom_kills()).is_some_and(|(before, now)| now > before) =>
        {
            Outcome::Failed { reason: Reason::OutOfMemory, detail, partial }
        }
        other => other,
    }
}
