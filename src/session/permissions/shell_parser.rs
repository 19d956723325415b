//! What a shell command line runs, as far as that can be read: its simple commands, word by word. Pure.
//!
//! Meant to err on the safe side only: whatever is not understood makes the line unreadable, and then no pattern allows it.

/// A word of a command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShellWord {
    /// Without its quotes.
    pub text: String,
    /// It holds a variable or a substitution: only the shell knows what it becomes.
    pub has_expansion: bool,
    /// It holds unquoted wildcards, which may become other words.
    pub has_glob: bool,
}

/// A simple command; a redirection is one as well (`>` and the file).
pub type SimpleCommand = Vec<ShellWord>;

/// Substitutions within substitutions; people write two.
const MAX_DEPTH: usize = 8;

/// The simple commands of a line, those of substitutions included. `None`: it cannot be read.
pub fn parse_commands(line: &str) -> Option<Vec<SimpleCommand>> {
    let mut reader = ShellReader { rest: line, found: Vec::new(), depth: 0 };
    reader.list(None)?;
    Some(reader.found)
}

struct ShellReader<'a> {
    rest: &'a str,
    found: Vec<SimpleCommand>,
    depth: usize,
}

/// Words that stand before a command and are none.
const RESERVED: &[&str] =
    &["if", "then", "else", "elif", "do", "while", "until", "!", "{", "}", "time", "fi", "done"];

