//! Settings of the network thread: where it connects to, with what, and its intervals.

use crate::http::proxy::Proxies;
use crate::json;
use crate::secret::Secret;
use crate::sys::time;
use crate::wire::assumed;
use std::path::PathBuf;
use std::time::Duration;

/// Settings of the network thread.
pub struct NetConfig {
    /// WebSocket URLs to try in turn (see CONNECTION in wtt-connect-protocol(7)).
    pub urls: Vec<String>,
    /// Read again before every attempt, so that a new token in the profile is picked up.
    pub token: Box<dyn FnMut() -> Secret + Send>,
    /// Extra CA bundle.
    pub ca_file: Option<PathBuf>,
    /// Proxies of the environment.
    pub proxies: Proxies,
    /// Intervals, for tests.
    pub timing: Timing,
}

/// Intervals of the connection; `Timing::default()` is what users get.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// Between text pings: one in 30 s keeps the agent online (see HEARTBEAT in wtt-connect-protocol(7)).
    pub ping: Duration,
    /// Dead when nothing at all came for this long.
    pub dead: Duration,
    /// TCP, TLS and WebSocket handshake together.
    pub dial: Duration,
    /// Wait for the auth reply.
    pub auth: Duration,
    /// Upper bound of the first wait; doubles with every failure.
    pub backoff: Duration,
    /// Backoff cap.
    pub backoff_max: Duration,
    /// Backoff resets only after a connection of this age.
    pub healthy: Duration,
    /// Pause after a refused token.
    pub refused: Duration,
}

/// What else an idle connector does is done with the pings.
const _: () = assert!(assumed::PING_EVERY.as_secs() == time::TICK_INTERVAL.as_secs());

impl Default for Timing {
    fn default() -> Self {
        Timing {
            ping: assumed::PING_EVERY,
            dead: assumed::DEAD_PEER_AFTER,
            dial: Duration::from_secs(20),
            auth: assumed::AUTH_WAIT,
            backoff: Duration::from_secs(1),
            backoff_max: Duration::from_secs(60),
            healthy: assumed::HEALTHY_AFTER,
            refused: assumed::REFUSED_RETRY,
        }
    }
}

/// The variable that shortens [`Timing`] for tests of the real binary: a JSON object of milliseconds by field name.
const TEST_TIMING: &str = "WTT_CONNECT_TEST_TIMING";

impl Timing {
    /// The default, or what `WTT_CONNECT_TEST_TIMING` changes of it (tests only), e.g. `{"ping":50,"dead":200}`.
    pub fn from_env() -> Timing {
        let mut timing = Timing::default();
        let text = std::env::var(TEST_TIMING).unwrap_or_default();
        if let Ok(serde_json::Value::Object(changes)) = json::parse(text) {
            timing.shorten(&changes);
        }
        timing
    }

    fn shorten(&mut self, changes: &serde_json::Map<String, serde_json::Value>) {
        for (name, value) in changes {
            let field = match name.as_str() {
                "ping" => &mut self.ping,
                "dead" => &mut self.dead,
                "dial" => &mut self.dial,
                "auth" => &mut self.auth,
                "backoff" => &mut self.backoff,
                "backoff_max" => &mut self.backoff_max,
                "healthy" => &mut self.healthy,
                "refused" => &mut self.refused,
                _ => {
                    log::warn!("{TEST_TIMING} has no field `{name}`");
                    continue;
                }
            };
            *field = Duration::from_millis(value.as_u64().unwrap_or_default());
        }
    }
}
