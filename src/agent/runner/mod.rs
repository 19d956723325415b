//! The process runner: starts an agent for one turn, feeds it, reads it, applies time limits, stops it, and ends what it
//! leaves. It runs on the session's thread.
//!
//! Two reader threads, a writer and a watcher only move lines and facts into one bounded channel (`pipes.rs`); every
//! decision and every signal is made on the session's thread (`turn.rs`). A turn has exactly one [`TurnReport`], and it
//! comes only when nothing of the turn is left. A process that can serve further turns goes to the
//! [`crate::agent::pool`] in between.

mod accounting;
mod completion;
mod context;
mod delayed_input;
mod home_overlay;
mod images;
mod launch;
pub(crate) mod messages;
mod pipes;
mod post_turn;
pub(crate) mod process;
mod steering;
mod temp_dir;
mod termination;
mod turn;
mod turn_loop;

use crate::agent::adapter::LaunchContext;
use crate::agent::dialect::DialectEffects;
use crate::agent::discovery::locate;
use crate::agent::outcome::{AgentOutcome, SessionAction, TurnReport};
use crate::agent::pool::PoolKey;
use crate::agent::runner::accounting::Accounting;
use crate::agent::runner::completion::CompletedTurn;
pub use crate::agent::runner::context::{KeepProcess, Runner};
use crate::agent::runner::launch::LaunchError;
pub use crate::agent::runner::launch::{CURRENT_TURN, TURN_VARIABLE};
pub use crate::agent::runner::messages::{
    Control, HEARTBEAT_INTERVAL, RunnerEvent, SteerOutcome, SteeringMessage,
};
use crate::agent::runner::process::Process;
use crate::agent::runner::steering::InterruptedParts;
use crate::agent::runner::turn::RunningTurn;
use crate::agent::{AgentEvent, TurnRequest, Usage};
use crate::sys::{id, os, process_tree};
use std::time::Instant;

/// Runs one turn to its end. Blocks; call it on the session's thread. When it returns, no process of the turn is left,
/// except for those that left the agent's session on purpose before a normal end, and the agent itself if it is kept.
///
/// If the CLI no longer knows the session to resume, the user is told ([`AgentEvent::FreshSession`]) and the turn runs
/// once more in a fresh session. A kept process that has died is silently replaced by a new one that resumes.
pub fn run(runner: &Runner<'_>, request: &TurnRequest, emit: &mut dyn FnMut(RunnerEvent)) -> TurnReport {
    let total_until = Instant::now() + runner.limits.total;
    let with_images = (runner.spec.image_data && !request.images.is_empty()).then(|| images::read(request));
    let request = with_images.as_ref().unwrap_or(request);
    let key = runner.keep_process.map(|keep| PoolKey {
        session: keep.session.to_owned(),
        start: start_parameters(runner, request),
        native_session: request.resume.clone(),
    });
    let acquired = runner.keep_process.zip(key.as_ref()).map(|(keep, key)| keep.pool.acquire(key));
    let (slot, kept_process) = acquired.map_or((None, None), |(slot, process)| (Some(slot), process));
    let first = steering::append_messages(request, &steering::accept_early_messages(runner, emit));
    let resumed = kept_process.map(|process| run_kept(runner, &first, process, total_until, emit));
    let mut turn = match resumed {
        Some(turn) if !turn.died_unnoticed => retry_if_stale(runner, &first, turn, total_until, emit),
        died => {
            let accepted = died.map(|turn| turn.accepted_messages).unwrap_or_default();
            let request = steering::append_messages(&first, &accepted);
            run_new(runner, &request, total_until, runner.usage_before, emit)
        }
    };
    let mut interrupted = InterruptedParts::default();
    let mut texts = Vec::new();
    while !turn.interrupting_messages.is_empty()
        && !matches!(turn.report.outcome, AgentOutcome::Failed { .. })
    {
        interrupted.add(&turn);
        texts.append(&mut turn.accepted_messages);
        texts.append(&mut turn.interrupting_messages);
        texts.extend(steering::accept_early_messages(runner, emit));
        let request = steering::continue_request(&first, turn.report.session.take(), &texts);
        turn = run_new(runner, &request, total_until, turn.report.usage_total, emit);
    }
    interrupted.merge_into(&mut turn);
    if let (Some(slot), Some(key), Some(process)) = (slot, key, turn.kept_process) {
        slot.release(PoolKey { native_session: turn.report.session.clone(), ..key }, process);
    }
    turn.report
}

/// Runs the request in a new process, and in a second one if the CLI no longer knows the session.
fn run_new(
    runner: &Runner<'_>,
    request: &TurnRequest,
    total_until: Instant,
    usage_before: Option<Usage>,
    emit: &mut dyn FnMut(RunnerEvent),
) -> CompletedTurn {
    let turn = run_once(runner, request, total_until, usage_before, emit);
    retry_if_stale(runner, request, turn, total_until, emit)
}

