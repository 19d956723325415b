//! Files in a reply: the marker lines by which an agent sends one, the types of files, and the tokens that user
//! interfaces show as cards (see FILES in wtt-connect-protocol(7)). Pure: no file is opened here.

use crate::text;
use crate::wire::outbound_text;

/// The start of a marker line.
const MARKER: &str = "[WTT_ARTIFACT_FILE";
/// Most files of one answer, so that it does not flood a topic. More files belong in one archive.
pub const MAX_FILES: usize = 20;
/// Longer answers are sent as a file: in a chat they would be six messages or more.
pub const LONG_REPLY_CHARS: usize = 60_000;
/// Length of the excerpt that is shown before the file of a long answer.
const EXCERPT_CHARS: usize = 3_000;
/// Longest title, which is a label.
const TITLE_CHARS: usize = 120;
/// Longest file name that is sent to the service, in bytes; most file systems accept 255.
const NAME_BYTES: usize = 200;

/// A marker line: a file that an agent wants to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactMarker {
    /// The path as the agent wrote it.
    pub path: String,
    /// The title to show; empty for the name of the file.
    pub title: String,
}

/// Removes the marker lines from a reply. Lines in code fences, indented code and inline code are text, because an
/// agent may explain the marker.
pub fn markers(text: &str) -> (String, Vec<ArtifactMarker>) {
    if !text.contains(MARKER) {
        return (text.to_owned(), Vec::new());
    }
    let (mut visible, mut wishes) = (String::with_capacity(text.len()), Vec::new());
    let mut gap = false;
    for (line, in_code) in outbound_text::code_lines(text) {
        if !in_code && let Some(wish) = marker(line) {
            wishes.push(wish);
            gap = true;
            continue;
        }
        // do not repeat the blank lines around a marker
        if gap && line.trim().is_empty() && (visible.is_empty() || visible.ends_with("\n\n")) {
            continue;
        }
        gap = false;
        visible.push_str(line);
    }
    if wishes.is_empty() { (text.to_owned(), wishes) } else { (visible.trim_end().to_owned(), wishes) }
}

/// Parses `[WTT_ARTIFACT_FILE path="…" title="…"]`, alone on its line or as an item of a list.
fn marker(line: &str) -> Option<ArtifactMarker> {
    let bare = line.trim_start_matches(' ');
    if line.len() - bare.len() > 3 {
        return None;
    }
    let bare = bare.trim_end();
    let item = ["- ", "* ", "+ "].iter().find_map(|bullet| bare.strip_prefix(bullet));
    let mut rest = item.unwrap_or(bare).trim_start().strip_prefix(MARKER)?.strip_suffix(']')?;
    let (mut path, mut title) = (None, None);
    while let Some((name, quoted)) = rest.split_once('=') {
        if !name.starts_with(char::is_whitespace) {
            return None;
        }
        let quoted = quoted.trim_start();
        let mark = quoted.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let (value, after) = quoted[1..].split_once(mark)?;
        match name.trim() {
            "path" => path = path.or(Some(value)),
            "title" => title = title.or(Some(value)),
            // a later version may define more
            _ => {}
        }
        rest = after;
    }
    let path = path.filter(|path| !path.trim().is_empty() && rest.trim().is_empty())?;
    Some(ArtifactMarker { path: path.to_owned(), title: label(title.unwrap_or_default()) })
}

/// How a file is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CardStyle {
    Picture,
    Audio,
    Video,
    File,
}

/// A type of file that may be sent.
#[derive(Debug, PartialEq, Eq)]
pub struct FileType {
    /// The extension of the name, without the dot.
    pub ending: &'static str,
    /// The MIME type.
    pub mime: &'static str,
    shown: CardStyle,
}

const fn kind(ending: &'static str, mime: &'static str, shown: CardStyle) -> FileType {
    FileType { ending, mime, shown }
}

