//! Settings of what the web can do on this machine itself: terminal, one-shot shell commands, end-to-end encryption.

use crate::config::keys::{Key, key, told};
use crate::config::kind::Kind;

/// Words of `WTT_CONNECT_SHELL_MODE`.
pub const SHELL_MODES: &[&str] = &["unsafe", "readonly", "off"];

pub(super) static HOST: &[Key] = &[
    key(
        "WTT_CONNECT_ENABLE_SHELL",
        Kind::Flag,
        "0",
        "Lets the owner of the agent open a terminal on this machine from the web page, and lets the page run shell commands here, as for \"Clone Agent\". Both run as the user of the connector, and nothing confines them. While it is off, each such request is refused at once.",
        "1",
    ),
    key(
        "WTT_CONNECT_SHELL_MODE",
        Kind::Word(SHELL_MODES),
        "unsafe",
        "What one-shot shell commands may do when WTT_CONNECT_ENABLE_SHELL is on. With unsafe they are not filtered. With readonly only commands of a fixed list run, such as ls, cat, grep, df and git status, without a shell: no pipes, redirections, variables or substitutions. This guards against accidents and is no sandbox: who wants to do harm finds a way. With off none runs. The terminal does not depend on this setting: it is always a full shell.",
        "readonly",
    ),
    key(
        "WTT_CONNECT_SHELL_TIMEOUT_SECONDS",
        Kind::Seconds { min: 1, max: 3600 },
        "120",
        "A one-shot shell command that takes longer is ended with everything that it started. A request may ask for less.",
        "60",
    ),
    key(
        "WTT_CONNECT_SHELL_MAX_OUTPUT_CHARS",
        Kind::Number { min: 100, max: 200_000 },
        "20000",
        "Of what a one-shot shell command writes, at most so many characters are returned of each of its two outputs. The end is kept, because errors are there.",
        "50000",
    ),
    Key {
        name: "WTT_E2E_PASSWORD",
        aliases: &[],
        kind: Kind::Text,
        default: "none",
        secret: true,
        meaning: told(
            "The password of end-to-end encrypted direct chats. With it such messages are read and answered encrypted, and the service gets the key that is derived from it when it asks, so that the page can read along. Status lines and files with their cards are not encrypted, which is said where a file is sent; a long answer comes in pieces there instead of as a file. Without it the connector says that it has no key.",
        ),
        example: told("correct horse battery staple"),
    },
];
