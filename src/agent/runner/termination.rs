//! How an agent process is ended within its turn: why, and in which steps. The agent is asked in its own protocol if it
//! can be, then signalled, and finally killed.

use crate::agent::dialect::DialectEffects;
use crate::agent::outcome::Reason;
use crate::agent::runner::process::{KILL_WAIT, Process};
use crate::sys::child_process::ChildSignal;
use std::time::{Duration, Instant};

/// How long an agent that was asked in its own protocol may take to stop: claude needs up to 1.5 s while a tool runs.
const CANCEL_WAIT: Duration = Duration::from_millis(1500);

/// A signal to the agent's process group, and how long to wait for its effect.
pub(crate) struct SignalStep {
    signal: ChildSignal,
    wait: Duration,
}

const fn step(signal: ChildSignal, wait_ms: u64) -> SignalStep {
    SignalStep { signal, wait: Duration::from_millis(wait_ms) }
}

/// What follows for an agent that was asked to stop and did not. Users wait no longer than three seconds for a stop.
const AFTER_CANCEL: &[SignalStep] = &[step(ChildSignal::Int, 200), step(ChildSignal::Term, 300)];

/// What a cancel sends to an agent that cannot be asked; claude needs up to 1.5 s while a tool runs. All of it takes
/// less than the three seconds that users wait for a stop.
pub(crate) const CANCEL_STEPS: &[SignalStep] = &[step(ChildSignal::Int, 1500), step(ChildSignal::Term, 500)];

/// The same when the daemon has to exit soon.
pub(crate) const SHUTDOWN_STEPS: &[SignalStep] =
    &[step(ChildSignal::Int, 1000), step(ChildSignal::Term, 1000)];

/// For an agent that has answered but does not exit.
pub(crate) const LINGER_STEPS: &[SignalStep] = &[step(ChildSignal::Term, 1000)];

/// Why the runner ends the agent process. How the turn ends is [`crate::agent::outcome::AgentOutcome`]; it follows from
/// this only when the agent has not reported an outcome itself.
#[derive(Debug)]
pub(crate) enum StopCause {
    /// The user or the shutdown of the daemon stops the turn.
    Requested,
    /// A time limit has expired.
    TimeLimit {
        /// Which limit.
        reason: Reason,
        /// Its length.
        limit: Duration,
    },
    /// A steering message interrupts the agent; the turn continues with it.
    Interrupted,
    /// The agent has answered but does not exit, or it no longer reads its stdin.
    Lingering,
}

/// The steps that remain until the process is gone. SIGKILL is always the last one.
pub(crate) struct TerminationSequence {
    steps: &'static [SignalStep],
    next_at: Instant,
    is_killed: bool,
    /// The agent was asked in its own protocol to stop, and has not confirmed it yet.
    cancel_sent: bool,
}

impl TerminationSequence {
    /// Asks the agent to stop, if its dialect can and there is time for it; otherwise the signals begin at once.
    pub(crate) fn begin(process: &mut Process, steps: &'static [SignalStep]) -> Self {
        process.tree.refresh();
        let mut effects = DialectEffects::default();
        let cancel_sent = steps.len() > 1 && process.dialect.cancel(&mut effects);
        process.write_stdin(effects.stdin);
        let (wait, steps) = if cancel_sent { (CANCEL_WAIT, AFTER_CANCEL) } else { (Duration::ZERO, steps) };
        Self { steps, next_at: Instant::now() + wait, is_killed: false, cancel_sent }
    }

    /// Sends the next signal when its time has come.
    pub(crate) fn advance(&mut self, now: Instant, process: &mut Process) {
        if now < self.next_at || self.is_killed {
            return;
        }
        match self.steps.split_first() {
            Some((step, rest)) => {
                process.child.signal_group(step.signal);
                (self.steps, self.next_at) = (rest, now + step.wait);
            }
            None => {
                // Record the process tree first: what the agent has put into other groups must not outlive it.
                process.tree.refresh();
                process.child.signal_group(ChildSignal::Kill);
                (self.is_killed, self.next_at) = (true, now + KILL_WAIT);
            }
        }
    }

    /// The agent has confirmed that it has stopped the turn: only its exit remains.
    pub(crate) fn on_turn_stopped(&mut self) {
        if self.cancel_sent && !self.is_killed {
            (self.steps, self.next_at) = (LINGER_STEPS, Instant::now());
        }
        self.cancel_sent = false;
    }

    /// Skips all steps before SIGKILL.
    pub(crate) fn kill_now(&mut self) {
        self.steps = &[];
        if !self.is_killed {
            self.next_at = Instant::now();
        }
    }

    /// When [`TerminationSequence::advance`] has something to do.
    pub(crate) fn deadline(&self) -> Instant {
        self.next_at
    }

    /// Whether SIGKILL was sent; then no further output is awaited.
    pub(crate) fn is_killed(&self) -> bool {
        self.is_killed
    }

    /// Whether the process survives SIGKILL: it hangs in the kernel, and nobody waits for it.
    pub(crate) fn is_stuck(&self, now: Instant) -> bool {
        self.is_killed && now >= self.next_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Users wait no longer than three seconds for a stop; one of them is for the machine.
    #[test]
    fn a_stop_takes_two_seconds_at_most() {
        let all = |steps: &[SignalStep]| steps.iter().map(|step| step.wait).sum::<Duration>();
        for took in [all(CANCEL_STEPS), CANCEL_WAIT + all(AFTER_CANCEL), all(SHUTDOWN_STEPS)] {
            assert!(took <= Duration::from_secs(2), "{took:?}");
        }
    }
}
