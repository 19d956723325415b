//! Starts named threads, and contains panics. All threads of the program are started here.

use std::cell::Cell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// Stack size in bytes of threads that only move bytes or lines, whose call stacks are shallow.
pub const SMALL_STACK: usize = 256 * 1024;

/// Starts a named thread (Linux shows the first 15 bytes of the name) with the default stack.
pub fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    start(Builder::new(), name, Box::new(body))
}

/// Starts a named thread with a small stack, for readers and watchers.
pub fn spawn_small(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    start(Builder::new().stack_size(SMALL_STACK), name, Box::new(body))
}

/// Not generic: otherwise the program would contain some kilobytes of library code for each call.
fn start(builder: Builder, name: &str, body: Box<dyn FnOnce() + Send>) -> io::Result<JoinHandle<()>> {
    builder.name(name.to_owned()).spawn(body)
}

/// Blocks for `time`. Only for waits that nothing needs to interrupt: a command that polls, a retry after an error.
#[expect(clippy::disallowed_methods, reason = "the one place where a wait needs no interruption")]
pub fn sleep(time: Duration) {
    std::thread::sleep(time);
}

thread_local! {
    /// Whether a panic of this thread ends in [`contain_panic`].
    static CONTAINED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `body`. A panic in it is not passed on: the result is then `None`. The panic hook tells such a panic by
/// [`take_contained`] from one that must restart the program. What `body` borrows may be half changed after a panic; the
/// caller must not rely on it.
pub fn contain_panic<T>(body: impl FnOnce() -> T) -> Option<T> {
    CONTAINED.set(true);
    let result = catch_unwind(AssertUnwindSafe(body)).ok();
    CONTAINED.set(false);
    result
}

/// Whether the panic that has just begun on this thread is contained. True at most once: a second panic, while the first
/// one unwinds, ends the process.
pub fn take_contained() -> bool {
    CONTAINED.replace(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contained_panic_gives_nothing() {
        assert_eq!(contain_panic(|| 7), Some(7));
        assert_eq!(contain_panic(|| std::panic::resume_unwind(Box::new("a wanted panic"))), None::<()>);
        assert!(!take_contained(), "nothing is contained afterwards");
        assert_eq!(contain_panic(|| (take_contained(), take_contained())), Some((true, false)));
    }
}
