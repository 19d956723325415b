//! The parts of a message text: banners and context blocks that the web page adds for agents (see TEXT BLOCKS in
//! wtt-connect-protocol(7)), and lines that mark progress, for which every user interface hides the whole message (see
//! PROGRESS there).
//!
//! All scans are linear in the length of the text, because anybody in a topic can send a megabyte.

use std::ops::Range;

/// Context blocks with a closing tag (confirmed in the chat view of the web page); compared in lower case.
const BLOCKS: [(&str, &str); 5] = [
    ("[agent role template]", "[/agent role template]"),
    ("[wtt agent soul]", "[/wtt agent soul]"),
    ("[wtt worker persona]", "[/wtt worker persona]"),
    ("[wtt worker context]", "[/wtt worker context]"),
    ("[file_content", "[/file_content]"),
];
/// First line of the header that quotes the message replied to; a line `---` ends it.
pub(super) const QUOTE: &str = "[回复上下文]";
/// The title of the box at the top of a message.
const BANNER: &str = "来源标识";

/// The text for the agent: source banners and model tags are removed, line ends and control characters cleaned.
pub fn clean(content: &str) -> String {
    let text: String = content
        .replace("\r\n", "\n")
        .chars()
        .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
        .collect();
    let mut kept: Vec<&str> = Vec::new();
    // where the current banner began in `kept`; its lines are kept if it never ends
    let mut banner: Option<usize> = None;
    let mut box_start: Option<usize> = None;
    let mut withheld: Vec<&str> = Vec::new();
    for line in text.split('\n') {
        let trimmed = line.trim_start();
        if banner.is_some() {
            withheld.push(line);
            if trimmed.starts_with('└') {
                withheld.clear();
                banner = None;
            }
            continue;
        }
        let is_box = trimmed.starts_with(is_box_char);
        if is_box && trimmed.contains(BANNER) {
            let start = box_start.take().unwrap_or(kept.len());
            withheld.extend(kept.drain(start..));
            withheld.push(line);
            banner = Some(start);
            continue;
        }
        box_start = match box_start {
            Some(start) if is_box && !trimmed.starts_with('┌') => Some(start),
            _ if is_box => Some(kept.len()),
            _ => None,
        };
        match strip_model_tags(line) {
            Some("") => {}
            Some(rest) => kept.push(rest),
            None => kept.push(line),
        }
    }
    kept.append(&mut withheld);
    kept.join("\n").trim().to_owned()
}

fn is_box_char(c: char) -> bool {
    ('\u{2500}'..='\u{257f}').contains(&c)
}

/// What remains of a line that begins with `[Model: …]` or `[Switched → Model: …]` tags; none for other lines.
fn strip_model_tags(line: &str) -> Option<&str> {
    let mut rest = line.trim_start();
    let mut found = false;
    while let Some(inner) = rest.strip_prefix('[') {
        let label = inner
            .strip_prefix("Switched")
            .map_or(inner, |r| r.trim_start().trim_start_matches('→').trim_start());
        let (true, Some(end)) = (label.starts_with("Model:"), inner.find(']')) else { break };
        rest = inner[end + 1..].trim_start();
        found = true;
    }
    found.then_some(rest)
}

/// The text without its context blocks: what the person typed. It is searched for mentions and chat commands.
pub fn typed(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for block in blocks(text) {
        out.push_str(&text[at..block.start]);
        at = block.end;
    }
    out.push_str(&text[at..]);
    out.trim().to_owned()
}

/// The byte ranges of the context blocks, in order.
pub(super) fn blocks(text: &str) -> Vec<Range<usize>> {
    // ASCII lower case keeps every byte offset.
    let lower = text.to_ascii_lowercase();
    let mut found = Vec::new();
    // what was not found once is not searched for again, so that the scan stays linear
    let mut unclosed = [false; BLOCKS.len()];
    let mut no_blank_line = false;
    let mut quoted = false;
    let mut at = 0;
    while let Some(open) = lower[at..].find('[').map(|i| at + i) {
        let rest = &lower[open..];
        let kind = BLOCKS.iter().position(|(name, _)| rest.starts_with(name));
        at = if let Some(kind) = kind {
            let close = BLOCKS[kind].1;
            let end = if unclosed[kind] { None } else { rest.find(close).map(|i| open + i + close.len()) };
            unclosed[kind] = end.is_none();
            // without a closing tag a block ends at the next blank line, or else with its line
            let end = end.unwrap_or_else(|| {
                let blank = if no_blank_line { None } else { rest.find("\n\n") };
                no_blank_line = blank.is_none();
                open + blank.or_else(|| rest.find('\n')).unwrap_or(rest.len())
            });
            found.push(open..end);
            end
        } else if !quoted && rest.starts_with(QUOTE) && is_line_start(text, open) {
            quoted = true;
            let end = quote_end(text, open);
            found.push(open..end);
            end
        } else {
            open + 1
        };
    }
    found
}

