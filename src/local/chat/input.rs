//! Lines of stdin where there is no line editor, and whom a line is meant for. What is done with it is the chat's.

use super::line_editor::PromptEvent;
use crate::error::{Error, Result};
use crate::sys::thread;
use crossbeam_channel::{Receiver, bounded};
use std::io::{self, BufRead};

fn first_word(line: &str) -> String {
    line.split_whitespace().next().unwrap_or_default().to_ascii_lowercase()
}

/// Whether a line answers a permission request.
pub(super) fn is_permission_answer(line: &str) -> bool {
    matches!(first_word(line).as_str(), "/approve" | "/deny")
}

/// The id of a permission request: its post ends with the commands that answer it.
pub(super) fn permission_request_id(post: &str) -> String {
    let rest = post.rsplit("/deny ").next().unwrap_or_default();
    rest.chars().take_while(char::is_ascii_alphanumeric).collect()
}

/// Whether a line is for the running turn, which also answers it.
pub(super) fn is_for_running_turn(line: &str) -> bool {
    first_word(line) == "/steer" || line.trim().eq_ignore_ascii_case("/stop")
}

/// Reads the lines of stdin on a thread of its own, which ends with the process. The channel is closed at the end of
/// the input.
pub(super) fn read_lines() -> Result<Receiver<PromptEvent>> {
    let (sender, lines) = bounded(16);
    thread::spawn_small("stdin", move || {
        let mut input = io::stdin().lock();
        let mut line = Vec::new();
        while input.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            let text = String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned();
            if sender.send(PromptEvent::Line(text)).is_err() {
                return;
            }
            line.clear();
        }
    })
    .map_err(|e| Error::Failed(format!("cannot read the input: {e}")))?;
    Ok(lines)
}
