//! One turn of one agent process: its phase, its deadlines, and what each event changes. Every decision and every signal
//! is made here, on the session's thread. The loop that waits for events is in `turn_loop.rs`, what happens to steering
//! messages in `steering.rs`, how the turn ends in `completion.rs`.

use crate::agent::AgentEvent;
use crate::agent::dialect::{self, DialectEffects};
use crate::agent::outcome::{AgentOutcome, Reason};
use crate::agent::permission::{
    Decision, PermissionKind, PermissionPolicy, PermissionRequest, PolicyDecision, PolicyVerdict,
};
use crate::agent::runner::accounting::Accounting;
use crate::agent::runner::context::Runner;
use crate::agent::runner::delayed_input::DelayedInput;
use crate::agent::runner::messages::{Control, HEARTBEAT_INTERVAL, RunnerEvent};
use crate::agent::runner::process::Process;
use crate::agent::runner::termination::{
    CANCEL_STEPS, LINGER_STEPS, SHUTDOWN_STEPS, SignalStep, StopCause, TerminationSequence,
};
use crate::config::{Limits, Mode};
use crate::sys::line_reader::Line;
use crate::sys::time;
use std::time::{Duration, Instant};

/// How long a CLI that has answered may take to exit. It usually needs 30 ms; codex has been seen to take 5 s when it
/// cannot reach its analytics.
const EXIT_GRACE: Duration = Duration::from_millis(1500);

/// How long no output may come after the exit: a grandchild can hold the pipe open forever.
const DRAIN_IDLE: Duration = Duration::from_millis(500);

/// How long output is read after the exit in any case: a grandchild can also write forever.
const DRAIN_MAX: Duration = Duration::from_secs(5);

/// Where the turn stands. It only ever moves forward: running, answered, terminating.
pub(crate) enum TurnPhase {
    /// The agent works.
    Running,
    /// The agent has reported how the turn ended; its process is kept, or is expected to exit by itself.
    Answered {
        /// The reported outcome.
        outcome: AgentOutcome,
        /// When it was reported.
        at: Instant,
    },
    /// The runner ends the process.
    Terminating {
        /// The first reason to do so.
        cause: StopCause,
        /// The steps that remain.
        sequence: TerminationSequence,
        /// What the agent had reported before, or reported while it was being interrupted.
        outcome: Option<AgentOutcome>,
    },
}

/// A point in time at which the process is ended unless something happens before.
struct TimeLimit {
    at: Instant,
    cause: StopCause,
    steps: &'static [SignalStep],
}

/// A running agent process and its turn.
pub(crate) struct RunningTurn<'t> {
    pub(crate) process: Process,
    pub(crate) phase: TurnPhase,
    pub(crate) accounting: Accounting<'t>,
    pub(crate) emit: &'t mut dyn FnMut(RunnerEvent),
    mode: Mode,
    policy: &'t dyn PermissionPolicy,
    limits: Limits,
    /// When the total limit expires; it includes earlier processes of the same turn.
    total_until: Instant,
    /// The process is to be kept if the turn ends well.
    keep_process: bool,
    /// The process has served a turn before.
    served_before: bool,
    began_at: Instant,
    last_sign_of_life: Option<Instant>,
    /// When something was last reported to the caller.
    last_progress_at: Instant,
    /// Ids of tool calls that have not ended.
    open_tools: Vec<String>,
    /// Permission requests that wait for people.
    open_requests: Vec<PermissionRequest>,
    delayed_input: Option<DelayedInput>,
    /// When the session was last opened, in milliseconds since the epoch.
    opened_at: Option<i64>,
    /// Set once the process has exited: how long its remaining output is awaited.
    drain_until: Option<Instant>,
    /// Steering messages that the agent has taken.
    pub(crate) accepted_messages: Vec<String>,
    /// Steering messages that the agent is interrupted for.
    pub(crate) interrupting_messages: Vec<String>,
}

impl<'t> RunningTurn<'t> {
    /// A turn of a process that has just been started, or that was kept (`served_before`).
    pub(crate) fn new(
        process: Process,
        runner: &Runner<'t>,
        accounting: Accounting<'t>,
        served_before: bool,
        total_until: Instant,
        emit: &'t mut dyn FnMut(RunnerEvent),
    ) -> Self {
        let now = Instant::now();
        Self {
            mode: accounting.mode(),
            policy: runner.policy,
            limits: runner.limits,
            total_until,
            keep_process: runner.can_keep(&*process.dialect),
            served_before,
            process,
            phase: TurnPhase::Running,
            accounting,
            emit,
            began_at: now,
            last_sign_of_life: None,
            last_progress_at: now,
            open_tools: Vec::new(),
            open_requests: Vec::new(),
            delayed_input: None,
            opened_at: runner.opened_at,
            drain_until: None,
            accepted_messages: Vec::new(),
            interrupting_messages: Vec::new(),
        }
    }

