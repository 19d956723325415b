//! The panic hook. A panic is a bug in this program; the log says where it happened.
//!
//! A panic in a turn is contained there (`session/worker.rs`) and ends that turn alone. After any other panic the program
//! starts again in this process: the state of the hub or of the network thread cannot be trusted, but everything accepted
//! and answered is on disk. The restart takes some milliseconds and keeps the process id; it interrupts the running turns,
//! and their topics are told so.

use crate::sys::own_executable::ExecutableSnapshot;
use crate::sys::{thread, time};

/// Environment variable that carries the count across restarts: `<seconds since the epoch of the first>:<how many>`.
pub const COUNT_VARIABLE: &str = "WTT_CONNECT_PANIC_RESTARTS";
/// Restarts within [`WINDOW`]; after these the process ends, and the service manager restarts it at its slower pace.
const MAX_RESTARTS: u32 = 5;
/// Seconds.
const WINDOW: i64 = 600;

/// Installs the hook. Call it once, when the log is open.
pub fn restart_on_panic() {
    let image = ExecutableSnapshot::capture();
    std::panic::set_hook(Box::new(move |panic| {
        if thread::take_contained() {
            log::error!(target: "session", "a bug of wtt-connect: {panic}; it ends one turn");
            return;
        }
        let now = time::now_ms() / 1000;
        match next_count(std::env::var(COUNT_VARIABLE).ok().as_deref(), now) {
            Some(count) => {
                log::error!(target: "daemon", "a bug of wtt-connect: {panic}; starting again");
                let error = image.exec_replacement(COUNT_VARIABLE, &count);
                log::error!(target: "daemon", "cannot start again: {error}");
            }
            None => log::error!(target: "daemon", "a bug of wtt-connect, repeatedly: {panic}; ending"),
        }
        std::process::abort();
    }));
}

/// The count after one more restart at `now` (seconds since the epoch); `None` when there were too many.
fn next_count(count: Option<&str>, now: i64) -> Option<String> {
    let parsed = count.and_then(|count| {
        let (first, restarts) = count.split_once(':')?;
        Some((first.parse::<i64>().ok()?, restarts.parse::<u32>().ok()?))
    });
    match parsed.filter(|(first, _)| (0..WINDOW).contains(&(now - first))) {
        Some((_, restarts)) if restarts >= MAX_RESTARTS => None,
        Some((first, restarts)) => Some(format!("{first}:{}", restarts + 1)),
        None => Some(format!("{now}:1")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_are_counted_within_the_window() {
        assert_eq!(next_count(None, 1000).as_deref(), Some("1000:1"));
        assert_eq!(next_count(Some("1000:1"), 1010).as_deref(), Some("1000:2"));
        assert_eq!(next_count(Some("1000:5"), 1599), None);
        assert_eq!(next_count(Some("1000:5"), 1600).as_deref(), Some("1600:1"), "long ago");
        assert_eq!(next_count(Some("2000:5"), 1000).as_deref(), Some("1000:1"), "the clock was set back");
        assert_eq!(next_count(Some("rubbish"), 7).as_deref(), Some("7:1"));
    }
}
