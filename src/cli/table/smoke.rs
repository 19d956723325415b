//! `smoke-task` and `smoke-chat`: a part of the one table.

use super::{CONFIG, CommandId, CommandSpec, ENV_FILE, FlagSpec, PROFILE, ValueKind, text};

static EXPECTED: FlagSpec = FlagSpec {
    long: "expected",
    letter: Some('e'),
    value: Some(ValueKind::Free("TEXT")),
    short: "what the agent is asked to say",
    long_text: "The agent is asked to answer with TEXT, and the answer must contain it; `WTT_CONNECT_TASK_READY` or `WTT_CONNECT_CHAT_READY` without this flag.",
    set: |args, value| {
        let expected = text(value)?;
        if expected.trim().is_empty() || expected.chars().any(char::is_control) {
            return Err("is empty or more than one line; give one line of text".into());
        }
        args.expected = Some(expected);
        Ok(())
    },
};

static WITHIN: FlagSpec = FlagSpec {
    long: "timeout",
    letter: None,
    value: Some(ValueKind::Number),
    short: "give up after so many seconds; 300 without it",
    long_text: "Gives up when nothing has come after N seconds, from 1 to 86400. Without this flag it waits 300.",
    set: |args, value| {
        let seconds = text(value)?.parse().ok().filter(|n| (1..=86_400).contains(n));
        args.timeout = Some(seconds.ok_or("is not a number of seconds; accepted: 1 to 86400")?);
        Ok(())
    },
};

/// How both end.
const EXITS: &str = "Exits with 0 when the answer contains the text, with 1 when something else came, with 69 when the service cannot be reached or nothing came in time, and with 78 when a setting is missing or wrong or the service refuses a token. What is seen on the way is printed line by line, with the seconds since the start.";

pub(super) const TASK: CommandSpec = CommandSpec {
    id: CommandId::SmokeTask,
    name: "smoke-task",
    operands: "",
    short: "test a running connector with a task",
    long: &[
        "Creates a task for the agent of the settings, asks the service to run it, and waits for its result, all over the API of the service: the running connector does not know that it is a test. The task is approved when the test has passed, and stays on the board otherwise.",
        EXITS,
    ],
    flags: &[&EXPECTED, &WITHIN, &PROFILE, &ENV_FILE, &CONFIG],
    hidden: false,
};

pub(super) const CHAT: CommandSpec = CommandSpec {
    id: CommandId::SmokeChat,
    name: "smoke-chat",
    operands: "",
    short: "test a running connector with a message",
    long: &[
        "Writes to the agent of the settings as a second agent and waits for its answer. `WTT_SMOKE_SENDER_AGENT_ID` and `WTT_SMOKE_SENDER_TOKEN` say who asks; it must be another identity than the connector's.",
        "A connector answers another agent twice in a row in a topic, with 15 seconds between, and then waits for a person or for its next start: more tests in a row get no answer.",
        EXITS,
    ],
    flags: &[&EXPECTED, &WITHIN, &PROFILE, &ENV_FILE, &CONFIG],
    hidden: false,
};
