//! The loop of one turn: waits for control requests, steering messages, events of the process and deadlines, until the
//! turn has ended. It decides nothing; what each event changes is in `turn.rs`.

use crate::agent::dialect::DialectEffects;
use crate::agent::runner::completion::{self, CompletedTurn};
use crate::agent::runner::context::Runner;
use crate::agent::runner::pipes::ChildEvent;
use crate::agent::runner::turn::RunningTurn;
use crossbeam_channel::{never, select_biased};
use std::time::Instant;

/// Runs the turn until the process has exited and said all that counts, or until the turn has ended and its process can
/// be kept. `begin` is what the dialect wants first.
pub(crate) fn run(mut turn: RunningTurn<'_>, runner: &Runner<'_>, begin: DialectEffects) -> CompletedTurn {
    let is_interactive = turn.begin(begin);
    let mut control = runner.control.clone();
    let mut steers = runner.steers.clone();
    loop {
        let now = Instant::now();
        if turn.is_ready_to_keep() {
            return completion::finish_and_keep(turn);
        }
        if turn.is_finished(now) {
            break;
        }
        let wait = turn.run_due(now).saturating_duration_since(now);
        select_biased! {
            recv(control) -> request => match request {
                Ok(request) => turn.on_control(request),
                // Nobody can stop this turn any more. A closed channel would be ready all the time.
                Err(_) => control = never(),
            },
            recv(steers) -> message => match message {
                Ok(message) => turn.on_steering_message(message),
                Err(_) => steers = never(),
            },
            recv(turn.process.pipes.events) -> event => match event {
                Ok(ChildEvent::Lines(batch)) => turn.on_lines(batch),
                Ok(ChildEvent::PipeEnded) => turn.process.ended_pipes += 1,
                Ok(ChildEvent::Exited) => turn.on_exit(),
                Ok(ChildEvent::StdinClosed) => turn.on_stdin_closed(is_interactive),
                Err(_) => {
                    turn.process.exited_at.get_or_insert(now);
                    break;
                }
            },
            default(wait) => {}
        }
    }
    completion::finish(turn)
}
