//! Parses the words of a command line into [`CommandArgs`]. Pure: nothing is read or printed.
//!
//! The error for a mistake is one sentence that names the wrong word and suggests a similar one that exists.

use super::table::{
    self, CommandArgs, CommandId, CommandSpec, FlagAction, FlagSpec, GLOBAL_FLAGS, ValueKind,
};
use lexopt::{Arg, Parser};
use std::ffi::OsString;

/// What a command line asks for.
#[derive(Debug)]
pub enum Parsed {
    /// Print the list of commands.
    CommandList,
    /// Print the help of one command.
    CommandHelp {
        /// The command.
        command: &'static CommandSpec,
        /// With all paragraphs, not only a line for each flag.
        long: bool,
    },
    /// Print the version.
    Version,
    /// Print a completion script.
    Generate(CompletionShell),
    /// Run a command with these flags and operands.
    Run(&'static CommandSpec, Box<CommandArgs>),
}

/// A shell that `--generate` prints a completion script for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompletionShell {
    /// GNU bash.
    Bash,
    /// zsh.
    Zsh,
    /// fish.
    Fish,
}

impl CompletionShell {
    /// All shells with the word that follows `--generate`.
    pub const ALL: [(&'static str, CompletionShell); 3] = [
        ("complete-bash", CompletionShell::Bash),
        ("complete-zsh", CompletionShell::Zsh),
        ("complete-fish", CompletionShell::Fish),
    ];
}

/// Parses the words after the program's name. The error is a sentence for the user.
pub fn parse<T: Into<OsString>>(words: impl IntoIterator<Item = T>) -> Result<Parsed, String> {
    let words: Vec<OsString> = words.into_iter().map(Into::into).collect();
    let mut parser = Parser::from_args(words);
    match parser.next().map_err(sentence)? {
        None => Err("a command is missing; `wtt-connect --help` lists the commands, and `wtt-connect try` is the shortest way to see it work".into()),
        Some(Arg::Value(word)) => command(&word.to_string_lossy(), parser),
        Some(arg) => global(&written(&arg), &mut parser),
    }
}

/// `--help`, `--version`, `--generate`.
fn global(flag: &str, parser: &mut Parser) -> Result<Parsed, String> {
    match flag {
        "-h" | "--help" => Ok(Parsed::CommandList),
        "-V" | "--version" => Ok(Parsed::Version),
        "--generate" => {
            let what = value(&table::GENERATE, parser)?;
            let what = what.to_string_lossy();
            let names: Vec<&str> = CompletionShell::ALL.iter().map(|(name, _)| *name).collect();
            CompletionShell::ALL
                .iter()
                .find(|(name, _)| *name == what)
                .map(|(_, shell)| Parsed::Generate(*shell))
                .ok_or_else(|| {
                    format!("--generate: there is no \"{}\"; accepted: {}", short(&what), names.join(", "))
                })
        }
        other => {
            let known: Vec<String> = GLOBAL_FLAGS.iter().map(|f| format!("--{}", f.long)).collect();
            // A common mistake is a flag of a command that stands before the command.
            if let Some(owner) = table::COMMANDS.iter().find(|c| c.flags.iter().any(|f| spells(f, other))) {
                return Err(format!(
                    "{other} must follow its command, as in `wtt-connect {} {other}`",
                    owner.name
                ));
            }
            Err(format!(
                "unknown flag {}{}",
                short(other),
                near(other, known.iter().map(String::as_str), ALL)
            ))
        }
    }
}

fn command(name: &str, mut parser: Parser) -> Result<Parsed, String> {
    let Some(command) = table::command(name) else {
        let known = table::listed().map(|c| c.name);
        return Err(format!("unknown command {}{}", short(name), near(name, known, ALL)));
    };
    let mut args = CommandArgs::default();
    if command.id == CommandId::DemoAgent {
        // Its arguments have the form of another program's.
        args.operands = parser.raw_args().map_err(sentence)?.collect();
        return Ok(Parsed::Run(command, Box::new(args)));
    }
    let mut given: Vec<&str> = Vec::new();
    while let Some(arg) = parser.next().map_err(sentence)? {
        let word = match arg {
            Arg::Value(operand) => {
                args.operands.push(operand);
                continue;
            }
            flag => written(&flag),
        };
        if word == "-h" || word == "--help" {
            return Ok(Parsed::CommandHelp { command, long: word == "--help" });
        }
        let Some(flag) = command.flags.iter().find(|f| spells(f, &word)) else {
            let known: Vec<String> = command.flags.iter().map(|f| format!("--{}", f.long)).collect();
            let about = format!("wtt-connect help {}", command.name);
            let near = near(&word, known.iter().map(String::as_str).chain(["--help"]), &about);
            return Err(format!("{} has no flag {}{near}", command.name, short(&word)));
        };
        if given.contains(&flag.long) {
            return Err(format!("--{} is given twice", flag.long));
        }
        given.push(flag.long);
        match flag.action {
            FlagAction::Switch(set) => set(&mut args),
            FlagAction::Value(_, set) => {
                let value = value(flag, &mut parser)?;
                let shown = short(&value.to_string_lossy());
                // some errors quote the value themselves
                let quoted =
                    |why: String| if why.starts_with('"') { why } else { format!("\"{shown}\" {why}") };
                set(&mut args, value).map_err(|why| format!("--{}: {}", flag.long, quoted(why)))?;
            }
        }
    }
    operands(command, &args)?;
    match command.id {
        CommandId::Help => help(&args),
        _ => Ok(Parsed::Run(command, Box::new(args))),
    }
}

fn help(args: &CommandArgs) -> Result<Parsed, String> {
    let Some(topic) = args.operands.first() else { return Ok(Parsed::CommandList) };
    let name = topic.to_string_lossy();
    match table::command(&name) {
        Some(command) => Ok(Parsed::CommandHelp { command, long: true }),
        None => {
            let known = table::listed().map(|c| c.name);
            Err(format!("unknown command {}{}", short(&name), near(&name, known, ALL)))
        }
    }
}

/// Checks that no operand is missing, empty or superfluous.
fn operands(command: &CommandSpec, args: &CommandArgs) -> Result<(), String> {
    let most = match command.operands {
        "" => 0,
        many if many.contains("...") => usize::MAX,
        words => words.split(' ').count(),
    };
    let mut needed = command.operands.split(' ').take_while(|w| !w.is_empty() && !w.starts_with('['));
    if let Some(missing) = needed.nth(args.operands.len()) {
        return Err(format!(
            "{} needs {missing}, as in `wtt-connect {} {}`",
            command.name, command.name, command.operands
        ));
    }
    // Most likely an unset variable of a script. A prompt may be anything.
    let mut named = command.operands.split(' ').zip(&args.operands);
    if let Some((word, _)) = named
        .find(|(_, operand)| operand.is_empty())
        .filter(|_| !matches!(command.id, CommandId::Try | CommandId::Up))
    {
        let word = word.trim_matches(['[', ']']);
        return Err(format!("{word} is empty; {} needs a value there", command.name));
    }
    let Some(extra) = args.operands.get(most) else { return Ok(()) };
    let extra = short(&extra.to_string_lossy());
    let takes_profile = command.flags.iter().any(|f| f.value_kind() == Some(ValueKind::Profile));
    if takes_profile && most == 0 && args.profile.is_none() && crate::config::profile::is_name(&extra) {
        return Err(format!("{} takes no operand; for a profile write --profile {extra}", command.name));
    }
    Err(format!("unexpected argument \"{extra}\"; `wtt-connect help {}` shows the usage", command.name))
}

/// The value of a flag: after `=`, or the next word unless that is a flag.
fn value(flag: &FlagSpec, parser: &mut Parser) -> Result<OsString, String> {
    let word = flag.value_kind().map_or("VALUE", ValueKind::word);
    let missing = || format!("--{} needs a value, as in --{} {word}", flag.long, flag.long);
    let value = match parser.optional_value() {
        Some(value) => value,
        None => {
            let mut rest = parser.raw_args().map_err(sentence)?;
            rest.next_if(|next| next == "-" || !next.as_encoded_bytes().starts_with(b"-"))
                .ok_or_else(missing)?
        }
    };
    if value.is_empty() { Err(missing()) } else { Ok(value) }
}

fn spells(flag: &FlagSpec, word: &str) -> bool {
    word.strip_prefix("--").is_some_and(|long| long == flag.long)
        || flag.letter.is_some_and(|letter| word == format!("-{letter}"))
}

/// A flag or operand as it was typed.
fn written(arg: &Arg<'_>) -> String {
    match arg {
        Arg::Long(name) => format!("--{name}"),
        Arg::Short(letter) => format!("-{letter}"),
        Arg::Value(value) => value.to_string_lossy().into_owned(),
    }
}

/// The sentence for an error of lexopt: a value for a flag that takes none, or bytes that are not text.
fn sentence(error: lexopt::Error) -> String {
    match error {
        lexopt::Error::UnexpectedValue { option, .. } => format!("{option} takes no value"),
        other => other.to_string(),
    }
}

/// User input for a message: one line of at most 60 characters.
fn short(word: &str) -> String {
    crate::text::truncate(&crate::text::one_line(word), 60)
}

/// The command line that lists all commands.
const ALL: &str = "wtt-connect --help";

/// `; did you mean x?`, or the command line that lists the accepted words.
fn near<'a>(word: &str, known: impl Iterator<Item = &'a str>, about: &str) -> String {
    let similar = crate::text::similar(word, known);
    if similar.is_empty() {
        return format!("; `{about}` lists what is accepted");
    }
    format!("; did you mean {}?", similar.join(" or "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(words: &[&str]) -> CommandArgs {
        match parse(words.iter().copied()) {
            Ok(Parsed::Run(_, args)) => *args,
            other => panic!("{words:?}: {other:?}"),
        }
    }

    #[test]
    fn flags_land_in_their_fields() {
        let a = args(&["start", "--profile", "a-codex", "--env-file=x y.env", "--config", "c.json"]);
        assert_eq!(a.profile.as_deref(), Some("a-codex"));
        assert_eq!(a.env_file, Some("x y.env".into()));
        assert_eq!(a.config, Some("c.json".into()));
        assert_eq!(args(&["start", "-pa"]).profile.as_deref(), Some("a"));
        assert_eq!(args(&["start", "-p", "a"]).profile.as_deref(), Some("a"));
        let a = args(&["doctor", "--json", "--offline"]);
        assert!(a.json && a.offline);
        let a = args(&["try", "-v", "-a", "codex", "--workdir", "/w", "say", "hi", "--", "-x"]);
        assert_eq!((a.adapter.as_deref(), a.verbose), (Some("codex"), true));
        assert_eq!(a.operands, ["say", "hi", "-x"]);
        assert_eq!(args(&["demo-agent", "--json", "-h", "--", "x"]).operands, ["--json", "-h", "--", "x"]);
    }

    #[test]
    fn help_version_and_artefacts() {
        let about = |words: &[&str]| match parse(words.iter().copied()) {
            Ok(Parsed::CommandList) => ("", false),
            Ok(Parsed::CommandHelp { command, long }) => (command.name, long),
            other => panic!("{words:?}: {other:?}"),
        };
        assert_eq!(about(&["-h"]), ("", false));
        assert_eq!(about(&["--help", "--nonsense"]), ("", false));
        assert_eq!(about(&["help"]), ("", false));
        assert_eq!(about(&["help", "try"]), ("try", true));
        assert_eq!(about(&["start", "-h"]), ("start", false));
        assert_eq!(about(&["start", "--profile", "x", "--help"]), ("start", true));
        assert!(matches!(parse(["-V"]), Ok(Parsed::Version)));
        for (name, shell) in CompletionShell::ALL {
            assert!(matches!(parse(["--generate", name]), Ok(Parsed::Generate(a)) if a == shell));
        }
    }
}
