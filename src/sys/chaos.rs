//! Dying on purpose at the N-th storage step, for the kill loop of the tests, and hanging on purpose. Debug builds only:
//! release builds have empty functions here.

/// A storage step begins or has just ended. With `WTT_CONNECT_TEST_KILL_AT=N` the N-th one is the last.
#[inline]
pub fn step() {
    #[cfg(debug_assertions)]
    counting::step();
}

/// Hangs for ever once the file exists that `WTT_CONNECT_TEST_HANG` names: a deadlock for the watchdog to notice.
#[inline]
pub fn hang() {
    #[cfg(debug_assertions)]
    if let Some(file) = std::env::var_os("WTT_CONNECT_TEST_HANG")
        && std::path::Path::new(&file).exists()
    {
        loop {
            std::thread::park();
        }
    }
}

#[cfg(debug_assertions)]
mod counting {
    use rustix::process::{Signal, getpid, kill_process};
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicUsize, Ordering};

    static LAST: OnceLock<Option<usize>> = OnceLock::new();
    static STEPS: AtomicUsize = AtomicUsize::new(0);

    pub(super) fn step() {
        let last =
            LAST.get_or_init(|| std::env::var("WTT_CONNECT_TEST_KILL_AT").ok().and_then(|n| n.parse().ok()));
        if let Some(last) = last
            && STEPS.fetch_add(1, Ordering::SeqCst) + 1 == *last
        {
            let _ = kill_process(getpid(), Signal::KILL);
        }
    }
}
