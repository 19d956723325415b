//! Files in the chat of `try`: `/attach PATH`, or a path alone on a line, as terminals make of a dropped file, go with the
//! next message; of files that come, it says where their bytes are.

use super::chat::Chat;
use crate::error::reason;
use crate::wire::media;
use std::path::{Path, PathBuf};

/// The files that a line names: those of `/attach`, or nothing but absolute paths of files that exist.
fn named(line: &str) -> Option<Vec<PathBuf>> {
    let (asked, rest) = match line.strip_prefix("/attach") {
        Some(rest) if rest.is_empty() || rest.starts_with(char::is_whitespace) => (true, rest.trim()),
        _ => (false, line),
    };
    let path = |word: &str| {
        let word = word.strip_prefix("file://").unwrap_or(word);
        let home = word.strip_prefix("~/").zip(std::env::home_dir());
        home.map_or_else(|| PathBuf::from(word), |(rest, home)| home.join(rest))
    };
    // a terminal quotes what is dropped, a person may not
    let whole = path(rest);
    let words = if whole.is_file() { None } else { shell_words::split(rest).ok() };
    let mut paths = Vec::new();
    match words {
        Some(words) => paths.extend(words.iter().map(|word| path(word))),
        None => paths.push(whole),
    }
    (asked || (!paths.is_empty() && paths.iter().all(|path| path.is_absolute() && path.is_file())))
        .then_some(paths)
}

/// Bytes for people.
fn size(bytes: u64) -> String {
    if bytes < 1024 { format!("{bytes} bytes") } else { format!("{} KiB", bytes.div_ceil(1024)) }
}

impl Chat<'_> {
    /// Whether the line names files to attach; they are taken, or it says why not.
    pub(super) fn attach(&mut self, line: &str) -> bool {
        let Some(paths) = named(line) else { return false };
        if paths.is_empty() {
            self.screen.note("/attach needs a path, as in `/attach ./picture.png`.");
        }
        for path in paths {
            let said = match self.attach_one(&path) {
                Ok(said) => said,
                Err(why) => format!("{} was not attached: {why}.", path.display()),
            };
            self.screen.note(&said);
        }
        true
    }

    fn attach_one(&mut self, path: &Path) -> Result<String, String> {
        let about = std::fs::metadata(path).map_err(|e| reason(&e))?;
        if !about.is_file() {
            return Err("it is not a regular file".to_owned());
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().replace(['[', ']', '(', ')'], "_");
        let name = media::safe_name(&name, "");
        let url = self.service.keep_file(path, &name)?;
        self.attached.push_str(&format!("\n[file:{name}]({url})"));
        Ok(format!("Attached {name} ({}): it goes with your next message.", size(about.len())))
    }

    /// Where the files are that a message shows: the service keeps them until the end of the chat.
    pub(super) fn tell_where(&mut self, text: &str) {
        for file in media::in_text(text) {
            let id = file.url.rsplit("/media/").next().unwrap_or_default();
            if let Some((path, bytes)) = self.service.kept_file(id) {
                let bytes = size(bytes);
                self.screen.note(&format!("Kept until the chat ends: {} ({bytes})", path.display()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attach_and_dropped_files_are_told_from_words() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("a b.png");
        std::fs::File::create(&file).expect("a file");
        let (shown, folder) = (file.display().to_string(), folder.path().display().to_string());
        let escaped = shown.replace(' ', "\\ ");
        for line in [
            format!("/attach {shown}"),
            format!("/attach '{shown}'"),
            shown.clone(),
            format!("'{shown}'"),
            escaped,
            format!("file://{shown}"),
        ] {
            assert_eq!(named(&line), Some(vec![file.clone()]), "{line}");
        }
        assert_eq!(named(&format!("/attach '{shown}' it")).map(|paths| paths.len()), Some(2));
        assert_eq!(named("/attach"), Some(Vec::new()));
        assert_eq!(named("/attach it's"), Some(vec!["it's".into()]));
        for line in ["/status", "/attachment x", "look at this", &folder, &format!("see {shown}"), ""] {
            assert_eq!(named(line), None, "{line}");
        }
    }
}
