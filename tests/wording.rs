//! What the connector itself says in chat is in both languages: no sentence stands outside the table.

use wtt_connect::session::messages::{Lang, kept};

/// Files of `session` and `daemon` whose sentences no chat shows: they go to the agent, the log, the command line, or are
/// the table itself.
const SILENT: &[&str] = &[
    "session/messages.rs",
    "session/prompt.rs",
    "session/chat_command.rs", // a table of its own, with both languages in each row
    "session/speech/synthesize.rs",
    "daemon/connection",
    "daemon/control",
    "daemon/hub",
    "daemon/inbound/ping_pong.rs",
    "daemon/lifecycle",
    "daemon/mod.rs",
    "daemon/outbound/publish.rs",
    "daemon/outbound/upload_waiters.rs",
];

/// Beginnings of texts in the other files that no chat shows.
const NOT_SHOWN: &[&str] = &[
    // for the agent
    "Nobody has a",
    "Nobody can be asked",
    "A rule of this connector",
    "The user does not",
    "Carry out the WTT task",
    "Your result for the WTT task",
    "Its description",
    "The review says",
    "Your last answer becomes",
    "[{label}",
    "\\n\\nSent along",
    "transcript by a machine",
    "\\n\\n(The message has no other text",
    // for the log, or for who runs `upload-file`, `approve` and `deny`
    "seen before",
    "shutting down",
    "about a task",
    "it was run before",
    "its result is newer than the review",
    "it is over",
    "no thread could be started",
    "the service's answer is no task",
    "the requester is gone",
    "the upload failed: {}",
    "{id} is not answered",
    "no file was named",
    "one archive takes",
    "the summary of a run",
    "the answer itself",
    // what is remembered of a permission
    "{adapter}: edits",
];

/// Own words in brackets behind a sentence that is in both languages: why a program or the system has failed.
const DETAILS: &[&str] = &[
    "; installed here",
    "`{name}` ",
    "`{shown}` ",
    "no program is set",
    "the recording cannot be read",
    "no text in the answer",
    "too many files of this name",
    "it cannot be written here",
    "it was stopped",
    "the inbox {} cannot be used",
    "nothing came for",
    "its copy is gone",
    "{}, which may forbid a part of it",
];

/// The code without comments, tests, and calls of these macros.
fn code(text: &str, macros: &[&str]) -> String {
    let text = text.split("#[cfg(test)]").next().unwrap();
    let mut lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    lines.push("");
    let mut rest = lines.join("\n");
    for name in macros {
        while let Some(at) = rest.find(name) {
            let open = at + rest[at..].find('(').unwrap();
            let (mut depth, mut quoted, mut escaped, mut end) = (0, false, false, open);
            for (n, c) in rest[open..].char_indices() {
                match c {
                    _ if escaped => escaped = false,
                    '\\' if quoted => escaped = true,
                    '"' => quoted = !quoted,
                    '(' if !quoted => depth += 1,
                    ')' if !quoted => depth -= 1,
                    _ => {}
                }
                if depth == 0 {
                    end = open + n + 1;
                    break;
                }
            }
            rest.replace_range(at..end, "");
        }
    }
    rest
}

/// The texts between quotes.
fn literals(code: &str) -> Vec<String> {
    let (mut out, mut text): (Vec<String>, Option<String>) = (Vec::new(), None);
    let mut chars = code.chars().peekable();
    while let Some(c) = chars.next() {
        match (&mut text, c) {
            (None, '\'') => {
                // a character, or a lifetime
                let next = chars.next();
                if next == Some('\\') {
                    chars.next();
                }
                if chars.peek() == Some(&'\'') {
                    chars.next();
                }
            }
            (None, '"') => text = Some(String::new()),
            (Some(_), '"') => out.extend(text.take()),
            (Some(text), '\\') => text.extend([c, chars.next().unwrap()]),
            (Some(text), c) => text.push(c),
            (None, _) => {}
        }
    }
    out
}

/// Two words in a row, outside what is filled in.
fn is_sentence(text: &str) -> bool {
    let plain: String =
        text.split('{').map(|part| part.split_once('}').map_or(part, |(_, rest)| rest)).collect();
    let is_word = |word: &str| word.len() > 1 && word.bytes().all(|b| b.is_ascii_alphabetic());
    let words: Vec<&str> = plain.split(' ').collect();
    words.windows(2).any(|two| is_word(two[0]) && is_word(two[1]))
}

/// With something filled in, as the table of patterns sees it.
fn filled(text: &str) -> String {
    let mut out = String::new();
    for (n, part) in text.split('{').enumerate() {
        out.push_str(if n == 0 { "" } else { "x" });
        out.push_str(if n == 0 { part } else { part.split_once('}').map_or("", |(_, rest)| rest) });
    }
    out
}

#[test]
fn nothing_is_said_in_chat_in_one_language_only() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut folders, mut found, mut seen) = (vec![root.join("session"), root.join("daemon")], Vec::new(), 0);
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            if SILENT.contains(&name.as_str()) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = code(&std::fs::read_to_string(&path).unwrap(), &["log::", "json!", "env!"]);
            for text in literals(&text).into_iter().filter(|text| is_sentence(text)) {
                seen += 1;
                let known = NOT_SHOWN.iter().chain(DETAILS).any(|begins| text.starts_with(begins));
                if !known && kept(Lang::Zh, &filled(&text)).is_ascii() {
                    found.push(format!("{name}: {text:?}"));
                }
            }
        }
    }
    assert!(seen > 40, "the scan sees few texts: {seen}");
    assert!(
        found.is_empty(),
        "in English only; put them into src/session/messages.rs, or, if no chat shows them, into this list:\n{}",
        found.join("\n")
    );
}

#[test]
fn the_scan_sees_what_it_should() {
    let sample = "// \"in a comment\"\nlog::info!(\"to the (log\", x);\nlet c = '\"'; let a: &'a str = \"shown to {name} here\";";
    let texts = literals(&code(sample, &["log::"]));
    assert_eq!(texts, ["shown to {name} here"]);
    assert!(is_sentence(&texts[0]) && !is_sentence("{a b} c") && !is_sentence("key_word"));
    assert_eq!(filled("a {b} c{}"), "a x cx");
}
