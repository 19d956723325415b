//! Files in the chat of `try`. `/attach PATH`, or a path alone on a line (what terminals type for a dropped file), sends
//! files with the next message; for files that the agent sends, a note says where they are kept.

use super::event_loop::{Chat, ChatStep, write_outcome};
use crate::error::{Error, reason};
use crate::local::service::Observed;
use crate::store::outbox::Outbox;
use crate::sys::signal::Signal;
use crate::wire::attachment;
use crossbeam_channel::{Receiver, select};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long files that follow the last answer are waited for: on one machine they take milliseconds.
const LATE_FILES_TIME: Duration = Duration::from_secs(20);
/// Time between two looks into the outbox: too short to be noticed at the end of a chat.
const OUTBOX_POLL: Duration = Duration::from_millis(20);

/// The files of an `/attach` line, or of a line that consists of absolute paths of existing files. None for other lines.
fn files_named_in(line: &str) -> Option<Vec<PathBuf>> {
    let (is_command, rest) = match line.strip_prefix("/attach") {
        Some(rest) if rest.is_empty() || rest.starts_with(char::is_whitespace) => (true, rest.trim()),
        _ => (false, line),
    };
    let path = |word: &str| {
        let word = word.strip_prefix("file://").unwrap_or(word);
        let home = word.strip_prefix("~/").zip(std::env::home_dir());
        home.map_or_else(|| PathBuf::from(word), |(rest, home)| home.join(rest))
    };
    // a terminal quotes the path of a dropped file, a person may not
    let whole = path(rest);
    let words = if whole.is_file() { None } else { shell_words::split(rest).ok() };
    let mut paths = Vec::new();
    match words {
        Some(words) => paths.extend(words.iter().map(|word| path(word))),
        None => paths.push(whole),
    }
    (is_command || (!paths.is_empty() && paths.iter().all(|path| path.is_absolute() && path.is_file())))
        .then_some(paths)
}

/// A number of bytes for people.
fn format_size(bytes: u64) -> String {
    if bytes < 1024 { format!("{bytes} bytes") } else { format!("{} KiB", bytes.div_ceil(1024)) }
}

impl Chat<'_> {
    /// Attaches the files that a line names to the next message, and notes what happened to each. False if the line names
    /// none.
    pub(super) fn attach_files(&mut self, line: &str) -> bool {
        let Some(paths) = files_named_in(line) else { return false };
        if paths.is_empty() {
            self.screen.note("/attach needs a path, as in `/attach ./picture.png`.");
        }
        for path in paths {
            let note = match self.attach_file(&path) {
                Ok(note) => note,
                Err(reason) => format!("{} was not attached: {reason}.", path.display()),
            };
            self.screen.note(&note);
        }
        true
    }

    fn attach_file(&mut self, path: &Path) -> Result<String, String> {
        let metadata = std::fs::metadata(path).map_err(|e| reason(&e))?;
        if !metadata.is_file() {
            return Err("it is not a regular file".to_owned());
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().replace(['[', ']', '(', ')'], "_");
        let name = attachment::safe_name(&name, "");
        let url = self.service.store_file(path, &name)?;
        self.attached_links.push_str(&format!("\n[file:{name}]({url})"));
        Ok(format!("Attached {name} ({}): it goes with your next message.", format_size(metadata.len())))
    }

    /// Where the service keeps a file that a message links to, and its length in bytes.
    fn stored_file(&self, file: &attachment::Media) -> Option<(PathBuf, u64)> {
        self.service.stored_file(file.url.rsplit("/media/").next().unwrap_or_default())
    }

    /// Notes where the service keeps the files that a message links to: until the end of the chat, or for a day after a
    /// single answer.
    pub(super) fn show_file_locations(&mut self, text: &str) {
        for file in attachment::in_text(text) {
            if let Some((path, bytes)) = self.stored_file(&file) {
                self.has_received_files = true;
                let (size, path) = (format_size(bytes), path.display());
                self.screen.note(&if self.is_single_answer {
                    format!(
                        "The agent sent a file, kept until a `try` on another day removes it: {path} ({size})"
                    )
                } else {
                    format!("Kept until the chat ends: {path} ({size})")
                });
            }
        }
    }

    /// Whether a message is the card of a file and nothing else.
    pub(super) fn is_file_card(&self, text: &str) -> bool {
        let text = text.trim();
        text.starts_with('[')
            && text.lines().count() == 1
            && attachment::in_text(text).iter().any(|file| self.stored_file(file).is_some())
    }

    /// Shows the files that follow the last answer, until the outbox is empty. Not in a chat with a person, who may
    /// leave at any time.
    pub(super) fn wait_for_late_files(
        &mut self,
        outbox: &Path,
        seen: &Receiver<Observed>,
        signals: &Receiver<Signal>,
    ) -> Result<(), Error> {
        let until = Instant::now() + LATE_FILES_TIME;
        while !self.screen.is_interactive() && Instant::now() < until {
            // before the events are handled, so that nothing is missed
            let is_empty = Outbox::summary(outbox).0 == 0;
            let step = select! {
                recv(seen) -> event => match event {
                    Ok(observed) => self.handle_observed(observed.event),
                    Err(_) => return Ok(()),
                },
                recv(signals) -> _ => return Ok(()),
                default(if is_empty { Duration::ZERO } else { OUTBOX_POLL }) => if is_empty { return Ok(()) } else { ChatStep::Continue },
            };
            if let ChatStep::Quit(Err(e)) = step {
                return Err(e);
            }
        }
        Ok(())
    }

    /// Ends the last line of a single answer.
    pub(super) fn finish(&mut self) -> Result<(), Error> {
        self.screen.end_answer().or_else(write_outcome)
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
            assert_eq!(files_named_in(&line), Some(vec![file.clone()]), "{line}");
        }
        assert_eq!(files_named_in(&format!("/attach '{shown}' it")).map(|paths| paths.len()), Some(2));
        assert_eq!(files_named_in("/attach"), Some(Vec::new()));
        assert_eq!(files_named_in("/attach it's"), Some(vec!["it's".into()]));
        for line in ["/status", "/attachment x", "look at this", &folder, &format!("see {shown}"), ""] {
            assert_eq!(files_named_in(line), None, "{line}");
        }
    }
}
