//! Settings of `smoke-chat`: the sender.

use super::spec::{SettingSpec, key, secret};
use crate::config::kind::SettingKind;

/// The identity of the sender.
pub const SENDER: &str = "WTT_SMOKE_SENDER_AGENT_ID";
/// Its token.
pub const SENDER_TOKEN: &str = "WTT_SMOKE_SENDER_TOKEN";

/// The settings.
pub(super) static KEYS: &[SettingSpec] = &[
    key(
        SENDER,
        SettingKind::AgentId,
        "none; smoke-chat needs it",
        "A second identity of yours, as which smoke-chat sends its message, because an agent does not answer its own messages. Read from the environment even with a profile.",
        "agent-tester",
    ),
    secret(
        SENDER_TOKEN,
        SettingKind::Token,
        "none; smoke-chat needs it",
        "The token of that identity. Read from the environment even with a profile.",
        "'wtt-tok-tester'",
    ),
];
