//! What happens after a panic, which is a bug of ours: the connector says so in its log and starts again in this process.
//!
//! Nothing is unwound, and no state of a thread that failed is trusted: what was accepted and answered is on disk, and the
//! start reports what was cut, ends what was left running, and goes on. It takes some milliseconds, keeps the process id,
//! and costs the turns that ran at that moment; unwinding would have cost a seventh of the whole program's size.

use crate::sys::image::Image;
use crate::sys::time;

/// Carries the count across starts: `<seconds since the epoch of the first>:<how many>`.
pub const COUNT: &str = "WTT_CONNECT_FALLS";
/// So many times in [`WINDOW`] the connector gets up by itself; then it ends, and the service manager starts it slowly.
const MOST: u32 = 5;
/// In seconds.
const WINDOW: i64 = 600;

/// Installs it. Call it once, when the log is open.
pub fn restart_on_panic() {
    let image = Image::of_this_process();
    std::panic::set_hook(Box::new(move |panic| {
        let now = time::now_ms() / 1000;
        match next(std::env::var(COUNT).ok().as_deref(), now) {
            Some(count) => {
                log::error!(target: "daemon", "a bug of wtt-connect: {panic}; starting again");
                let error = image.start_again(COUNT, &count);
                log::error!(target: "daemon", "cannot start again: {error}");
            }
            None => log::error!(target: "daemon", "a bug of wtt-connect, again and again: {panic}; ending"),
        }
        std::process::abort();
    }));
}

/// The count after one more fall at `now`; `None` when there were too many.
fn next(count: Option<&str>, now: i64) -> Option<String> {
    let parsed = count.and_then(|count| {
        let (first, falls) = count.split_once(':')?;
        Some((first.parse::<i64>().ok()?, falls.parse::<u32>().ok()?))
    });
    match parsed.filter(|(first, _)| (0..WINDOW).contains(&(now - first))) {
        Some((_, falls)) if falls >= MOST => None,
        Some((first, falls)) => Some(format!("{first}:{}", falls + 1)),
        None => Some(format!("{now}:1")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn falls_are_counted_for_a_while() {
        assert_eq!(next(None, 1000).as_deref(), Some("1000:1"));
        assert_eq!(next(Some("1000:1"), 1010).as_deref(), Some("1000:2"));
        assert_eq!(next(Some("1000:5"), 1599), None);
        assert_eq!(next(Some("1000:5"), 1600).as_deref(), Some("1600:1"), "long ago");
        assert_eq!(next(Some("2000:5"), 1000).as_deref(), Some("1000:1"), "the clock was set back");
        assert_eq!(next(Some("rubbish"), 7).as_deref(), Some("7:1"));
    }
}
