//! The flags of `up`, `down`, `workdir` and `setup`: a part of the one table.

use super::{CommandArgs, FlagSpec, PROFILE, ValueKind, text};
use crate::config::keys;
use std::ffi::OsString;

/// Takes the value of a setting, in the words that are accepted in a file.
fn setting(args: &mut CommandArgs, name: &'static str, value: OsString) -> Result<(), String> {
    let value = text(value)?;
    if let Some(key) = keys::find(name) {
        let accepted = |why| format!("{why}; accepted: {}", key.kind.accepts());
        key.kind.check(&value).map_err(accepted)?;
    }
    args.settings.push((name, value));
    Ok(())
}

/// A flag that switches a setting on.
fn on(args: &mut CommandArgs, name: &'static str) -> Result<(), String> {
    args.settings.push((name, "1".to_owned()));
    Ok(())
}

pub(super) static AS_PROFILE: FlagSpec = FlagSpec {
    long: "profile",
    letter: Some('p'),
    value: Some(ValueKind::Profile),
    short: "give the profile this name",
    long_text: "Names the profile. Without it the name is AGENT_ID-ADAPTER, as in `agent-alice-codex`.",
    set: PROFILE.set,
};

pub(super) static BASE_URL: FlagSpec = FlagSpec {
    long: "base-url",
    letter: None,
    value: Some(ValueKind::Free("URL")),
    short: "connect to this service",
    long_text: "The service, where it is not `https://www.waxbyte.com` (`WTT_BASE_URL`).",
    set: |args, value| setting(args, "WTT_BASE_URL", value),
};

pub(super) static MODE: FlagSpec = FlagSpec {
    long: "mode",
    letter: None,
    value: Some(ValueKind::Mode),
    short: "what the agent may do without asking",
    long_text: "What the agent may do without asking: `full-auto`, the default, does not ask; `auto-edit`, `suggest` and `yolo` are explained in wtt-connect(5) (`WTT_CONNECT_MODE`).",
    set: |args, value| setting(args, "WTT_CONNECT_MODE", value),
};

pub(super) static ALLOW_YOLO: FlagSpec = FlagSpec {
    long: "allow-yolo",
    letter: None,
    value: None,
    short: "permit the mode yolo",
    long_text: "Permits the mode `yolo`, which switches every safety off (`WTT_CONNECT_ALLOW_YOLO`).",
    set: |args, _| on(args, "WTT_CONNECT_ALLOW_YOLO"),
};

pub(super) static AGENT_WORKDIR: FlagSpec = FlagSpec {
    long: "workdir",
    letter: None,
    value: Some(ValueKind::Directory),
    short: "let the agent work in this directory",
    long_text: "Lets the agent work in DIR instead of in `~/.wtt-connect/AGENT_ID`; it is created when it is missing (`WTT_CONNECT_WORKDIR`).",
    set: |args, value| setting(args, "WTT_CONNECT_WORKDIR", value),
};

pub(super) static ADAPTERS: FlagSpec = FlagSpec {
    long: "adapters",
    letter: None,
    value: Some(ValueKind::Free("LIST")),
    short: "agents that messages may ask for, with commas",
    long_text: "All agents that messages may ask for, with commas between, when the identity is to have more than one (`WTT_CONNECT_ADAPTERS`).",
    set: |args, value| setting(args, "WTT_CONNECT_ADAPTERS", value),
};

pub(super) static MODEL: FlagSpec = FlagSpec {
    long: "model",
    letter: None,
    value: Some(ValueKind::Free("MODEL")),
    short: "the model when a message names none",
    long_text: "The model when a message names none (`WTT_CONNECT_MODEL`).",
    set: |args, value| setting(args, "WTT_CONNECT_MODEL", value),
};

pub(super) static PUBLISH_PROGRESS: FlagSpec = FlagSpec {
    long: "publish-progress",
    letter: None,
    value: None,
    short: "also publish progress as lines in the topic",
    long_text: "Also publishes progress as lines in the topic (`WTT_CONNECT_PUBLISH_PROGRESS`).",
    set: |args, _| on(args, "WTT_CONNECT_PUBLISH_PROGRESS"),
};