/// Runs the turn once more in a fresh session if the CLI did not know the one to resume.
fn retry_if_stale(
    runner: &Runner<'_>,
    request: &TurnRequest,
    turn: CompletedTurn,
    total_until: Instant,
    emit: &mut dyn FnMut(RunnerEvent),
) -> CompletedTurn {
    let AgentOutcome::Failed { reason, detail, .. } = &turn.report.outcome else { return turn };
    if request.resume.is_none() || reason.session_action() != SessionAction::ForgetAndRetry {
        return turn;
    }
    emit(RunnerEvent::Agent(AgentEvent::FreshSession(detail.clone())));
    let prompt = request.fresh_prompt.clone().unwrap_or_else(|| request.prompt.clone());
    let fresh = TurnRequest { resume: None, fresh_prompt: None, prompt, ..request.clone() };
    let messages = [turn.accepted_messages, turn.interrupting_messages].concat();
    run_once(runner, &steering::append_messages(&fresh, &messages), total_until, None, emit)
}

/// Everything that is fixed when a process is started, as one text to compare.
fn start_parameters(runner: &Runner<'_>, request: &TurnRequest) -> String {
    let program = locate::locate(runner.spec, runner.command);
    let TurnRequest { workdir, model, effort, mode, transport, .. } = request;
    format!("{program:?} {workdir:?} {model:?} {effort:?} {mode:?} {transport:?}")
}

/// Ends the processes that an earlier, crashed instance of this owner has left (they carry its tag in their environment)
/// and removes the temporary folders of its turns. Returns the number of processes.
///
/// All processes of other instances are ended, even those that had left their session on purpose: after a crash nobody
/// can tell which tool was meant to stay, and a service manager ends all of them anyway.
pub fn sweep_left_over(owner_prefix: &str, instance: &str) -> usize {
    let ended = process_tree::terminate_leftovers(|tag| is_left_over(tag, owner_prefix, instance));
    temp_dir::remove_left_over(owner_prefix);
    ended
}

/// Whether a tag `<owner prefix>:<instance>:<turn>` is of this owner but of another instance.
fn is_left_over(tag: &str, owner_prefix: &str, instance: &str) -> bool {
    let rest = tag.strip_prefix(owner_prefix).and_then(|rest| rest.strip_prefix(':'));
    rest.and_then(|rest| rest.split_once(':')).is_some_and(|(other, _turn)| other != instance)
}

/// Whether the turn has been stopped before its agent had anything to do.
fn is_stopped(runner: &Runner<'_>) -> bool {
    runner.control.try_recv().is_ok()
}

/// Runs the request in a process that has served other turns.
fn run_kept(
    runner: &Runner<'_>,
    request: &TurnRequest,
    mut process: Process,
    total_until: Instant,
    emit: &mut dyn FnMut(RunnerEvent),
) -> CompletedTurn {
    let mut accounting = Accounting::new(request, runner.usage_before);
    if is_stopped(runner) {
        let report = accounting.report(AgentOutcome::Cancelled { partial: String::new() });
        return CompletedTurn { kept_process: Some(process), ..CompletedTurn::new(report) };
    }
    log::debug!("continuing with process {}", process.child.id());
    process.begin_turn();
    let mut effects = DialectEffects::default();
    process.dialect.next_turn(request, &mut effects);
    turn_loop::run(RunningTurn::new(process, runner, accounting, true, total_until, emit), runner, effects)
}

/// Runs the request in one new process, until everything that it has started is gone or until it is kept.
fn run_once(
    runner: &Runner<'_>,
    request: &TurnRequest,
    total_until: Instant,
    usage_before: Option<Usage>,
    emit: &mut dyn FnMut(RunnerEvent),
) -> CompletedTurn {
    let mut dialect = (runner.spec.dialect)(request);
    let mut accounting = Accounting::new(request, usage_before);
    let mut effects = DialectEffects::default();
    dialect.start(&mut effects);
    if let Some(refused) = effects.outcome.take() {
        return CompletedTurn::new(accounting.report(refused));
    }
    // A message can be cancelled before its agent exists.
    if is_stopped(runner) {
        let cancelled = AgentOutcome::Cancelled { partial: String::new() };
        return CompletedTurn::new(accounting.report(cancelled));
    }
    let fresh_id = id::uuid_v4();
    let context = LaunchContext { fresh_id: &fresh_id, is_root: os::is_root() };
    match launch::launch(runner, request, &context, dialect) {
        Ok((process, session)) => {
            if let Some(id) = session {
                accounting.set_session(&id);
                emit(RunnerEvent::Agent(AgentEvent::Session(id)));
            }
            let turn = RunningTurn::new(process, runner, accounting, false, total_until, emit);
            let mut turn = turn_loop::run(turn, runner, effects);
            post_turn::query_session(runner, request, &context, &mut turn.report);
            turn
        }
        Err(LaunchError { reason, detail }) => {
            let failed = AgentOutcome::Failed { reason, detail, partial: String::new() };
            CompletedTurn::new(accounting.report(failed))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_are_those_of_other_instances() {
        assert!(is_left_over("abc:old:t1", "abc", "new"));
        assert!(!is_left_over("abc:new:t1", "abc", "new"));
        assert!(!is_left_over("abcd:old:t1", "abc", "new"), "another owner with a longer name");
        assert!(!is_left_over("abc:old", "abc", "new"), "not a tag of a turn");
    }
}
