//! The part of the table with the flags that several commands share, and those of `try`, `doctor` and `logs`.

use super::spec::{FlagSpec, ValueKind, text};
use crate::config::profile;

pub(super) static PROFILE: FlagSpec = FlagSpec::with_value(
    "profile",
    ValueKind::Profile,
    "use this profile",
    "Reads `~/.config/wtt-connect/profiles/PROFILE.env`. A profile is complete in itself: `.env` and the `WTT_*` variables of the environment are ignored with it, because they may belong to another agent that started this command.",
    |args, value| {
        let name = text(value)?;
        if !profile::is_name(&name) {
            return Err(format!("is not a profile name; accepted: {}", profile::RULE));
        }
        args.profile = Some(name);
        Ok(())
    },
)
.with_letter('p');

pub(super) static ENV_FILE: FlagSpec = FlagSpec::with_value(
    "env-file",
    ValueKind::File,
    "read settings from this env file first",
    "Reads `KEY=value` lines from FILE before the default `.env`, or before the profile, so that they take precedence. The variable `WTT_CONNECT_ENV_FILE` names such a file, too.",
    |args, value| {
        args.env_file = Some(value.into());
        Ok(())
    },
);

pub(super) static CONFIG: FlagSpec = FlagSpec::with_value(
    "config",
    ValueKind::File,
    "read settings from this JSON file last",
    "Reads one flat JSON object whose keys are spelled like the variables or in camel case (`agentId`). The environment and env files take precedence over it. The variable `WTT_CONNECT_CONFIG` names such a file, too.",
    |args, value| {
        args.config = Some(value.into());
        Ok(())
    },
);

pub(super) static JSON: FlagSpec = FlagSpec::switch(
    "json",
    "print JSON for scripts",
    "Prints one JSON object instead of text. Secrets are masked in both.",
    |args| args.json = true,
);

pub(super) static OFFLINE: FlagSpec = FlagSpec::switch(
    "offline",
    "do not contact the service",
    "Checks this machine only and does not contact the service.",
    |args| args.offline = true,
);

pub(super) static REHEARSE: FlagSpec = FlagSpec::switch(
    "rehearse",
    "let the agents run short real turns",
    "Instead of the checks, runs three short turns of ADAPTER, or of each enabled agent: one is answered, one resumes the first, and one is stopped. Prints the results and exits with 1 if a turn failed. The agents use their own accounts and work in a directory that is removed afterwards. No WTT account is needed.",
    |args| args.rehearse = true,
);

pub(super) static ADAPTER: FlagSpec = FlagSpec::with_value(
    "adapter",
    ValueKind::Adapter,
    "chat with this agent",
    "Chats with this agent instead of the first one that works: `codex`, `claude-code`, `cursor`, `gemini`, `qoder`, `opencode`, `crush`, `iflow`, `kimi`, `pi`, `acp`, `devin`, or `demo`, the demonstration agent.",
    |args, value| {
        args.adapter = Some(text(value)?);
        Ok(())
    },
)
.with_letter('a');

pub(super) static WORKDIR: FlagSpec = FlagSpec::with_value(
    "workdir",
    ValueKind::Directory,
    "let the agent work in this directory",
    "Lets the agent work in DIR instead of the current directory. It changes files and runs commands there without asking.",
    |args, value| {
        args.workdir = Some(value.into());
        Ok(())
    },
);

pub(super) static TERMINAL: FlagSpec = FlagSpec::switch(
    "terminal",
    "open a shell through the service instead",
    "Instead of a chat, opens a shell on this machine the way the web page does: through the local service and the connector. No agent is needed. The exit code is that of the shell.",
    |args| args.terminal = true,
);

pub(super) static VERBOSE: FlagSpec = FlagSpec::switch(
    "verbose",
    "log more, and keep the log",
    "Makes the connector log more, prints the path of the log, and keeps it after the end.",
    |args| args.verbose = true,
)
.with_letter('v');

pub(super) static ALL_SETTINGS: FlagSpec = FlagSpec {
    short: "list settings with their default values, too",
    long_text: "Lists every setting, including those that have their default values.",
    ..VERBOSE
};

pub(super) static LOG_TO_FILE: FlagSpec = FlagSpec::switch(
    "log-to-file",
    "log to wtt-connect.log in the state directory",
    "Writes the log to `wtt-connect.log` in the state directory instead of stderr, for machines without a journal. At 10 MiB the file is renamed to `.1`, and an older `.1` to `.2`. `wtt-connect logs` reads it.",
    |args| args.log_to_file = true,
);

pub(super) static NOW: FlagSpec = FlagSpec::switch(
    "now",
    "do not wait for running turns",
    "Does not wait for running turns: their agents are terminated, and the answers to their messages say so.",
    |args| args.now = true,
);

pub(super) static LINES: FlagSpec = FlagSpec::with_value(
    "lines",
    ValueKind::Number,
    "show the newest N lines (default: 100)",
    "Shows the newest N lines, from 1 to 100000. The default is 100.",
    |args, value| {
        let lines = text(value)?.parse().ok().filter(|n| (1..=100_000).contains(n));
        args.lines = Some(lines.ok_or("is not a number of lines; accepted: 1 to 100000")?);
        Ok(())
    },
)
.with_letter('n');

pub(super) static FOLLOW: FlagSpec = FlagSpec::switch(
    "follow",
    "follow the log until Ctrl-C",
    "Keeps printing new lines as they are written, until Ctrl-C.",
    |args| args.follow = true,
)
.with_letter('f');

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_of_adapter_are_listed() {
        for adapter in crate::agent::adapters::ADAPTERS {
            assert!(ADAPTER.long_text.contains(&format!("`{}`", adapter.name)), "{}", adapter.name);
        }
    }
}
