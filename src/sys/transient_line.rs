//! A line on standard error that says what the program waits for, and is erased afterwards. Shown only on terminals.
//!
//! Results are printed elsewhere.

use std::io::{IsTerminal, Write, stderr};

/// A line that is erased when this is dropped.
#[derive(Debug)]
pub struct TransientLine {
    is_shown: bool,
}

impl TransientLine {
    /// Shows a text, truncated so that it fits on any terminal.
    pub fn show(text: &str) -> TransientLine {
        let is_shown = stderr().is_terminal() && std::env::var_os("TERM").is_some_and(|term| term != "dumb");
        if is_shown {
            let text: String = text.chars().take(76).collect();
            let _ = write!(stderr(), "\r\x1b[2K{text}…");
        }
        TransientLine { is_shown }
    }
}

impl Drop for TransientLine {
    fn drop(&mut self) {
        if self.is_shown {
            let _ = write!(stderr(), "\r\x1b[2K");
        }
    }
}
