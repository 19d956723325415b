//! The pool of agent processes that are kept between the turns of their session: how long, how many, and which is ended
//! first.
//!
//! A thread (the idle watcher) exists only while a process is kept. It sleeps until a kept process says something or
//! exits, or until the first idle limit. Running and kept processes together never exceed the limit of the daemon.

use crate::agent::runner::process;
use crate::agent::runner::process::Process;
use crate::sys::thread;
use crossbeam_channel::{Receiver, RecvTimeoutError, Select, Sender, bounded};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// All kept processes of the daemon.
pub struct Pool(Arc<PoolShared>);

struct PoolShared {
    idle_limit: Duration,
    max_processes: usize,
    state: Mutex<PoolState>,
}

#[derive(Default)]
struct PoolState {
    /// Least recently used first, so the first is also the first to reach its idle limit.
    idle: Vec<IdleProcess>,
    /// Turns that have a process or are about to start one.
    busy: usize,
    is_closed: bool,
    watcher: Option<IdleWatcher>,
}

struct IdleProcess {
    key: PoolKey,
    until: Instant,
    process: Process,
}

struct IdleWatcher {
    wake: Sender<()>,
    /// Disconnected when the thread has ended all processes that it had to end.
    finished: Receiver<()>,
}

/// What a process is kept for. It serves a turn only if everything is equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PoolKey {
    /// Session key.
    pub(crate) session: String,
    /// Everything that is fixed when a process is started: program, mode, model.
    pub(crate) start: String,
    /// Id of the CLI's own session, which the process has open.
    pub(crate) native_session: Option<String>,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("idle", &self.len()).finish()
    }
}

impl Pool {
    /// A pool that keeps each process for at most `idle_limit`; zero keeps none. `max_processes` counts running and kept
    /// processes together.
    pub fn new(idle_limit: Duration, max_processes: usize) -> Self {
        Self(Arc::new(PoolShared { idle_limit, max_processes, state: Mutex::default() }))
    }

    /// The number of kept processes.
    pub fn len(&self) -> usize {
        self.0.lock().idle.len()
    }

    /// Whether no process is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends the process that is kept for a session, if any. Does not wait for it.
    pub fn forget(&self, session: &str) {
        let mut state = self.0.lock();
        for idle in state.idle.iter_mut().filter(|idle| idle.key.session == session) {
            idle.until = Instant::now();
        }
        state.wake();
    }

    /// Ends all kept processes, and keeps none from now on. Does not wait for them.
    pub fn close(&self) {
        let mut state = self.0.lock();
        state.is_closed = true;
        state.wake();
    }

    /// Waits, after [`Pool::close`], until all kept processes are gone. Returns false if that takes longer than `limit`.
    pub fn wait(&self, limit: Duration) -> bool {
        let finished = self.0.lock().watcher.as_ref().map(|watcher| watcher.finished.clone());
        finished.is_none_or(|finished| finished.recv_timeout(limit) == Err(RecvTimeoutError::Disconnected))
    }

    /// Acquires a slot for a turn, and the process that is kept for it, if one matches the key and is alive. Blocks until
    /// processes that no longer match, or that must make room, are gone: two processes must not write to one native
    /// session.
    pub(crate) fn acquire(&self, key: &PoolKey) -> (Slot, Option<Process>) {
        let mut to_end = Vec::new();
        let mut matching = None;
        self.0.lock().busy += 1;
        // The slot is given back even if a dialect panics below.
        let slot = Slot(self.0.clone());
        {
            let mut state = self.0.lock();
            if let Some(at) = state.idle.iter().position(|idle| idle.key.session == key.session) {
                let mut idle = state.idle.remove(at);
                let is_match =
                    idle.key == *key && key.native_session.is_some() && idle.until > Instant::now();
                if is_match && idle.process.check_idle() {
                    matching = Some(idle.process)
                } else {
                    to_end.push(idle.process)
                }
            }
            while state.busy + state.idle.len() > self.0.max_processes && !state.idle.is_empty() {
                to_end.push(state.idle.remove(0).process);
            }
            state.wake();
        }
        process::end_idle(to_end);
        (slot, matching)
    }

    /// Whether the pool keeps processes at all, and has not been closed.
    pub(crate) fn is_open(&self) -> bool {
        !self.0.idle_limit.is_zero() && !self.0.lock().is_closed
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.close();
    }
}

/// The right of a turn to have a process; given back when it is dropped.
pub(crate) struct Slot(Arc<PoolShared>);

impl Slot {
    /// Gives the slot back and leaves the process to the pool. Ends the process if the pool does not keep it.
    pub(crate) fn release(self, key: PoolKey, process: Process) {
        let shared = self.0.clone();
        let refused = {
            let mut state = shared.lock();
            let can_keep =
                !state.is_closed && key.native_session.is_some() && shared.idle_limit > Duration::ZERO;
            if can_keep && (state.watcher.is_some() || state.start_watcher(&shared)) {
                log::debug!("kept process {} for {}", process.child.id(), key.session);
                state.idle.push(IdleProcess { key, until: Instant::now() + shared.idle_limit, process });
                state.wake();
                None
            } else {
                Some(process)
            }
        };
        refused.into_iter().for_each(|process| process::end_idle(vec![process]));
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.lock().busy -= 1;
    }
}

impl PoolShared {
    fn lock(&self) -> MutexGuard<'_, PoolState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The idle watcher's thread: ends what is due, and returns when no process is left.
    fn watch(&self, woken: &Receiver<()>) {
        loop {
            let mut to_end = Vec::new();
            let mut channels = Vec::new();
            let mut next_limit = None;
            {
                let mut state = self.lock();
                let (is_closed, now) = (state.is_closed, Instant::now());
                let mut at = 0;
                while let Some(idle) = state.idle.get_mut(at) {
                    if is_closed || idle.until <= now || !idle.process.check_idle() {
                        to_end.push(state.idle.remove(at).process);
                    } else {
                        channels.push(idle.process.events());
                        next_limit = next_limit.or(Some(idle.until));
                        at += 1;
                    }
                }
                if to_end.is_empty() && state.idle.is_empty() {
                    state.watcher = None;
                    return;
                }
            }
            let Some(next_limit) = next_limit.filter(|_| to_end.is_empty()) else {
                process::end_idle(to_end);
                continue;
            };
            let mut select = Select::new();
            select.recv(woken);
            for channel in &channels {
                select.recv(channel);
            }
            let _ = select.ready_deadline(next_limit);
            while woken.try_recv().is_ok() {}
        }
    }
}

impl PoolState {
    /// Makes the idle watcher look at the state again.
    fn wake(&self) {
        if let Some(watcher) = &self.watcher {
            let _ = watcher.wake.try_send(()); // if the channel is full, it is about to look anyway
        }
    }

    /// Starts the idle watcher. Returns false if the system has no thread left.
    fn start_watcher(&mut self, shared: &Arc<PoolShared>) -> bool {
        let (wake, woken) = bounded(1);
        let (alive, finished) = bounded::<()>(0);
        let shared = shared.clone();
        let thread = thread::spawn("idle-watcher", move || {
            shared.watch(&woken);
            drop(alive);
        });
        self.watcher = thread.is_ok().then_some(IdleWatcher { wake, finished });
        self.watcher.is_some()
    }
}
