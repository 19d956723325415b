//! Fault injection for tests: dies or fails at the N-th storage step, hangs, panics. Debug builds only: in release builds these
//! functions are empty.

use std::io;

/// Call it before or after a storage step. `WTT_CONNECT_TEST_KILL_AT=N` kills the process at the N-th call;
/// `WTT_CONNECT_TEST_FAIL_AT=N` or `N-M` makes these calls fail like a broken disk. All threads share one counter.
///
/// # Errors
/// EIO, only if requested.
#[inline]
pub fn step() -> io::Result<()> {
    #[cfg(debug_assertions)]
    counting::step()?;
    Ok(())
}

/// Hangs for ever once the file exists that `WTT_CONNECT_TEST_HANG` names: a deadlock that the watchdog must detect.
#[inline]
pub fn hang_if_requested() {
    #[cfg(debug_assertions)]
    if let Some(file) = std::env::var_os("WTT_CONNECT_TEST_HANG")
        && std::path::Path::new(&file).exists()
    {
        loop {
            std::thread::park();
        }
    }
}

/// Panics if `WTT_CONNECT_TEST_PANIC` is `PLACE:WORD` with this place and a word that `text` contains.
#[inline]
pub fn panic_at(place: &str, text: &str) {
    #[cfg(debug_assertions)]
    if let Ok(wanted) = std::env::var("WTT_CONNECT_TEST_PANIC")
        && let Some((at, word)) = wanted.split_once(':')
    {
        assert!(at != place || !text.contains(word), "a requested panic in the {place}");
    }
    #[cfg(not(debug_assertions))]
    let _ = (place, text);
}

#[cfg(debug_assertions)]
mod counting {
    use rustix::io::Errno;
    use rustix::process::{Signal, getpid, kill_process};
    use std::io;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicUsize, Ordering};

    struct Plan {
        kill: Option<usize>,
        fail: Option<(usize, usize)>,
    }

    static PLAN: OnceLock<Plan> = OnceLock::new();
    static STEPS: AtomicUsize = AtomicUsize::new(0);

    fn read_plan() -> Plan {
        let number = |text: &str| text.parse::<usize>().ok();
        let var = |name: &str| std::env::var(name).ok();
        let fail = var("WTT_CONNECT_TEST_FAIL_AT").and_then(|text| match text.split_once('-') {
            Some((from, to)) => number(from).zip(number(to)),
            None => number(&text).map(|n| (n, n)),
        });
        Plan { kill: var("WTT_CONNECT_TEST_KILL_AT").and_then(|n| number(&n)), fail }
    }

    pub(super) fn step() -> io::Result<()> {
        let plan = PLAN.get_or_init(read_plan);
        if plan.kill.is_none() && plan.fail.is_none() {
            return Ok(());
        }
        let step = STEPS.fetch_add(1, Ordering::SeqCst) + 1;
        if plan.kill == Some(step) {
            let _ = kill_process(getpid(), Signal::KILL);
        }
        match plan.fail {
            Some((from, to)) if (from..=to).contains(&step) => Err(Errno::IO.into()),
            _ => Ok(()),
        }
    }
}
