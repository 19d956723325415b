//! A running agent process and everything attached to it: what outlives a turn when the process is kept, and how it is
//! ended between turns. What happens within a turn is in `turn.rs`; which processes are kept, and how long, in
//! `pool.rs`.

use crate::agent::dialect::{Dialect, DialectEffects};
use crate::agent::permission::Decision;
use crate::agent::runner::pipes;
use crate::agent::runner::pipes::{ChildEvent, Pipes};
use crate::agent::runner::temp_dir::TempDir;
use crate::sys::child_process::{ChildExit, ChildGroup, ChildSignal};
use crate::sys::line_reader::{Line, OutputTail};
use crate::sys::os;
use crate::sys::process_tree::{KillScope, ProcessTree};
use crossbeam_channel::{Receiver, RecvTimeoutError};
use std::io;
use std::time::{Duration, Instant};

/// How long a process may survive SIGKILL. One that takes longer hangs in the kernel, and nobody waits for it.
pub(crate) const KILL_WAIT: Duration = Duration::from_secs(3);

/// How an idle agent is ended: what to send (`None`: nothing but the end of its stdin) and how long to wait. Most exit
/// when their stdin ends, for which node needs some 300 ms.
const IDLE_STEPS: &[(Option<ChildSignal>, Duration)] = &[
    (None, Duration::from_millis(700)),
    (Some(ChildSignal::Term), Duration::from_secs(1)),
    (Some(ChildSignal::Kill), KILL_WAIT),
];

/// Events that are handled at once between turns. An agent that says more is looked at again later.
const MAX_EVENTS_AT_ONCE: usize = 16;

/// A running agent process. When it is dropped before its end (by a panic), its descendants must be ended first, while
/// the process still leads to them, and then the process itself: the order of the fields matters.
pub(crate) struct Process {
    pub(crate) tree: ProcessTree,
    pub(crate) child: ChildGroup,
    pub(crate) dialect: Box<dyn Dialect>,
    pub(crate) pipes: Pipes,
    /// How many processes the kernel had killed for want of memory when the turn began.
    pub(crate) oom_kills: Option<u64>,
    /// How many of its output pipes have been closed.
    pub(crate) ended_pipes: u8,
    pub(crate) exited_at: Option<Instant>,
    /// Its own temporary folder, if it has one; removed last.
    _temp_dir: Option<TempDir>,
}

impl Process {
    /// Attaches the threads and the dialect to a child that has just been started. On an error the child is ended with
    /// everything that it has started.
    pub(crate) fn new(
        tree: ProcessTree,
        mut child: ChildGroup,
        dialect: Box<dyn Dialect>,
        oom_kills: Option<u64>,
        temp_dir: Option<TempDir>,
    ) -> io::Result<Self> {
        match pipes::connect(&mut child) {
            Ok(pipes) => Ok(Self {
                tree,
                child,
                dialect,
                pipes,
                oom_kills,
                ended_pipes: 0,
                exited_at: None,
                _temp_dir: temp_dir,
            }),
            Err(e) => {
                drop(tree); // before the child
                Err(e)
            }
        }
    }

    /// Prepares for another turn: what was printed in the last one is not part of it.
    pub(crate) fn begin_turn(&mut self) {
        self.oom_kills = os::oom_kills();
        self.pipes.stderr.clear();
    }

    /// Whether the process runs and none of its pipes has been closed.
    pub(crate) fn is_intact(&self) -> bool {
        self.ended_pipes == 0 && self.exited_at.is_none()
    }

    /// Whether both output pipes have been closed.
    pub(crate) fn has_no_output(&self) -> bool {
        self.ended_pipes >= 2
    }

    /// The channel of events, to wait for one between turns.
    pub(crate) fn events(&self) -> Receiver<ChildEvent> {
        self.pipes.events.clone()
    }

