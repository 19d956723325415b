//! Files that come with a message: the tokens in its text, and those that lists and metadata of its row name (see FILES
//! in wtt-connect-protocol(7)).
//!
//! Pure: nothing is fetched here. Names come from the network; [`safe_name`] turns one into a file name.

use crate::wire::inbound_text;
use crate::wire::lenient_json::Object;
use serde_json::{Value, json};
use std::ops::Range;

/// Most files that are found in one message.
const MAX_FOUND: usize = 32;
/// The key under which a row that is stored on disk lists its files, including those that were found elsewhere.
const ENCLOSED: &str = "wtt_connect_media";
/// The depth to which rows are searched, and the number of items of a list, as in the original plugin.
const DEPTH: usize = 5;
const ITEMS: usize = 80;
/// Longest file name in bytes: every file system accepts it, with room for a number.
const NAME_BYTES: usize = 120;
/// Longest label of a token.
const LABEL_BYTES: usize = 400;

/// The kind of a file, by its name and its token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaKind {
    /// An image.
    Image,
    /// Sound.
    Audio,
    /// A video.
    Video,
    /// Anything else.
    File,
}

impl MediaKind {
    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            MediaKind::Image => "image",
            MediaKind::Audio => "audio",
            MediaKind::Video => "video",
            MediaKind::File => "file",
        }
    }
}

/// A file that a message names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// What it is.
    pub kind: MediaKind,
    /// Its name or title as sent; may be empty.
    pub name: String,
    /// Its URL, absolute or relative to the service.
    pub url: String,
}

/// File name extensions by kind.
const ENDINGS: [(MediaKind, &[&str]); 4] = [
    (
        MediaKind::Image,
        &["png", "jpg", "jpeg", "gif", "webp", "bmp", "heic", "heif", "svg", "tif", "tiff", "avif"],
    ),
    (MediaKind::Audio, &["mp3", "wav", "ogg", "oga", "opus", "m4a", "aac", "flac", "amr", "weba"]),
    (MediaKind::Video, &["mp4", "mov", "webm", "mkv", "avi", "m4v"]),
    (
        MediaKind::File,
        &["pdf", "doc", "docx", "ppt", "pptx", "xls", "xlsx", "csv", "md", "txt", "zip", "html", "json"],
    ),
];

/// Words of labels: a token belongs to the kind if its label is the word, or begins with it and a colon.
const WORDS: [(&str, MediaKind); 6] = [
    ("image", MediaKind::Image),
    ("audio", MediaKind::Audio),
    ("video", MediaKind::Video),
    ("file", MediaKind::File),
    ("zip", MediaKind::File),
    ("artifact", MediaKind::File),
];

fn kind_by_ending(name: &str) -> Option<MediaKind> {
    let name = name.split(['?', '#']).next().unwrap_or_default();
    let ending = name.rsplit('/').next().unwrap_or_default().rsplit_once('.')?.1.to_ascii_lowercase();
    ENDINGS.iter().find(|(_, endings)| endings.contains(&ending.as_str())).map(|(kind, _)| *kind)
}

