//! Whether a pattern of a rule fits a command: strictly for rules that allow, as widely as can be for those that do not. Pure.

use crate::config::permissions::glob;
use crate::session::permissions::shell_parser::{Word, read};

/// Programs that run the program which their arguments name.
const WRAPPERS: &[&str] = &[
    "sudo", "doas", "env", "nohup", "xargs", "command", "exec", "builtin", "nice", "ionice", "timeout",
    "stdbuf", "setsid", "find", "watch", "time", "busybox", "parallel", "ssh", "chroot", "unshare", "flock",
    "script",
];

/// How a pattern fits a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// It does.
    Yes,
    /// It may: what the command becomes is not known.
    Maybe,
    /// It does not.
    No,
}

/// Whether a pattern certainly fits: for rules that allow. `*` as the last word is any number of further words.
pub fn surely(pattern: &str, command: &[Word]) -> bool {
    fit(pattern, command, false) == Fit::Yes
}

/// Whether a pattern may fit: for rules that deny or ask. It looks through programs that run others and into `sh -c`.
pub fn perhaps(pattern: &str, command: &[Word]) -> Fit {
    let mut best = fit(pattern, command, true);
    let name = command.first().map_or("", |word| base(&word.text));
    let is_shell = name.ends_with("sh") || name == "eval";
    if WRAPPERS.contains(&name) || is_shell || name.contains('=') {
        for at in 1..command.len() {
            best = better(best, fit(pattern, &command[at..], true));
        }
    }
    for script in command.iter().skip(1).filter(|_| is_shell) {
        match read(&script.text) {
            Some(inner) if !script.open => {
                for simple in
                    inner.iter().filter(|simple| simple.len() < command.len() || simple.as_slice() != command)
                {
                    best = better(best, fit(pattern, simple, true));
                }
            }
            _ => best = better(best, Fit::Maybe),
        }
    }
    best
}

fn better(a: Fit, b: Fit) -> Fit {
    match (a, b) {
        (Fit::Yes, _) | (_, Fit::Yes) => Fit::Yes,
        (Fit::Maybe, _) | (_, Fit::Maybe) => Fit::Maybe,
        _ => Fit::No,
    }
}

fn base(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

fn fit(pattern: &str, command: &[Word], loose: bool) -> Fit {
    let mut words = command.iter().enumerate();
    let mut wanted = pattern.split_whitespace().peekable();
    while let Some(want) = wanted.next() {
        if want == "*" && wanted.peek().is_none() {
            return Fit::Yes;
        }
        let Some((at, word)) = words.next() else { return Fit::No };
        if loose && (word.open || (word.wild && !glob(want, &word.text))) {
            return Fit::Maybe; // it may become any number of words
        }
        let by_name = loose && at == 0 && glob(want, base(&word.text));
        // a star must not lead out of the folder before it
        let leads_out =
            !loose && want != "*" && want.contains('*') && word.text.split('/').any(|part| part == "..");
        let fits = want == "*" || (!word.open && !leads_out && glob(want, &word.text));
        if !fits && !by_name {
            return Fit::No;
        }
    }
    match words.next() {
        None => Fit::Yes,
        Some((_, word)) if loose && word.open => Fit::Maybe,
        Some(_) => Fit::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_that_allow_are_strict() {
        for (pattern, line, want) in [
            ("git status", "git status", true),
            ("git status", "git status -s", false),
            ("git status *", "git status -s", true),
            ("git status *", "git status", true),
            ("git *", "git", true),
            ("git *", "./git status", false),
            ("git *", "/tmp/git status", false),
            ("git *", "sudo git status", false),
            ("git *", "A=1 git status", false),
            ("git log *", "git log $X", true),
            ("git * -s", "git $X -s", true),
            ("git st*", "git $X", false),
            ("rm build/*", "rm build/x", true),
            ("rm build/*", "rm build/../x", false),
            ("*", "anything at all", true),
        ] {
            assert_eq!(surely(pattern, &read(line).unwrap()[0]), want, "{pattern} {line}");
        }
    }

    #[test]
    fn patterns_that_deny_look_further() {
        for (pattern, line, want) in [
            ("rm *", "rm -rf /", Fit::Yes),
            ("rm *", "/bin/rm x", Fit::Yes),
            ("rm *", "r\\m x", Fit::Yes),
            ("rm *", "sudo -n rm x", Fit::Yes),
            ("rm *", "A=1 rm x", Fit::Yes),
            ("rm *", "find . -exec rm x", Fit::Yes),
            ("rm *", "bash -c 'cd /; rm x'", Fit::Yes),
            ("rm *", "eval \"rm x\"", Fit::Yes),
            ("rm *", "bash -c \"$X\"", Fit::Maybe),
            ("rm *", "$X y", Fit::Maybe),
            ("rm *", "echo rm x", Fit::No),
            ("rm *", "rmdir x", Fit::No),
            ("git push *", "git $X", Fit::Maybe),
            ("git push *", "git status $X", Fit::No),
            ("cat /etc/passwd", "cat /etc/pass*", Fit::Maybe),
        ] {
            assert_eq!(perhaps(pattern, &read(line).unwrap()[0]), want, "{pattern} {line}");
        }
    }
}
