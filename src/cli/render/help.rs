//! Help texts, rendered from the table: the list of commands, and the text about one command.

use crate::cli::output;
use crate::cli::table::{CommandSpec, FlagSpec, Group, HELP, ValueKind, listed};

/// The width of help texts: that of a small terminal.
const COLUMNS: usize = 80;

/// The list of commands: one line each, so that it fits a terminal of 24 lines.
pub fn command_list() -> String {
    let mut rows: Vec<[String; 3]> = Vec::new();
    let mut group = None;
    // the last line names `help` itself
    for command in listed().filter(|command| command.group != Some(Group::Help)) {
        let title = if command.group == group { "" } else { command.group.map_or("", Group::title) };
        group = command.group;
        rows.push([title.to_owned(), command.name.to_owned(), command.short.to_owned()]);
    }
    format!(
        "wtt-connect connects WTT topics to the coding-agent CLIs on this machine.\n\
         Usage: wtt-connect COMMAND [FLAG...]   or: wtt-connect --version\n\n\
         {}\n\
         \"wtt-connect help COMMAND\" explains a command and its flags.\n\
         Manual: wtt-connect(1); settings: wtt-connect(5).\n",
        output::align_columns(&rows, 0)
    )
}

/// The text about one command. `long`: with all paragraphs, not only a line for each flag.
pub fn command_help(command: &CommandSpec, long: bool) -> String {
    let mut out = format!(
        "wtt-connect {}: {}\n\n{}\n",
        command.name,
        command.short,
        usage("Usage: wtt-connect ", command)
    );
    if long {
        let filled: Vec<String> = command.long.iter().map(|p| wrapped(p, 0)).collect();
        out.push_str(&filled.join("\n"));
        out.push('\n');
    }
    out.push_str("Flags:\n");
    let flags = command.flags.iter().copied().chain([&HELP]);
    if long {
        for flag in flags {
            out.push_str(&format!("  {}\n", spelling(flag)));
            out.push_str(&wrapped(flag.long_text, 10));
        }
    } else {
        let rows: Vec<[String; 2]> = flags.map(|f| [spelling(f), f.short.to_owned()]).collect();
        out.push_str(&output::align_columns(&rows, 2));
    }
    out
}

/// A paragraph without its backticks, which mark what the manual prints in bold.
fn wrapped(text: &str, indent: usize) -> String {
    output::wrap(&text.replace('`', ""), COLUMNS, indent)
}

/// The synopsis after `start`, wrapped and indented below its first flag.
fn usage(start: &str, command: &CommandSpec) -> String {
    let mut line = format!("{start}{}", command.name);
    let indent = line.len();
    let mut out = String::new();
    for word in words(command) {
        if line.len() + 1 + word.len() >= COLUMNS {
            out.push_str(&format!("{line}\n"));
            line = " ".repeat(indent);
        }
        line.push_str(&format!(" {word}"));
    }
    out + &line + "\n"
}

/// `start [--profile PROFILE] …`
pub fn synopsis(command: &CommandSpec) -> String {
    std::iter::once(command.name.to_owned()).chain(words(command)).collect::<Vec<_>>().join(" ")
}

/// Flags with their values, then the operands.
fn words(command: &CommandSpec) -> impl Iterator<Item = String> {
    let flags = command.flags.iter().map(|flag| match flag.value_kind() {
        Some(value) => format!("[--{} {}]", flag.long, value.word()),
        None => format!("[--{}]", flag.long),
    });
    flags.chain((!command.operands.is_empty()).then(|| command.operands.to_owned()))
}

/// `-p, --profile PROFILE`; flags without a letter are indented to match.
fn spelling(flag: &FlagSpec) -> String {
    let letter = flag.letter.map_or_else(|| "    ".to_owned(), |l| format!("-{l}, "));
    let value = flag.value_kind().map_or("", ValueKind::word);
    format!("{letter}--{} {value}", flag.long).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::table::COMMANDS;
    use unicode_width::UnicodeWidthStr;

    fn assert_fits(text: &str) {
        for line in text.lines() {
            assert!(line.width() <= COLUMNS && !line.contains('`'), "{line}");
        }
    }

    #[test]
    fn the_command_list_fits_a_screen() {
        let list = command_list();
        assert_fits(&list);
        // one line is left for the prompt
        assert!(list.lines().count() <= 23, "{list}");
        for command in COMMANDS {
            let is_there = list.contains(&format!(" {}  ", command.name));
            assert_eq!(is_there, command.group.is_some_and(|group| group != Group::Help), "{}", command.name);
        }
    }

    #[test]
    fn the_help_of_a_command_names_all_its_flags() {
        for command in COMMANDS {
            for long in [false, true] {
                let text = command_help(command, long);
                assert_fits(&text);
                for flag in command.flags {
                    assert!(text.contains(&format!("--{}", flag.long)), "{flag:?}");
                }
            }
        }
    }
}
