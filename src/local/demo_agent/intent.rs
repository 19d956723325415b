//! What a prompt asks of the demonstration agent, and the texts with which it answers. Pure.

/// Highest number to count to: a demonstration, not a siege.
const COUNT_MAX: u32 = 1000;

/// Characters of a text that are repeated. The answer says so; all of it has arrived.
const QUOTE_CHARS: usize = 2000;

/// A prompt, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// "hello"
    Greet,
    /// "who are you", "help"
    Explain,
    /// "list the files"
    List,
    /// "count to N", "count to N slowly"
    Count {
        /// Last number.
        to: u32,
        /// With pauses, so that it can be watched and stopped.
        slowly: bool,
    },
    /// "remember X"
    Remember(String),
    /// "what did I say"
    Recall,
    /// "fail"
    Fail,
    /// "send FILE"
    Send(String),
    /// Anything else, as it was said.
    Other(String),
}

/// The line that is understood as a wish: the last one. Connectors put context before it, and files behind it.
fn said(prompt: &str) -> &str {
    let is_file = |l: &&str| l.ends_with(']') && l.starts_with('[');
    prompt.lines().rev().map(str::trim).find(|l| !l.is_empty() && !is_file(l)).unwrap_or_default()
}

/// A text that is only quoted: whole, but for its length.
fn quoted(prompt: &str) -> String {
    let text = crate::session::prompt::without_files(prompt.trim());
    // the connector's line before a text that begins like an option or a command
    let text = text.strip_prefix("Message:\n\n").unwrap_or(text);
    let chars = text.chars().count();
    if chars <= QUOTE_CHARS {
        return text.to_owned();
    }
    let start: String = text.chars().take(QUOTE_CHARS).collect();
    format!("{start}… (the first {QUOTE_CHARS} of {chars} characters)")
}

/// A prompt in the line that is remembered of it.
pub fn in_one_line(prompt: &str) -> String {
    match read(prompt) {
        Wish::Other(text) => text.replace('\n', " ⏎ "),
        _ => said(prompt).to_owned(),
    }
}

/// Reads a prompt.
pub fn read(prompt: &str) -> Wish {
    let said = said(prompt);
    let plain = said.trim_end_matches(['.', '!', '?']).to_lowercase();
    let words: Vec<&str> = plain.split_whitespace().collect();
    let has = |wanted: &[&str]| wanted.iter().any(|w| words.contains(w));
    match words.as_slice() {
        ["fail", ..] => Wish::Fail,
        ["count", "to", number, rest @ ..] if number.parse::<u32>().is_ok() => Wish::Count {
            to: number.parse::<u32>().unwrap_or(0).min(COUNT_MAX),
            slowly: rest.contains(&"slowly"),
        },
        ["send", _] => Wish::Send(said["send".len()..].trim().replace('"', "")),
        ["remember" | "remember:", _, ..] => {
            let what = said.get("remember".len()..).unwrap_or_default();
            Wish::Remember(what.trim_start_matches(':').trim().to_owned())
        }
        ["ls" | "dir"] => Wish::List,
        _ if has(&["list", "show", "which", "what"]) && has(&["file", "files"]) => Wish::List,
        _ if ["what did i say", "what did i tell", "what do you remember"]
            .iter()
            .any(|q| plain.contains(q)) =>
        {
            Wish::Recall
        }
        ["hello" | "hi" | "hey" | "moin", ..] | ["你好" | "hallo" | "bonjour", ..] => Wish::Greet,
        ["help"] => Wish::Explain,
        _ if ["who are you", "what are you", "what can you do"].iter().any(|q| plain.contains(q)) => {
            Wish::Explain
        }
        _ => Wish::Other(quoted(prompt)),
    }
}

const SKILLS: &str = "\
- `list files`: I run a real `ls` in the working directory\n\
- `count to 10 slowly`: watch the status line; stop me with Ctrl-C or `/stop`\n\
- `remember …`, then `what did I say`: the session is resumed for every message\n\
- `send FILE`: I send a file of the working directory; `/attach FILE` sends one to me\n\
- `fail`: what a failing agent looks like";

