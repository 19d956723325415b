//! What comes from stdin: its lines, and for whom they are. What is done with them is the chat's.

use crate::error::{Error, Result};
use crate::sys::thread;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::io::{self, BufRead};

fn first_word(words: &str) -> String {
    words.split_whitespace().next().unwrap_or_default().to_ascii_lowercase()
}

/// An answer to what the agent asks.
pub(super) fn is_answer(words: &str) -> bool {
    matches!(first_word(words).as_str(), "/approve" | "/deny")
}

/// The id of a question, which its post names last, in the words that refuse it.
pub(super) fn question_id(post: &str) -> String {
    let words = post.rsplit("/deny ").next().unwrap_or_default();
    words.chars().take_while(char::is_ascii_alphanumeric).collect()
}

/// What the running turn gets, and answers.
pub(super) fn is_for_the_running_turn(words: &str) -> bool {
    first_word(words) == "/steer" || words.trim().eq_ignore_ascii_case("/stop")
}

/// Reads stdin on a thread of its own, which ends with the process.
pub(super) fn read_lines() -> Result<Receiver<String>> {
    let (to, lines): (Sender<String>, _) = bounded(16);
    thread::spawn_small("stdin", move || {
        let mut input = io::stdin().lock();
        let mut line = Vec::new();
        while input.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            let text = String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned();
            if to.send(text).is_err() {
                return;
            }
            line.clear();
        }
    })
    .map_err(|e| Error::Failed(format!("cannot read the input: {e}")))?;
    Ok(lines)
}
