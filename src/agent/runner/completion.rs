//! The end of a turn: reaps the process, ends what it has left, and determines the outcome of an agent that has not
//! reported one.

use crate::agent::dialect::{Dialect, DialectEffects, Exit};
use crate::agent::outcome::{AgentOutcome, Reason, SessionAction, TurnReport};
use crate::agent::runner::accounting::Accounting;
use crate::agent::runner::messages::RunnerEvent;
use crate::agent::runner::process::{self, Process};
use crate::agent::runner::termination::StopCause;
use crate::agent::runner::turn::{RunningTurn, TurnPhase};
use crate::sys::child_process::ChildExit;
use crate::sys::os;
use crate::sys::process_tree::KillScope;
use std::time::Duration;

/// A turn that has ended, or the part of it that one process has run.
pub(crate) struct CompletedTurn {
    pub(crate) report: TurnReport,
    /// The process, if it can serve another turn.
    pub(crate) kept_process: Option<Process>,
    /// A kept process died before it gave a sign of life in this turn: the turn has not really begun.
    pub(crate) died_unnoticed: bool,
    /// Steering messages that the agent has taken.
    pub(crate) accepted_messages: Vec<String>,
    /// Steering messages that the agent was interrupted for: the turn continues with them.
    pub(crate) interrupting_messages: Vec<String>,
}

impl CompletedTurn {
    /// A turn that leaves neither a process nor messages.
    pub(crate) fn new(report: TurnReport) -> Self {
        Self {
            report,
            kept_process: None,
            died_unnoticed: false,
            accepted_messages: Vec::new(),
            interrupting_messages: Vec::new(),
        }
    }
}

/// Ends the turn but not its process. The turn must be in [`TurnPhase::Answered`].
pub(crate) fn finish_and_keep(mut turn: RunningTurn<'_>) -> CompletedTurn {
    process::log_swept(turn.process.tree.end_turn());
    let outcome = match turn.phase {
        TurnPhase::Answered { outcome, .. } => outcome,
        TurnPhase::Running | TurnPhase::Terminating { .. } => internal_failure(String::new()),
    };
    let report = turn.accounting.report(outcome);
    CompletedTurn {
        accepted_messages: turn.accepted_messages,
        kept_process: Some(turn.process),
        ..CompletedTurn::new(report)
    }
}

/// Ends the turn with its process.
pub(crate) fn finish(mut turn: RunningTurn<'_>) -> CompletedTurn {
    let is_unnoticed = turn.is_unnoticed();
    let (cause, reported) = match std::mem::replace(&mut turn.phase, TurnPhase::Running) {
        TurnPhase::Running => (None, None),
        TurnPhase::Answered { outcome, .. } => (None, Some(outcome)),
        TurnPhase::Terminating { cause, outcome, .. } => (Some(cause), outcome),
    };
    let ended_by_itself = matches!(cause, None | Some(StopCause::Lingering));
    let scope =
        if ended_by_itself && reported.is_some() { KillScope::AttachedOnly } else { KillScope::Everything };
    let accepted_messages = std::mem::take(&mut turn.accepted_messages);
    let interrupting_messages = match cause {
        Some(StopCause::Interrupted) => std::mem::take(&mut turn.interrupting_messages),
        _ => Vec::new(),
    };
    let died_unnoticed = is_unnoticed && reported.is_none() && ended_by_itself;
    let oom_kills_before = turn.process.oom_kills;
    let (exit, mut dialect, stderr) = turn.process.reap(scope);
    let partial = dialect.partial_text();
    let stderr = stderr.text();
    let outcome = match (reported, cause) {
        // The turn would be run again, and the request to stop has been used up.
        (Some(AgentOutcome::Failed { reason, .. }), Some(StopCause::Requested))
            if reason.session_action() == SessionAction::ForgetAndRetry =>
        {
            AgentOutcome::Cancelled { partial }
        }
        (Some(reported), _) => reported,
        (None, Some(StopCause::Requested | StopCause::Interrupted)) => AgentOutcome::Cancelled { partial },
        (None, Some(StopCause::TimeLimit { reason, limit })) => {
            timed_out(&*dialect, reason, limit, &stderr, partial)
        }
        (None, None | Some(StopCause::Lingering)) => {
            let events = if died_unnoticed { None } else { Some(turn.emit) };
            let outcome = read_exit(&mut *dialect, exit, &stderr, partial, &mut turn.accounting, events);
            check_out_of_memory(outcome, oom_kills_before)
        }
    };
    let report = turn.accounting.report(outcome);
    CompletedTurn { report, kept_process: None, died_unnoticed, accepted_messages, interrupting_messages }
}

/// The outcome of a turn that a time limit has ended.
fn timed_out(
    dialect: &dyn Dialect,
    reason: Reason,
    limit: Duration,
    stderr: &str,
    partial: String,
) -> AgentOutcome {
    let limit = humantime::format_duration(limit).to_string();
    // A CLI that was complaining when it fell silent has told the reason.
    let complaint = (reason != Reason::TotalTimeout).then(|| dialect.classify(stderr)).flatten();
    match complaint {
        Some(reason) => {
            AgentOutcome::Failed { reason, detail: format!("nothing more within {limit}"), partial }
        }
        None => AgentOutcome::Failed { reason, detail: limit, partial },
    }
}

/// The outcome of an agent that has exited without reporting one, as its dialect reads the exit. Without `emit`, the
/// last events are dropped.
fn read_exit(
    dialect: &mut dyn Dialect,
    exit: Option<ChildExit>,
    stderr: &str,
    partial: String,
    accounting: &mut Accounting<'_>,
    emit: Option<&mut dyn FnMut(RunnerEvent)>,
) -> AgentOutcome {
    let exit = match exit {
        Some(ChildExit::Code(code)) => Exit::Code(code),
        Some(ChildExit::Signal(signal)) => Exit::Signal(signal),
        None => Exit::Code(-1),
    };
    let mut effects = DialectEffects::default();
    dialect.on_exit(exit, stderr, &mut effects);
    accounting.record(&mut effects);
    if let Some(emit) = emit {
        effects.events.into_iter().for_each(|event| emit(RunnerEvent::Agent(event)));
    }
    effects.outcome.unwrap_or_else(|| internal_failure(partial))
}

/// A SIGKILL that we did not send, while the kernel killed some process for want of memory, was most likely that.
fn check_out_of_memory(outcome: AgentOutcome, oom_kills_before: Option<u64>) -> AgentOutcome {
    match outcome {
        AgentOutcome::Failed { reason: Reason::Killed(9), detail, partial }
            if oom_kills_before.zip(os::oom_kills()).is_some_and(|(before, now)| now > before) =>
        {
            AgentOutcome::Failed { reason: Reason::OutOfMemory, detail, partial }
        }
        other => other,
    }
}

/// A dialect broke its promise to report an outcome.
fn internal_failure(partial: String) -> AgentOutcome {
    AgentOutcome::Failed { reason: Reason::Internal, detail: String::new(), partial }
}
