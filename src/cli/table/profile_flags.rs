//! The part of the table with the flags of commands that change profiles: `up`, `down`, `workdir` and `setup`.

use super::flags::PROFILE;
use super::spec::{CommandArgs, FlagSpec, ValueKind, text};
use crate::config::keys;
use std::ffi::OsString;

/// Checks the value of a setting as in an env file, and stores it.
fn push_setting(args: &mut CommandArgs, name: &'static str, value: OsString) -> Result<(), String> {
    let value = text(value)?;
    if let Some(key) = keys::find(name) {
        let accepted = |why| format!("{why}; accepted: {}", key.kind.accepts());
        key.kind.check(&value).map_err(accepted)?;
    }
    args.settings.push((name, value));
    Ok(())
}

/// Switches a setting on.
fn push_enabled(args: &mut CommandArgs, name: &'static str) -> Result<(), String> {
    args.settings.push((name, "1".to_owned()));
    Ok(())
}

pub(super) static PROFILE_NAME: FlagSpec = FlagSpec {
    long: "profile",
    letter: Some('p'),
    value: Some(ValueKind::Profile),
    short: "name the profile",
    long_text: "Names the profile. The default is AGENT_ID-ADAPTER, as in `agent-alice-codex`.",
    set: PROFILE.set,
};

pub(super) static BASE_URL: FlagSpec = FlagSpec {
    long: "base-url",
    letter: None,
    value: Some(ValueKind::Free("URL")),
    short: "connect to this service",
    long_text: "Connects to this service instead of `https://www.waxbyte.com` (`WTT_BASE_URL`).",
    set: |args, value| push_setting(args, "WTT_BASE_URL", value),
};

pub(super) static MODE: FlagSpec = FlagSpec {
    long: "mode",
    letter: None,
    value: Some(ValueKind::Mode),
    short: "what the agent may do without asking",
    long_text: "What the agent may do without asking. `full-auto`, the default, never asks; wtt-connect(5) explains `auto-edit`, `suggest` and `yolo` (`WTT_CONNECT_MODE`).",
    set: |args, value| push_setting(args, "WTT_CONNECT_MODE", value),
};

pub(super) static ALLOW_YOLO: FlagSpec = FlagSpec {
    long: "allow-yolo",
    letter: None,
    value: None,
    short: "permit the mode yolo",
    long_text: "Permits the mode `yolo`, which switches every safeguard off (`WTT_CONNECT_ALLOW_YOLO`).",
    set: |args, _| push_enabled(args, "WTT_CONNECT_ALLOW_YOLO"),
};

pub(super) static AGENT_WORKDIR: FlagSpec = FlagSpec {
    long: "workdir",
    letter: None,
    value: Some(ValueKind::Directory),
    short: "let the agent work in this directory",
    long_text: "Lets the agent work in DIR instead of `~/.wtt-connect/AGENT_ID`. The directory is created if it does not exist (`WTT_CONNECT_WORKDIR`).",
    set: |args, value| push_setting(args, "WTT_CONNECT_WORKDIR", value),
};

pub(super) static ADAPTERS: FlagSpec = FlagSpec {
    long: "adapters",
    letter: None,
    value: Some(ValueKind::Free("LIST")),
    short: "enable several agent CLIs, separated by commas",
    long_text: "The agent CLIs that messages may ask for, separated by commas, if this identity should have more than one (`WTT_CONNECT_ADAPTERS`).",
    set: |args, value| push_setting(args, "WTT_CONNECT_ADAPTERS", value),
};

pub(super) static MODEL: FlagSpec = FlagSpec {
    long: "model",
    letter: None,
    value: Some(ValueKind::Free("MODEL")),
    short: "the default model",
    long_text: "The model for messages that name none (`WTT_CONNECT_MODEL`).",
    set: |args, value| push_setting(args, "WTT_CONNECT_MODEL", value),
};

pub(super) static PUBLISH_PROGRESS: FlagSpec = FlagSpec {
    long: "publish-progress",
    letter: None,
    value: None,
    short: "also publish progress in the topic",
    long_text: "Also publishes progress as lines in the topic, which WTT hides in its chat view (`WTT_CONNECT_PUBLISH_PROGRESS`).",
    set: |args, _| push_enabled(args, "WTT_CONNECT_PUBLISH_PROGRESS"),
};

pub(super) static ENABLE_SHELL: FlagSpec = FlagSpec {
    long: "enable-shell",
    letter: None,
    value: None,
    short: "let the web page open terminals on this machine",
    long_text: "Lets the owner of the agent open terminals on this machine from the web page (`WTT_CONNECT_ENABLE_SHELL`). They run as this user without any restriction.",
    set: |args, _| push_enabled(args, "WTT_CONNECT_ENABLE_SHELL"),
};

pub(super) static ENABLE_LINGER: FlagSpec = FlagSpec {
    long: "enable-linger",
    letter: None,
    value: None,
    short: "start at boot instead of at login",
    long_text: "Lets the service start when the machine boots. Without this flag it starts when you log in and ends when you log out. If the machine does not permit it, a note says so, and the command succeeds. On macOS it has no effect.",
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
    long_text: "Reads the token from the first line of FILE, so that it appears in no process list and no shell history. TOKEN may also be `-` for stdin, or be in the variable `WTT_TOKEN`.",
    set: |args, value| {
        args.token_file = Some(value.into());
        Ok(())
    },
};

pub(super) static YES: FlagSpec = FlagSpec {
    long: "yes",
    letter: Some('y'),
    value: None,
    short: "ask no questions",
    long_text: "Asks no questions and continues in spite of warnings. Without a terminal no questions are asked anyway.",
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
    long_text: "Writes the profile but installs and starts no service; `wtt-connect start --profile PROFILE` then runs it.",
    set: |args, _| {
        args.no_start = true;
        Ok(())
    },
};

pub(super) static DRY_RUN: FlagSpec = FlagSpec {
    long: "dry-run",
    letter: None,
    value: None,
    short: "check everything, change nothing",
    long_text: "Checks everything and shows what would be written and run, but changes nothing.",
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
    long_text: "The agent CLI to bind the agent to. The default is the one in the profile, or else the first one that is installed; the output says which one, and names the others.",
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
    short: "delete the profile and its state, too",
    long_text: "Also deletes the profile with its token, and the state: which session belongs to which topic, and replies that have not been sent yet. The agent's working directory is kept.",
    set: |args, _| {
        args.purge = true;
        Ok(())
    },
};

pub(super) static RESTART: FlagSpec = FlagSpec {
    long: "restart",
    letter: None,
    value: None,
    short: "restart the connector, so that it takes effect now",
    long_text: "Restarts the connector, if it runs, as soon as its running turns have ended.",
    set: |args, _| {
        args.restart = true;
        Ok(())
    },
};

pub(super) static CLAIM_CODE: FlagSpec = FlagSpec {
    long: "claim-code",
    letter: None,
    value: None,
    short: "print a code to claim the agent",
    long_text: "Prints a code and how long it is valid. Enter it on the web page to claim the agent.",
    set: |args, _| {
        args.claim_code = true;
        Ok(())
    },
};
