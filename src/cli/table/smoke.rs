//! The part of the table about `smoke-task` and `smoke-chat`.

use super::flags::{CONFIG, ENV_FILE, PROFILE};
use super::spec::{CommandId, CommandSpec, FlagSpec, Group, ValueKind, text};

static EXPECTED: FlagSpec = FlagSpec::with_value(
    "expected",
    ValueKind::Free("TEXT"),
    "the text that the agent should answer with",
    "Asks the agent to answer with TEXT, which the answer must then contain. The default is `WTT_CONNECT_TASK_READY` or `WTT_CONNECT_CHAT_READY`.",
    |args, value| {
        let expected = text(value)?;
        if expected.trim().is_empty() || expected.chars().any(char::is_control) {
            return Err("is empty or more than one line; give one line of text".into());
        }
        args.expected = Some(expected);
        Ok(())
    },
)
.with_letter('e');

static TIMEOUT: FlagSpec = FlagSpec::with_value(
    "timeout",
    ValueKind::Number,
    "give up after N seconds (default: 300)",
    "Gives up if there is no answer after N seconds, from 1 to 86400. The default is 300.",
    |args, value| {
        let seconds = text(value)?.parse().ok().filter(|n| (1..=86_400).contains(n));
        args.timeout = Some(seconds.ok_or("is not a number of seconds; accepted: 1 to 86400")?);
        Ok(())
    },
);

/// The exit codes of both commands.
const EXIT_CODES: &str = "Exits with 0 if the answer contains the text, with 1 if it does not, with 69 if the service cannot be reached or no answer arrived in time, and with 78 if a setting is missing or wrong or the service refuses a token. Each step is printed as a line with the seconds since the start.";

pub(super) const TASK: CommandSpec = CommandSpec {
    id: CommandId::SmokeTask,
    name: "smoke-task",
    group: Some(Group::Test),
    operands: "",
    short: "test a running connector with a task",
    long: &[
        "Creates a task for the agent in the settings, asks the service to run it, and waits for its result. It uses the API of the service only, so the running connector does not know that this is a test. The task is approved if the test passes, and stays on the board otherwise.",
        EXIT_CODES,
    ],
    flags: &[&EXPECTED, &TIMEOUT, &PROFILE, &ENV_FILE, &CONFIG],
};

pub(super) const CHAT: CommandSpec = CommandSpec {
    id: CommandId::SmokeChat,
    name: "smoke-chat",
    group: Some(Group::Test),
    operands: "",
    short: "test a running connector with a message",
    long: &[
        "Sends a message to the agent in the settings as a second agent and waits for its answer. `WTT_SMOKE_SENDER_AGENT_ID` and `WTT_SMOKE_SENDER_TOKEN` are the identity of the sender, which must differ from that of the connector.",
        "A connector answers another agent only twice in a row in a topic, at least 15 seconds apart, and then waits for a person or for its next start. Further tests get no answer until then.",
        EXIT_CODES,
    ],
    flags: &[&EXPECTED, &TIMEOUT, &PROFILE, &ENV_FILE, &CONFIG],
};
