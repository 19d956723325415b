//! The connection as the hub sees it: up, down, refused; what begins and ends with it. The socket is the net thread's.

use crate::daemon::connection::NetEvent;
use crate::daemon::hub::Hub;
use std::time::{Duration, Instant};

/// The connection as far as the hub knows.
#[derive(Debug, Default)]
pub(crate) struct LinkState {
    pub(crate) up_since: Option<Instant>,
    pub(crate) last_error: Option<String>,
    /// When the next attempt is.
    pub(crate) retry_at: Option<Instant>,
    /// The service refuses the token.
    pub(crate) refused: bool,
    /// An attempt to connect has failed since the last connection.
    failing: bool,
}

impl Hub {
    /// The connection has come, gone, or brought a frame.
    pub(crate) fn on_net(&mut self, event: NetEvent) {
        match event {
            NetEvent::Up { display_name, .. } => {
                log::info!(target: "hub", "connected as {}", self.me.agent_id);
                self.link = LinkState { up_since: Some(Instant::now()), ..LinkState::default() };
                if display_name.is_some() {
                    self.me.display_name = display_name;
                }
                self.begin_catch_up();
                self.tasks.sweep_from(Some(Instant::now()));
                self.host.on_turn_ended(self.usage_totals());
                self.host.on_connection(true);
            }
            NetEvent::Down { why, retry_in, refused } => {
                let wait = humantime::format_duration(Duration::from_millis(
                    u64::try_from(retry_in.as_millis()).unwrap_or(u64::MAX),
                ));
                let was_up = self.link.up_since.take().is_some();
                if refused && self.link.last_error.as_ref() != Some(&why) {
                    let remedy = self.shared.config.token_remedy();
                    log::error!(target: "hub", "{why}; trying again in {wait}; {remedy}");
                } else if was_up {
                    log::info!(target: "hub", "disconnected: {why}; trying again in {wait}");
                } else {
                    // an outage may last for days: its first failure is news
                    let level = if self.link.failing { log::Level::Info } else { log::Level::Warn };
                    log::log!(target: "hub", level, "{why}; trying again in {wait}");
                }
                self.link.failing |= !was_up;
                self.link.last_error = Some(why);
                self.link.refused = refused;
                self.link.retry_at = Some(Instant::now() + retry_in);
                self.stop_catch_up(was_up);
                self.requests.clear();
                for message in self.files.give_up() {
                    self.take(&message);
                }
                self.delivery.disconnected();
                self.tasks.sweep_from(None);
                self.host.on_connection(false);
            }
            NetEvent::Frame(text) => return self.on_frame(&text),
        }
        self.tell();
    }
}
