//! The loop around one agent in one turn: every decision, signal and reaping is made here, on the session's thread.
//! Time limits and the ladder of signals are in `termination.rs`, the verdict on an agent that has ended is in `completion.rs`.

use crate::agent::AgentEvent;
use crate::agent::dialect::{self, Effects};
use crate::agent::outcome::AgentOutcome;
use crate::agent::permission::{
    Decision, PermissionKind, PermissionPolicy, PermissionRequest, PolicyDecision,
};
use crate::agent::runner::accounting::Book;
use crate::agent::runner::completion;
use crate::agent::runner::completion::Over;
use crate::agent::runner::delayed_input::Held;
use crate::agent::runner::pipes::Heard;
use crate::agent::runner::process;
use crate::agent::runner::process::Process;
use crate::agent::runner::termination::{CANCEL, Ending, LINGER, Ladder, SHUTDOWN};
use crate::agent::runner::{Control, HEARTBEAT_INTERVAL, Runner, RunnerEvent};
use crate::config::Mode;
use crate::sys::line_reader::Line;
use crossbeam_channel::{never, select_biased};
use std::time::{Duration, Instant};

/// How long nothing may come after the exit: a grandchild can hold the pipe for ever.
const DRAIN: Duration = Duration::from_millis(500);

/// As long as output comes it is heard, for so long at most: a grandchild can also write for ever.
const DRAIN_MAX: Duration = Duration::from_secs(5);

/// A running agent and its turn.
pub(crate) struct Turn<'r> {
    pub(crate) process: Process,
    mode: Mode,
    judge: &'r dyn PermissionPolicy,
    /// The process stays if the turn ends well.
    stays: bool,
    /// It has served a turn before.
    used: bool,
    pub(crate) began: Instant,
    /// When the agent last gave a sign of life.
    pub(crate) alive: Option<Instant>,
    told: Instant,
    pub(crate) open_tools: Vec<String>,
    /// Questions that wait for people.
    pub(crate) asks: Vec<PermissionRequest>,
    /// What the agent may be told in a later minute only.
    pub(crate) held: Option<Held>,
    pub(crate) opened_at: Option<i64>,
    /// The outcome by the CLI's own word, and when it came.
    pub(crate) verdict: Option<(AgentOutcome, Instant)>,
    pub(crate) ending: Option<Ending>,
    pub(crate) ladder: Option<Ladder>,
    /// The agent was asked in its own language to stop.
    pub(crate) asked: bool,
    /// Further messages that the agent has taken.
    pub(crate) taken: Vec<String>,
    /// Those that it is interrupted for.
    pub(crate) more: Vec<String>,
}

impl<'r> Turn<'r> {
    /// A turn of a process that has just been started, or was kept.
    pub(crate) fn new(process: Process, runner: &Runner<'r>, mode: Mode, used: bool) -> Self {
        let now = Instant::now();
        Self {
            mode,
            judge: runner.policy,
            stays: runner.can_stay(&*process.dialect),
            used,
            process,
            began: now,
            alive: None,
            told: now,
            open_tools: Vec::new(),
            asks: Vec::new(),
            held: None,
            opened_at: runner.opened_at,
            verdict: None,
            ending: None,
            ladder: None,
            asked: false,
            taken: Vec::new(),
            more: Vec::new(),
        }
    }