/// Whether a URL is that of a file on the service: `…/media/<id>`, with an id of 16 or more hex digits or dashes, and
/// optionally an extension.
fn is_stored(url: &str) -> bool {
    let Some((_, rest)) = url.rsplit_once("media/") else { return false };
    let id = rest.split(['?', '#', '/', '.']).next().unwrap_or_default();
    id.len() >= 16 && id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

/// Whether a text may be the URL of a file.
fn is_address(url: &str) -> bool {
    let begins = ["http://", "https://", "/", "media/"].iter().any(|start| url.starts_with(start));
    begins && url.len() <= 4096 && !url.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// The files of a message: those in its text (`content`) in order, then the others that its row (`source`) and its
/// metadata list. An encrypted text has none.
pub fn find(content: &str, source: &Value, metadata: &Object) -> Vec<Media> {
    let mut found = in_text(content);
    if let Some(row) = source.as_object() {
        walk(row, false, DEPTH, &mut found);
    }
    // in the row it may be JSON within a text
    walk(metadata, false, DEPTH, &mut found);
    found
}

/// Writes files into a row, where [`find`] finds them again.
pub fn enclose(row: &mut Object, media: &[Media]) {
    if !media.is_empty() {
        let item = |m: &Media| json!({ "name": m.name, "url": m.url, "type": m.kind.word() });
        let mut items = Vec::new();
        items.extend(media.iter().map(item));
        row.insert(ENCLOSED.to_owned(), Value::Array(items));
    }
}

/// The files that a text names.
pub fn in_text(text: &str) -> Vec<Media> {
    let mut found = Vec::new();
    for (_, media) in tokens(text) {
        add(&mut found, media);
    }
    found
}

/// Adds a file unless it is there already.
pub fn add(found: &mut Vec<Media>, media: Media) {
    if found.len() < MAX_FOUND && !found.iter().any(|known| known.url == media.url) {
        found.push(media);
    }
}

/// The tokens in a text, outside of code and of context blocks, with their places. Linear in the length of the text.
pub fn tokens(text: &str) -> Vec<(Range<usize>, Media)> {
    let mut found = Vec::new();
    let mut hidden = inbound_text::blocks(text);
    // the files of a quoted message count as well
    hidden.retain(|block| !text[block.clone()].starts_with(inbound_text::QUOTE));
    hidden.extend(fences(text));
    hidden.sort_by_cached_key(|block| block.start);
    let mut hidden = hidden.into_iter().peekable();
    // `from`: where the next token may begin; `stop`: the end of the next URL
    let (mut from, mut at, mut stop) = (0, 0, 0);
    while let Some(close) = text[at..].find("](").map(|i| at + i) {
        at = close + 2;
        if stop < at {
            stop = text[at..].find([')', '\n']).map_or(text.len(), |i| at + i);
        }
        while hidden.next_if(|block| block.end <= close).is_some() {}
        let is_hidden = hidden.peek().is_some_and(|block| block.start <= close);
        let token = if is_hidden { None } else { token(text, from, close, stop) };
        from = at;
        if let Some((range, media)) = token {
            (from, at) = (range.end, range.end);
            found.push((range, media));
            if found.len() >= MAX_FOUND {
                break;
            }
        }
    }
    found
}

/// The token around `](` at `close` that begins at `from` or later and whose URL ends at `stop`.
fn token(text: &str, from: usize, close: usize, stop: usize) -> Option<(Range<usize>, Media)> {
    let open = text[from..close].rfind(['[', '\n']).map(|i| from + i)?;
    let label = text[open..close].strip_prefix('[').filter(|label| label.len() <= LABEL_BYTES)?;
    let url = text[close + 2..stop].trim();
    if !text[stop..].starts_with(')') || !is_address(url) {
        return None;
    }
    let picture = text[from..open].ends_with('!');
    let (word, name) = label.split_once(':').unwrap_or((label, ""));
    let named = WORDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(word.trim()));
    let (kind, name) = match (picture, named) {
        (true, _) => (MediaKind::Image, label),
        (false, Some((_, MediaKind::File))) => {
            (kind_by_ending(name).or_else(|| kind_by_ending(url)).unwrap_or(MediaKind::File), name)
        }
        (false, Some((_, kind))) => (*kind, name),
        (false, None) => return None,
    };
    let range = (if picture { open - 1 } else { open })..stop + 1;
    Some((range, Media { kind, name: name.trim().to_owned(), url: url.to_owned() }))
}

/// Byte ranges of fenced code.
fn fences(text: &str) -> Vec<Range<usize>> {
    let (mut found, mut open, mut at) = (Vec::new(), None, 0);
    for line in text.split_inclusive('\n') {
        let end = at + line.len();
        if line.trim_start().starts_with("```") {
            match open.take() {
                Some(start) => found.push(start..end),
                None => open = Some(at),
            }
        }
        at = end;
    }
    found.extend(open.map(|start| start..text.len()));
    found
}

/// The text with each token replaced by the result of `render`.
pub fn replace(text: &str, mut render: impl FnMut(&Media) -> String) -> String {
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    for (range, media) in tokens(text) {
        out.push_str(&text[at..range.start]);
        out.push_str(&render(&media));
        at = range.end;
    }
    out.push_str(&text[at..]);
    out
}

/// Searches a row. `about`: the key of an outer object refers to files.
fn walk(row: &Object, about: bool, depth: usize, found: &mut Vec<Media>) {
    let text = |names: &[&str]| names.iter().find_map(|name| row.get(*name)?.as_str()).unwrap_or_default();
    let name = text(&["filename", "file_name", "name", "title"]);
    let mime = text(&["mime_type", "content_type", "media_type", "type", "kind"]).to_ascii_lowercase();
    for (key, value) in row {
        let key = key.to_ascii_lowercase();
        // avatars and thumbnails are not attachments
        if key == "content"
            || ["avatar", "icon", "logo", "thumb", "persona", "preview"].iter().any(|w| key.contains(w))
        {
            continue;
        }
        let speaks = ["image", "media", "url", "file", "asset", "attach", "audio", "video"];
        let about = about || speaks.iter().any(|word| key.contains(word));
        match value {
            Value::String(url) if is_address(url) => {
                let ending = kind_by_ending(url).or_else(|| kind_by_ending(name));
                let said = WORDS.iter().find(|(word, _)| mime.starts_with(word)).map(|(_, kind)| *kind);
                if is_stored(url) || (about && (ending.is_some() || said.is_some())) {
                    let kind =
                        said.filter(|kind| *kind != MediaKind::File).or(ending).unwrap_or(MediaKind::File);
                    add(found, Media { kind, name: name.to_owned(), url: url.clone() });
                }
            }
            Value::Object(inner) if depth > 0 => walk(inner, about, depth - 1, found),
            Value::Array(items) if depth > 0 => {
                for item in items.iter().take(ITEMS) {
                    match item {
                        Value::Object(inner) => walk(inner, about, depth - 1, found),
                        Value::String(url)
                            if is_address(url)
                                && (is_stored(url) || (about && kind_by_ending(url).is_some())) =>
                        {
                            let kind = kind_by_ending(url).unwrap_or(MediaKind::File);
                            add(found, Media { kind, name: String::new(), url: url.clone() });
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
}

/// Words by which people speak of a picture that they have sent along.
const PICTURES: [&str; 14] = [
    "image",
    "picture",
    "photo",
    "screenshot",
    "attach",
    "recording",
    "图",
    "照片",
    "截屏",
    "附件",
    "语音",
    "录音",
    "视频",
    "文件",
];

/// Whether a text of this content type reads as if files should have come with it.
pub fn announces_files(content_type: &str, content: &str) -> bool {
    let kinds = ["image", "audio", "video", "file", "media", "mixed"];
    let typed = inbound_text::typed(content).to_lowercase();
    kinds.contains(&content_type)
        || inbound_text::is_invisible(&typed)
        || PICTURES.iter().any(|word| typed.contains(word))
}

/// A file name of what somebody sent: one plain component, never hidden, never empty, of any disk's length.
pub fn safe_name(name: &str, url: &str) -> String {
    let last = url.split(['?', '#']).next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
    let name = if name.trim().is_empty() { last } else { name };
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let odd = |c: char| c.is_control() || matches!(c, ':' | '*' | '?' | '"' | '<' | '>' | '|' | '%');
    let marks = |c: &char| matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    let plain: String = name.chars().filter(|c| !marks(c)).map(|c| if odd(c) { '_' } else { c }).collect();
    // a dash in front would be an option to the programs that the agent runs
    let plain = plain.trim_start_matches(|c: char| matches!(c, '.' | '-' | '~') || c.is_whitespace());
    let plain = plain.trim_end_matches(|c: char| c == '.' || c.is_whitespace());
    let (stem, ending) =
        plain.rsplit_once('.').filter(|(_, ending)| ending.len() <= 12).unwrap_or((plain, ""));
    let mut stem = if stem.is_empty() { "file" } else { stem };
    while stem.len() + ending.len() + 1 > NAME_BYTES {
        let Some((at, _)) = stem.char_indices().next_back() else { break };
        stem = &stem[..at];
    }
    if ending.is_empty() { stem.to_owned() } else { format!("{stem}.{ending}") }
}