impl ShellReader<'_> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    fn push(&mut self, mut simple: SimpleCommand) {
        while simple.first().is_some_and(|word| !word.has_expansion && RESERVED.contains(&word.text.as_str()))
        {
            simple.remove(0);
        }
        if !simple.is_empty() {
            self.found.push(simple);
        }
    }

    /// Commands up to the end, or to the mark that ends a substitution.
    fn list(&mut self, end: Option<char>) -> Option<()> {
        let mut simple = SimpleCommand::new();
        // whether a word ends here, and no blank has followed
        let mut glued = false;
        loop {
            match self.peek() {
                None if end.is_none() => break,
                None => return None,
                c if c == end => {
                    self.next();
                    break;
                }
                Some(' ' | '\t') => {
                    self.next();
                    glued = false;
                }
                Some('\\') if self.rest.starts_with("\\\n") => self.rest = &self.rest[2..],
                Some('#') => {
                    let line = self.rest.find('\n').unwrap_or(self.rest.len());
                    self.rest = &self.rest[line..];
                }
                Some(';' | '&' | '|' | '\n' | '(' | ')') if !self.rest.starts_with("&>") => {
                    self.next();
                    glued = false;
                    self.push(std::mem::take(&mut simple));
                }
                Some('<' | '>' | '&') => self.redirection(&mut simple, std::mem::take(&mut glued))?,
                Some(_) => {
                    let word = self.word()?;
                    simple.push(word);
                    glued = true;
                }
            }
        }
        self.push(simple);
        Some(())
    }

    /// To another descriptor, or away, it changes nothing; else it is a command of its own.
    fn redirection(&mut self, simple: &mut SimpleCommand, glued: bool) -> Option<()> {
        // the number of a descriptor has been read as a word
        if glued && simple.last().is_some_and(|word| word.text.bytes().all(|b| b.is_ascii_digit())) {
            simple.pop();
        }
        let mark: String = self.rest.chars().take_while(|c| matches!(c, '<' | '>' | '&' | '|')).collect();
        self.rest = &self.rest[mark.len()..];
        if self.rest.starts_with('(') || mark.starts_with("<<") {
            return None;
        }
        self.rest = self.rest.trim_start_matches([' ', '\t']);
        let target = self.word()?;
        let copies = mark.ends_with('&') && mark.len() > 1;
        let is_descriptor = copies && target.text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        if target.has_expansion || !(is_descriptor || target.text == "/dev/null") {
            let mark = ShellWord { text: mark[..1].replace('&', ">"), ..ShellWord::default() };
            self.found.push(vec![mark, target]);
        }
        Some(())
    }

    fn word(&mut self) -> Option<ShellWord> {
        let mut word = ShellWord::default();
        let mut any = false;
        while let Some(c) = self.peek() {
            if matches!(c, ' ' | '\t' | '\n' | ';' | '&' | '|' | '(' | ')' | '<' | '>') {
                break;
            }
            any = true;
            self.next();
            match c {
                '\'' => {
                    let end = self.rest.find('\'')?;
                    word.text.push_str(&self.rest[..end]);
                    self.rest = &self.rest[end + 1..];
                }
                '"' => self.quoted(&mut word)?,
                '\\' => match self.next()? {
                    '\n' => {}
                    c => word.text.push(c),
                },
                '$' => self.dollar(&mut word)?,
                '`' => self.backticks(&mut word)?,
                '*' | '?' | '[' | '{' => {
                    word.has_glob = true;
                    word.text.push(c);
                }
                // of other systems and older shells
                '\r' | '\0' => return None,
                c => word.text.push(c),
            }
        }
        any.then_some(word)
    }

    fn quoted(&mut self, word: &mut ShellWord) -> Option<()> {
        loop {
            match self.next()? {
                '"' => return Some(()),
                '\\' => match self.next()? {
                    '\n' => {}
                    c @ ('$' | '`' | '"' | '\\') => word.text.push(c),
                    c => word.text.extend(['\\', c]),
                },
                '$' => self.dollar(word)?,
                '`' => self.backticks(word)?,
                c => word.text.push(c),
            }
        }
    }

    fn dollar(&mut self, word: &mut ShellWord) -> Option<()> {
        match self.peek() {
            Some('(') if self.rest.starts_with("((") => None,
            Some('(') => {
                self.next();
                self.substitution(word)
            }
            // with operators in it, it may run commands and change variables
            Some('{') => {
                let end = self.rest.find('}')?;
                let name = &self.rest[1..end];
                word.has_expansion = true;
                let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
                self.rest = &self.rest[end + 1..];
                plain.then_some(())
            }
            Some('\'' | '"') => None,
            _ => {
                word.has_expansion = true;
                word.text.push('$');
                Some(())
            }
        }
    }

    /// The old form of a substitution; nested ones need backslashes, which are not followed.
    fn backticks(&mut self, word: &mut ShellWord) -> Option<()> {
        let (inner, after) = self.rest.split_once('`')?;
        if inner.contains('\\') {
            return None;
        }
        word.has_expansion = true;
        self.rest = inner;
        self.list(None)?;
        self.rest = after;
        Some(())
    }

    fn substitution(&mut self, word: &mut ShellWord) -> Option<()> {
        word.has_expansion = true;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        self.list(Some(')'))?;
        self.depth -= 1;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Option<Vec<String>> {
        let shown = |w: &ShellWord| {
            format!(
                "{}{}{}",
                w.text,
                if w.has_expansion { "?" } else { "" },
                if w.has_glob { "~" } else { "" }
            )
        };
        parse_commands(line)
            .map(|all| all.iter().map(|c| c.iter().map(shown).collect::<Vec<_>>().join("|")).collect())
    }

    #[test]
    fn lines_are_read() {
        for (line, want) in [
            ("git status", &["git|status"][..]),
            ("git status; rm -rf /", &["git|status", "rm|-rf|/"]),
            ("a&&b||c|d&e\nf", &["a", "b", "c", "d", "e", "f"]),
            ("git status;rm x", &["git|status", "rm|x"]),
            ("echo 'a;b' \"c|d\" e\\;f", &["echo|a;b|c|d|e;f"]),
            ("r'm' \"-r\"f x", &["rm|-rf|x"]),
            ("echo $(rm x) `rm y`", &["rm|x", "rm|y", "echo|?|?"]),
            ("echo \"$(rm x)\"", &["rm|x", "echo|?"]),
            ("echo $HOME ${A}", &["echo|$HOME?|?"]),
            ("ls *.rs {a,b}", &["ls|*.rs~|{a,b}~"]),
            ("ls > out", &[">|out", "ls"]),
            ("ls 2 > out", &[">|out", "ls|2"]),
            ("ls >>out 2>&1", &[">|out", "ls"]),
            ("ls 2>/dev/null >&2", &["ls"]),
            ("ls &> out", &[">|out", "ls"]),
            ("cat < in", &["<|in", "cat"]),
            ("echo x > $F", &[">|$F?", "echo|x"]),
            ("A=1 git status", &["A=1|git|status"]),
            ("if true; then rm x; fi", &["true", "rm|x"]),
            ("(rm x) # ; y", &["rm|x"]),
            ("f() { rm x; }; f", &["f", "rm|x", "f"]),
            ("git \\\n status", &["git|status"]),
        ] {
            assert_eq!(
                words(line).as_deref(),
                Some(&want.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>()[..]),
                "{line}"
            );
        }
        for line in [
            "echo 'open",
            "echo \"open",
            "cat <<EOF\nrm x\nEOF",
            "cat <<< x",
            "diff <(rm x) y",
            "echo $((1))",
            "echo $'a'",
            "echo ${x:=$(rm y)}",
            "echo $(rm x",
            "echo `rm x",
            "> ",
            "a\rb",
            &("$(".repeat(20) + "x" + &")".repeat(20)),
        ] {
            assert_eq!(words(line), None, "{line}");
        }
    }
}
