//! The flags that are known everywhere, or stand before any command: a part of the one table.

use super::{FlagSpec, ValueKind};

/// `-h` and `--help`: known to every command; handled by the parser.
pub static HELP: FlagSpec = FlagSpec {
    long: "help",
    letter: Some('h'),
    value: None,
    short: "print help; --help prints more than -h",
    long_text: "Prints help: `-h` a line for each entry, `--help` all of it.",
    set: |_, _| Ok(()),
};

/// `--version`: before a command; handled by the parser.
pub static VERSION: FlagSpec = FlagSpec {
    long: "version",
    letter: Some('V'),
    value: None,
    short: "print the version",
    long_text: "Prints name and version.",
    set: |_, _| Ok(()),
};

/// `--generate`: before a command; handled by the parser.
pub static GENERATE: FlagSpec = FlagSpec {
    long: "generate",
    letter: None,
    value: Some(ValueKind::CompletionScript),
    short: "print completions for a shell",
    long_text: "Prints a file for packages and shells: `complete-bash`, `complete-zsh` or `complete-fish`.",
    set: |_, _| Ok(()),
};

/// Flags that stand before any command.
pub static GLOBAL_FLAGS: &[&FlagSpec] = &[&HELP, &VERSION, &GENERATE];
