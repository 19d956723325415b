//! Settings of the terminal, of shell commands from the web page, and of end-to-end encryption.

use super::spec::{SettingSpec, key, secret, switch};
use crate::config::kind::SettingKind;

pub(super) static HOST: &[SettingSpec] = &[
    switch(
        "WTT_CONNECT_ENABLE_SHELL",
        "Lets the owner of the agent open terminals on this machine from the web page, and lets the page run shell commands here, as for \"Clone Agent\". Both run as the user of the connector without any restriction. While this is off, such requests are refused at once.",
    ),
    key(
        "WTT_CONNECT_SHELL_MODE",
        SettingKind::Word(&["unsafe", "readonly", "off"]),
        "unsafe",
        "What shell commands from the web page may do if WTT_CONNECT_ENABLE_SHELL is on. unsafe: they are not filtered. readonly: only commands of a fixed list run, such as ls, cat, grep, df and git status, without a shell, so there are no pipes, redirections, variables or substitutions; this guards against accidents, but is not a sandbox. off: none runs. Terminals do not depend on this setting: they are always full shells.",
        "readonly",
    ),
    key(
        "WTT_CONNECT_SHELL_TIMEOUT_SECONDS",
        SettingKind::Seconds { min: 1, max: 3600 },
        "120",
        "A shell command from the web page that takes longer is killed with everything that it started. A request may ask for a shorter time.",
        "60",
    ),
    key(
        "WTT_CONNECT_SHELL_MAX_OUTPUT_CHARS",
        SettingKind::Number { min: 100, max: 200_000 },
        "20000",
        "The most characters that are returned of each of the two outputs of a shell command. The end of the output is kept, because it has the errors.",
        "50000",
    ),
    secret(
        "WTT_E2E_PASSWORD",
        SettingKind::Text,
        "none",
        "The password of end-to-end encrypted direct chats. With it, such messages are decrypted and answered encrypted, and the service gets the derived key on request, so that the web page can show the chat. Status lines, files and their cards are not encrypted, and a note says so when a file is sent; a long answer is sent in pieces instead of as a file. Without a password the answer says that there is no key.",
        "correct horse battery staple",
    ),
];
