//! The mode `readonly` of one-shot commands: a list of commands that only look, parsed as words and run without a shell.
//!
//! It guards against accidents. It is no sandbox: some of these programs read files that configure what they run.

/// What a command may be called with.
enum AllowedArguments {
    /// Anything but these flags, also as the beginning of `--flag=value` or of several letters in one word.
    AllBut(&'static [&'static str]),
    /// Flags, and nothing else.
    FlagsBut(&'static [&'static str]),
    /// One of these words first, then anything but these flags.
    Under(&'static [&'static str], &'static [&'static str]),
}

/// THE list. Each row was looked at for flags that write, delete, run something or wait for ever.
const COMMANDS: &[(&str, AllowedArguments)] = &[
    ("basename", AllowedArguments::AllBut(&[])),
    ("cat", AllowedArguments::AllBut(&[])),
    ("cut", AllowedArguments::AllBut(&[])),
    ("date", AllowedArguments::FlagsBut(&["-s", "--set"])),
    ("df", AllowedArguments::AllBut(&[])),
    ("dirname", AllowedArguments::AllBut(&[])),
    ("du", AllowedArguments::AllBut(&[])),
    ("echo", AllowedArguments::AllBut(&[])),
    ("file", AllowedArguments::AllBut(&["-C", "--compile"])),
    (
        "find",
        AllowedArguments::AllBut(&[
            "-exec", "-execdir", "-ok", "-okdir", "-delete", "-fprint", "-fprint0", "-fprintf", "-fls",
        ]),
    ),
    ("free", AllowedArguments::AllBut(&["-s", "--seconds"])),
    (
        "git",
        AllowedArguments::Under(
            &["status", "log", "diff", "show", "blame", "rev-parse", "ls-files", "describe", "shortlog"],
            &["--output", "--ext-diff", "--textconv", "-O", "--open-files-in-pager", "--no-index"],
        ),
    ),
    ("grep", AllowedArguments::AllBut(&[])),
    ("head", AllowedArguments::AllBut(&[])),
    ("hostname", AllowedArguments::FlagsBut(&["-F", "--file", "-b", "--boot"])),
    ("id", AllowedArguments::AllBut(&[])),
    ("ls", AllowedArguments::AllBut(&[])),
    ("md5sum", AllowedArguments::AllBut(&[])),
    ("nl", AllowedArguments::AllBut(&[])),
    ("printenv", AllowedArguments::AllBut(&[])),
    ("ps", AllowedArguments::AllBut(&[])),
    ("pwd", AllowedArguments::AllBut(&[])),
    ("readlink", AllowedArguments::AllBut(&[])),
    ("realpath", AllowedArguments::AllBut(&[])),
    ("sha256sum", AllowedArguments::AllBut(&[])),
    ("stat", AllowedArguments::AllBut(&[])),
    ("tail", AllowedArguments::AllBut(&["-f", "-F", "--follow", "--retry"])),
    ("uname", AllowedArguments::AllBut(&[])),
    ("uptime", AllowedArguments::AllBut(&[])),
    ("wc", AllowedArguments::AllBut(&[])),
    ("which", AllowedArguments::AllBut(&[])),
    ("whoami", AllowedArguments::AllBut(&[])),
    (
        "wtt-connect",
        AllowedArguments::Under(&["list", "status", "doctor", "--version", "--help"], &["--rehearse"]),
    ),
];

/// What a shell would not take literally.
const SHELL_METACHARACTERS: &[char] = &[
    '|', '&', ';', '<', '>', '(', ')', '$', '`', '\\', '*', '?', '[', ']', '{', '}', '~', '#', '!', '\n',
    '\r', '\0',
];

/// The command as program and arguments, or why it may not run.
pub(super) fn parse_command(command: &str) -> Result<Vec<String>, String> {
    let mut quote = None;
    for c in command.trim().chars() {
        quote = match quote {
            None if c == '\'' || c == '"' => Some(c),
            None if SHELL_METACHARACTERS.contains(&c) => {
                let c = c.escape_default();
                return Err(format!(
                    "With WTT_CONNECT_SHELL_MODE=readonly a command is one program with its arguments; \"{c}\" is only possible in quotes."
                ));
            }
            Some(open) if c == open => None,
            // inside of double quotes these still mean something to a shell
            Some('"') if matches!(c, '$' | '`' | '\\') => {
                let why = "With WTT_CONNECT_SHELL_MODE=readonly nothing is replaced in double quotes; use single quotes.";
                return Err(why.to_owned());
            }
            same => same,
        };
    }
    let words = shell_words::split(command.trim()).map_err(|_| "A quote is not closed.".to_owned())?;
    let name = words.first().map_or("", String::as_str);
    let Some((_, may)) = COMMANDS.iter().find(|(known, _)| *known == name) else {
        let mut known = String::new();
        for (name, _) in COMMANDS {
            known.push_str(if known.is_empty() { "" } else { ", " });
            known.push_str(name);
        }
        return Err(format!(
            "{} is not among the commands that WTT_CONNECT_SHELL_MODE=readonly allows: {known}.",
            crate::text::truncate(&crate::text::one_line(name), 40)
        ));
    };
    match check(may, &words[1..]) {
        Ok(()) => Ok(words),
        Err(word) => {
            let word = crate::text::truncate(&crate::text::one_line(&word), 60);
            Err(format!("WTT_CONNECT_SHELL_MODE=readonly does not allow {name} with \"{word}\"."))
        }
    }
}

