//! The text of a reply: escaping of lines that would hide it, splitting, `[TASK_STATUS]` lines (see REPLIES and
//! PROGRESS in wtt-connect-protocol(7)).
//!
//! The web page hides a whole message if one of its lines looks like progress, and servers limit the length of a
//! message; no word of a reply may be lost by either.

use crate::text;
use crate::wire::inbound_text;

/// Inserted before a line that would hide the message: it is invisible, and the patterns of the web page do not match.
const ZERO_WIDTH_SPACE: char = '\u{200b}';
/// Smallest piece; a smaller `max` is raised to it, so that every cut makes progress.
const MIN_CHUNK_CHARS: usize = 40;
/// A cut at a good boundary is used only if the piece is then at least this part (1/n) full.
const LEAST_FILL: usize = 3;
/// Room for what defusing may add to a piece, whose first and last line can be new lines.
const DEFUSE_ROOM: usize = 2;
/// Longest value in a status line; user interfaces cut the detail at 90 characters anyway.
const ACTION_CHARS: usize = 200;

/// Escapes the lines of a reply for which the web page would hide it (see PROGRESS in wtt-connect-protocol(7)).
/// Idempotent.
pub fn defuse(text: &str) -> String {
    // the patterns of the web page treat a byte order mark as a blank, ours do not; it is invisible
    let text = &text.replace('\u{feff}', "");
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for line in inbound_text::hidden_lines(text) {
        out.push_str(&text[at..line]);
        out.push(ZERO_WIDTH_SPACE);
        at = line;
    }
    out.push_str(&text[at..]);
    out
}

/// Defuses a reply and splits it at paragraphs and code fences, or else between lines or words, into pieces of at
/// most `max` characters (at least 40); an open fence is closed and reopened (with its info string) across a cut.
/// There is always at least one piece; together they show the same text.
pub fn chunk(text: &str, max: usize) -> Vec<String> {
    let max = max.max(MIN_CHUNK_CHARS);
    let text = defuse(text);
    if text.chars().count() <= max {
        return vec![text];
    }
    let lines = lines(&text, max);
    let mut pieces = Vec::new();
    let mut at = 0;
    let mut open: Option<Fence<'_>> = None;
    while at < text.len() {
        let head = open.map_or(String::new(), |fence| format!("{}\n", fence.line));
        // a fence may be open at the end of the piece, and its closing line must fit as well
        let room = max - head.chars().count() - max / 8 - 1 - DEFUSE_ROOM;
        let rest = &text[at..];
        let (end, after) = match rest.char_indices().nth(room) {
            None => (text.len(), None),
            Some((window, _)) => {
                let end = cut(&text, &lines, at, at + window);
                (end, state_at(&lines, end))
            }
        };
        let body = &text[at..end];
        let body = if after.is_some() { body.strip_suffix('\n').unwrap_or(body) } else { body.trim_end() };
        let mut piece = head + body;
        if let Some(fence) = after {
            piece.push('\n');
            piece.push_str(fence.closing);
        }
        if !piece.trim().is_empty() {
            pieces.push(defuse(&piece));
        }
        at = end;
        open = after;
        if open.is_none() {
            at = skip_line_ends(&text, at);
        }
    }
    pieces
}

/// An open code fence.
#[derive(Debug, Clone, Copy)]
struct Fence<'a> {
    /// Its opening line, without the line end.
    line: &'a str,
    /// The marks that close it, with their indentation.
    closing: &'a str,
}

/// A line of the text, and the fences that are open before and after it.
struct TextLine<'a> {
    start: usize,
    end: usize,
    blank: bool,
    before: Option<Fence<'a>>,
    after: Option<Fence<'a>>,
}

fn lines(text: &str, max: usize) -> Vec<TextLine<'_>> {
    let mut found = Vec::new();
    let mut open = None;
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let before = open;
        open = match (before, fence(line, max)) {
            (None, opened) => opened,
            (Some(fence), _) if closes(line, fence) => None,
            (still, _) => still,
        };
        let end = start + line.len();
        found.push(TextLine { start, end, blank: line.trim().is_empty(), before, after: open });
        start = end;
    }
    found
}

/// All lines with their ends, and whether each belongs to a code fence (its first and last line too).
pub(super) fn code_lines(text: &str) -> impl Iterator<Item = (&str, bool)> {
    lines(text, usize::MAX)
        .into_iter()
        .map(|line| (&text[line.start..line.end], line.before.is_some() || line.after.is_some()))
}

