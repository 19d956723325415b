//! How a text that the service refuses is tried again: the table of attempts. Pure.
//!
//! What exactly the service refuses is not known, so each attempt leaves something out or goes another way: first the
//! metadata, then the socket, then the reference to the message that is answered. See REPLIES in wtt-connect-protocol(7).

use std::time::Duration;

/// The way of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    /// A `publish` frame on the WebSocket.
    Socket,
    /// A POST to the topic's messages.
    Http,
}

/// One attempt to publish a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// Waited after the refusal before it.
    pub(crate) pause: Duration,
    /// The way.
    pub(crate) transport: Transport,
    /// Carries the client id and how the turn ended, in case the service does not take metadata.
    pub(crate) has_metadata: bool,
    /// Names the message that it answers, in case that one is gone.
    pub(crate) names_message: bool,
}

const fn attempt(seconds: u64, transport: Transport, has_metadata: bool, names_message: bool) -> Attempt {
    Attempt { pause: Duration::from_secs(seconds), transport, has_metadata, names_message }
}

/// All attempts, by the number of refusals before each. After the last one the text is refused for good. The first ones
/// follow each other at once, because each is another guess; the later ones leave a service in trouble alone.
const ATTEMPTS: [Attempt; 6] = [
    attempt(0, Transport::Socket, true, true),
    attempt(0, Transport::Socket, false, true),
    attempt(0, Transport::Http, true, true),
    attempt(5, Transport::Socket, false, false),
    attempt(30, Transport::Http, true, false),
    attempt(120, Transport::Socket, false, false),
];

impl Attempt {
    /// The first one of each text.
    pub(crate) const FIRST: Attempt = ATTEMPTS[0];

    /// The attempt after so many refusals; none: the text is refused for good. `is_awaited`: somebody waits for it and may
    /// ask again, so it is given up rather than tried later.
    pub(crate) fn after(refusals: usize, is_awaited: bool) -> Option<Attempt> {
        ATTEMPTS.get(refusals).copied().filter(|attempt| !is_awaited || attempt.pause.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Transport::{Http, Socket};

    #[test]
    fn each_refusal_leads_to_another_attempt_until_there_is_none() {
        let rows: Vec<_> = (0..).map_while(|refusals| Attempt::after(refusals, false)).collect();
        let columns = |attempt: &Attempt| {
            (attempt.pause.as_secs(), attempt.transport, attempt.has_metadata, attempt.names_message)
        };
        assert_eq!(
            rows.iter().map(columns).collect::<Vec<_>>(),
            [
                (0, Socket, true, true),
                (0, Socket, false, true),
                (0, Http, true, true),
                (5, Socket, false, false),
                (30, Http, true, false),
                (120, Socket, false, false),
            ]
        );
        assert_eq!(rows[0], Attempt::FIRST);
    }

    #[test]
    fn nothing_that_somebody_waits_for_is_tried_after_a_pause() {
        let count = (0..).map_while(|refusals| Attempt::after(refusals, true)).count();
        assert_eq!(count, 3);
    }
}