pub(super) static ENABLE_SHELL: FlagSpec = FlagSpec {
    long: "enable-shell",
    letter: None,
    value: None,
    short: "open a terminal on this machine to the web page",
    long_text: "Opens a terminal on this machine to the owner of the agent on the web page (`WTT_CONNECT_ENABLE_SHELL`). It runs as this user, and nothing confines it.",
    set: |args, _| on(args, "WTT_CONNECT_ENABLE_SHELL"),
};

pub(super) static ENABLE_LINGER: FlagSpec = FlagSpec {
    long: "enable-linger",
    letter: None,
    value: None,
    short: "start at boot, before anybody logs in",
    long_text: "Lets the service start when the machine starts; without it, it starts when you log in and ends when you log out. Some machines do not permit it; that is said, and is no failure. On macOS it does nothing.",
    set: |args, _| {
        args.enable_linger = true;
        Ok(())
    },
};

pub(super) static TOKEN_FILE: FlagSpec = FlagSpec {
    long: "token-file",
    letter: None,
    value: Some(ValueKind::File),
    short: "read the token from this file",
    long_text: "Reads the token from the first line of FILE, so that it is in no list of processes and in no shell history. TOKEN may also be `-` for stdin, or stand in the variable `WTT_TOKEN`.",
    set: |args, value| {
        args.token_file = Some(value.into());
        Ok(())
    },
};

pub(super) static YES: FlagSpec = FlagSpec {
    long: "yes",
    letter: Some('y'),
    value: None,
    short: "ask nothing",
    long_text: "Asks nothing and goes on in spite of warnings. Without a terminal nothing is asked anyway.",
    set: |args, _| {
        args.yes = true;
        Ok(())
    },
};

pub(super) static NO_START: FlagSpec = FlagSpec {
    long: "no-start",
    letter: None,
    value: None,
    short: "write the profile only",
    long_text: "Writes the profile and touches no service; `wtt-connect start --profile PROFILE` then runs it.",
    set: |args, _| {
        args.no_start = true;
        Ok(())
    },
};

pub(super) static DRY_RUN: FlagSpec = FlagSpec {
    long: "dry-run",
    letter: None,
    value: None,
    short: "check and show, change nothing",
    long_text: "Checks everything and shows what would be written and run. Nothing is changed.",
    set: |args, _| {
        args.dry_run = true;
        Ok(())
    },
};

pub(super) static BOUND_ADAPTER: FlagSpec = FlagSpec {
    long: "adapter",
    letter: Some('a'),
    value: Some(ValueKind::Adapter),
    short: "bind the agent to this CLI",
    long_text: "Names the agent CLI that the agent is to be bound to. Without it that is the one of the profile, else the first that is installed here; the output says which, and names the others.",
    set: |args, value| {
        let word = text(value)?;
        let accepted = |why| format!("{why}; accepted: {}", crate::config::adapter_names::DRIVEN.join(", "));
        args.adapter = Some(crate::config::value::adapter(&word).map_err(accepted)?);
        Ok(())
    },
};

pub(super) static PURGE: FlagSpec = FlagSpec {
    long: "purge",
    letter: None,
    value: None,
    short: "delete the profile and its state too",
    long_text: "Also deletes the profile with its token, and the state: which session belongs to which topic, and replies that are not sent yet. The directory where the agent worked stays.",
    set: |args, _| {
        args.purge = true;
        Ok(())
    },
};

pub(super) static RESTART: FlagSpec = FlagSpec {
    long: "restart",
    letter: None,
    value: None,
    short: "restart the connector, so that it counts at once",
    long_text: "Restarts the connector if it runs, when its running turns are over.",
    set: |args, _| {
        args.restart = true;
        Ok(())
    },
};

pub(super) static CLAIM_CODE: FlagSpec = FlagSpec {
    long: "claim-code",
    letter: None,
    value: None,
    short: "print a code to claim the agent with",
    long_text: "Prints a code and how long it is valid. Enter it on the web page, and the agent is yours.",
    set: |args, _| {
        args.claim_code = true;
        Ok(())
    },
};
