//! Measuring on a machine that does much else: how long people wait, how long a computation takes. There are no deadlines
//! here: who waits for a fact uses `until`.

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Short beside everything that is measured, and rare enough to cost nothing.
const STEP: Duration = Duration::from_millis(10);

/// Counts in short steps, and a step that ends late counts as one: on a machine that is idle this is the time that has passed,
/// on one that is stopped now and then, or that has too much to do, it leaves out what the machine has taken for itself.
/// So a limit can be as narrow as what it is to tell apart, however busy the machine.
pub struct Watch {
    began: Instant,
    steps: Arc<AtomicU32>,
    _ends_the_thread: Sender<()>,
}

impl Watch {
    pub fn start() -> Watch {
        let steps = Arc::new(AtomicU32::new(0));
        let (keep, ended) = bounded::<()>(0);
        let counted = steps.clone();
        std::thread::spawn(move || {
            while ended.recv_timeout(STEP) == Err(RecvTimeoutError::Timeout) {
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        Watch { began: Instant::now(), steps, _ends_the_thread: keep }
    }

    /// For upper limits.
    pub fn counted(&self) -> Duration {
        STEP * self.steps.load(Ordering::Relaxed)
    }

    /// For lower limits.
    pub fn passed(&self) -> Duration {
        self.began.elapsed()
    }
}

/// How long this thread has been computing, where the kernel tells; else the time that has passed.
pub fn computed(work: impl FnOnce()) -> Duration {
    let on_a_core = || {
        let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        Some(Duration::from_nanos(stat.split_whitespace().next()?.parse().ok()?))
    };
    let (before, began) = (on_a_core(), Instant::now());
    work();
    before.zip(on_a_core()).map_or_else(|| began.elapsed(), |(before, after)| after.saturating_sub(before))
}
