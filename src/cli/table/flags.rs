//! The part of the table with the flags that several commands share, and those of `try`, `doctor` and `logs`.

use super::spec::{FlagSpec, ValueKind, text};
use crate::config::profile;

pub(super) static PROFILE: FlagSpec = FlagSpec {
    long: "profile",
    letter: Some('p'),
    value: Some(ValueKind::Profile),
    short: "use this profile",
    long_text: "Reads `~/.config/wtt-connect/profiles/PROFILE.env`. A profile is complete in itself: `.env` and the `WTT_*` variables of the environment are ignored with it, because they may belong to another agent that started this command.",
    set: |args, value| {
        let name = text(value)?;
        if !profile::is_name(&name) {
            return Err(format!("is not a profile name; accepted: {}", profile::RULE));
        }
        args.profile = Some(name);
        Ok(())
    },
};

pub(super) static ENV_FILE: FlagSpec = FlagSpec {
    long: "env-file",
    letter: None,
    value: Some(ValueKind::File),
    short: "read settings from this env file first",
    long_text: "Reads `KEY=value` lines from FILE before the default `.env`, or before the profile, so that they take precedence. The variable `WTT_CONNECT_ENV_FILE` names such a file, too.",
    set: |args, value| {
        args.env_file = Some(value.into());
        Ok(())
    },
};

pub(super) static CONFIG: FlagSpec = FlagSpec {
    long: "config",
    letter: None,
    value: Some(ValueKind::File),
    short: "read settings from this JSON file last",
    long_text: "Reads one flat JSON object whose keys are spelled like the variables or in camel case (`agentId`). The environment and env files take precedence over it. The variable `WTT_CONNECT_CONFIG` names such a file, too.",
    set: |args, value| {
        args.config = Some(value.into());
        Ok(())
    },
};

pub(super) static JSON: FlagSpec = FlagSpec {
    long: "json",
    letter: None,
    value: None,
    short: "print JSON for scripts",
    long_text: "Prints one JSON object instead of text. Secrets are masked in both.",
    set: |args, _| {
        args.json = true;
        Ok(())
    },
};

pub(super) static OFFLINE: FlagSpec = FlagSpec {
    long: "offline",
    letter: None,
    value: None,
    short: "do not contact the service",
    long_text: "Checks this machine only and does not contact the service.",
    set: |args, _| {
        args.offline = true;
        Ok(())
    },
};

pub(super) static REHEARSE: FlagSpec = FlagSpec {
    long: "rehearse",
    letter: None,
    value: None,
    short: "let the agents run short real turns",
    long_text: "Instead of the checks, runs three short turns of ADAPTER, or of each enabled agent: one is answered, one resumes the first, and one is stopped. Prints the results and exits with 1 if a turn failed. The agents use their own accounts and work in a directory that is removed afterwards. No WTT account is needed.",
    set: |args, _| {
        args.rehearse = true;
        Ok(())
    },
};

pub(super) static ADAPTER: FlagSpec = FlagSpec {
    long: "adapter",
    letter: Some('a'),
    value: Some(ValueKind::Adapter),
    short: "chat with this agent",
    long_text: "Chats with this agent instead of the first one that works: `codex`, `claude-code`, `cursor`, `gemini`, `qoder`, `opencode`, `crush`, `iflow`, `kimi`, `pi`, `acp`, `devin`, or `demo`, the demonstration agent.",
    set: |args, value| {
        args.adapter = Some(text(value)?);
        Ok(())
    },
};

pub(super) static WORKDIR: FlagSpec = FlagSpec {
    long: "workdir",
    letter: None,
    value: Some(ValueKind::Directory),
    short: "let the agent work in this directory",
    long_text: "Lets the agent work in DIR instead of the current directory. It changes files and runs commands there without asking.",
    set: |args, value| {
        args.workdir = Some(value.into());
        Ok(())
    },
};

pub(super) static TERMINAL: FlagSpec = FlagSpec {
    long: "terminal",
    letter: None,
    value: None,
    short: "open a shell through the service instead",
    long_text: "Instead of a chat, opens a shell on this machine the way the web page does: through the local service and the connector. No agent is needed. The exit code is that of the shell.",
    set: |args, _| {
        args.terminal = true;
        Ok(())
    },
};

pub(super) static VERBOSE: FlagSpec = FlagSpec {
    long: "verbose",
    letter: Some('v'),
    value: None,
    short: "log more, and keep the log",
    long_text: "Makes the connector log more, prints the path of the log, and keeps it after the end.",
    set: |args, _| {
        args.verbose = true;
        Ok(())
    },
};

pub(super) static ALL_SETTINGS: FlagSpec = FlagSpec {
    long: "verbose",
    letter: Some('v'),
    value: None,
    short: "list settings with their default values, too",
    long_text: "Lists every setting, including those that have their default values.",
    set: |args, _| {
        args.verbose = true;
        Ok(())
    },
};

pub(super) static LOG_TO_FILE: FlagSpec = FlagSpec {
    long: "log-to-file",
    letter: None,
    value: None,
    short: "log to wtt-connect.log in the state directory",
    long_text: "Writes the log to `wtt-connect.log` in the state directory instead of stderr, for machines without a journal. At 10 MiB the file is renamed to `.1`, and an older `.1` to `.2`. `wtt-connect logs` reads it.",
    set: |args, _| {
        args.log_to_file = true;
        Ok(())
    },
};

pub(super) static NOW: FlagSpec = FlagSpec {
    long: "now",
    letter: None,
    value: None,
    short: "do not wait for running turns",
    long_text: "Does not wait for running turns: their agents are terminated, and the answers to their messages say so.",
    set: |args, _| {
        args.now = true;
        Ok(())
    },
};

pub(super) static LINES: FlagSpec = FlagSpec {
    long: "lines",
    letter: Some('n'),
    value: Some(ValueKind::Number),
    short: "show the newest N lines (default: 100)",
    long_text: "Shows the newest N lines, from 1 to 100000. The default is 100.",
    set: |args, value| {
        let lines = text(value)?.parse().ok().filter(|n| (1..=100_000).contains(n));
        args.lines = Some(lines.ok_or("is not a number of lines; accepted: 1 to 100000")?);
        Ok(())
    },
};

pub(super) static FOLLOW: FlagSpec = FlagSpec {
    long: "follow",
    letter: Some('f'),
    value: None,
    short: "follow the log until Ctrl-C",
    long_text: "Keeps printing new lines as they are written, until Ctrl-C.",
    set: |args, _| {
        args.follow = true;
        Ok(())
    },
};

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