fn is_line_start(text: &str, at: usize) -> bool {
    matches!(text[..at].trim_end_matches([' ', '\t']).chars().next_back(), None | Some('\n'))
}

/// The end of a quote header that begins at `open`: behind the first line `---`, or else behind its field lines.
fn quote_end(text: &str, open: usize) -> usize {
    let mut end = open;
    let mut fields_end = open + QUOTE.len();
    let mut in_fields = true;
    for (i, line) in text[open..].split_inclusive('\n').enumerate() {
        end += line.len();
        let trimmed = line.trim();
        if i > 0 && trimmed == "---" {
            return end;
        }
        in_fields = in_fields && (i == 0 || trimmed.starts_with("对象") || trimmed.starts_with("引用"));
        if in_fields {
            fields_end = end;
        }
    }
    fields_end
}

/// Whether a text has only blanks, control and zero-width characters.
pub fn is_invisible(text: &str) -> bool {
    text.chars().all(|c| {
        c.is_whitespace()
            || c.is_control()
            || matches!(c, '\u{ad}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
                | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
    })
}

/// Whether the text begins with a line that marks progress.
pub fn starts_as_progress(text: &str) -> bool {
    !hidden(text, true).is_empty()
}

/// Byte offsets of lines for which the web page hides the whole message (see PROGRESS in wtt-connect-protocol(7)).
///
/// The patterns are those of the feed of the web page, but allow blanks and tags before the marker, because the web
/// page removes these first.
pub fn hidden_lines(text: &str) -> Vec<usize> {
    hidden(text, false)
}

fn hidden(text: &str, first_only: bool) -> Vec<usize> {
    let mut found = Vec::new();
    let mut brackets = Brackets { text, close: None, heartbeat: false };
    let mut line_start = true;
    for (i, c) in text.char_indices() {
        if matches!(c, '\n' | '\r' | '\u{2028}' | '\u{2029}') {
            line_start = true;
        } else if line_start && !c.is_whitespace() {
            line_start = false;
            let mut at = i;
            loop {
                if is_marker(&text[at..]) || brackets.heartbeat_at(at) {
                    found.push(at);
                    break;
                }
                // a marker behind a tag in brackets becomes the first text of the line when the tag is removed
                let Some(next) = brackets.behind_group(at) else { break };
                at = next;
            }
            if first_only {
                break;
            }
        }
    }
    found
}

/// Remembers where the next `]` is, so that a text full of `[` is still scanned once.
struct Brackets<'a> {
    text: &'a str,
    close: Option<usize>,
    heartbeat: bool,
}

impl Brackets<'_> {
    fn close_after(&mut self, at: usize) -> Option<usize> {
        if self.close.is_none_or(|close| close < at) {
            let close = self.text[at..].find(']').map_or(self.text.len(), |i| at + i);
            self.close = Some(close);
            let rest = self.text.get(close + 1..).unwrap_or_default().trim_start();
            let rest = rest.strip_prefix('|').map_or(rest, str::trim_start);
            self.heartbeat = rest.strip_prefix("状态").is_some_and(|r| r.trim_start().starts_with('='));
        }
        self.close.filter(|close| *close < self.text.len())
    }

    /// `[<time>] | 状态=…`, with or without the bar.
    fn heartbeat_at(&mut self, at: usize) -> bool {
        self.text[at..].starts_with('[') && self.close_after(at).is_some() && self.heartbeat
    }

    fn behind_group(&mut self, at: usize) -> Option<usize> {
        if !self.text[at..].starts_with('[') {
            return None;
        }
        let behind = self.close_after(at)? + 1;
        let rest = &self.text[behind..];
        let next = behind + (rest.len() - rest.trim_start().len());
        (next < self.text.len() && !self.text[at..next].contains('\n')).then_some(next)
    }
}

fn is_marker(rest: &str) -> bool {
    const FIRST: [&str; 5] =
        ["[TASK_STATUS]", "[TASK_RUN]", "[TASK_REQUEST]", "Plan Mode result:", "Plan Mode结果"];
    let after = |prefix: &str| rest.strip_prefix(prefix).map(str::trim_start);
    FIRST.iter().any(|marker| rest.starts_with(marker))
        || after("Status:").is_some_and(|r| r.starts_with("[Task:"))
        || after("[STATUS]").is_some_and(|r| r.starts_with("Started") || r.starts_with("Completed"))
        || after("🤔").is_some_and(|r| r.starts_with("Agent thinking"))
        || after("Progress:").is_some_and(is_percent_line)
        || after("Time:").is_some_and(is_clock_then_progress)
}

/// Whether the line has `50%` and nothing else.
fn is_percent_line(rest: &str) -> bool {
    percent(rest).is_some_and(|r| {
        r.split(['\n', '\r', '\u{2028}', '\u{2029}']).next().is_none_or(|l| l.trim().is_empty())
    })
}

