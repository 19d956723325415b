//! The part of the table with the flags that every command has, or that stand before a command.

use super::spec::{FlagSpec, ValueKind};

/// `-h` and `--help`, which every command accepts; the parser handles them.
pub static HELP: FlagSpec = FlagSpec {
    long: "help",
    letter: Some('h'),
    value: None,
    short: "print help; after a command, --help says more than -h",
    long_text: "Prints help. Without a command it lists all commands. After a command `-h` prints one line for each flag, `--help` the whole text.",
    set: |_, _| Ok(()),
};

/// `--version`, without a command; the parser handles it.
pub static VERSION: FlagSpec = FlagSpec {
    long: "version",
    letter: Some('V'),
    value: None,
    short: "print the version",
    long_text: "Prints the name and the version.",
    set: |_, _| Ok(()),
};

/// `--generate`, without a command; the parser handles it.
pub static GENERATE: FlagSpec = FlagSpec {
    long: "generate",
    letter: None,
    value: Some(ValueKind::CompletionScript),
    short: "print a completion script for a shell",
    long_text: "Prints a completion script: `complete-bash`, `complete-zsh` or `complete-fish`.",
    set: |_, _| Ok(()),
};

/// The flags that are used without a command.
pub static GLOBAL_FLAGS: &[&FlagSpec] = &[&HELP, &VERSION, &GENERATE];
