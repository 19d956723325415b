//! The part of the table about permission requests: `approve` and `deny`.

use super::flags::{JSON, PROFILE};
use super::spec::{CommandId, CommandSpec, FlagSpec, Group};

static ONE_PROFILE: FlagSpec = FlagSpec {
    short: "only requests of this profile",
    long_text: "Considers the connector of this profile only. Without this flag all running connectors are asked.",
    ..PROFILE
};

pub(super) const APPROVE: CommandSpec = CommandSpec {
    id: CommandId::Approve,
    name: "approve",
    group: Some(Group::Requests),
    operands: "[ID [ANSWER...]]",
    short: "allow a permission request, or list the open ones",
    long: &[
        "Allows a permission request of an agent from this host instead of from the chat: once, or for its session with the word `always`. If the agent has asked a question, ANSWER is the number of a choice, or text. The topic shows the decision.",
        "Without ID it lists the open requests. Exits with 69 if no connector runs, and with 1 if no such request is open.",
    ],
    flags: &[&ONE_PROFILE, &JSON],
};

pub(super) const DENY: CommandSpec = CommandSpec {
    id: CommandId::Deny,
    name: "deny",
    group: Some(Group::Requests),
    operands: "[ID [REASON...]]",
    short: "deny a permission request, or list the open ones",
    long: &[
        "Denies a permission request of an agent from this host instead of from the chat. The agent is told REASON and continues; the reason `stop` also ends its turn.",
        "Without ID it lists the open requests, as `approve` does.",
    ],
    flags: &[&ONE_PROFILE, &JSON],
};