fn percent(rest: &str) -> Option<&str> {
    let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    (after.len() < rest.len()).then(|| after.strip_prefix('%'))?
}

/// Whether a time such as `12:00:00` and then `Progress: 50%` follow.
fn is_clock_then_progress(rest: &str) -> bool {
    let after = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':');
    let clock = &rest[..rest.len() - after.len()];
    let fields: Vec<&str> = clock.split(':').take(4).collect();
    let is_clock = fields.len() == 3
        && (1..=2).contains(&fields[0].len())
        && fields[1..].iter().all(|field| field.len() == 2);
    is_clock
        && after.trim_start().strip_prefix("Progress:").is_some_and(|r| percent(r.trim_start()).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn banners_and_model_tags_go_context_stays() {
        for (content, want) in [
            ("┌─ 来源标识 ──┐\n│ web │\n└──┘\nhello", "hello"),
            ("┌──────\n│ 来源标识: web\nfree text\n└──────\n\nhello", "hello"),
            ("┌─ 来源标识\nno end\nhello", "┌─ 来源标识\nno end\nhello"),
            ("look:\n┌──┐\n│ a│\n└──┘", "look:\n┌──┐\n│ a│\n└──┘"),
            ("[Model: gpt-5.5 | Effort: high] do it", "do it"),
            ("[Switched → Model: x]\n[Model: y]\ndo\n[Model: z]\nit", "do\nit"),
            ("a [Model: x] b", "a [Model: x] b"),
            ("[Model: x", "[Model: x"),
            ("a\r\nb\0\u{7}c\td", "a\nbc\td"),
            (
                "[WTT Agent Soul]\nkind\n[/WTT Agent Soul]\nhi",
                "[WTT Agent Soul]\nkind\n[/WTT Agent Soul]\nhi",
            ),
        ] {
            assert_eq!(clean(content), want, "{content:?}");
        }
    }

    #[test]
    fn what_was_typed_is_found_between_the_blocks() {
        for (text, want) in [
            ("[Agent Role Template]\nbe @bob\n[/Agent Role Template]\n\nhi", "hi"),
            ("[agent role template] x [/AGENT ROLE TEMPLATE] hi", "hi"),
            ("[回复上下文]\n对象: Bob\n引用: ask @alice\n---\nwhy?", "why?"),
            ("[回复上下文]\n对象: Bob\n引用: two\nlines\n---\nwhy?\n---\nmore", "why?\n---\nmore"),
            ("[回复上下文]\n对象: Bob\n引用: x\nwhy?", "why?"),
            ("read\n[FILE_CONTENT name=\"a.pdf\"]\n@all\n[/FILE_CONTENT]\nplease", "read\n\nplease"),
            ("[WTT Worker Persona] no end\nsame\n\nhi", "hi"),
            ("[FILE_CONTENT name=x] never closed", ""),
            ("say [回复上下文] aloud", "say [回复上下文] aloud"),
        ] {
            assert_eq!(typed(text), want, "{text:?}");
        }
    }

    #[test]
    fn every_pattern_of_the_web_is_seen_on_any_line() {
        for line in [
            "[TASK_STATUS] time=1",
            "[TASK_RUN]",
            "[TASK_REQUEST] x",
            "Time: 12:00:00\nProgress: 50%",
            "Time: 1:00:00  \n\n  Progress: 5% of",
            "Status: [Task: x]",
            "[STATUS] Started",
            "[STATUS]Completed now",
            "Plan Mode result: x",
            "Plan Mode结果",
            "Progress: 50%",
            "Progress:50% ",
            "[2026-04-01T08:00:00Z] 状态=doing | 动作=x 心跳=60s",
            "[x] | 状态=doing | 动作=y | 心跳=60s",
            "🤔 Agent thinking",
            "[Model: x] [TASK_STATUS]",
        ] {
            for text in [
                line.to_owned(),
                format!("a\n{line}\nb"),
                format!("```\r  {line}\n```"),
                format!("a\u{2028}{line}"),
            ] {
                assert!(!hidden_lines(&text).is_empty(), "{text:?}");
            }
            assert!(starts_as_progress(line) && !starts_as_progress(&format!("a\n{line}")), "{line:?}");
        }
    }

    #[test]
    fn ordinary_lines_stay_visible() {
        for text in [
            "",
            "see [TASK_STATUS] there",
            "Progress: 50% done",
            "Progress: fifty%",
            "Time: 12:00\nProgress: 1% done",
            "Time: 12:00:00",
            "Status: fine",
            "[STATUS] ok",
            "[x] 状态 ok",
            "\u{200b}[TASK_STATUS]",
            "[[[[",
            "- [ ] task",
        ] {
            assert!(hidden_lines(text).is_empty(), "{text:?}");
        }
    }

    #[test]
    fn invisible_text_is_recognised() {
        assert!(is_invisible("") && is_invisible(" \n\u{200b}\u{feff}\u{3000}"));
        assert!(!is_invisible("。") && !is_invisible("👍"));
    }
}
