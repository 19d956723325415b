//! Files in the chat of `try`: `/attach PATH`, or a path alone on a line, as terminals make of a dropped file, go with the
//! next message; of files that come, it says where their bytes are.

use super::event_loop::{Chat, Next, unwritten};
use crate::error::{Error, reason};
use crate::local::service::Observed;
use crate::store::outbox::Outbox;
use crate::sys::signal::Signal;
use crate::wire::attachment;
use crossbeam_channel::{Receiver, select};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Files that follow the last answer are waited for so long: what is on this machine takes milliseconds.
const LATE: Duration = Duration::from_secs(20);
/// How often it is looked whether more is to come.
const LOOK: Duration = Duration::from_millis(20);

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
        let name = attachment::safe_name(&name, "");
        let url = self.service.keep_file(path, &name)?;
        self.attached.push_str(&format!("\n[file:{name}]({url})"));
        Ok(format!("Attached {name} ({}): it goes with your next message.", size(about.len())))
    }

    /// Where the bytes of a file are that a message shows, and how many.
    fn kept(&self, file: &attachment::Media) -> Option<(PathBuf, u64)> {
        self.service.kept_file(file.url.rsplit("/media/").next().unwrap_or_default())
    }

    /// Where the files are that a message shows: the service keeps them until the end of the chat.
    /// Those of an only answer stay longer.
    pub(super) fn tell_where(&mut self, text: &str, once: bool) {
        for file in attachment::in_text(text) {
            if let Some((path, bytes)) = self.kept(&file) {
                self.sent_files = true;
                let (bytes, path) = (size(bytes), path.display());
                self.screen.note(&if once {
                    format!("The agent sent a file, kept until a `try` on another day removes it: {path} ({bytes})")
                } else {
                    format!("Kept until the chat ends: {path} ({bytes})")
                });
            }
        }
    }

    /// Whether a message is the card of a file and nothing else.
    pub(super) fn is_file(&self, text: &str) -> bool {
        let text = text.trim();
        text.starts_with('[')
            && text.lines().count() == 1
            && attachment::in_text(text).iter().any(|file| self.kept(file).is_some())
    }

    /// Hears what follows the last answer: files are sent after it. Until nothing is left in the outbox.
    pub(super) fn late(
        &mut self,
        outbox: &Path,
        seen: &Receiver<Observed>,
        signals: &Receiver<Signal>,
    ) -> Result<(), Error> {
        let until = Instant::now() + LATE;
        while !self.screen.interactive && Instant::now() < until {
            // looked at before what has come, so that nothing slips through
            let empty = Outbox::peek(outbox).0 == 0;
            let next = select! {
                recv(seen) -> event => match event {
                    Ok(observed) => self.observed(observed.seen, self.once),
                    Err(_) => return Ok(()),
                },
                recv(signals) -> _ => return Ok(()),
                default(if empty { Duration::ZERO } else { LOOK }) => if empty { return Ok(()) } else { Next::Go },
            };
            if let Next::Quit(Err(e)) = next {
                return Err(e);
            }
        }
        Ok(())
    }

    /// Ends the last line.
    pub(super) fn finish(&mut self) -> Result<(), Error> {
        self.screen.finish().or_else(unwritten)
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