    /// Begins the turn with what the dialect wants first. Returns whether stdin stays open for more.
    pub(crate) fn begin(&mut self, effects: DialectEffects) -> bool {
        // Some agents say nothing for a long time: no first sign of life is awaited then.
        self.last_sign_of_life = effects.is_sign_of_life.then_some(self.began_at);
        self.apply(effects);
        let is_interactive = self.process.dialect.keeps_stdin() || self.process.dialect.keeps_process();
        if !is_interactive {
            self.process.close_stdin();
        }
        is_interactive
    }

    /// Whether the process has served a turn before but not shown any life in this one.
    pub(crate) fn is_unnoticed(&self) -> bool {
        self.served_before && self.last_sign_of_life.is_none()
    }

    /// Whether the turn has ended and its process can be kept. A process that should be kept but has lost a pipe is
    /// ended like any other from here on.
    pub(crate) fn is_ready_to_keep(&mut self) -> bool {
        if !self.keep_process || !matches!(self.phase, TurnPhase::Answered { .. }) {
            return false;
        }
        if self.process.is_intact() {
            return true;
        }
        self.keep_process = false;
        self.process.close_stdin();
        false
    }

    /// Whether nothing more is awaited from the process: it has exited and said all that counts, or it is stuck.
    pub(crate) fn is_finished(&self, now: Instant) -> bool {
        let is_stuck =
            matches!(&self.phase, TurnPhase::Terminating { sequence, .. } if sequence.is_stuck(now));
        is_stuck
            || self
                .drain_until
                .is_some_and(|until| self.process.has_no_output() || self.has_outcome() || now >= until)
    }

    fn has_outcome(&self) -> bool {
        matches!(self.phase, TurnPhase::Answered { .. } | TurnPhase::Terminating { outcome: Some(_), .. })
    }

    fn is_terminating(&self) -> bool {
        matches!(self.phase, TurnPhase::Terminating { .. })
    }

    /// Does everything whose time has come, and returns when to call this again. All deadlines of a turn are here.
    pub(crate) fn run_due(&mut self, now: Instant) -> Instant {
        self.advance_phase(now);
        self.write_delayed_input(now);
        if now >= self.last_progress_at + HEARTBEAT_INTERVAL {
            self.emit(RunnerEvent::Heartbeat);
        }
        let phase_deadline = match &self.phase {
            TurnPhase::Terminating { sequence, .. } => sequence.deadline(),
            TurnPhase::Running | TurnPhase::Answered { .. } => self.time_limit().at,
        };
        let deadlines =
            [Some(phase_deadline), self.delayed_input.as_ref().map(DelayedInput::deadline), self.drain_until];
        let heartbeat = self.last_progress_at + HEARTBEAT_INTERVAL;
        deadlines.into_iter().flatten().fold(heartbeat, Instant::min)
    }

    /// Applies time limits and continues a termination.
    fn advance_phase(&mut self, now: Instant) {
        if let TurnPhase::Terminating { sequence, .. } = &mut self.phase {
            return sequence.advance(now, &mut self.process);
        }
        let limit = self.time_limit();
        if now >= limit.at {
            self.terminate(limit.cause, limit.steps);
        }
    }

    /// The time limit that applies now; a termination has its own deadlines.
    fn time_limit(&self) -> TimeLimit {
        let limits = self.limits;
        let expires = |at, reason, limit| TimeLimit {
            at,
            cause: StopCause::TimeLimit { reason, limit },
            steps: CANCEL_STEPS,
        };
        if let TurnPhase::Answered { at, .. } = &self.phase {
            return TimeLimit { at: *at + EXIT_GRACE, cause: StopCause::Lingering, steps: LINGER_STEPS };
        }
        // A tool may be silent for as long as it runs: a build, a test suite. So may an agent that waits for people or
        // for input that we delay. Then only the total limit applies.
        let is_busy = !self.open_tools.is_empty() || !self.open_requests.is_empty();
        let total = expires(self.total_until, Reason::TotalTimeout, limits.total);
        let silence = match self.last_sign_of_life {
            None => {
                expires(self.began_at + limits.first_event, Reason::FirstEventTimeout, limits.first_event)
            }
            Some(_) if is_busy || self.delayed_input.is_some() => return total,
            Some(at) => expires(at + limits.idle, Reason::IdleTimeout, limits.idle),
        };
        if total.at <= silence.at { total } else { silence }
    }

