//! A home folder for one agent process, for CLIs that read their settings only from there: links to everything in the
//! user's home folder of the CLI, and a settings file that merges the user's settings with ours. What the CLI writes goes
//! through the links.

use crate::agent::adapter::HomeOverlay;
use crate::json;
use serde_json::Value;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, symlink};
use std::path::Path;

/// Creates such a home at `overlay` for the user's home `real`. Returns false if the user's settings cannot be read: the
/// CLI must then start with them and complain.
pub(crate) fn create(home: &HomeOverlay, overlay: &Path, real: &Path) -> io::Result<bool> {
    let (overlay_folder, user_folder) = (overlay.join(home.settings_folder), real.join(home.settings_folder));
    let text = match fs::read_to_string(user_folder.join(home.settings_file)) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => "{}".to_owned(),
        Err(_) => return Ok(false),
    };
    let (Ok(mut settings), Ok(overrides)) =
        (json::parse(without_comments(text.into_bytes())), json::parse(home.overrides))
    else {
        return Ok(false);
    };
    merge(&mut settings, overrides);
    // Folders that the CLI would create in the overlay, where they would be lost.
    for name in home.created_folders {
        let _ = fs::create_dir_all(user_folder.join(name));
    }
    DirBuilder::new().mode(0o700).recursive(true).create(&overlay_folder)?;
    for entry in fs::read_dir(&user_folder).into_iter().flatten().flatten() {
        if entry.file_name() != home.settings_file {
            symlink(entry.path(), overlay_folder.join(entry.file_name()))?;
        }
    }
    for name in home.linked_entries.iter().filter(|name| real.join(name).exists()) {
        symlink(real.join(name), overlay.join(name))?;
    }
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(overlay_folder.join(home.settings_file));
    file?.write_all(settings.to_string().as_bytes())?;
    Ok(true)
}

/// Merges objects member by member; any other value is replaced.
fn merge(base: &mut Value, overrides: Value) {
    match (base, overrides) {
        (Value::Object(base), Value::Object(overrides)) => {
            for (name, value) in overrides {
                merge(base.entry(name).or_insert(Value::Null), value);
            }
        }
        (base, value) => *base = value,
    }
}

/// Turns JSON with `//` and `/* */` comments, as some CLIs accept it, into JSON: comments become blanks.
fn without_comments(mut text: Vec<u8>) -> Vec<u8> {
    let (mut at, mut quoted) = (0, false);
    while at < text.len() {
        let end: &[u8] = match (quoted, text[at], text.get(at + 1)) {
            (true, b'\\', _) => {
                at += 2;
                continue;
            }
            (false, b'/', Some(b'/')) => b"\n",
            (false, b'/', Some(b'*')) => b"*/",
            (_, b'"', _) => {
                quoted = !quoted;
                b""
            }
            _ => b"",
        };
        if end.is_empty() {
            at += 1;
            continue;
        }
        let rest = text.get(at + 2..).unwrap_or_default();
        let length = rest.windows(end.len()).position(|window| window == end);
        let until = length.map_or(text.len(), |length| at + 2 + length + end.len());
        text[at..until].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        at = until;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_with_comments_are_merged_with_ours() {
        let plain = |text: &str| String::from_utf8(without_comments(text.as_bytes().to_vec())).unwrap();
        assert_eq!(plain("{\"a\": 1 // x\n}/* y\n*/"), "{\"a\": 1     \n}    \n  ");
        assert_eq!(plain(r#"{"a": "http://x/*\"//"}"#), r#"{"a": "http://x/*\"//"}"#);
        for odd in ["", "/", "//", "/*", "\"", "\"\\", "/* *"] {
            assert_eq!(plain(odd).len(), odd.len());
        }
        let value = |text: &str| json::parse(text).unwrap();
        let mut theirs = value(r#"{"a": {"b": 1, "c": 2}, "d": [1], "e": 3}"#);
        merge(&mut theirs, value(r#"{"a": {"c": {"x": 4}}, "d": [2], "f": 5}"#));
        assert_eq!(theirs, value(r#"{"a": {"b": 1, "c": {"x": 4}}, "d": [2], "e": 3, "f": 5}"#));
    }
}
