//! Parses what a prompt asks the demonstration agent to do, and holds the texts of its answers. Pure.

/// The highest number that it counts to: enough to watch it and stop it.
const COUNT_MAX: u32 = 1000;

/// Characters of a text that the answer quotes. The answer says how many there were, as proof that all have arrived.
const QUOTE_CHARS: usize = 2000;

/// What a prompt asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intent {
    /// "hello"
    Greet,
    /// "who are you", "help"
    Explain,
    /// "list the files"
    List,
    /// "count to N", "count to N slowly"
    Count {
        /// The last number.
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
    /// Anything else: the text to quote.
    Other(String),
}

/// The line that says what to do: the last one. Connectors put context before it, and files after it.
fn instruction(prompt: &str) -> &str {
    let is_file = |l: &&str| l.ends_with(']') && l.starts_with('[');
    prompt.lines().rev().map(str::trim).find(|l| !l.is_empty() && !is_file(l)).unwrap_or_default()
}

/// The text that the answer quotes: the beginning of a long one, otherwise all of it.
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

/// A prompt as one line of the transcript.
pub fn to_transcript_line(prompt: &str) -> String {
    match parse(prompt) {
        Intent::Other(text) => text.replace('\n', " ⏎ "),
        _ => instruction(prompt).to_owned(),
    }
}

/// Parses a prompt.
pub fn parse(prompt: &str) -> Intent {
    let said = instruction(prompt);
    let plain = said.trim_end_matches(['.', '!', '?']).to_lowercase();
    let words: Vec<&str> = plain.split_whitespace().collect();
    let has = |wanted: &[&str]| wanted.iter().any(|w| words.contains(w));
    match words.as_slice() {
        ["fail", ..] => Intent::Fail,
        ["count", "to", number, rest @ ..] if number.parse::<u32>().is_ok() => Intent::Count {
            to: number.parse::<u32>().unwrap_or(0).min(COUNT_MAX),
            slowly: rest.contains(&"slowly"),
        },
        ["send", _] => Intent::Send(said["send".len()..].trim().replace('"', "")),
        ["remember" | "remember:", _, ..] => {
            let what = said.get("remember".len()..).unwrap_or_default();
            Intent::Remember(what.trim_start_matches(':').trim().to_owned())
        }
        ["ls" | "dir"] => Intent::List,
        _ if has(&["list", "show", "which", "what"]) && has(&["file", "files"]) => Intent::List,
        _ if ["what did i say", "what did i tell", "what do you remember"]
            .iter()
            .any(|q| plain.contains(q)) =>
        {
            Intent::Recall
        }
        ["hello" | "hi" | "hey" | "moin", ..] | ["你好" | "hallo" | "bonjour", ..] => Intent::Greet,
        ["help"] => Intent::Explain,
        _ if ["who are you", "what are you", "what can you do"].iter().any(|q| plain.contains(q)) => {
            Intent::Explain
        }
        _ => Intent::Other(quoted(prompt)),
    }
}

const SKILLS: &str = "\
- `list files`: I run a real `ls` in the working directory\n\
- `count to 10 slowly`: watch the status line; stop me with Ctrl-C or `/stop`\n\
- `remember …`, then `what did I say`: the session is resumed for every message\n\
- `send FILE`: I send a file of the working directory; `/attach FILE` sends one to me\n\
- `fail`: what a failing agent looks like";