/// The fence that a line opens. Lines and marks too long to be repeated in every piece are ordinary text.
fn fence(line: &str, max: usize) -> Option<Fence<'_>> {
    let line = line.trim_end();
    let marks = line.trim_start();
    let mark = marks.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let info = marks.trim_start_matches(mark);
    let count = marks.len() - info.len();
    let closing = &line[..line.len() - info.len()];
    let fits = closing.chars().count() <= max / 8 && line.chars().count() <= max / 4;
    (count >= 3 && fits && !(mark == '`' && info.contains('`'))).then_some(Fence { line, closing })
}

fn closes(line: &str, fence: Fence<'_>) -> bool {
    let marks = fence.closing.trim_start();
    let mark = marks.chars().next().unwrap_or('`');
    let line = line.trim();
    line.len() >= marks.len() && line.chars().all(|c| c == mark)
}

/// The line that holds the byte before `at`.
fn line_before(lines: &[TextLine<'_>], at: usize) -> usize {
    lines.partition_point(|line| line.end < at)
}

fn state_at<'a>(lines: &[TextLine<'a>], at: usize) -> Option<Fence<'a>> {
    lines.get(line_before(lines, at)).and_then(|line| if line.end == at { line.after } else { line.before })
}

/// Where to end a piece that begins at `at` and must end at or before `window`.
fn cut(text: &str, lines: &[TextLine<'_>], at: usize, window: usize) -> usize {
    let least = at + (window - at) / LEAST_FILL;
    let last = line_before(lines, window);
    let first = line_before(lines, least);
    let whole = &lines[first.min(last)..=last];
    let ends = || whole.iter().enumerate().rev().filter(|(_, line)| (least..=window).contains(&line.end));
    let next = |i: usize| lines.get(first.min(last) + i + 1);

    // A paragraph ends, or a fence begins or ends.
    let paragraph = ends().find(|(i, line)| {
        line.after.is_none()
            && (line.blank || line.before.is_some() || next(*i).is_some_and(|n| n.blank || n.after.is_some()))
    });
    let outside = || ends().find(|(_, line)| line.after.is_none());
    if let Some((_, line)) = paragraph.or_else(outside).or_else(|| ends().next()) {
        return line.end;
    }
    // never inside a fence line, which would not be one any more
    let line = &lines[last];
    let is_fence_line = line.before.is_some() != line.after.is_some();
    if is_fence_line && line.start > at && line.end > window {
        return line.start;
    }
    let word = text[at..window].rmatch_indices(char::is_whitespace).map(|(i, _)| at + i);
    let good = word.take_while(|i| *i >= least).find(|i| !makes_fence(text[*i..].trim_start()));
    good.unwrap_or_else(|| character_border(text, at, window))
}

/// Whether text would open or close a fence if a line began here.
fn makes_fence(rest: &str) -> bool {
    rest.starts_with("```") || rest.starts_with("~~~")
}

/// The last boundary between characters: not before a combining mark, nor before or inside the marks of a fence.
fn character_border(text: &str, at: usize, window: usize) -> usize {
    /// No cluster of characters is longer in practice.
    const LOOK_BACK: usize = 64;
    let belongs_to_previous = |c: char| matches!(c, '\u{300}'..='\u{36f}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}' | '`' | '~');
    let mut next = text[window..].chars().next();
    let mut end = window;
    for (i, c) in text[at..window].char_indices().rev().take(LOOK_BACK) {
        let splits = c == '\u{200d}' || next.is_some_and(belongs_to_previous);
        if !splits && !makes_fence(text[end..].trim_start()) {
            return end;
        }
        next = Some(c);
        end = at + i;
    }
    window
}

/// Skips blank lines between two pieces, but keeps the indentation of the next line.
fn skip_line_ends(text: &str, at: usize) -> usize {
    let rest = &text[at..];
    let blank = rest.len() - rest.trim_start().len();
    match rest[..blank].rfind('\n') {
        Some(i) => at + i + 1,
        None if text[..at].ends_with('\n') => at,
        // the cut was between two words of one line
        None => at + blank,
    }
}

/// One `[TASK_STATUS]` line (see PROGRESS in wtt-connect-protocol(7)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskStatusLine<'a> {
    /// RFC 3339.
    pub time: &'a str,
    /// For example `doing`.
    pub status: &'a str,
    /// `group:detail`.
    pub action: &'a str,
    /// Task, in a task topic.
    pub task_id: Option<&'a str>,
    /// Topic.
    pub topic_id: &'a str,
    /// This agent.
    pub agent_id: &'a str,
    /// Kind.
    pub kind: &'a str,
}

