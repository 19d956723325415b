//! A running agent with everything that is attached to it: what outlives a turn when the process is kept, and how it
//! ends between turns. What happens within a turn is `turn.rs`; who is kept, and how long, is `pool.rs`.

use crate::agent::dialect::{Dialect, Effects};
use crate::agent::permission::Decision;
use crate::agent::runner::pipes;
use crate::agent::runner::pipes::{Heard, Pipes};
use crate::agent::runner::temp_dir::Folder;
use crate::sys::child_process::{ChildExit, ChildGroup, ChildSignal};
use crate::sys::line_reader::{Line, OutputTail};
use crate::sys::os;
use crate::sys::process_tree::{KillScope, ProcessTree};
use crossbeam_channel::{Receiver, RecvTimeoutError};
use std::io;
use std::time::{Duration, Instant};

/// A process that survives SIGKILL for so long hangs in the kernel; nobody waits for it.
pub(crate) const STUCK: Duration = Duration::from_secs(3);

/// How an agent that has nothing to do is ended: most go when their input ends, and node needs some 300 ms for it.
const QUIET: &[(Option<ChildSignal>, Duration)] = &[
    (None, Duration::from_millis(700)),
    (Some(ChildSignal::Term), Duration::from_secs(1)),
    (Some(ChildSignal::Kill), STUCK),
];

/// Batches of lines that are taken in at once between turns; who says more is heard again.
const AT_ONCE: usize = 16;

/// Dropped in the middle (a panic), its descendants go first, while it still shows them, and then the child: the
/// order of the fields matters.
pub(crate) struct Process {
    pub(crate) tree: ProcessTree,
    pub(crate) child: ChildGroup,
    pub(crate) dialect: Box<dyn Dialect>,
    pub(crate) pipes: Pipes,
    pub(crate) oom_kills: Option<u64>,
    /// Ends of stdout and stderr.
    pub(crate) ends: u8,
    pub(crate) exited: Option<Instant>,
    /// Its own folder, if it has one; removed last.
    _folder: Option<Folder>,
}

impl Process {
    /// A child that has just been started, with its dialect. On an error it is ended, and whatever it has begun.
    pub(crate) fn new(
        tree: ProcessTree,
        mut child: ChildGroup,
        dialect: Box<dyn Dialect>,
        oom_kills: Option<u64>,
        folder: Option<Folder>,
    ) -> io::Result<Self> {
        match pipes::connect(&mut child) {
            Ok(pipes) => {
                Ok(Self { tree, child, dialect, pipes, oom_kills, ends: 0, exited: None, _folder: folder })
            }
            Err(e) => {
                drop(tree); // before the child
                Err(e)
            }
        }
    }

    /// Another turn begins: what was said in the last one is no part of it.
    pub(crate) fn renew(&mut self) {
        self.oom_kills = os::oom_kills();
        self.pipes.stderr.clear();
    }

    /// Whether nothing has ended so far.
    pub(crate) fn is_whole(&self) -> bool {
        self.ends == 0 && self.exited.is_none()
    }

    /// Something to hear between turns.
    pub(crate) fn heard(&self) -> Receiver<Heard> {
        self.pipes.heard.clone()
    }

    /// Takes in what came between turns. False when the process can no longer be used.
    pub(crate) fn lives(&mut self) -> bool {
        for _ in 0..AT_ONCE {
            match self.pipes.heard.try_recv() {
                Ok(Heard::Lines(batch)) => batch.into_iter().for_each(|line| self.overhear(line)),
                Ok(Heard::End | Heard::Deaf) => self.ends += 1,
                Ok(Heard::Exited) => self.exited = Some(Instant::now()),
                Err(_) => break,
            }
        }
        self.is_whole()
    }

    /// A line that belongs to no turn. The dialect may answer what it is asked by the protocol; nothing is allowed.
    pub(crate) fn overhear(&mut self, line: Line) {
        let mut effects = self.tell(line);
        for ask in std::mem::take(&mut effects.permission_requests) {
            self.dialect.answer(&ask.id, &Decision::DenyAndStop, &mut effects);
        }
        self.feed(effects.stdin);
    }

    /// Hands a line to the dialect.
    pub(crate) fn tell(&mut self, line: Line) -> Effects {
        let mut effects = Effects::default();
        match line {
            Line::Text(line) => self.dialect.on_line(&line, &mut effects),
            Line::TooLong { head, bytes } => {
                log::debug!("skipped an output line of {bytes} bytes");
                self.dialect.on_oversized_line(&head, bytes, &mut effects);
            }
        }
        effects
    }

    /// Texts for stdin.
    pub(crate) fn feed(&self, texts: Vec<String>) {
        if let Some(stdin) = &self.pipes.stdin {
            for text in texts {
                let _ = stdin.send(text);
            }
        }
    }

    /// Waits for its end; what it says meanwhile concerns nobody, but must not keep it from ending.
    fn await_exit(&mut self, until: Instant) {
        while self.exited.is_none() {
            match self.pipes.heard.recv_deadline(until) {
                Ok(Heard::Exited) | Err(RecvTimeoutError::Disconnected) => self.exited = Some(Instant::now()),
                Err(RecvTimeoutError::Timeout) => return,
                Ok(_) if Instant::now() >= until => return,
                Ok(_) => {}
            }
        }
    }

    /// Reaps and sweeps. A member of the agent's group did not leave it; reaping kills those first.
    pub(crate) fn bury(self, spare: KillScope) -> (Option<ChildExit>, Box<dyn Dialect>, OutputTail) {
        let Self { mut tree, child, dialect, pipes, exited, .. } = self;
        let ended = if exited.is_some() {
            child.reap().ok()
        } else {
            log::warn!("an agent process survives SIGKILL; it hangs in the kernel");
            child.abandon();
            None
        };
        swept(tree.kill(spare));
        (ended, dialect, pipes.stderr)
    }
}

/// Says in the log what an agent left.
pub(crate) fn swept(count: usize) {
    if count > 0 {
        log::debug!("ended {count} processes that the agent had left");
    }
}

/// Ends processes that have no turn, all at the same time. What left its session on purpose stays, as after any turn.
pub(crate) fn end(mut doomed: Vec<Process>) {
    for process in &mut doomed {
        log::debug!("ending the kept process {}", process.child.id());
        process.pipes.stdin = None;
        process.tree.refresh();
    }
    for (sig, wait) in QUIET {
        for process in doomed.iter().filter(|process| process.exited.is_none()) {
            sig.iter().for_each(|sig| process.child.signal_group(*sig));
        }
        let until = Instant::now() + *wait;
        doomed.iter_mut().for_each(|process| process.await_exit(until));
    }
    for process in doomed {
        process.bury(KillScope::AttachedOnly);
    }
}
