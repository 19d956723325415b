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
fn enable(args: &mut CommandArgs, name: &'static str) {
    args.settings.push((name, "1".to_owned()));
}

pub(super) static PROFILE_NAME: FlagSpec = FlagSpec {
    short: "name the profile",
    long_text: "Names the profile. The default is AGENT_ID-ADAPTER, as in `agent-alice-codex`.",
    ..PROFILE
};

pub(super) static BASE_URL: FlagSpec = FlagSpec::with_value(
    "base-url",
    ValueKind::Free("URL"),
    "connect to this service",
    "Connects to this service instead of `https://www.waxbyte.com` (`WTT_BASE_URL`).",
    |args, value| push_setting(args, "WTT_BASE_URL", value),
);

pub(super) static MODE: FlagSpec = FlagSpec::with_value(
    "mode",
    ValueKind::Mode,
    "what the agent may do without asking",
    "What the agent may do without asking. `full-auto`, the default, never asks; wtt-connect(5) explains `auto-edit`, `suggest` and `yolo` (`WTT_CONNECT_MODE`).",
    |args, value| push_setting(args, "WTT_CONNECT_MODE", value),
);

pub(super) static ALLOW_YOLO: FlagSpec = FlagSpec::switch(
    "allow-yolo",
    "permit the mode yolo",
    "Permits the mode `yolo`, which switches every safeguard off (`WTT_CONNECT_ALLOW_YOLO`).",
    |args| enable(args, "WTT_CONNECT_ALLOW_YOLO"),
);

pub(super) static AGENT_WORKDIR: FlagSpec = FlagSpec::with_value(
    "workdir",
    ValueKind::Directory,
    "let the agent work in this directory",
    "Lets the agent work in DIR instead of `~/.wtt-connect/AGENT_ID`. The directory is created if it does not exist (`WTT_CONNECT_WORKDIR`).",
    |args, value| push_setting(args, "WTT_CONNECT_WORKDIR", value),
);

pub(super) static ADAPTERS: FlagSpec = FlagSpec::with_value(
    "adapters",
    ValueKind::Free("LIST"),
    "enable several agent CLIs, separated by commas",
    "The agent CLIs that messages may ask for, separated by commas, if this identity should have more than one (`WTT_CONNECT_ADAPTERS`).",
    |args, value| push_setting(args, "WTT_CONNECT_ADAPTERS", value),
);

pub(super) static MODEL: FlagSpec = FlagSpec::with_value(
    "model",
    ValueKind::Free("MODEL"),
    "the default model",
    "The model for messages that name none (`WTT_CONNECT_MODEL`).",
    |args, value| push_setting(args, "WTT_CONNECT_MODEL", value),
);

pub(super) static PUBLISH_PROGRESS: FlagSpec = FlagSpec::switch(
    "publish-progress",
    "also publish progress in the topic",
    "Also publishes progress as lines in the topic, which WTT hides in its chat view (`WTT_CONNECT_PUBLISH_PROGRESS`).",
    |args| enable(args, "WTT_CONNECT_PUBLISH_PROGRESS"),
);

pub(super) static ENABLE_SHELL: FlagSpec = FlagSpec::switch(
    "enable-shell",
    "let the web page open terminals on this machine",
    "Lets the owner of the agent open terminals on this machine from the web page (`WTT_CONNECT_ENABLE_SHELL`). They run as this user without any restriction.",
    |args| enable(args, "WTT_CONNECT_ENABLE_SHELL"),
);

pub(super) static ENABLE_LINGER: FlagSpec = FlagSpec::switch(
    "enable-linger",
    "start at boot instead of at login",
    "Lets the service start when the machine boots. Without this flag it starts when you log in and ends when you log out. If the machine does not permit it, a note says so, and the command succeeds. On macOS it has no effect.",
    |args| args.enable_linger = true,
);

pub(super) static TOKEN_FILE: FlagSpec = FlagSpec::with_value(
    "token-file",
    ValueKind::File,
    "read the token from this file",
    "Reads the token from the first line of FILE, so that it appears in no process list and no shell history. TOKEN may also be `-` for stdin, or be in the variable `WTT_TOKEN`.",
    |args, value| {
        args.token_file = Some(value.into());
        Ok(())
    },
);

pub(super) static YES: FlagSpec = FlagSpec::switch(
    "yes",
    "ask no questions",
    "Asks no questions and continues in spite of warnings. Without a terminal no questions are asked anyway.",
    |args| args.yes = true,
)
.with_letter('y');

pub(super) static NO_START: FlagSpec = FlagSpec::switch(
    "no-start",
    "write the profile only",
    "Writes the profile but installs and starts no service; `wtt-connect start --profile PROFILE` then runs it.",
    |args| args.no_start = true,
);

pub(super) static DRY_RUN: FlagSpec = FlagSpec::switch(
    "dry-run",
    "check everything, change nothing",
    "Checks everything and shows what would be written and run, but changes nothing.",
    |args| args.dry_run = true,
);

pub(super) static BOUND_ADAPTER: FlagSpec = FlagSpec::with_value(
    "adapter",
    ValueKind::Adapter,
    "bind the agent to this CLI",
    "The agent CLI to bind the agent to. The default is the one in the profile, or else the first one that is installed; the output says which one, and names the others.",
    |args, value| {
        let word = text(value)?;
        let accepted = |why| format!("{why}; accepted: {}", crate::config::adapter_names::list_adapters());
        args.adapter = Some(crate::config::value::adapter(&word).map_err(accepted)?);
        Ok(())
    },
)
.with_letter('a');

pub(super) static PURGE: FlagSpec = FlagSpec::switch(
    "purge",
    "delete the profile and its state, too",
    "Also deletes the profile with its token, and the state: which session belongs to which topic, and replies that have not been sent yet. The agent's working directory is kept.",
    |args| args.purge = true,
);

pub(super) static RESTART: FlagSpec = FlagSpec::switch(
    "restart",
    "restart the connector, so that it takes effect now",
    "Restarts the connector, if it runs, as soon as its running turns have ended.",
    |args| args.restart = true,
);

pub(super) static CLAIM_CODE: FlagSpec = FlagSpec::switch(
    "claim-code",
    "print a code to claim the agent",
    "Prints a code and how long it is valid. Enter it on the web page to claim the agent.",
    |args| args.claim_code = true,
);