/// All types of files that may be sent.
pub static KINDS: &[FileType] = &[
    kind("doc", "application/msword", CardStyle::File),
    kind("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", CardStyle::File),
    kind("ppt", "application/vnd.ms-powerpoint", CardStyle::File),
    kind(
        "pptx",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        CardStyle::File,
    ),
    kind("xls", "application/vnd.ms-excel", CardStyle::File),
    kind("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", CardStyle::File),
    kind("pdf", "application/pdf", CardStyle::File),
    kind("csv", "text/csv", CardStyle::File),
    kind("md", "text/markdown", CardStyle::File),
    kind("txt", "text/plain", CardStyle::File),
    kind("zip", "application/zip", CardStyle::File),
    kind("html", "text/html", CardStyle::File),
    kind("htm", "text/html", CardStyle::File),
    kind("png", "image/png", CardStyle::Picture),
    kind("jpg", "image/jpeg", CardStyle::Picture),
    kind("jpeg", "image/jpeg", CardStyle::Picture),
    kind("webp", "image/webp", CardStyle::Picture),
    kind("gif", "image/gif", CardStyle::Picture),
    kind("mp4", "video/mp4", CardStyle::Video),
    kind("webm", "video/webm", CardStyle::Video),
    kind("mov", "video/quicktime", CardStyle::Video),
    kind("wav", "audio/wav", CardStyle::Audio),
    kind("mp3", "audio/mpeg", CardStyle::Audio),
    kind("ogg", "audio/ogg", CardStyle::Audio),
    kind("m4a", "audio/mp4", CardStyle::Audio),
];

/// The type of a file by its extension; none if such files are not sent.
pub fn file_type(name: &str) -> Option<&'static FileType> {
    let (stem, ending) = name.rsplit_once('.')?;
    KINDS.iter().find(|kind| !stem.is_empty() && kind.ending.eq_ignore_ascii_case(ending))
}

/// All extensions, for messages.
pub fn endings() -> String {
    KINDS.iter().map(|kind| kind.ending).collect::<Vec<_>>().join(", ")
}

/// The token that shows a file as a card. The extension of `name` decides its form; `name` is also the default title.
pub fn card(name: &str, title: &str, url: &str) -> String {
    let title = match label(title) {
        none if none.is_empty() => label(name),
        title => title,
    };
    // a blank or parenthesis would end the link
    let mut address = String::with_capacity(url.len());
    for c in url.chars() {
        match c {
            '(' => address.push_str("%28"),
            ')' => address.push_str("%29"),
            c if c.is_whitespace() || c.is_control() => address.push_str("%20"),
            c => address.push(c),
        }
    }
    let begin = match file_type(name).map_or(CardStyle::File, |kind| kind.shown) {
        CardStyle::Picture => "![",
        CardStyle::Audio => "[audio:",
        CardStyle::Video => "[video:",
        CardStyle::File => "[file:",
    };
    format!("{begin}{title}]({address})")
}

/// A title without characters that would end the token, hide the text behind it or change its direction.
pub fn label(text: &str) -> String {
    let plain = text::one_line(text).replace('[', "(").replace(']', ")").replace('\\', "/");
    let plain = plain.replace(|c| is_invisible(c) && !is_joiner(c), "");
    text::truncate(plain.trim(), TITLE_CHARS)
}

/// Invisible characters, and those that change the direction of text.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Joiners, which some scripts and emoji need.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

/// A file name that other machines accept: one component, without control characters, not too long.
pub fn file_name(path: &str) -> String {
    let last = path.rsplit('/').next().unwrap_or_default();
    let plain: String = last
        .chars()
        .filter(|c| !c.is_control() && !is_invisible(*c))
        .map(|c| if matches!(c, '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|') { '_' } else { c })
        .collect();
    let plain = plain.trim().trim_start_matches('.');
    let (stem, ending) = plain.rsplit_once('.').unwrap_or((plain, ""));
    let mut stem = if stem.is_empty() { "file" } else { stem };
    while stem.len() + ending.len() > NAME_BYTES {
        let Some((at, _)) = stem.char_indices().next_back().filter(|(at, _)| *at > 0) else { break };
        stem = &stem[..at];
    }
    if ending.is_empty() || ending.len() > NAME_BYTES { stem.to_owned() } else { format!("{stem}.{ending}") }
}

