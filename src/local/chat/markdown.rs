//! Renders answers for a terminal: light markdown, and file cards with a link. Pure; robust rather than complete.

use crate::json;
use serde_json::Value;
use unicode_width::UnicodeWidthChar;

const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const CYAN: &str = "\x1b[36m";
const PLAIN: &str = "\x1b[0m";

/// How to render.
#[derive(Debug, Clone)]
pub struct MarkdownStyle {
    /// The terminal understands escape sequences.
    pub colors: bool,
    /// Address of the service, put before relative links.
    pub base_url: String,
    /// Token put behind links to the service, so that a browser may fetch them.
    pub access: String,
    /// Width at which prose is wrapped, in columns.
    pub columns: usize,
}

/// Renders an answer. The text is the agent's and may hold anything; for a terminal control characters are removed.
pub fn render(text: &str, style: &MarkdownStyle) -> String {
    let mut out = String::with_capacity(text.len());
    let mut fence = false;
    let mut buttons = false;
    for line in text.lines() {
        let line = if style.colors { printable(line) } else { line.to_owned() };
        let trimmed = line.trim_start();
        if trimmed.starts_with("```") || trimmed.starts_with("~~~") {
            fence = !fence;
            let closes = std::mem::replace(&mut buttons, fence && trimmed == "```action");
            if !style.colors && !buttons && !closes {
                out.push_str(&line);
                out.push('\n');
            }
            continue;
        }
        if buttons && let Some(rows) = render_buttons(&line) {
            out.push_str(&rows);
            continue;
        }
        let shown = match render_card(trimmed, style).filter(|_| !fence) {
            Some(card) => card,
            None if fence && style.colors => format!("    {CYAN}{line}{PLAIN}"),
            None if fence => line,
            None if style.colors => wrap(&render_prose(&line), style.columns),
            None => wrap(&line, style.columns),
        };
        out.push_str(&shown);
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out
}

/// The buttons of an `action` block: for each, the command that a click sends, and its label. None if the line is no
/// such block.
fn render_buttons(line: &str) -> Option<String> {
    let block = json::parse::<Value>(line).ok()?;
    let mut out = String::new();
    for button in block["buttons"].as_array()? {
        let (label, command) = (button["text"].as_str()?, button["command"].as_str()?);
        out.push_str(&format!("    {command:<22} {label}\n"));
    }
    Some(out)
}

/// Removes control characters, tabs excepted: an answer must not drive the terminal.
pub fn printable(line: &str) -> String {
    line.chars().filter(|c| *c == '\t' || !c.is_control()).collect()
}

/// Columns of a character; a tab counts as eight.
pub fn width(c: char) -> usize {
    if c == '\t' { 8 } else { c.width().unwrap_or(0) }
}

/// Columns of a text without line ends.
pub fn text_width(text: &str) -> usize {
    text.chars().map(width).sum()
}

/// Punctuation that never begins a line.
const CLOSING_PUNCTUATION: &str = "。，、；：？！）】》」』”’…,.;:?!)]}";

/// Breaks a line at spaces, or after a wide character. Further rows are indented like the line, or like the text of its
/// list item.
pub fn wrap(line: &str, columns: usize) -> String {
    let text = line.trim_start_matches(' ');
    let item = ["• ", "- ", "* ", "> "].iter().any(|mark| text.starts_with(mark));
    let hang = (line.len() - text.len() + if item { 2 } else { 0 }).min(columns / 2);
    let mut out = String::with_capacity(line.len());
    let (mut used, mut escape) = (0, false);
    // Where the line may be broken, and how wide it is up to there.
    let mut border: Option<(usize, usize)> = None;
    let mut earlier = None;
    for c in line.chars() {
        if escape || c == '\x1b' {
            escape = c != 'm';
            out.push(c);
            continue;
        }
        if CLOSING_PUNCTUATION.contains(c) && border.is_some_and(|(at, _)| at == out.len()) {
            border = earlier.take();
        }
        if c != ' ' && used + width(c) > columns {
            earlier = None;
            let (at, before) = border.take().unwrap_or((out.len(), used));
            let blank = usize::from(out[..at].ends_with(' '));
            out.replace_range(at - blank..at, &format!("\n{:hang$}", ""));
            used = hang + used.saturating_sub(before);
        }
        out.push(c);
        used += width(c);
        if (c == ' ' && used > hang) || width(c) == 2 {
            earlier = border.replace((out.len(), used));
        }
    }
    out
}

/// The white space between two parts of a long answer. The connector cuts a part that is more than a third full at the
/// last end of a paragraph, else of a line, else of a word, and removes the white space there. So the largest of these
/// units that the part still contains tells where it was cut.
pub fn seam(part: &str, next: &str) -> &'static str {
    /// Characters; a shorter part was not cut within a line.
    const NEARLY_FULL: usize = 9_000;
    let chars = part.chars().count();
    let tail = part.char_indices().nth(chars / 3).map_or("", |(at, _)| &part[at..]);
    if part.ends_with("```") && next.starts_with("```") {
        "\n"
    } else if tail.contains("\n\n") {
        "\n\n"
    } else if tail.contains('\n') || chars < NEARLY_FULL {
        "\n"
    } else if tail.contains(' ') {
        " "
    } else {
        ""
    }
}

fn render_prose(line: &str) -> String {
    let trimmed = line.trim_start();
    let hashes = trimmed.chars().take_while(|c| *c == '#').count();
    if (1..=6).contains(&hashes) && trimmed[hashes..].starts_with(' ') {
        return format!("{BOLD}{}{PLAIN}", trimmed[hashes..].trim());
    }
    if let Some(quote) = trimmed.strip_prefix("> ") {
        return format!("{DIM}│ {quote}{PLAIN}");
    }
    let indent = &line[..line.len() - trimmed.len()];
    let item = trimmed.strip_prefix("- ").or_else(|| trimmed.strip_prefix("* "));
    match item {
        Some(item) => format!("{indent}• {}", render_inline(item)),
        None => render_inline(line),
    }
}

