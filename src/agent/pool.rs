//! Agent processes that are kept between the turns of their session: how long, how many, and who goes first.
//!
//! A thread (the keeper) exists only while something is kept. It sleeps until a kept process says something or ends,
//! or until the first idle limit. Running and kept processes together are never more than the daemon may have.

use crate::agent::runner::process;
use crate::agent::runner::process::Process;
use crate::sys::thread;
use crossbeam_channel::{Receiver, RecvTimeoutError, Select, Sender, bounded};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// All kept processes of the daemon.
pub struct Pool(Arc<PoolShared>);

struct PoolShared {
    idle: Duration,
    max: usize,
    state: Mutex<PoolState>,
}

#[derive(Default)]
struct PoolState {
    /// Least recently used first, which is also the one whose limit comes first.
    kept: Vec<IdleProcess>,
    /// Turns that have a process, or will have.
    busy: usize,
    closed: bool,
    keeper: Option<IdleWatcher>,
}

struct IdleProcess {
    who: PoolKey,
    until: Instant,
    process: Process,
}

struct IdleWatcher {
    wake: Sender<()>,
    /// Disconnected when the thread has ended all that was to be ended.
    gone: Receiver<()>,
}

/// For whom a process is kept. It serves a turn only when all of it is the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PoolKey {
    pub(crate) session: String,
    /// Everything that is fixed when a process is started: program, mode, model.
    pub(crate) start: String,
    /// The CLI's own session that the process holds.
    pub(crate) native: Option<String>,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("kept", &self.len()).finish()
    }
}

impl Pool {
    /// Keeps a process for `idle` at most; zero keeps none. `max` is for running and kept ones together.
    pub fn new(idle: Duration, max: usize) -> Self {
        Self(Arc::new(PoolShared { idle, max, state: Mutex::default() }))
    }

    /// Kept processes.
    pub fn len(&self) -> usize {
        self.0.lock().kept.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends the process that is kept for a session, if any. Does not wait.
    pub fn forget(&self, session: &str) {
        let mut state = self.0.lock();
        for kept in state.kept.iter_mut().filter(|kept| kept.who.session == session) {
            kept.until = Instant::now();
        }
        state.wake();
    }

    /// Ends all, and keeps none from now on. Does not wait.
    pub fn close(&self) {
        let mut state = self.0.lock();
        state.closed = true;
        state.wake();
    }

    /// Waits, after [`Pool::close`], until all are gone. False when that takes longer than `limit`.
    pub fn wait(&self, limit: Duration) -> bool {
        let gone = self.0.lock().keeper.as_ref().map(|keeper| keeper.gone.clone());
        gone.is_none_or(|gone| gone.recv_timeout(limit) == Err(RecvTimeoutError::Disconnected))
    }

    /// A place for a turn, and the process that is kept for it, if one fits and lives. What no longer fits or has no
    /// room beside it is gone when this returns: two processes must not write to one native session.
    pub(crate) fn acquire(&self, who: &PoolKey) -> (Slot, Option<Process>) {
        let mut doomed = Vec::new();
        let mut mine = None;
        self.0.lock().busy += 1;
        // given back also when a dialect panics below
        let slot = Slot(self.0.clone());
        {
            let mut state = self.0.lock();
            if let Some(at) = state.kept.iter().position(|kept| kept.who.session == who.session) {
                let mut kept = state.kept.remove(at);
                let fits = kept.who == *who && who.native.is_some() && kept.until > Instant::now();
                if fits && kept.process.lives() {
                    mine = Some(kept.process)
                } else {
                    doomed.push(kept.process)
                }
            }
            while state.busy + state.kept.len() > self.0.max && !state.kept.is_empty() {
                doomed.push(state.kept.remove(0).process);
            }
            state.wake();
        }
        process::end(doomed);
        (slot, mine)
    }

    pub(crate) fn is_open(&self) -> bool {
        !self.0.idle.is_zero() && !self.0.lock().closed
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.close();
    }
}

/// A turn's place among the processes.
pub(crate) struct Slot(Arc<PoolShared>);

impl Slot {
    /// The turn is over, and its process stays.
    pub(crate) fn release(self, who: PoolKey, process: Process) {
        let inner = self.0.clone();
        let refused = {
            let mut state = inner.lock();
            let stays = !state.closed && who.native.is_some() && inner.idle > Duration::ZERO;
            if stays && (state.keeper.is_some() || state.start_watcher(&inner)) {
                log::debug!("kept process {} for {}", process.child.id(), who.session);
                state.kept.push(IdleProcess { who, until: Instant::now() + inner.idle, process });
                state.wake();
                None
            } else {
                Some(process)
            }
        };
        refused.into_iter().for_each(|process| process::end(vec![process]));
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

    /// The keeper's thread.
    fn watch(&self, woken: &Receiver<()>) {
        loop {
            let mut doomed = Vec::new();
            let mut heard = Vec::new();
            let mut next = None;
            {
                let mut state = self.lock();
                let (closed, now) = (state.closed, Instant::now());
                let mut at = 0;
                while let Some(kept) = state.kept.get_mut(at) {
                    if closed || kept.until <= now || !kept.process.lives() {
                        doomed.push(state.kept.remove(at).process);
                    } else {
                        heard.push(kept.process.heard());
                        next = next.or(Some(kept.until));
                        at += 1;
                    }
                }
                if doomed.is_empty() && state.kept.is_empty() {
                    state.keeper = None;
                    return;
                }
            }
            let Some(next) = next.filter(|_| doomed.is_empty()) else {
                process::end(doomed);
                continue;
            };
            let mut select = Select::new();
            select.recv(woken);
            for heard in &heard {
                select.recv(heard);
            }
            let _ = select.ready_deadline(next);
            while woken.try_recv().is_ok() {}
        }
    }
}

impl PoolState {
    fn wake(&self) {
        if let Some(keeper) = &self.keeper {
            let _ = keeper.wake.try_send(()); // full: it will look anyway
        }
    }

    /// Starts the keeper.
    fn start_watcher(&mut self, inner: &Arc<PoolShared>) -> bool {
        let (wake, woken) = bounded(1);
        let (leave, gone) = bounded::<()>(0);
        let inner = inner.clone();
        let hired = thread::spawn("keeper", move || {
            inner.watch(&woken);
            drop(leave);
        });
        self.keeper = hired.is_ok().then_some(IdleWatcher { wake, gone });
        self.keeper.is_some()
    }
}
