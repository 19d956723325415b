//! Ending the agent within its turn: time limits, what it is asked first, the rungs of signals, SIGKILL.

use crate::agent::dialect::Effects;
use crate::agent::outcome::Reason;
use crate::agent::runner::process::STUCK;
use crate::agent::runner::turn::Turn;
use crate::config::Limits;
use crate::sys::child_process::ChildSignal;
use std::time::{Duration, Instant};

/// A CLI that has given its answer may linger for this long (it usually needs 30 ms); codex has been seen to take 5 s
/// when it cannot reach its analytics.
const GRACE: Duration = Duration::from_millis(1500);

/// How long an agent that was asked in its own language may take to stop: claude needs up to 1.5 s when a tool runs.
const ASKED: Duration = Duration::from_millis(1500);
/// What follows for one that was asked and did not: people wait no longer than three seconds for a stop.
const DEAF: &[(ChildSignal, Duration)] =
    &[(ChildSignal::Int, Duration::from_millis(200)), (ChildSignal::Term, Duration::from_millis(300))];

/// The rungs of a cancel: claude needs up to 1.5 s when a tool runs. Together with what was asked before, less than the
/// three seconds that people wait for a stop.
pub(crate) const CANCEL: &[(ChildSignal, Duration)] =
    &[(ChildSignal::Int, Duration::from_millis(1500)), (ChildSignal::Term, Duration::from_millis(500))];
/// The same when the daemon has to be gone soon.
pub(crate) const SHUTDOWN: &[(ChildSignal, Duration)] =
    &[(ChildSignal::Int, Duration::from_secs(1)), (ChildSignal::Term, Duration::from_secs(1))];
/// For an agent that has answered and lingers.
pub(crate) const LINGER: &[(ChildSignal, Duration)] = &[(ChildSignal::Term, Duration::from_secs(1))];

/// Why the child is being ended.
pub(crate) enum Ending {
    /// On request.
    Stop,
    /// By a time limit.
    Limit(Reason, Duration),
    /// For a further message, to go on with both.
    Interrupt,
    /// It has answered and lingers, or hears nothing any more.
    Linger,
}

/// The rungs that are still to be climbed; SIGKILL always comes last.
pub(crate) struct Ladder {
    rungs: &'static [(ChildSignal, Duration)],
    next: Instant,
    killed: bool,
}

impl Turn<'_> {
    /// Applies time limits and climbs the ladder. Returns when to look again.
    pub(crate) fn check(&mut self, now: Instant, limits: Limits, total_until: Instant) -> Instant {
        if let Some(ladder) = &mut self.ladder {
            if now >= ladder.next && !ladder.killed {
                match ladder.rungs.split_first() {
                    Some(((sig, wait), rest)) => {
                        self.process.child.signal_group(*sig);
                        (ladder.rungs, ladder.next) = (rest, now + *wait);
                    }
                    None => {
                        // Descendants in other process groups can be found only while their parents live.
                        self.process.tree.refresh();
                        self.process.child.signal_group(ChildSignal::Kill);
                        (ladder.killed, ladder.next) = (true, now + STUCK);
                    }
                }
            }
            return ladder.next;
        }
        if let Some((_, answered)) = &self.verdict {
            return self.limit(now, *answered + GRACE, Ending::Linger, LINGER);
        }
        // A tool may be silent for as long as it runs: a build, a test suite. So may an agent that waits for people or for us.
        // Then only the total limit counts.
        let (silent_until, reason, limit) = match self.alive {
            None => (self.began + limits.first_event, Reason::FirstEventTimeout, limits.first_event),
            Some(_) if !self.open_tools.is_empty() || !self.asks.is_empty() || self.held.is_some() => {
                (total_until, Reason::TotalTimeout, limits.total)
            }
            Some(alive) => (alive + limits.idle, Reason::IdleTimeout, limits.idle),
        };
        if total_until <= silent_until {
            return self.limit(now, total_until, Ending::Limit(Reason::TotalTimeout, limits.total), CANCEL);
        }
        self.limit(now, silent_until, Ending::Limit(reason, limit), CANCEL)
    }

    fn limit(
        &mut self,
        now: Instant,
        until: Instant,
        ending: Ending,
        rungs: &'static [(ChildSignal, Duration)],
    ) -> Instant {
        if now < until {
            return until;
        }
        self.end_child(ending, rungs);
        now
    }

    /// Puts the child on a ladder, unless it is on one. Below the first rung stands what the agent understands.
    pub(crate) fn end_child(&mut self, ending: Ending, rungs: &'static [(ChildSignal, Duration)]) {
        if self.ladder.is_none() {
            self.held = None;
            self.process.tree.refresh();
            let mut effects = Effects::default();
            self.asked = rungs.len() > 1 && self.process.dialect.cancel(&mut effects);
            self.process.feed(effects.stdin);
            let (wait, rungs) = if self.asked { (ASKED, DEAF) } else { (Duration::ZERO, rungs) };
            self.ladder = Some(Ladder { rungs, next: Instant::now() + wait, killed: false });
        }
        self.ending.get_or_insert(ending);
    }

    /// It was asked to stop, and has.
    pub(crate) fn stopped_itself(&mut self) {
        if let Some(ladder) = self.ladder.as_mut().filter(|ladder| self.asked && !ladder.killed) {
            (ladder.rungs, ladder.next) = (LINGER, Instant::now());
        }
        (self.asked, self.process.pipes.stdin) = (false, None);
    }

    pub(crate) fn stop(&mut self, rungs: &'static [(ChildSignal, Duration)]) {
        self.end_child(Ending::Stop, rungs);
        if matches!(self.ending, Some(Ending::Interrupt)) {
            self.ending = Some(Ending::Stop);
        }
        if let (true, Some(ladder)) = (rungs.is_empty(), &mut self.ladder) {
            (ladder.rungs, ladder.next) = (&[], if ladder.killed { ladder.next } else { Instant::now() });
        }
    }

    /// Nothing that it has still to say is waited for.
    pub(crate) fn is_killed(&self) -> bool {
        self.ladder.as_ref().is_some_and(|ladder| ladder.killed)
    }

    pub(crate) fn is_stuck(&self, now: Instant) -> bool {
        self.ladder.as_ref().is_some_and(|ladder| ladder.killed && now >= ladder.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// People wait no longer than three seconds for a stop; one of them is for the machine.
    #[test]
    fn a_stop_takes_two_seconds_at_most() {
        let all = |rungs: &[(ChildSignal, Duration)]| rungs.iter().map(|rung| rung.1).sum::<Duration>();
        for took in [all(CANCEL), ASKED + all(DEAF), all(SHUTDOWN)] {
            assert!(took <= Duration::from_secs(2), "{took:?}");
        }
    }
}
