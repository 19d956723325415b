//! The part of an answer that is spoken: its words, without code, URLs, table borders and emphasis marks. Pure.

use crate::wire::outbound_text;

/// Longest spoken text: about four minutes of speech.
const MAX_CHARS: usize = 4_000;

/// The text to be spoken; may be empty.
pub fn spoken(answer: &str) -> String {
    let mut out = String::new();
    for (line, in_code) in outbound_text::code_lines(answer) {
        let bare = line.trim();
        // rules and the second line of a table
        let is_rule =
            !bare.is_empty() && bare.chars().all(|c| matches!(c, '-' | '=' | '*' | '_' | '|' | ':' | ' '));
        if in_code
            || is_rule
            || bare.starts_with("```")
            || bare.starts_with("~~~")
            || bare.starts_with("[WTT_")
        {
            continue;
        }
        let bare = bare.trim_start_matches(['#', '>']).trim_start();
        let item = ["- [ ] ", "- [x] ", "- ", "* ", "+ "].iter().find_map(|mark| bare.strip_prefix(mark));
        let words = plain(&links(item.unwrap_or(bare)));
        if words.is_empty() {
            if !out.is_empty() && !out.ends_with("\n\n") {
                out.push('\n');
            }
            continue;
        }
        out.push_str(&words);
        out.push('\n');
    }
    cut(out.trim())
}

/// Replaces links by their labels, and removes images and cards.
fn links(line: &str) -> String {
    let (mut out, mut rest) = (String::new(), line);
    while let Some(close) = rest.find("](") {
        let open = rest[..close].rfind('[');
        let end = rest[close..].find(')').map(|i| close + i + 1);
        let (Some(open), Some(end)) = (open, end) else { break };
        let label = &rest[open + 1..close];
        let before = &rest[..open];
        let card = ["audio:", "video:", "file:", "image:"].iter().any(|word| label.starts_with(word));
        match before.strip_suffix('!') {
            Some(before) => out.push_str(before),
            None => {
                out.push_str(before);
                out.push_str(if card { "" } else { label });
            }
        }
        rest = &rest[end..];
    }
    out + rest
}

/// Removes URLs and marks.
fn plain(line: &str) -> String {
    let mut out = String::new();
    for word in line.split_whitespace() {
        let is_address = ["http://", "https://", "www."]
            .iter()
            .any(|start| word.trim_start_matches(['(', '<', '"', '\'']).starts_with(start));
        if is_address {
            // keep the end of the sentence
            if word.ends_with('.') && !out.is_empty() {
                out.push('.');
            }
            continue;
        }
        let word: String =
            word.chars().filter(|c| !matches!(c, '*' | '`' | '|' | '\u{fe0f}') && !is_symbol(*c)).collect();
        let word = word.trim_matches('_');
        if !word.is_empty() {
            if !out.is_empty() {
                out.push(' ');
            }
            out.push_str(word);
        }
    }
    out
}

/// Whether a character is an emoji or symbol, which would be read aloud by its name.
fn is_symbol(c: char) -> bool {
    matches!(c, '\u{2190}'..='\u{21ff}' | '\u{2500}'..='\u{27bf}' | '\u{2b00}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}')
}

/// At most [`MAX_CHARS`], up to the end of a sentence.
fn cut(text: &str) -> String {
    let Some((end, _)) = text.char_indices().nth(MAX_CHARS) else { return text.to_owned() };
    let text = &text[..end];
    let sentence = text.rfind(['.', '!', '?', '。', '！', '？', '\n']);
    let end = sentence.and_then(|at| text[at..].chars().next().map(|c| at + c.len_utf8()));
    text[..end.filter(|end| *end > text.len() / 2).unwrap_or(text.len())].trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_left_and_code_and_addresses_are_not() {
        for (answer, want) in [
            ("Done.", "Done."),
            ("# Title\n\nAll **good**, `cargo test` passes ✅.", "Title\n\nAll good, cargo test passes ."),
            ("Run:\n```sh\nrm -rf /\n```\nThen go.", "Run:\nThen go."),
            ("See [the docs](https://x.example/a) and https://y.example/b.", "See the docs and."),
            ("![a.png](/media/1)\n[file:Report](/media/2)", ""),
            ("- one\n* two\n> three", "one\ntwo\nthree"),
            ("| a | b |\n|---|---|\n| 1 | 2 |", "a b\n1 2"),
            ("[WTT_ARTIFACT_FILE path=\"x\"]", ""),
            ("snake_case _stays_", "snake_case stays"),
            ("你好，**世界**。", "你好，世界。"),
            ("[a](", "[a]("),
        ] {
            assert_eq!(spoken(answer), want, "{answer:?}");
        }
        let long = spoken(&"One sentence. ".repeat(1000));
        assert!(
            long.chars().count() <= MAX_CHARS && long.ends_with("sentence."),
            "{}",
            &long[long.len() - 20..]
        );
    }
}
