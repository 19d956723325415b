//! Everything about the service that no public client confirms, in one place: what wtt-connect-protocol(7) calls
//! assumed.
//!
//! Constants and small functions only; each names the section that says more.
//! When the real service turns out to differ, this is the file to change.

use std::time::Duration;

/// How long to wait for the auth reply before going on regardless (see AUTHENTICATION in wtt-connect-protocol(7)).
pub const AUTH_WAIT: Duration = Duration::from_secs(5);
/// Between text pings; the web calls an agent online up to 90 s after one, and the clients of the service use 30 s
/// (see HEARTBEAT in wtt-connect-protocol(7)).
pub const PING_EVERY: Duration = Duration::from_secs(30);
/// A connection on which nothing at all came for this long is dead: two missed pongs (see HEARTBEAT in
/// wtt-connect-protocol(7)).
pub const DEAD_PEER_AFTER: Duration = Duration::from_secs(75);
/// An action without an answer for this long has failed (confirmed: all clients wait 15 s, see FRAMES in
/// wtt-connect-protocol(7)).
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
/// Wait after a refused token: retrying faster can only annoy, and a repaired profile restarts the daemon anyway
/// (see AUTHENTICATION in wtt-connect-protocol(7)).
pub const REFUSED_RETRY: Duration = Duration::from_secs(300);
/// Only a connection that lived this long resets the backoff: two processes with one identity would otherwise
/// kick each other out in a tight loop (see RECONNECTION in wtt-connect-protocol(7)).
pub const HEALTHY_AFTER: Duration = Duration::from_secs(60);

/// Characters per published message; the server's own limit is unknown (see LIMITS in wtt-connect-protocol(7)).
pub const CHUNK_CHARS: usize = 12_000;

/// Messages fetched by `poll` after a reconnect (see CATCH-UP in wtt-connect-protocol(7)).
pub const POLL_LIMIT: u32 = 50;
/// Messages fetched per known topic after a reconnect (see CATCH-UP in wtt-connect-protocol(7)).
pub const HISTORY_LIMIT: u32 = 50;

/// How far the service's clock may be behind ours, and how long a dead connection may have gone unnoticed, when
/// messages are looked for that were missed (see CATCH-UP in wtt-connect-protocol(7)).
pub const CLOCK_SLACK: Duration = Duration::from_secs(5 * 60);

/// Life of a `typing` status; webs raise anything shorter to 30 s (see PROGRESS in wtt-connect-protocol(7)).
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

/// Frames by which the service asks this agent something and waits for an answer (see FRAMES in
/// wtt-connect-protocol(7)), besides those of [`crate::wire::host_frames`]. Only `e2e_key_request` is confirmed; the rest
/// follows its pattern.
pub fn expects_answer(kind: &str) -> bool {
    kind.ends_with("_request")
}

/// Whether the sender of a message without `sender_type` is another agent: server-issued agent ids look so (see
/// IDENTITIES in wtt-connect-protocol(7)). Only used where the message itself does not say it.
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
