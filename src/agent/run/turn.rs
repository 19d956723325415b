//! The loop around one child: every decision, signal and reaping of a turn is made here, on the session's thread.

use super::book::Book;
use super::pipes::{Heard, Pipes};
use super::{BEAT, Control, Progress, Runner, Started};
use crate::agent::AgentEvent;
use crate::agent::dialect::{Dialect, Effects, Exit};
use crate::agent::outcome::{Next, Outcome, Reason, Report};
use crate::config::Limits;
use crate::sys::family::{Family, Spare};
use crate::sys::lines::{Line, Tail};
use crate::sys::proc::{self, Ended, Running, Sig};
use crossbeam_channel::{Receiver, Sender, never, select_biased};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// A CLI that has given its answer may linger for this long (it usually needs 30 ms); codex has been seen to take 5 s
/// when it cannot reach its analytics.
const GRACE: Duration = Duration::from_millis(1500);

/// How long nothing may come after the exit: a grandchild can hold the pipe for ever.
const DRAIN: Duration = Duration::from_millis(500);

/// As long as output comes it is heard, for so long at most: a grandchild can also write for ever.
const DRAIN_MAX: Duration = Duration::from_secs(5);

/// A process that survives SIGKILL for so long hangs in the kernel; the turn does not wait for it.
const STUCK: Duration = Duration::from_secs(3);

/// The rungs of a cancel: claude needs up to 1.5 s after SIGTERM when a tool runs, and has SIGINT before it.
const CANCEL: &[(Sig, Duration)] = &[(Sig::Int, Duration::from_secs(2)), (Sig::Term, Duration::from_secs(1))];
/// The same when the daemon has to be gone soon.
const SHUTDOWN: &[(Sig, Duration)] =
    &[(Sig::Int, Duration::from_secs(1)), (Sig::Term, Duration::from_secs(1))];
/// For an agent that has answered and lingers.
const LINGER: &[(Sig, Duration)] = &[(Sig::Term, Duration::from_secs(1))];

/// Why the child is being ended.
enum Ending {
    /// On request.
    Stop,
    /// By a time limit.
    Limit(Reason, Duration),
    /// It has answered and lingers.
    Linger,
}

/// The rungs that are still to be climbed; SIGKILL always comes last.
struct Ladder {
    rungs: &'static [(Sig, Duration)],
    next: Instant,
    killed: bool,
}

/// A running child with everything that is attached to it. Dropped in the middle (a panic), its descendants go
/// first, while it still shows them, and then the child: the order of the fields matters.
pub(super) struct Turn<'d> {
    family: Family,
    child: Running,
    oom_kills: Option<u64>,
    dialect: &'d mut dyn Dialect,
    stdin: Option<Sender<String>>,
    heard: Receiver<Heard>,
    stderr: Tail,
    began: Instant,
    /// When the agent last gave a sign of life.
    alive: Option<Instant>,
    told: Instant,
    open_tools: BTreeSet<String>,
    /// The outcome by the CLI's own word, and when it came.
    verdict: Option<(Outcome, Instant)>,
    ending: Option<Ending>,
    ladder: Option<Ladder>,
}

impl<'d> Turn<'d> {
    /// A child that has just been started, and its dialect.
    pub(super) fn new(started: Started, pipes: Pipes, dialect: &'d mut dyn Dialect) -> Self {
        let now = Instant::now();
        Self {
            child: started.child,
            family: started.family,
            oom_kills: started.oom_kills,
            stdin: dialect.keeps_stdin().then_some(pipes.stdin),
            heard: pipes.heard,
            stderr: pipes.stderr,
            dialect,
            began: now,
            alive: None,
            told: now,
            open_tools: BTreeSet::new(),
            verdict: None,
            ending: None,
            ladder: None,
        }
    }