/// Renders `code` and **bold**; an opening mark without a closing one stays as it is.
fn render_inline(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['`', '*']) {
        let (mark, color) = match &rest[at..] {
            tail if tail.starts_with('`') => ("`", CYAN),
            tail if tail.starts_with("**") => ("**", BOLD),
            _ => ("*", ""),
        };
        let inner = at + mark.len();
        out.push_str(&rest[..at]);
        match rest[inner..].find(mark).filter(|end| *end > 0 && !color.is_empty()) {
            Some(end) => {
                out.push_str(&format!("{color}{}{PLAIN}", &rest[inner..inner + end]));
                rest = &rest[inner + end + mark.len()..];
            }
            None => {
                out.push_str(mark);
                rest = &rest[inner..];
            }
        }
    }
    out + rest
}

/// Renders a media token that is alone on its line: `[file:Title](url)`, an image, audio or video. None for other lines.
/// See FILES in wtt-connect-protocol(7).
fn render_card(line: &str, style: &MarkdownStyle) -> Option<String> {
    let line = line.trim_end();
    let (label, url) = line.strip_suffix(')')?.split_once("](")?;
    if url.is_empty() || url.contains([' ', ')', '(']) {
        return None;
    }
    let (kind, title) = match label.strip_prefix("![") {
        Some(name) => ("image", name),
        None => {
            let label = label.strip_prefix('[')?;
            let (kind, title) = label.split_once(':').unwrap_or((label, ""));
            (["file", "audio", "video"].iter().copied().find(|k| *k == kind)?, title)
        }
    };
    let mut link = if url.starts_with('/') { format!("{}{url}", style.base_url) } else { url.to_owned() };
    if link.starts_with(&style.base_url) && !style.access.is_empty() {
        let joint = if link.contains('?') { '&' } else { '?' };
        link.push_str(&format!("{joint}access={}", style.access));
    }
    let title = if title.is_empty() { kind } else { title };
    Some(if style.colors {
        format!("{BOLD}{kind}: {title}{PLAIN}\n  {link}")
    } else {
        format!("{kind}: {title} <{link}>")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn style(colors: bool) -> MarkdownStyle {
        MarkdownStyle { colors, base_url: "http://h:1".into(), access: "k".into(), columns: usize::MAX }
    }

    #[test]
    fn prose_is_wrapped_and_code_is_not() {
        let narrow = |colors| MarkdownStyle { columns: 8, ..style(colors) };
        for (text, shown) in [
            ("one two three", "one two\nthree"),
            ("- one two three", "• one\n  two\n  three"),
            ("abcdefghijk lm", "abcdefgh\nijk lm"),
            ("**one two** three", "\x1b[1mone two\x1b[0m\nthree"),
            ("你好你好你好", "你好你好\n你好"),
            ("```\none two three\n```", "    \x1b[36mone two three\x1b[0m"),
            ("你好你好。你好", "你好你\n好。你好"),
            ("你好你」。好", "你好\n你」。好"),
            ("exactly8 x", "exactly8\nx"),
        ] {
            assert_eq!(render(text, &narrow(true)), shown, "{text:?}");
        }
        assert_eq!(render("one two three", &narrow(false)), "one two\nthree");
    }

    #[test]
    fn parts_are_joined_as_they_were() {
        let line = "word ".repeat(400);
        for (text, unit) in [
            ([line.trim(); 12].join("\n\n"), "\n\n"),
            ([line.trim(); 12].join("\n"), "\n"),
            ([line.trim(); 12].join(" "), " "),
            ("x".repeat(30_000), ""),
            ("好".repeat(30_000), ""),
        ] {
            let parts = crate::wire::outbound_text::chunk(&text, crate::wire::assumed::CHUNK_CHARS);
            assert!(parts.len() > 1);
            let mut joined = parts[0].clone();
            for pair in parts.windows(2) {
                joined = joined + seam(&pair[0], &pair[1]) + &pair[1];
            }
            assert!(joined == text, "{unit:?}");
        }
    }

    #[test]
    fn marks_become_attributes() {
        for (text, shown) in [
            ("# Title", "\x1b[1mTitle\x1b[0m"),
            ("- a `b`", "• a \x1b[36mb\x1b[0m"),
            ("**x** y", "\x1b[1mx\x1b[0m y"),
            ("2 * 3 ** 4 ` 5", "2 * 3 ** 4 ` 5"),
            ("#hash", "#hash"),
            ("```sh\nls *\n```", "    \x1b[36mls *\x1b[0m"),
            ("a\x1b[31mb\x07", "a[31mb"),
        ] {
            assert_eq!(render(text, &style(true)), shown, "{text:?}");
        }
    }

    #[test]
    fn plain_text_stays_as_it_is() {
        let text = "# T\n\n- a\n```\ncode\n```\n**b**";
        assert_eq!(render(text, &style(false)), text);
    }

    #[test]
    fn files_become_cards() {
        for (line, shown) in [
            ("[file:a.txt](/media/1)", "file: a.txt <http://h:1/media/1?access=k>"),
            ("[file](http://h:1/media/1?x=1)", "file: file <http://h:1/media/1?x=1&access=k>"),
            ("![pic](https://e.org/p.png)", "image: pic <https://e.org/p.png>"),
            ("see [docs](https://e.org)", "see [docs](https://e.org)"),
            ("[docs](https://e.org)", "[docs](https://e.org)"),
        ] {
            assert_eq!(render(line, &style(false)), shown, "{line:?}");
        }
    }
}