    /// Handles what has happened between turns. Returns whether the process can still be used.
    pub(crate) fn check_idle(&mut self) -> bool {
        for _ in 0..MAX_EVENTS_AT_ONCE {
            match self.pipes.events.try_recv() {
                Ok(ChildEvent::Lines(batch)) => {
                    batch.into_iter().for_each(|line| self.on_line_between_turns(line))
                }
                Ok(ChildEvent::PipeEnded | ChildEvent::StdinClosed) => self.ended_pipes += 1,
                Ok(ChildEvent::Exited) => self.exited_at = Some(Instant::now()),
                Err(_) => break,
            }
        }
        self.is_intact()
    }

    /// Handles a line that belongs to no turn. The dialect may answer protocol requests; permission requests are denied.
    pub(crate) fn on_line_between_turns(&mut self, line: Line) {
        let mut effects = self.parse_line(line);
        for request in std::mem::take(&mut effects.permission_requests) {
            self.dialect.answer(&request.id, &Decision::DenyAndStop, &mut effects);
        }
        self.write_stdin(effects.stdin);
    }

    /// Hands a line to the dialect.
    pub(crate) fn parse_line(&mut self, line: Line) -> DialectEffects {
        let mut effects = DialectEffects::default();
        match line {
            Line::Text(line) => self.dialect.on_line(&line, &mut effects),
            Line::TooLong { head, bytes } => {
                log::debug!("skipped an output line of {bytes} bytes");
                self.dialect.on_oversized_line(&head, bytes, &mut effects);
            }
        }
        effects
    }

    /// Queues texts for stdin. They are dropped if stdin has been closed.
    pub(crate) fn write_stdin(&self, texts: Vec<String>) {
        if let Some(stdin) = &self.pipes.stdin {
            for text in texts {
                let _ = stdin.send(text);
            }
        }
    }

    /// Closes stdin once everything that was queued has been written.
    pub(crate) fn close_stdin(&mut self) {
        self.pipes.stdin = None;
    }

    /// Waits for the exit. Output is read and dropped meanwhile, because a full pipe would keep the process from exiting.
    fn wait_for_exit(&mut self, until: Instant) {
        while self.exited_at.is_none() {
            match self.pipes.events.recv_deadline(until) {
                Ok(ChildEvent::Exited) | Err(RecvTimeoutError::Disconnected) => {
                    self.exited_at = Some(Instant::now());
                }
                Err(RecvTimeoutError::Timeout) => return,
                Ok(_) if Instant::now() >= until => return,
                Ok(_) => {}
            }
        }
    }

    /// Reaps the process and ends its descendants, except for those that `scope` names. Reaping kills the members of
    /// the process group first: they did not leave it on purpose. Returns how the process ended (`None`: it did not),
    /// its dialect and the last lines of its stderr.
    pub(crate) fn reap(self, scope: KillScope) -> (Option<ChildExit>, Box<dyn Dialect>, OutputTail) {
        let Self { mut tree, child, dialect, pipes, exited_at, .. } = self;
        let ended = if exited_at.is_some() {
            child.reap().ok()
        } else {
            log::warn!("an agent process survives SIGKILL; it hangs in the kernel");
            child.abandon();
            None
        };
        log_swept(tree.kill(scope));
        (ended, dialect, pipes.stderr)
    }
}

/// Logs how many processes an agent had left.
pub(crate) fn log_swept(count: usize) {
    if count > 0 {
        log::debug!("ended {count} processes that the agent had left");
    }
}

/// Ends idle processes, all at the same time. Descendants that left the session on purpose stay, as after any turn.
pub(crate) fn end_idle(mut processes: Vec<Process>) {
    for process in &mut processes {
        log::debug!("ending the kept process {}", process.child.id());
        process.close_stdin();
        process.tree.refresh();
    }
    for (sig, wait) in IDLE_STEPS {
        for process in processes.iter().filter(|process| process.exited_at.is_none()) {
            sig.iter().for_each(|sig| process.child.signal_group(*sig));
        }
        let until = Instant::now() + *wait;
        processes.iter_mut().for_each(|process| process.wait_for_exit(until));
    }
    for process in processes {
        process.reap(KillScope::AttachedOnly);
    }
}
