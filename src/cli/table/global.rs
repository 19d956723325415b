//! The part of the table with the flags that every command has, or that stand before a command.

use super::spec::{FlagSpec, ValueKind};

/// `-h` and `--help`, which every command accepts; the parser handles them.
pub static HELP: FlagSpec = FlagSpec::switch(
    "help",
    "print help; after a command, --help says more than -h",
    "Prints help. Without a command it lists all commands. After a command `-h` prints one line for each flag, `--help` the whole text.",
    |_| {},
)
.with_letter('h');

/// `--version`, without a command; the parser handles it.
pub static VERSION: FlagSpec =
    FlagSpec::switch("version", "print the version", "Prints the name and the version.", |_| {})
        .with_letter('V');

/// `--generate`, without a command; the parser handles it.
pub static GENERATE: FlagSpec = FlagSpec::with_value(
    "generate",
    ValueKind::CompletionScript,
    "print a completion script for a shell",
    "Prints a completion script: `complete-bash`, `complete-zsh` or `complete-fish`.",
    |_, _| Ok(()),
);

/// The flags that are used without a command.
pub static GLOBAL_FLAGS: &[&FlagSpec] = &[&HELP, &VERSION, &GENERATE];