    /// The loop: until the child is gone and has said all that it will say.
    pub(super) fn drive(
        mut self,
        runner: &Runner<'_>,
        total_until: Instant,
        book: &mut Book<'_>,
        on: &mut dyn FnMut(Progress),
    ) -> Report {
        let mut control = runner.control.clone();
        let mut ends = 0; // of stdout and stderr
        let mut exited: Option<Instant> = None;
        let mut drain_until: Option<Instant> = None;
        let stuck = loop {
            let now = Instant::now();
            if let Some(until) = drain_until
                && (ends == 2 || self.verdict.is_some() || now >= until)
            {
                break false;
            }
            if self.is_stuck(now) {
                break true;
            }
            let mut wake = self.check(now, runner.limits, total_until);
            if let Some(until) = drain_until {
                wake = wake.min(until);
            }
            if now >= self.told + BEAT {
                self.told = now;
                on(Progress::Beat);
            }
            let wait = wake.min(self.told + BEAT).saturating_duration_since(now);
            select_biased! {
                recv(control) -> asked => match asked {
                    Ok(asked) => self.stop(asked),
                    // Nobody can stop this turn any more; a closed channel would be ready for ever.
                    Err(_) => control = never(),
                },
                recv(self.heard) -> heard => match heard {
                    Ok(Heard::Lines(batch)) => {
                        batch.into_iter().for_each(|line| self.hear(line, book, on));
                        // The time that the hub took to listen is not the agent's silence. Who is being stopped
                        // has nothing more to say.
                        if let (Some(at), None) = (exited, &self.ending) {
                            drain_until = Some((Instant::now() + DRAIN).min(at + DRAIN_MAX));
                        }
                    }
                    Ok(Heard::End) => ends += 1,
                    Ok(Heard::Exited) => {
                        let now = Instant::now();
                        (exited, drain_until) = (Some(now), Some(now + DRAIN));
                    }
                    Err(_) => break false,
                },
                default(wait) => {}
            }
        };
        self.finish(stuck, book, on)
    }

