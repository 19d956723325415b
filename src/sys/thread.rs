//! Named threads. Every thread of the program is started here.

use std::io;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// Stack for threads that only move bytes or lines: they keep no deep frames.
pub const SMALL_STACK: usize = 256 * 1024;

/// Starts a named thread (Linux shows the first 15 bytes of the name) with the default stack.
pub fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    start(Builder::new(), name, Box::new(body))
}

/// Starts a named thread with a small stack, for readers and watchers.
pub fn spawn_small(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    start(Builder::new().stack_size(SMALL_STACK), name, Box::new(body))
}

/// The box keeps the library's part, some kilobytes, from being in the program once for every kind of thread.
fn start(builder: Builder, name: &str, body: Box<dyn FnOnce() + Send>) -> io::Result<JoinHandle<()>> {
    builder.name(name.to_owned()).spawn(body)
}

/// Blocks for `time`. Only for waits that nothing interrupts: a command line that polls, a retry after an error.
#[expect(clippy::disallowed_methods, reason = "the one place where a wait needs no interruption")]
pub fn sleep(time: Duration) {
    std::thread::sleep(time);
}