/// The word that is too much.
fn check(may: &AllowedArguments, arguments: &[String]) -> Result<(), String> {
    let (banned, rest) = match may {
        AllowedArguments::AllBut(banned) => (banned, arguments),
        AllowedArguments::FlagsBut(banned) => {
            // a date's format is no flag and does no harm
            let odd = arguments.iter().find(|word| !word.starts_with('-') && !word.starts_with('+'));
            if let Some(word) = odd {
                return Err(word.clone());
            }
            (banned, arguments)
        }
        AllowedArguments::Under(first, banned) => match arguments.split_first() {
            Some((word, rest)) if first.contains(&word.as_str()) => (banned, rest),
            Some((word, _)) => return Err(word.clone()),
            None => return Err("nothing after it".to_owned()),
        },
    };
    match rest.iter().find(|word| banned.iter().any(|flag| is_flag(word, flag))) {
        Some(word) => Err(word.clone()),
        None => Ok(()),
    }
}

/// Whether a word is that flag, also shortened (`--out`, even `--o`), with a value, or among other letters (`-nf`).
fn is_flag(word: &str, flag: &str) -> bool {
    let name = word.split('=').next().unwrap_or(word);
    let long = flag.starts_with("--") && name.len() > 2 && flag.starts_with(name);
    let letter = flag.strip_prefix('-').filter(|letter| letter.len() == 1);
    let among = word.strip_prefix('-').filter(|rest| !rest.starts_with('-'));
    name == flag || long || letter.zip(among).is_some_and(|(letter, among)| among.contains(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_looks_may_run() {
        for good in [
            "ls -la",
            "cat 'a b.txt'",
            "grep -rn 'a|b$' src",
            "git status --short",
            "git log -3 --oneline",
            "date +%F",
            "find . -name '*.rs'",
            "tail -n 5 log",
            "df -h",
            "wtt-connect status",
            "echo \"a > b\"",
            "git diff --stat",
        ] {
            assert!(parse_command(good).is_ok(), "{good}");
        }
        for bad in [
            "rm -rf x",
            "ls; rm x",
            "ls && rm x",
            "ls | sh",
            "cat < x",
            "echo x > y",
            "echo $(rm x)",
            "echo `rm x`",
            "echo \"$(rm x)\"",
            "ls\nrm x",
            "find . -delete",
            "find . -exec rm {} +",
            "git push",
            "git -c a=b status",
            "git diff --output=x",
            "git diff --outp=x",
            "git log --ext-diff",
            "tail -f log",
            "tail -nf log",
            "tail --f log",
            "date --s=2020-01-01",
            "date -us2020-01-01",
            "free --s 1",
            "git log --o=x",
            "wtt-connect doctor --rehearse",
            "ls\u{a0}; rm x",
            "\u{feff}ls",
            "ls \0",
            "git status --no-optional-locks=$(rm x)",
            "find . -fprintf x y",
            "file -C -m x",
            "sh -c ls",
            "/bin/ls",
            "./ls",
            "date -s x",
            "date 010100002030",
            "hostname evil",
            "env rm x",
            "sudo ls",
            "cat 'x",
            "git",
            " \n",
            "''",
            "printf x",
            "ls &",
            "wtt-connect down x",
            "FOO=1 ls",
            "cat ~/x",
        ] {
            assert!(parse_command(bad).is_err(), "{bad}");
        }
        let list: Vec<&str> = COMMANDS.iter().map(|(name, _)| *name).collect();
        assert!(list.is_sorted(), "{list:?}");
    }

    #[test]
    fn a_refusal_says_what_is_possible() {
        let said = |command| parse_command(command).unwrap_err();
        assert!(said("rm x").contains("rm is not among the commands") && said("rm x").contains("ls, md5sum"));
        assert!(said("ls | wc").contains("\"|\" is only possible in quotes"));
        assert!(said("tail -f x").contains("tail with \"-f\""));
    }
}