    /// The loop: until the child is gone and has said all that it will say, or the turn is over and the child stays.
    /// `begin` is what the dialect wants first.
    pub(crate) fn drive(
        mut self,
        begin: Effects,
        runner: &Runner<'_>,
        total_until: Instant,
        book: &mut Book<'_>,
        on: &mut dyn FnMut(RunnerEvent),
    ) -> Over {
        // Some say nothing for long: no first sign of life is waited for.
        self.alive = begin.is_sign_of_life.then_some(self.began);
        self.apply(begin, book, on);
        let talks = self.process.dialect.keeps_stdin() || self.process.dialect.keeps_process();
        if !talks {
            self.process.pipes.stdin = None;
        }
        let mut control = runner.control.clone();
        let mut steers = runner.steers.clone();
        let mut drain_until: Option<Instant> = None;
        loop {
            let now = Instant::now();
            if self.verdict.is_some() && self.stays && self.ending.is_none() {
                if self.process.is_whole() {
                    return self.part(book);
                }
                (self.stays, self.process.pipes.stdin) = (false, None);
            }
            if let Some(until) = drain_until
                && (self.process.ends >= 2 || self.verdict.is_some() || now >= until)
            {
                break;
            }
            if self.is_stuck(now) {
                break;
            }
            let mut wake = self.check(now, runner.limits, total_until);
            if let Some(until) = self.release(now) {
                wake = wake.min(until);
            }
            if let Some(until) = drain_until {
                wake = wake.min(until);
            }
            if now >= self.told + HEARTBEAT_INTERVAL {
                self.told = now;
                on(RunnerEvent::Heartbeat);
            }
            let wait = wake.min(self.told + HEARTBEAT_INTERVAL).saturating_duration_since(now);
            select_biased! {
                recv(control) -> asked => match asked {
                    Ok(asked) => self.obey(asked, book, on),
                    // Nobody can stop this turn any more; a closed channel would be ready for ever.
                    Err(_) => control = never(),
                },
                recv(steers) -> steer => match steer {
                    Ok(steer) => self.steered(steer, book, on),
                    Err(_) => steers = never(),
                },
                recv(self.process.pipes.heard) -> heard => match heard {
                    Ok(Heard::Lines(batch)) => {
                        batch.into_iter().for_each(|line| self.hear(line, book, on));
                        // The time that the hub took to listen is not the agent's silence. Who is being stopped
                        // has nothing more to say.
                        if let (Some(at), None) = (self.process.exited, &self.ending) {
                            drain_until = Some((Instant::now() + DRAIN).min(at + DRAIN_MAX));
                        }
                    }
                    Ok(Heard::End) => self.process.ends += 1,
                    Ok(Heard::Exited) => {
                        let now = Instant::now();
                        // A tool in a session of its own may hold the pipe of one that had to be killed.
                        let drain = if self.is_killed() { Duration::ZERO } else { DRAIN };
                        (self.process.exited, drain_until) = (Some(now), Some(now + drain));
                    }
                    // Who reads no stdin may have no need of it; one that is talked to can be of no use any more.
                    Ok(Heard::Deaf) if talks && self.alive.is_none() => self.end_child(Ending::Linger, LINGER),
                    Ok(Heard::Deaf) => {}
                    Err(_) => {
                        self.process.exited.get_or_insert(now);
                        break;
                    }
                },
                default(wait) => {}
            }
        }
        let unheard = self.used && self.alive.is_none();
        completion::finish(self, unheard, book, on)
    }

    /// The turn is over, and the process stays.
    fn part(mut self, book: &mut Book<'_>) -> Over {
        process::swept(self.process.tree.end_turn());
        let outcome = completion::verdict(self.verdict.take());
        Over { taken: self.taken, kept: Some(self.process), ..Over::without(book.report(outcome)) }
    }

    fn obey(&mut self, asked: Control, book: &mut Book<'_>, on: &mut dyn FnMut(RunnerEvent)) {
        match asked {
            Control::Cancel => self.stop(CANCEL),
            Control::Shutdown => self.stop(SHUTDOWN),
            Control::Kill => self.stop(&[]),
            Control::Answer { id, decision } => {
                // The agent may have withdrawn it meanwhile.
                if let Some(at) = self.asks.iter().position(|ask| ask.id == id) {
                    let ask = self.asks.remove(at);
                    self.alive = Some(Instant::now());
                    // The judge remembers it: so the agent asks again, and what a rule denies stays denied.
                    let always = decision == Decision::AllowSession;
                    if always {
                        self.judge.record_grant(&ask);
                    }
                    self.answer(&ask, if always { &Decision::Allow } else { &decision }, book, on);
                }
            }
        }
    }

