//! Settings of `smoke-chat`: the sender.

use super::spec::{Key, key, manual_text};
use crate::config::kind::Kind;

/// The identity of the sender.
pub const SENDER: &str = "WTT_SMOKE_SENDER_AGENT_ID";
/// Its token.
pub const SENDER_TOKEN: &str = "WTT_SMOKE_SENDER_TOKEN";

/// The settings.
pub(super) static KEYS: &[Key] = &[
    key(
        SENDER,
        Kind::AgentId,
        "none; smoke-chat needs it",
        "A second identity of yours, as which smoke-chat sends its message, because an agent does not answer its own messages. Read from the environment even with a profile.",
        "agent-tester",
    ),
    Key {
        name: SENDER_TOKEN,
        aliases: &[],
        kind: Kind::Token,
        default: "none; smoke-chat needs it",
        secret: true,
        meaning: manual_text("The token of that identity. Read from the environment even with a profile."),
        example: manual_text("'wtt-tok-tester'"),
    },
];