/// The answer to a wish that needs no tool. `before` is what was asked earlier; `now_ms` varies the greeting only.
pub fn answer(wish: &Wish, before: &[Wish], now_ms: i64) -> String {
    match wish {
        Wish::Greet if before.is_empty() => format!(
            "Hello! I am the **demonstration agent** of wtt-connect: no language model, just a small program that \
             takes the place of a coding agent.\n\nYour message went through the real connector. Try:\n\n{SKILLS}"
        ),
        Wish::Greet => {
            ["Hello again!", "Hi, still here.", "Hello, nice to read you."]
                [usize::try_from(now_ms.rem_euclid(3)).unwrap_or(0)]
            .to_owned()
                + " I am the demonstration agent; `help` shows what I can do."
        }
        Wish::Remember(what) => format!("I will remember: {what}"),
        Wish::Recall => recall(before),
        Wish::Send(file) => format!("Here it is.\n[WTT_ARTIFACT_FILE path=\"{file}\"]"),
        Wish::Other(said) => format!(
            "You said: “{said}”\n\nI am only the demonstration agent, without a language model, so that is all I can \
             make of it. `help` shows what I can do, and which agents you could install."
        ),
        Wish::Explain | Wish::List | Wish::Count { .. } | Wish::Fail => format!(
            "# The demonstration agent\n\nI stand in for a coding agent so that you can see wtt-connect at work \
             without installing one: the local service, the real connector, and me, a child process that speaks \
             Claude Code's protocol.\n\nI understand:\n\n{SKILLS}\n\nFor real answers install an agent CLI, log in \
             with it, and start `wtt-connect try` again:\n\n- Codex: `npm install -g @openai/codex`, then `codex login`\n\
             - Claude Code: `npm install -g @anthropic-ai/claude-code`, then `claude` and `/login`"
        ),
    }
}

fn recall(before: &[Wish]) -> String {
    let said: Vec<String> = before.iter().map(|w| format!("- {}", describe(w))).collect();
    if said.is_empty() {
        return "Nothing yet: this is the first message of our session.".to_owned();
    }
    format!("In this session you said:\n\n{}", said.join("\n"))
}

fn describe(wish: &Wish) -> String {
    match wish {
        Wish::Greet => "hello".to_owned(),
        Wish::Explain => "that you want to know what I am".to_owned(),
        Wish::List => "list the files".to_owned(),
        Wish::Count { to, .. } => format!("count to {to}"),
        Wish::Remember(what) => format!("remember {what}"),
        Wish::Recall => "that you want to know what you said".to_owned(),
        Wish::Fail => "fail".to_owned(),
        Wish::Send(file) => format!("send {file}"),
        Wish::Other(said) => said.clone(),
    }
}

/// The answer after `ls`.
pub fn listing(output: &Result<String, String>) -> String {
    match output {
        Ok(names) if names.is_empty() => "The working directory is empty.".to_owned(),
        Ok(names) => {
            let count = names.lines().count();
            let noun = if count == 1 { "entry" } else { "entries" };
            format!("There are {count} {noun} in the working directory:\n\n```\n{names}\n```")
        }
        Err(why) => format!("I could not list the files: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_are_understood() {
        for (prompt, wish) in [
            ("hello", Wish::Greet),
            ("Hello!", Wish::Greet),
            ("help", Wish::Explain),
            ("Who are you?", Wish::Explain),
            ("ls", Wish::List),
            ("Please list the files here.", Wish::List),
            ("count to 3", Wish::Count { to: 3, slowly: false }),
            ("Count to 99999 slowly.", Wish::Count { to: COUNT_MAX, slowly: true }),
            ("remember: the Answer is 42", Wish::Remember("the Answer is 42".into())),
            ("what did I say?", Wish::Recall),
            ("fail", Wish::Fail),
            ("send Notes.md\n[file “a.md”: /i/a.md]", Wish::Send("Notes.md".into())),
            ("send Notes.md", Wish::Send("Notes.md".into())),
            ("[context]\nYou are in a topic.\n\nfail\n", Wish::Fail),
            ("Remember", Wish::Other("Remember".into())),
            ("count to ten", Wish::Other("count to ten".into())),
            ("", Wish::Other(String::new())),
            ("one\n\ntwo\nthree\n", Wish::Other("one\n\ntwo\nthree".into())),
            ("Message:\n\n# a\nb", Wish::Other("# a\nb".into())),
        ] {
            assert_eq!(read(prompt), wish, "{prompt:?}");
        }
    }

    #[test]
    fn a_long_text_is_quoted_in_part_and_that_is_said() {
        let Wish::Other(quote) = read(&"好".repeat(2_000_000)) else { panic!("another wish") };
        assert!(quote.ends_with("(the first 2000 of 2000000 characters)"), "{}", &quote[quote.len() - 60..]);
    }

    #[test]
    fn every_first_answer_says_that_this_is_a_demonstration() {
        for wish in [Wish::Greet, Wish::Explain, Wish::Other("x".into())] {
            assert!(answer(&wish, &[], 0).contains("demonstration agent"), "{wish:?}");
        }
    }
}
