//! Settings of `smoke-chat`: who asks.

use super::{Key, key, told};
use crate::config::kind::Kind;

/// The identity that asks.
pub const SENDER: &str = "WTT_SMOKE_SENDER_AGENT_ID";
/// Its token.
pub const SENDER_TOKEN: &str = "WTT_SMOKE_SENDER_TOKEN";

/// The rows.
pub(super) static KEYS: &[Key] = &[
    key(
        SENDER,
        Kind::AgentId,
        "none; smoke-chat needs it",
        "A second identity of yours. smoke-chat speaks as it, because an agent does not answer itself. Also read from the environment beside a profile.",
        "agent-tester",
    ),
    Key {
        name: SENDER_TOKEN,
        aliases: &[],
        kind: Kind::Token,
        default: "none; smoke-chat needs it",
        secret: true,
        meaning: told("The token of that identity. Also read from the environment beside a profile."),
        example: told("'wtt-tok-tester'"),
    },
];