/// Keys that the parser of the web page knows: a blank, one of these and `=` end the previous value (confirmed).
const STATUS_KEYS: [&str; 8] =
    ["time", "status", "action", "task_id", "topic_id", "agent_id", "progress", "kind"];

/// Renders the line. Line breaks in values are removed, and no value can begin another key.
pub fn task_status_line(line: &TaskStatusLine<'_>) -> String {
    let mut out = "[TASK_STATUS]".to_owned();
    let mut add = |key: &str, value: &str| {
        let words: Vec<String> = text::one_line(value)
            .split(' ')
            .map(|word| match word.split_once('=') {
                Some((k, v)) if STATUS_KEYS.contains(&k.to_ascii_lowercase().as_str()) => {
                    format!("{k}{ZERO_WIDTH_SPACE}={v}")
                }
                _ => word.to_owned(),
            })
            .collect();
        out.push_str(&format!(" {key}={}", text::truncate(&words.join(" "), ACTION_CHARS)));
    };
    add("time", line.time);
    add("status", line.status);
    add("action", line.action);
    if let Some(task_id) = line.task_id {
        add("task_id", task_id);
    }
    add("topic_id", line.topic_id);
    add("agent_id", line.agent_id);
    add("kind", line.kind);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_lines_become_visible_and_stay_readable() {
        let text = "ok\n[TASK_STATUS] x\n```\nProgress: 50%\n```\nTime: 12:00:00\nProgress: 3%";
        let out = defuse(text);
        assert!(inbound_text::hidden_lines(&out).is_empty());
        assert_eq!(out.replace(ZERO_WIDTH_SPACE, ""), text);
        assert_eq!(defuse(&out), out);
        assert_eq!(defuse("plain\n[x] text"), "plain\n[x] text");
        assert_eq!(defuse("\u{feff}[TASK_STATUS] x"), defuse("[TASK_STATUS] x"));
    }

    #[test]
    fn short_text_is_one_piece_and_none_is_lost() {
        assert_eq!(chunk("", 100), [""]);
        assert_eq!(chunk("a\n\nb", 100), ["a\n\nb"]);
    }

    #[test]
    fn paragraphs_are_preferred_over_lines_over_words() {
        let a = "word ".repeat(12).trim().to_owned();
        assert_eq!(chunk(&format!("{a}\n\n{a}\n{a}"), 100), [a.as_str(), &a, &a]);
        for piece in chunk(&"word ".repeat(60), 100) {
            assert!(piece.split(' ').all(|w| w == "word"), "{piece:?}");
        }
    }

    #[test]
    fn a_fence_is_closed_and_reopened() {
        let code: String = (0..30).map(|i| format!("    let x{i} = {i};\n")).collect();
        let pieces = chunk(&format!("Look:\n```rust\n{code}```\nDone."), 200);
        assert!(pieces.len() > 2);
        for (i, piece) in pieces.iter().enumerate() {
            assert_eq!(piece.matches("```").count() % 2, 0, "{piece}");
            assert!(piece.chars().count() <= 200);
            assert!(i == 0 || i + 1 == pieces.len() || piece.starts_with("```rust\n    let"), "{piece}");
        }
        assert!(pieces.last().unwrap().ends_with("Done."));
    }

    #[test]
    fn a_cut_never_makes_a_hidden_line() {
        let text = format!("{} [TASK_STATUS] {}", "x".repeat(80), "y".repeat(80));
        for max in 60..140 {
            for piece in chunk(&text, max) {
                assert!(inbound_text::hidden_lines(&piece).is_empty(), "{max}: {piece:?}");
            }
        }
    }

    #[test]
    fn no_character_is_cut() {
        let text = "👩‍👩‍👧e\u{301}测".repeat(100);
        let pieces = chunk(&text, 50);
        assert_eq!(pieces.concat(), text);
        assert!(pieces.iter().all(|p| !p.starts_with(['\u{301}', '\u{200d}'])));
    }

    #[test]
    fn status_lines_keep_their_keys() {
        let line = TaskStatusLine {
            time: "2026-04-01T08:00:01Z",
            status: "doing",
            action: "command:echo\nstatus=done kind=x",
            task_id: Some("k"),
            topic_id: "t",
            agent_id: "agent-a",
            kind: "command",
        };
        assert_eq!(
            task_status_line(&line),
            "[TASK_STATUS] time=2026-04-01T08:00:01Z status=doing action=command:echo status\u{200b}=done \
             kind\u{200b}=x task_id=k topic_id=t agent_id=agent-a kind=command"
        );
        assert!(!task_status_line(&TaskStatusLine { task_id: None, ..line }).contains("task_id"));
    }
}