/// The answer to an intent that needs no tool. `earlier` is what earlier messages asked for; `now_ms` varies the greeting.
pub fn answer(intent: &Intent, earlier: &[Intent], now_ms: i64) -> String {
    match intent {
        Intent::Greet if earlier.is_empty() => format!(
            "Hello! I am the **demonstration agent** of wtt-connect: no language model, just a small program that \
             takes the place of a coding agent.\n\nYour message went through the real connector. Try:\n\n{SKILLS}"
        ),
        Intent::Greet => {
            ["Hello again!", "Hi, still here.", "Hello, good to hear from you."]
                [usize::try_from(now_ms.rem_euclid(3)).unwrap_or(0)]
            .to_owned()
                + " I am the demonstration agent; `help` shows what I can do."
        }
        Intent::Remember(what) => format!("I will remember: {what}"),
        Intent::Recall => recall(earlier),
        Intent::Send(file) => format!("Here it is.\n[WTT_ARTIFACT_FILE path=\"{file}\"]"),
        Intent::Other(said) => format!(
            "You said: “{said}”\n\nI am only the demonstration agent, without a language model, so this is all I can \
             do with it. `help` shows what I can do, and which agents you could install."
        ),
        Intent::Explain | Intent::List | Intent::Count { .. } | Intent::Fail => format!(
            "# The demonstration agent\n\nI stand in for a coding agent so that you can see wtt-connect at work \
             without installing one: the local service, the real connector, and me, a child process that speaks \
             Claude Code's protocol.\n\nI understand:\n\n{SKILLS}\n\nFor real answers install an agent CLI, log in \
             with it, and start `wtt-connect try` again:\n\n- Codex: `npm install -g @openai/codex`, then `codex login`\n\
             - Claude Code: `npm install -g @anthropic-ai/claude-code`, then `claude` and `/login`"
        ),
    }
}

fn recall(earlier: &[Intent]) -> String {
    let said: Vec<String> = earlier.iter().map(|w| format!("- {}", describe(w))).collect();
    if said.is_empty() {
        return "Nothing yet: this is the first message of our session.".to_owned();
    }
    format!("In this session you said:\n\n{}", said.join("\n"))
}

fn describe(intent: &Intent) -> String {
    match intent {
        Intent::Greet => "hello".to_owned(),
        Intent::Explain => "that you want to know what I am".to_owned(),
        Intent::List => "list the files".to_owned(),
        Intent::Count { to, .. } => format!("count to {to}"),
        Intent::Remember(what) => format!("remember {what}"),
        Intent::Recall => "that you want to know what you said".to_owned(),
        Intent::Fail => "fail".to_owned(),
        Intent::Send(file) => format!("send {file}"),
        Intent::Other(said) => said.clone(),
    }
}

/// The answer after the tool has run `ls`.
pub fn listing(output: &Result<String, String>) -> String {
    match output {
        Ok(names) if names.is_empty() => "The working directory is empty.".to_owned(),
        Ok(names) => {
            let count = names.lines().count();
            let (verb, noun) = if count == 1 { ("is", "entry") } else { ("are", "entries") };
            format!("There {verb} {count} {noun} in the working directory:\n\n```\n{names}\n```")
        }
        Err(reason) => format!("I could not list the files: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_are_understood() {
        for (prompt, intent) in [
            ("hello", Intent::Greet),
            ("Hello!", Intent::Greet),
            ("help", Intent::Explain),
            ("Who are you?", Intent::Explain),
            ("ls", Intent::List),
            ("Please list the files here.", Intent::List),
            ("count to 3", Intent::Count { to: 3, slowly: false }),
            ("Count to 99999 slowly.", Intent::Count { to: COUNT_MAX, slowly: true }),
            ("remember: the Answer is 42", Intent::Remember("the Answer is 42".into())),
            ("what did I say?", Intent::Recall),
            ("fail", Intent::Fail),
            ("send Notes.md\n[file “a.md”: /i/a.md]", Intent::Send("Notes.md".into())),
            ("send Notes.md", Intent::Send("Notes.md".into())),
            ("[context]\nYou are in a topic.\n\nfail\n", Intent::Fail),
            ("Remember", Intent::Other("Remember".into())),
            ("count to ten", Intent::Other("count to ten".into())),
            ("", Intent::Other(String::new())),
            ("one\n\ntwo\nthree\n", Intent::Other("one\n\ntwo\nthree".into())),
            ("Message:\n\n# a\nb", Intent::Other("# a\nb".into())),
        ] {
            assert_eq!(parse(prompt), intent, "{prompt:?}");
        }
    }

    #[test]
    fn a_long_text_is_quoted_in_part_and_that_is_said() {
        let Intent::Other(quote) = parse(&"好".repeat(2_000_000)) else { panic!("another intent") };
        assert!(quote.ends_with("(the first 2000 of 2000000 characters)"), "{}", &quote[quote.len() - 60..]);
    }

    #[test]
    fn every_first_answer_says_that_this_is_a_demonstration() {
        for intent in [Intent::Greet, Intent::Explain, Intent::Other("x".into())] {
            assert!(answer(&intent, &[], 0).contains("demonstration agent"), "{intent:?}");
        }
    }
}