    fn hear(&mut self, line: Line, book: &mut Book<'_>, on: &mut dyn FnMut(RunnerEvent)) {
        if self.verdict.is_some() {
            // What comes after the end of the turn is no part of it.
            if self.stays {
                self.process.overhear(line);
            }
            return;
        }
        if matches!(line, Line::TooLong { .. }) {
            // It may have been the end of any of them.
            self.open_tools.clear();
        }
        let effects = self.process.tell(line);
        if effects.is_sign_of_life {
            self.alive = Some(Instant::now());
        }
        self.apply(effects, book, on);
    }

    pub(crate) fn apply(
        &mut self,
        mut effects: Effects,
        book: &mut Book<'_>,
        on: &mut dyn FnMut(RunnerEvent),
    ) {
        book.note(&mut effects);
        for event in effects.events {
            match &event {
                AgentEvent::Tool { id, .. } if !self.open_tools.contains(id) => {
                    self.open_tools.push(id.clone())
                }
                AgentEvent::ToolEnd { id, .. } => self.open_tools.retain(|open| open != id),
                // What has been started so far are no tools.
                AgentEvent::Started if self.stays && !self.used => self.process.tree.begin_turn(),
                _ => {}
            }
            self.tell(RunnerEvent::Agent(event), on);
        }
        self.process.feed(effects.stdin);
        if let Some(text) = effects.delayed_stdin {
            self.hold(text, on);
        }
        for id in effects.withdrawn_requests {
            self.asks.retain(|ask| ask.id != id);
            self.tell(RunnerEvent::PermissionWithdrawn(id), on);
        }
        if let Some(outcome) = effects.outcome {
            // While it is being stopped, an end is an end of ours.
            if let Some(ending) = &self.ending {
                // An answer that was complete when its agent was interrupted is one.
                if matches!((ending, &outcome), (Ending::Interrupt, AgentOutcome::Done(_))) {
                    self.verdict = Some((outcome, Instant::now()));
                }
                return self.stopped_itself();
            }
            self.stays &= completion::is_usable(&outcome);
            if !self.stays {
                self.process.pipes.stdin = None;
            }
            self.verdict = Some((outcome, Instant::now()));
        }
        for ask in effects.permission_requests {
            self.decide(ask, book, on);
        }
    }

    pub(crate) fn tell(&mut self, progress: RunnerEvent, on: &mut dyn FnMut(RunnerEvent)) {
        self.told = Instant::now();
        on(progress);
    }

    /// Answers a question at once, or leaves it to people ([`Control::Answer`]).
    fn decide(&mut self, ask: PermissionRequest, book: &mut Book<'_>, on: &mut dyn FnMut(RunnerEvent)) {
        if self.ending.is_some() || self.verdict.is_some() {
            return self.answer(&ask, &Decision::DenyAndStop, book, on);
        }
        let PolicyDecision { decision, rule } = self.judge.evaluate(self.mode, &ask);
        let Some(decision) = decision else {
            self.asks.push(ask.clone());
            return self.tell(RunnerEvent::PermissionRequested(ask, rule), on);
        };
        self.tell(RunnerEvent::PermissionDecided(ask.clone(), decision.clone(), rule.clone()), on);
        if matches!(decision, Decision::Deny(_) | Decision::DenyAndStop) {
            let words = if ask.title.is_empty() { &ask.tool } else { &ask.title };
            let event = match ask.kind {
                PermissionKind::Question => AgentEvent::Note(format!("not answered: {words}")),
                _ => AgentEvent::Denied(format!("{} ({rule})", dialect::one_line_title(words))),
            };
            self.tell(RunnerEvent::Agent(event), on);
        }
        self.answer(&ask, &decision, book, on);
    }

    fn answer(
        &mut self,
        ask: &PermissionRequest,
        decision: &Decision,
        book: &mut Book<'_>,
        on: &mut dyn FnMut(RunnerEvent),
    ) {
        let mut effects = Effects::default();
        self.process.dialect.answer(&ask.id, decision, &mut effects);
        self.apply(effects, book, on);
    }
}
