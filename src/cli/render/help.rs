//! `-h` and `--help`, rendered from the table.

use crate::cli::output;
use crate::cli::table::{COMMANDS, CommandSpec, FlagSpec, GLOBAL_FLAGS, HELP, ValueKind};

/// Width of help texts: they are read in terminals of 80 columns too.
const COLUMNS: usize = 80;

/// Help about everything, or about one command; one line per entry, or all there is to say.
pub fn render(command: Option<&CommandSpec>, long: bool) -> String {
    let text = match command {
        None => overview(long),
        Some(command) => about(command, long),
    };
    // They mark what is literal for the manual page; here nothing is printed in bold.
    text.replace('`', "")
}

fn overview(long: bool) -> String {
    let mut out = String::from(
        "wtt-connect connects WTT topics to the coding-agent CLIs on this machine.\n\n\
         Usage: wtt-connect COMMAND [FLAG...]\n\nCommands:\n",
    );
    let visible = || COMMANDS.iter().filter(|c| !c.hidden);
    if long {
        for command in visible() {
            out.push_str(&usage("  ", command));
            paragraphs(&mut out, command.long, 6);
            out.push('\n');
        }
    } else {
        let rows: Vec<[String; 2]> = visible().map(|c| [c.name.to_owned(), c.short.to_owned()]).collect();
        out.push_str(&output::align_columns(&rows, 2));
        out.push('\n');
    }
    flags(&mut out, GLOBAL_FLAGS, long);
    out.push_str(
        "\n`wtt-connect try` is the shortest way to see it work.\n\
         `wtt-connect help COMMAND` says more about a command.\n\
         Manuals: wtt-connect(1) and, for settings, wtt-connect(5).\n",
    );
    out
}

fn about(command: &CommandSpec, long: bool) -> String {
    let mut out = format!(
        "wtt-connect {}: {}\n\n{}",
        command.name,
        command.short,
        usage("Usage: wtt-connect ", command)
    );
    if long {
        out.push('\n');
        paragraphs(&mut out, command.long, 0);
    }
    out.push('\n');
    let all: Vec<&FlagSpec> = command.flags.iter().copied().chain([&HELP]).collect();
    flags(&mut out, &all, long);
    out
}

fn flags(out: &mut String, flags: &[&FlagSpec], long: bool) {
    out.push_str("Flags:\n");
    if long {
        for flag in flags {
            out.push_str(&format!("  {}\n", spelling(flag)));
            out.push_str(&output::wrap(flag.long_text, COLUMNS, 6));
        }
        return;
    }
    let rows: Vec<[String; 2]> = flags.iter().map(|f| [spelling(f), f.short.to_owned()]).collect();
    out.push_str(&output::align_columns(&rows, 2));
}

fn paragraphs(out: &mut String, texts: &[&str], indent: usize) {
    let filled: Vec<String> = texts.iter().map(|p| output::wrap(p, COLUMNS, indent)).collect();
    out.push_str(&filled.join("\n"));
}

/// The synopsis behind `start`; where the line is full it goes on below the first flag.
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
    let flags = command.flags.iter().map(|flag| match flag.value {
        Some(value) => format!("[--{} {}]", flag.long, value.word()),
        None => format!("[--{}]", flag.long),
    });
    flags.chain((!command.operands.is_empty()).then(|| command.operands.to_owned()))
}

/// `-p, --profile PROFILE`; long-only flags stand below the others.
fn spelling(flag: &FlagSpec) -> String {
    let letter = flag.letter.map_or_else(|| "    ".to_owned(), |l| format!("-{l}, "));
    let value = flag.value.map_or("", ValueKind::word);
    format!("{letter}--{} {value}", flag.long).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_is_there_and_fits() {
        for long in [false, true] {
            let all = render(None, long);
            for command in COMMANDS {
                assert_eq!(
                    all.contains(&format!("\n  {}", command.name)),
                    !command.hidden,
                    "{}",
                    command.name
                );
                let one = render(Some(command), long);
                for flag in command.flags {
                    assert!(one.contains(&format!("--{}", flag.long)), "{flag:?}");
                }
                for line in one.lines().chain(all.lines()) {
                    assert!(line.len() <= COLUMNS && !line.contains('`'), "{line}");
                }
            }
        }
    }
}
