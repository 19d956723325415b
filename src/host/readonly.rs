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

use AllowedArguments::{AllBut, FlagsBut, Under};

/// Programs that may be called with anything. Each program of both lists was looked at for flags that write, delete, run
/// something or wait for ever.
const UNRESTRICTED: &[&str] = &[
    "basename",
    "cat",
    "cut",
    "df",
    "dirname",
    "du",
    "echo",
    "grep",
    "head",
    "id",
    "ls",
    "md5sum",
    "nl",
    "printenv",
    "ps",
    "pwd",
    "readlink",
    "realpath",
    "sha256sum",
    "stat",
    "uname",
    "uptime",
    "wc",
    "which",
    "whoami",
];

/// Programs some of whose arguments are refused.
const RESTRICTED: [(&str, AllowedArguments); 8] = [
    ("date", FlagsBut(&["-s", "--set"])),
    ("file", AllBut(&["-C", "--compile"])),
    (
        "find",
        AllBut(&["-exec", "-execdir", "-ok", "-okdir", "-delete", "-fprint", "-fprint0", "-fprintf", "-fls"]),
    ),
    ("free", AllBut(&["-s", "--seconds"])),
    (
        "git",
        Under(
            &["status", "log", "diff", "show", "blame", "rev-parse", "ls-files", "describe", "shortlog"],
            &["--output", "--ext-diff", "--textconv", "-O", "--open-files-in-pager", "--no-index"],
        ),
    ),
    ("hostname", FlagsBut(&["-F", "--file", "-b", "--boot"])),
    ("tail", AllBut(&["-f", "-F", "--follow", "--retry"])),
    ("wtt-connect", Under(&["list", "status", "doctor", "--version", "--help"], &["--rehearse"])),
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
    if UNRESTRICTED.contains(&name) {
        return Ok(words);
    }
    let Some((_, may)) = RESTRICTED.iter().find(|(known, _)| *known == name) else {
        let restricted = RESTRICTED.map(|(name, _)| name);
        return Err(format!(
            "{} is not among the commands that WTT_CONNECT_SHELL_MODE=readonly allows: {}, {}.",
            crate::text::truncate(&crate::text::one_line(name), 40),
            UNRESTRICTED.join(", "),
            restricted.join(", "),
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
    let (banned, rest) = match (may, arguments.split_first()) {
        (AllBut(banned), _) => (banned, arguments),
        (FlagsBut(banned), _) => {
            // a date's format is no flag and does no harm
            if let Some(word) = arguments.iter().find(|word| !word.starts_with(['-', '+'])) {
                return Err(word.clone());
            }
            (banned, arguments)
        }
        (Under(first, banned), Some((word, rest))) if first.contains(&word.as_str()) => (banned, rest),
        (Under(..), Some((word, _))) => return Err(word.clone()),
        (Under(..), None) => return Err("nothing after it".to_owned()),
    };
    rest.iter()
        .find(|word| banned.iter().any(|flag| is_flag(word, flag)))
        .map_or(Ok(()), |word| Err(word.clone()))
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
        assert!(UNRESTRICTED.is_sorted() && RESTRICTED.map(|(name, _)| name).is_sorted());
    }

    #[test]
    fn a_refusal_says_what_is_possible() {
        let said = |command| parse_command(command).unwrap_err();
        assert!(said("rm x").contains("rm is not among the commands") && said("rm x").contains("ls, md5sum"));
        assert!(said("ls | wc").contains("\"|\" is only possible in quotes"));
        assert!(said("tail -f x").contains("tail with \"-f\""));
    }
}
