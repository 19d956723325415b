//! The commands that answer what agents ask: a part of the one table.

use super::{CommandId, CommandSpec, FlagSpec, JSON, PROFILE, ValueKind};

static OF_PROFILE: FlagSpec = FlagSpec {
    long: "profile",
    letter: Some('p'),
    value: Some(ValueKind::Profile),
    short: "only of this profile",
    long_text: "Looks at the connector of this profile only. Without it, all that run are asked.",
    set: PROFILE.set,
};

pub(super) const APPROVE: CommandSpec = CommandSpec {
    id: CommandId::Approve,
    name: "approve",
    operands: "[ID [ANSWER...]]",
    short: "allow what an agent asks for, or list what is open",
    long: &[
        "Allows what an agent asks for in chat, from this host: once, or with the word `always` for its session. Where the agent has a question, ANSWER is the number of a choice, or words. What became of it is shown in the topic.",
        "Without ID it lists the open questions. Exits with 69 when no connector runs, and with 1 when no such question is open.",
    ],
    flags: &[&OF_PROFILE, &JSON],
    hidden: false,
};

pub(super) const DENY: CommandSpec = CommandSpec {
    id: CommandId::Deny,
    name: "deny",
    operands: "[ID [REASON...]]",
    short: "refuse what an agent asks for, or list what is open",
    long: &[
        "Refuses what an agent asks for in chat, from this host. The agent is told REASON and goes on; the reason `stop` also ends its turn.",
        "Without ID it lists the open questions, as `approve` does.",
    ],
    flags: &[&OF_PROFILE, &JSON],
    hidden: false,
};
