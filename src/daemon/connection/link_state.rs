//! The connection as the hub sees it: up, down, refused. The socket is the network thread's.

use std::time::{Duration, Instant};

/// Whether there is a connection, and if not, why and until when.
#[derive(Debug, Default)]
pub(crate) struct LinkState {
    /// Since when the service has been connected; none while it is not.
    pub(crate) up_since: Option<Instant>,
    /// Why the last attempt, or the last connection, has failed.
    pub(crate) last_error: Option<String>,
    /// When the next attempt is.
    pub(crate) retry_at: Option<Instant>,
    /// The service refuses the token.
    pub(crate) is_refused: bool,
    /// An attempt to connect has failed since the last connection.
    is_failing: bool,
}

impl LinkState {
    /// A connection is up.
    pub(crate) fn on_up(&mut self) {
        *self = LinkState { up_since: Some(Instant::now()), ..LinkState::default() };
    }

    /// The connection is gone, or an attempt has failed. Says so in the log; `remedy` is what helps against a refused
    /// token. Returns whether there was a connection.
    pub(crate) fn on_down(
        &mut self,
        why: String,
        retry_in: Duration,
        is_refused: bool,
        remedy: &str,
    ) -> bool {
        let wait = humantime::format_duration(Duration::from_millis(
            u64::try_from(retry_in.as_millis()).unwrap_or(u64::MAX),
        ));
        let was_up = self.up_since.take().is_some();
        if is_refused && self.last_error.as_ref() != Some(&why) {
            log::error!(target: "hub", "{why}; trying again in {wait}; {remedy}");
        } else if was_up {
            log::info!(target: "hub", "disconnected: {why}; trying again in {wait}");
        } else {
            // an outage may last for days: its first failure is news
            let level = if self.is_failing { log::Level::Info } else { log::Level::Warn };
            log::log!(target: "hub", level, "{why}; trying again in {wait}");
        }
        self.is_failing |= !was_up;
        self.last_error = Some(why);
        self.is_refused = is_refused;
        self.retry_at = Some(Instant::now() + retry_in);
        was_up
    }
}
