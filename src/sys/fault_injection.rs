//! Fault injection for the tests: dying or failing at the N-th storage step, hanging, panicking. Debug builds only:
//! release builds have empty functions here.

use std::io;

/// A storage step begins or has just ended. With `WTT_CONNECT_TEST_KILL_AT=N` the N-th one is the last; with
/// `WTT_CONNECT_TEST_FAIL_AT=N` or `N-M` these fail as a broken disk does. Steps are counted over all threads.
///
/// # Errors
/// EIO, on request only.
#[inline]
pub fn step() -> io::Result<()> {
    #[cfg(debug_assertions)]
    counting::step()?;
    Ok(())
}

/// Hangs for ever once the file exists that `WTT_CONNECT_TEST_HANG` names: a deadlock for the watchdog to notice.
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

    struct Wanted {
        kill: Option<usize>,
        fail: Option<(usize, usize)>,
    }

    static WANTED: OnceLock<Wanted> = OnceLock::new();
    static STEPS: AtomicUsize = AtomicUsize::new(0);

    fn wanted() -> Wanted {
        let number = |text: &str| text.parse::<usize>().ok();
        let var = |name: &str| std::env::var(name).ok();
        let fail = var("WTT_CONNECT_TEST_FAIL_AT").and_then(|text| match text.split_once('-') {
            Some((from, to)) => number(from).zip(number(to)),
            None => number(&text).map(|n| (n, n)),
        });
        Wanted { kill: var("WTT_CONNECT_TEST_KILL_AT").and_then(|n| number(&n)), fail }
    }

    pub(super) fn step() -> io::Result<()> {
        let wanted = WANTED.get_or_init(wanted);
        if wanted.kill.is_none() && wanted.fail.is_none() {
            return Ok(());
        }
        let step = STEPS.fetch_add(1, Ordering::SeqCst) + 1;
        if wanted.kill == Some(step) {
            let _ = kill_process(getpid(), Signal::KILL);
        }
        match wanted.fail {
            Some((from, to)) if (from..=to).contains(&step) => Err(Errno::IO.into()),
            _ => Ok(()),
        }
    }
}
