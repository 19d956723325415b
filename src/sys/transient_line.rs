//! A line on standard error that says what is waited for, and goes when that is over. Only where a person looks on.
//!
//! What is found is not said here.

use std::io::{IsTerminal, Write, stderr};

/// The line; it goes with this.
#[derive(Debug)]
pub struct TransientLine(bool);

impl TransientLine {
    /// Shows it, cut to what fits on any terminal.
    pub fn show(words: &str) -> TransientLine {
        let shown = stderr().is_terminal() && std::env::var_os("TERM").is_some_and(|term| term != "dumb");
        if shown {
            let words: String = words.chars().take(76).collect();
            let _ = write!(stderr(), "\r\x1b[2K{words}…");
        }
        TransientLine(shown)
    }
}

impl Drop for TransientLine {
    fn drop(&mut self) {
        if self.0 {
            let _ = write!(stderr(), "\r\x1b[2K");
        }
    }
}
