//! What the network thread reports to the event loop.

use std::time::Duration;

/// What the network thread reports to the hub. One bounded channel; the thread blocks when the hub is behind.
#[derive(Debug)]
pub enum NetEvent {
    /// Authenticated (or five seconds without an answer). `connection_number` counts connections.
    Up {
        /// 1, 2, …
        connection_number: u64,
        /// From the auth reply.
        display_name: Option<String>,
    },
    /// A text frame of the current connection. `pong` is left out, and so is an auth reply that came in time; a late
    /// one is passed on, so that the display name in it is not lost.
    Frame(String),
    /// The connection is gone; frames queued and not flushed are lost, every request of it has failed. Comes after
    /// each failed attempt, too, also when there was no `Up` before.
    Down {
        /// One line.
        why: String,
        /// Until the next attempt.
        retry_in: Duration,
        /// The service refuses the token.
        refused: bool,
    },
}