/// The excerpt of an answer that is sent as a file, and its length in characters; none for a shorter answer.
pub fn excerpt(text: &str) -> Option<(String, usize)> {
    let count = text.chars().count();
    if count <= LONG_REPLY_CHARS {
        return None;
    }
    let begin: String = text.chars().take(2 * EXCERPT_CHARS).collect();
    let shown = outbound_text::chunk(&begin, EXCERPT_CHARS).into_iter().next().unwrap_or_default();
    Some((shown, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(path: &str, title: &str) -> ArtifactMarker {
        ArtifactMarker { path: path.to_owned(), title: title.to_owned() }
    }

    #[test]
    fn markers_are_taken_out_and_the_rest_stays() {
        let (text, wishes) = markers(
            "Done.\n\n[WTT_ARTIFACT_FILE path=\"a b.pdf\" title=\"The [report]\"]\n\nBye.\n- [WTT_ARTIFACT_FILE title='t' path='/w/b.docx']\n",
        );
        assert_eq!(text, "Done.\n\nBye.");
        assert_eq!(wishes, [wish("a b.pdf", "The (report)"), wish("/w/b.docx", "t")]);
        assert_eq!(markers("[WTT_ARTIFACT_FILE path=\"a.pdf\"]"), (String::new(), vec![wish("a.pdf", "")]));
        assert_eq!(markers("x\n[WTT_ARTIFACT_FILE path=\"a.pdf\"]\ny").0, "x\ny");
    }

    #[test]
    fn what_only_looks_like_a_marker_is_text() {
        for text in [
            "```\n[WTT_ARTIFACT_FILE path=\"a.pdf\"]\n```",
            "~~~~\n```\n[WTT_ARTIFACT_FILE path=\"a.pdf\"]\n~~~~",
            "    [WTT_ARTIFACT_FILE path=\"a.pdf\"]",
            "`[WTT_ARTIFACT_FILE path=\"a.pdf\"]`",
            "Write [WTT_ARTIFACT_FILE path=\"a.pdf\"] to send it.",
            "[WTT_ARTIFACT_FILE]",
            "[WTT_ARTIFACT_FILE path=\"\"]",
            "[WTT_ARTIFACT_FILE path=a.pdf]",
            "[WTT_ARTIFACT_FILE path=\"a.pdf]",
            "[WTT_ARTIFACT_FILE path=\"a.pdf\" x]",
            "[WTT_ARTIFACT_FILES path=\"a.pdf\"]",
            "[wtt_artifact_file path=\"a.pdf\"]",
            "[WTT_ARTIFACT_FILE title=\"x\"]",
        ] {
            assert_eq!(markers(text), (text.to_owned(), vec![]), "{text}");
        }
    }

    #[test]
    fn each_kind_has_its_token() {
        for (name, token) in [
            ("a.pdf", "[file:T](u)"),
            ("a.PNG", "![T](u)"),
            ("a.wav", "[audio:T](u)"),
            ("a.MOV", "[video:T](u)"),
            ("a.tar", "[file:T](u)"),
        ] {
            assert_eq!(card(name, "T", "u"), token);
        }
        assert_eq!(card("a.md", " ", "/x y(1)"), "[file:a.md](/x%20y%281%29)");
        assert_eq!(card("a.md", "a]\n(b", "u"), "[file:a) (b](u)");
        // a backslash would take the bracket's meaning from it
        assert_eq!(card("a.png", "T\\", "u"), "![T/](u)");
        assert_eq!(card("a.md", "\u{202e}\u{200b}", "u"), "[file:a.md](u)");
        assert!(file_type(".pdf").is_none() && file_type("pdf").is_none() && file_type("a.exe").is_none());
    }

    #[test]
    fn names_are_one_plain_component() {
        for (path, name) in [
            ("/a/b.pdf", "b.pdf"),
            ("..", "file"),
            ("", "file"),
            (".bashrc", "bashrc"),
            ("a\u{202e}fdp.exe\n.pdf", "afdp.exe.pdf"),
            ("a:b|c.md", "a_b_c.md"),
        ] {
            assert_eq!(file_name(path), name, "{path:?}");
        }
        let long = file_name(&format!("{}.pdf", "测".repeat(500)));
        assert!(long.len() <= NAME_BYTES + 1 && long.ends_with(".pdf"), "{long}");
    }

    #[test]
    fn only_a_long_answer_becomes_a_file() {
        assert_eq!(excerpt(&"x".repeat(LONG_REPLY_CHARS)), None);
        let text = "word ".repeat(LONG_REPLY_CHARS / 5 + 1);
        let shown = excerpt(&text).unwrap();
        assert!(shown.0.chars().count() < EXCERPT_CHARS + 200 && shown.1 == 60_005, "{shown:?}");
    }
}
