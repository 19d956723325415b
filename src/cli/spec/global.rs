//! The flags that are known everywhere, or stand before any command: a part of the one table.

use super::{Flag, ValueOf};

/// `-h` and `--help`: known to every command; handled by the parser.
pub static HELP: Flag = Flag {
    long: "help",
    letter: Some('h'),
    value: None,
    short: "print help; --help prints more than -h",
    long_text: "Prints help: `-h` a line for each entry, `--help` all of it.",
    set: |_, _| Ok(()),
};

/// `--version`: before a command; handled by the parser.
pub static VERSION: Flag = Flag {
    long: "version",
    letter: Some('V'),
    value: None,
    short: "print the version",
    long_text: "Prints name and version.",
    set: |_, _| Ok(()),
};

/// `--generate`: before a command; handled by the parser.
pub static GENERATE: Flag = Flag {
    long: "generate",
    letter: None,
    value: Some(ValueOf::Artefact),
    short: "print a manual page or completions",
    long_text: "Prints a file for packages: `man`, `man5` and `man7` are the manual pages, `complete-bash`, `complete-zsh` and `complete-fish` the completions.",
    set: |_, _| Ok(()),
};

/// Flags that stand before any command.
pub static GLOBAL_FLAGS: &[&Flag] = &[&HELP, &VERSION, &GENERATE];
