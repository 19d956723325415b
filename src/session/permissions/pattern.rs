//! Whether a pattern of a rule fits a command: strictly for rules that allow, as widely as can be for those that do not. Pure.

use crate::config::permissions::glob;
use crate::session::permissions::shell_parser::{ShellWord, parse_commands};

/// Programs that run the program which their arguments name.
const WRAPPERS: &[&str] = &[
    "sudo", "doas", "env", "nohup", "xargs", "command", "exec", "builtin", "nice", "ionice", "timeout",
    "stdbuf", "setsid", "find", "watch", "time", "busybox", "parallel", "ssh", "chroot", "unshare", "flock",
    "script",
];

/// How a pattern fits a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatternMatch {
    /// It does.
    Yes,
    /// It may: what the command becomes is not known.
    Maybe,
    /// It does not.
    No,
}

/// Whether a pattern certainly fits: for rules that allow. `*` as the last word is any number of further words.
pub fn matches_surely(pattern: &str, command: &[ShellWord]) -> bool {
    match_command(pattern, command, false) == PatternMatch::Yes
}

/// Whether a pattern may fit: for rules that deny or ask. It looks through programs that run others and into `sh -c`.
pub fn matches_possibly(pattern: &str, command: &[ShellWord]) -> PatternMatch {
    let mut best = match_command(pattern, command, true);
    let name = command.first().map_or("", |word| program_name(&word.text));
    let is_shell = name.ends_with("sh") || name == "eval";
    if WRAPPERS.contains(&name) || is_shell || name.contains('=') {
        for at in 1..command.len() {
            best = stronger(best, match_command(pattern, &command[at..], true));
        }
    }
    for script in command.iter().skip(1).filter(|_| is_shell) {
        match parse_commands(&script.text) {
            Some(inner) if !script.has_expansion => {
                for simple in
                    inner.iter().filter(|simple| simple.len() < command.len() || simple.as_slice() != command)
                {
                    best = stronger(best, match_command(pattern, simple, true));
                }
            }
            _ => best = stronger(best, PatternMatch::Maybe),
        }
    }
    best
}

fn stronger(a: PatternMatch, b: PatternMatch) -> PatternMatch {
    match (a, b) {
        (PatternMatch::Yes, _) | (_, PatternMatch::Yes) => PatternMatch::Yes,
        (PatternMatch::Maybe, _) | (_, PatternMatch::Maybe) => PatternMatch::Maybe,
        _ => PatternMatch::No,
    }
}

fn program_name(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

fn match_command(pattern: &str, command: &[ShellWord], loose: bool) -> PatternMatch {
    let mut words = command.iter().enumerate();
    let mut wanted = pattern.split_whitespace().peekable();
    while let Some(want) = wanted.next() {
        if want == "*" && wanted.peek().is_none() {
            return PatternMatch::Yes;
        }
        let Some((at, word)) = words.next() else { return PatternMatch::No };
        if loose && (word.has_expansion || (word.has_glob && !glob(want, &word.text))) {
            return PatternMatch::Maybe; // it may become any number of words
        }
        let by_name = loose && at == 0 && glob(want, program_name(&word.text));
        // a star must not lead out of the folder before it
        let leads_out =
            !loose && want != "*" && want.contains('*') && word.text.split('/').any(|part| part == "..");
        let fits = want == "*" || (!word.has_expansion && !leads_out && glob(want, &word.text));
        if !fits && !by_name {
            return PatternMatch::No;
        }
    }
    match words.next() {
        None => PatternMatch::Yes,
        Some((_, word)) if loose && word.has_expansion => PatternMatch::Maybe,
        Some(_) => PatternMatch::No,
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
            assert_eq!(matches_surely(pattern, &parse_commands(line).unwrap()[0]), want, "{pattern} {line}");
        }
    }

    #[test]
    fn patterns_that_deny_look_further() {
        for (pattern, line, want) in [
            ("rm *", "rm -rf /", PatternMatch::Yes),
            ("rm *", "/bin/rm x", PatternMatch::Yes),
            ("rm *", "r\\m x", PatternMatch::Yes),
            ("rm *", "sudo -n rm x", PatternMatch::Yes),
            ("rm *", "A=1 rm x", PatternMatch::Yes),
            ("rm *", "find . -exec rm x", PatternMatch::Yes),
            ("rm *", "bash -c 'cd /; rm x'", PatternMatch::Yes),
            ("rm *", "eval \"rm x\"", PatternMatch::Yes),
            ("rm *", "bash -c \"$X\"", PatternMatch::Maybe),
            ("rm *", "$X y", PatternMatch::Maybe),
            ("rm *", "echo rm x", PatternMatch::No),
            ("rm *", "rmdir x", PatternMatch::No),
            ("git push *", "git $X", PatternMatch::Maybe),
            ("git push *", "git status $X", PatternMatch::No),
            ("cat /etc/passwd", "cat /etc/pass*", PatternMatch::Maybe),
        ] {
            assert_eq!(
                matches_possibly(pattern, &parse_commands(line).unwrap()[0]),
                want,
                "{pattern} {line}"
            );
        }
    }
}
