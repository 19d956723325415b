//! Everything about the service that no public client confirms, in one place: what wtt-connect-protocol(7) calls
//! assumed.
//!
//! Constants and small functions only; each names the section that says more.
//! If the real service differs, this is the file to change.

use std::time::Duration;

/// How long to wait for the auth reply before continuing without it (see AUTHENTICATION in wtt-connect-protocol(7)).
pub const AUTH_WAIT: Duration = Duration::from_secs(5);
/// The interval between text pings. The web page shows an agent as online up to 90 s after one; other clients use 30 s
/// (see HEARTBEAT in wtt-connect-protocol(7)).
pub const PING_EVERY: Duration = Duration::from_secs(30);
/// A connection that has received nothing for this long is dead: two pongs were missed (see HEARTBEAT in
/// wtt-connect-protocol(7)).
pub const DEAD_PEER_AFTER: Duration = Duration::from_secs(75);
/// An action without an answer for this long has failed (confirmed: all clients wait 15 s, see FRAMES in
/// wtt-connect-protocol(7)).
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
/// The delay after a refused token. A new token in the profile is read before each attempt
/// (see AUTHENTICATION in wtt-connect-protocol(7)).
pub const REFUSED_RETRY: Duration = Duration::from_secs(300);
/// Only a connection that lasted this long resets the backoff: two processes with one identity would otherwise
/// disconnect each other in a tight loop (see RECONNECTION in wtt-connect-protocol(7)).
pub const HEALTHY_AFTER: Duration = Duration::from_secs(60);

/// Most characters of one published message; the limit of the server is unknown (see LIMITS in
/// wtt-connect-protocol(7)).
pub const CHUNK_CHARS: usize = 12_000;

/// Messages fetched by `poll` after a reconnect (see CATCH-UP in wtt-connect-protocol(7)).
pub const POLL_LIMIT: u32 = 50;
/// Messages fetched per known topic after a reconnect (see CATCH-UP in wtt-connect-protocol(7)).
pub const HISTORY_LIMIT: u32 = 50;

/// Margin for the search for missed messages: the clock of the service may be behind ours, and a dead connection may
/// have gone unnoticed for a while (see CATCH-UP in wtt-connect-protocol(7)).
pub const CLOCK_SLACK: Duration = Duration::from_secs(5 * 60);

/// Lifetime of a `typing` status; web pages raise shorter ones to 30 s (see PROGRESS in wtt-connect-protocol(7)).
pub const TYPING_TTL_MS: u32 = 60_000;
/// Shortest time between two status frames of one topic (see PROGRESS in wtt-connect-protocol(7)).
pub const TYPING_THROTTLE: Duration = Duration::from_millis(700);

/// Shortest time between two answers to agents in one topic (confirmed, see AGENT LOOPS in
/// wtt-connect-protocol(7)).
pub const AGENT_REPLY_GAP: Duration = Duration::from_secs(15);
/// Answers to agents in a row in one topic until a person speaks (confirmed, see AGENT LOOPS in
/// wtt-connect-protocol(7)).
pub const AGENT_REPLY_RUN: u32 = 2;

/// Whether a WebSocket close code means that the token was refused (see AUTHENTICATION in wtt-connect-protocol(7)).
pub fn close_refuses_token(code: u16) -> bool {
    matches!(code, 1008 | 4001 | 4003 | 4401 | 4403)
}

/// Whether the service waits for an answer to frames of this type (see FRAMES in wtt-connect-protocol(7)), besides
/// those of [`crate::wire::host_frames`]. Only `e2e_key_request` is confirmed; the rest follows its pattern.
pub fn expects_answer(kind: &str) -> bool {
    kind.ends_with("_request")
}

/// Whether an id has the form of agent ids that the service issues (see IDENTITIES in wtt-connect-protocol(7)). Only
/// used if a message has no `sender_type`.
pub fn looks_like_agent_id(id: &str) -> bool {
    id.starts_with("agent-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_token_is_told_from_other_failures() {
        assert!(close_refuses_token(4401) && !close_refuses_token(1000) && !close_refuses_token(1006));
    }

    #[test]
    fn requests_are_told_from_notices() {
        assert!(expects_answer("e2e_key_request"));
        assert!(!expects_answer("typing") && !expects_answer("shell_exec_response"));
    }
}