    /// Begins to end the process, unless that has begun already.
    pub(crate) fn terminate(&mut self, cause: StopCause, steps: &'static [SignalStep]) {
        if self.is_terminating() {
            return;
        }
        self.delayed_input = None;
        let sequence = TerminationSequence::begin(&mut self.process, steps);
        let outcome = match std::mem::replace(&mut self.phase, TurnPhase::Running) {
            TurnPhase::Answered { outcome, .. } => Some(outcome),
            _ => None,
        };
        self.phase = TurnPhase::Terminating { cause, sequence, outcome };
    }

    /// A stop request: the turn does not continue, whatever it was being interrupted for.
    fn stop(&mut self, steps: &'static [SignalStep]) {
        self.terminate(StopCause::Requested, steps);
        if let TurnPhase::Terminating { cause, sequence, .. } = &mut self.phase {
            if matches!(cause, StopCause::Interrupted) {
                *cause = StopCause::Requested;
            }
            if steps.is_empty() {
                sequence.kill_now();
            }
        }
    }

    /// A control request has arrived.
    pub(crate) fn on_control(&mut self, request: Control) {
        match request {
            Control::Cancel => self.stop(CANCEL_STEPS),
            Control::Shutdown => self.stop(SHUTDOWN_STEPS),
            Control::Kill => self.stop(&[]),
            Control::Answer { id, decision } => {
                // The agent may have withdrawn the request meanwhile.
                if let Some(at) = self.open_requests.iter().position(|request| request.id == id) {
                    let request = self.open_requests.remove(at);
                    self.last_sign_of_life = Some(Instant::now());
                    // The policy remembers the grant, not the agent: so the agent asks again, and what a rule denies
                    // stays denied.
                    let is_grant = decision == Decision::AllowSession;
                    if is_grant {
                        self.policy.record_grant(&request);
                    }
                    self.answer(&request, if is_grant { &Decision::Allow } else { &decision });
                }
            }
        }
    }

    /// Lines of stdout have arrived.
    pub(crate) fn on_lines(&mut self, batch: Vec<Line>) {
        batch.into_iter().for_each(|line| self.on_line(line));
        // The time that the caller took to handle the events is not the agent's silence. The remaining output of a
        // process that is being ended does not matter.
        if let (Some(at), false) = (self.process.exited_at, self.is_terminating()) {
            self.drain_until = Some((Instant::now() + DRAIN_IDLE).min(at + DRAIN_MAX));
        }
    }

    fn on_line(&mut self, line: Line) {
        if self.has_outcome() {
            // What follows the end of the turn is not part of it.
            if self.keep_process {
                self.process.on_line_between_turns(line);
            }
            return;
        }
        if matches!(line, Line::TooLong { .. }) {
            // It may have been the end of any of them.
            self.open_tools.clear();
        }
        let effects = self.process.parse_line(line);
        if effects.is_sign_of_life {
            self.last_sign_of_life = Some(Instant::now());
        }
        self.apply(effects);
    }

    /// The process has exited.
    pub(crate) fn on_exit(&mut self) {
        let now = Instant::now();
        // A tool in a session of its own may hold the pipe of a process that had to be killed.
        let is_killed =
            matches!(&self.phase, TurnPhase::Terminating { sequence, .. } if sequence.is_killed());
        let drain = if is_killed { Duration::ZERO } else { DRAIN_IDLE };
        (self.process.exited_at, self.drain_until) = (Some(now), Some(now + drain));
    }

    /// The process no longer reads its stdin. A process that needs none may be fine; one that is talked to and has
    /// never answered is of no use.
    pub(crate) fn on_stdin_closed(&mut self, is_interactive: bool) {
        if is_interactive && self.last_sign_of_life.is_none() {
            self.terminate(StopCause::Lingering, LINGER_STEPS);
        }
    }