    /// Applies time limits and climbs the ladder. Returns when to look again.
    fn check(&mut self, now: Instant, limits: Limits, total_until: Instant) -> Instant {
        if let Some(ladder) = &mut self.ladder {
            if now >= ladder.next && !ladder.killed {
                match ladder.rungs.split_first() {
                    Some(((sig, wait), rest)) => {
                        self.child.signal_group(*sig);
                        (ladder.rungs, ladder.next) = (rest, now + *wait);
                    }
                    None => {
                        // The whole family at once: what it has put into other groups must not outlive it.
                        self.family.look();
                        self.child.signal_group(Sig::Kill);
                        (ladder.killed, ladder.next) = (true, now + STUCK);
                    }
                }
            }
            return ladder.next;
        }
        if let Some((_, answered)) = &self.verdict {
            return self.limit(now, *answered + GRACE, Ending::Linger, LINGER);
        }
        // A tool may be silent for as long as it runs: a build, a test suite. Then only the total limit counts.
        let (silent_until, reason, limit) = match self.alive {
            None => (self.began + limits.first_event, Reason::FirstEventTimeout, limits.first_event),
            Some(_) if !self.open_tools.is_empty() => (total_until, Reason::TotalTimeout, limits.total),
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
        rungs: &'static [(Sig, Duration)],
    ) -> Instant {
        if now < until {
            return until;
        }
        self.end_child(ending, rungs);
        now
    }

    /// Puts the child on a ladder, unless it is on one.
    fn end_child(&mut self, ending: Ending, rungs: &'static [(Sig, Duration)]) {
        if self.ladder.is_none() {
            self.family.look();
            self.ladder = Some(Ladder { rungs, next: Instant::now(), killed: false });
        }
        self.ending.get_or_insert(ending);
    }

    fn stop(&mut self, asked: Control) {
        let rungs = match asked {
            Control::Cancel => CANCEL,
            Control::Shutdown => SHUTDOWN,
            Control::Kill => &[],
        };
        self.end_child(Ending::Stop, rungs);
        if let (Control::Kill, Some(ladder)) = (asked, &mut self.ladder) {
            (ladder.rungs, ladder.next) = (&[], if ladder.killed { ladder.next } else { Instant::now() });
        }
    }

    fn is_stuck(&self, now: Instant) -> bool {
        self.ladder.as_ref().is_some_and(|ladder| ladder.killed && now >= ladder.next)
    }

    fn hear(&mut self, line: Line, book: &mut Book<'_>, on: &mut dyn FnMut(Progress)) {
        if self.verdict.is_some() {
            return; // what comes after the end of the turn is no part of it
        }
        let mut fx = Effects::default();
        match line {
            Line::Text(line) => self.dialect.line(&line, &mut fx),
            Line::TooLong { head, bytes } => {
                log::debug!("skipped an output line of {bytes} bytes");
                // It may have been the end of any of them.
                self.open_tools.clear();
                self.dialect.skipped(&head, bytes, &mut fx);
            }
        }
        if fx.alive {
            self.alive = Some(Instant::now());
        }
        self.apply(fx, book, on);
    }

    fn apply(&mut self, mut fx: Effects, book: &mut Book<'_>, on: &mut dyn FnMut(Progress)) {
        book.note(&mut fx);
        for event in fx.events {
            match &event {
                AgentEvent::Tool { id, .. } => drop(self.open_tools.insert(id.clone())),
                AgentEvent::ToolEnd { id, .. } => drop(self.open_tools.remove(id)),
                _ => {}
            }
            self.told = Instant::now();
            on(Progress::Event(event));
        }
        if let Some(feed) = &self.stdin {
            for text in fx.stdin {
                let _ = feed.send(text);
            }
        }
        // While it is being stopped, an end is an end of ours.
        if let (Some(outcome), None) = (fx.done, &self.ending) {
            self.stdin = None;
            self.verdict = Some((outcome, Instant::now()));
        }
    }

    /// Reaps, sweeps, decides.
    fn finish(mut self, stuck: bool, book: &mut Book<'_>, on: &mut dyn FnMut(Progress)) -> Report {
        let answered = self.verdict.is_some();
        // A member of the agent's group did not leave it; reaping kills those first.
        let exit = if stuck {
            log::warn!("an agent process survives SIGKILL; it hangs in the kernel");
            self.child.abandon();
            None
        } else {
            self.child.reap().ok()
        };
        let spare = match (&self.ending, answered) {
            (None | Some(Ending::Linger), true) => Spare::Detached,
            _ => Spare::Nothing,
        };
        let swept = self.family.end(spare);
        if swept > 0 {
            log::debug!("ended {swept} processes that the agent had left");
        }
        let partial = self.dialect.partial();
        let stderr = self.stderr.text();
        let outcome = match (self.verdict.take(), self.ending) {
            // It would be run again, and the request to stop has been used up.
            (Some((Outcome::Failed { reason, .. }, _)), Some(Ending::Stop))
                if reason.next() == Next::RetryFresh =>
            {
                Outcome::Cancelled { partial }
            }
            (Some((verdict, _)), _) => verdict,
            (None, Some(Ending::Stop)) => Outcome::Cancelled { partial },
            (None, Some(Ending::Limit(reason, limit))) => {
                // A CLI that was complaining when it fell silent has told the reason.
                let known =
                    (reason != Reason::TotalTimeout).then(|| self.dialect.classify(&stderr)).flatten();
                let detail = format!("nothing more within {}", humantime::format_duration(limit));
                match known {
                    Some(known) => Outcome::Failed { reason: known, detail, partial },
                    None => Outcome::Failed {
                        reason,
                        detail: humantime::format_duration(limit).to_string(),
                        partial,
                    },
                }
            }
            (None, None | Some(Ending::Linger)) => {
                let exit = match exit {
                    Some(Ended::Code(code)) => Exit::Code(code),
                    Some(Ended::Signal(signal)) => Exit::Signal(signal),
                    None => Exit::Code(-1),
                };
                let mut fx = Effects::default();
                self.dialect.end(exit, &stderr, &mut fx);
                let done = fx.done.take();
                book.note(&mut fx);
                fx.events.into_iter().for_each(|event| on(Progress::Event(event)));
                let unsaid = || Outcome::Failed { reason: Reason::Internal, detail: String::new(), partial };
                out_of_memory(done.unwrap_or_else(unsaid), self.oom_kills)
            }
        };
        book.report(outcome)
    }
}

/// A SIGKILL that was not ours, while the kernel ended somebody for want of memory, was most likely that.
fn out_of_memory(outcome: Outcome, before: Option<u64>) -> Outcome {
    match outcome {
        Outcome::Failed { reason: Reason::Killed(9), detail, partial }
            if before.zip(proc::oom_kills()).is_some_and(|(before, now)| now > before) =>
        {
            Outcome::Failed { reason: Reason::OutOfMemory, detail, partial }
        }
        other => other,
    }
}