    /// Does what the dialect wants.
    pub(crate) fn apply(&mut self, mut effects: DialectEffects) {
        self.accounting.record(&mut effects);
        for event in effects.events {
            match &event {
                AgentEvent::Tool { id, .. } if !self.open_tools.contains(id) => {
                    self.open_tools.push(id.clone())
                }
                AgentEvent::ToolEnd { id, .. } => self.open_tools.retain(|open| open != id),
                // The processes that the agent has started so far are not tools.
                AgentEvent::Started if self.keep_process && !self.served_before => {
                    self.process.tree.begin_turn()
                }
                _ => {}
            }
            self.emit(RunnerEvent::Agent(event));
        }
        self.process.write_stdin(effects.stdin);
        if let Some(text) = effects.delayed_stdin {
            self.delay_input(text);
        }
        for id in effects.withdrawn_requests {
            self.open_requests.retain(|request| request.id != id);
            self.emit(RunnerEvent::PermissionWithdrawn(id));
        }
        if let Some(reported) = effects.outcome {
            if let TurnPhase::Terminating { cause, sequence, outcome } = &mut self.phase {
                // While the agent is being ended, its report says only that it has stopped. But an answer that was
                // complete when the agent was interrupted is an answer.
                if matches!((&*cause, &reported), (StopCause::Interrupted, AgentOutcome::Done(_))) {
                    *outcome = Some(reported);
                }
                sequence.on_turn_stopped();
                return self.process.close_stdin();
            }
            self.keep_process &= can_serve_again(&reported);
            if !self.keep_process {
                self.process.close_stdin();
            }
            self.phase = TurnPhase::Answered { outcome: reported, at: Instant::now() };
        }
        for request in effects.permission_requests {
            self.decide(request);
        }
    }

    /// Reports to the caller.
    pub(crate) fn emit(&mut self, event: RunnerEvent) {
        self.last_progress_at = Instant::now();
        (self.emit)(event);
    }

    /// Writes the text to stdin now, or in the next clock minute.
    fn delay_input(&mut self, text: String) {
        let now = Instant::now();
        self.delayed_input = Some(DelayedInput::new(text, now));
        self.write_delayed_input(now);
        if self.delayed_input.is_some() {
            self.emit(RunnerEvent::Agent(AgentEvent::Waiting));
        }
    }

    fn write_delayed_input(&mut self, now: Instant) {
        let Some(input) = &mut self.delayed_input else { return };
        if let Some(text) = input.take_if_due(now, time::now_ms(), self.opened_at) {
            (self.delayed_input, self.last_sign_of_life) = (None, Some(now));
            self.process.write_stdin(vec![text]);
        }
    }

    /// Answers a permission request at once, or leaves it to people ([`Control::Answer`]).
    fn decide(&mut self, request: PermissionRequest) {
        if !matches!(self.phase, TurnPhase::Running) {
            return self.answer(&request, &Decision::DenyAndStop);
        }
        let PolicyDecision { verdict, rule } = self.policy.evaluate(self.mode, &request);
        let decision = match verdict {
            PolicyVerdict::Allow => Decision::Allow,
            PolicyVerdict::Deny(words) => Decision::Deny(words),
            PolicyVerdict::AskPeople => {
                self.open_requests.push(request.clone());
                return self.emit(RunnerEvent::PermissionRequested(request, rule));
            }
        };
        self.emit(RunnerEvent::PermissionDecided(request.clone(), decision.clone(), rule.clone()));
        if matches!(decision, Decision::Deny(_)) {
            let words = if request.title.is_empty() { &request.tool } else { &request.title };
            let event = match request.kind {
                PermissionKind::Question => AgentEvent::Note(format!("not answered: {words}")),
                _ => AgentEvent::Denied(format!("{} ({rule})", dialect::one_line_title(words))),
            };
            self.emit(RunnerEvent::Agent(event));
        }
        self.answer(&request, &decision);
    }

    fn answer(&mut self, request: &PermissionRequest, decision: &Decision) {
        let mut effects = DialectEffects::default();
        self.process.dialect.answer(&request.id, decision, &mut effects);
        self.apply(effects);
    }
}

/// Whether a process that ended its turn like this can serve another one. After failures that people or time must mend
/// (a login, credit), a new process looks at the state afresh.
fn can_serve_again(outcome: &AgentOutcome) -> bool {
    match outcome {
        AgentOutcome::Done(_) => true,
        AgentOutcome::Failed { reason, .. } => {
            matches!(reason, Reason::RateLimited | Reason::ProviderError | Reason::Network)
        }
        AgentOutcome::Cancelled { .. } => false,
    }
}
