//! A line on standard error that says what is waited for, and goes when that is over. Only where a person looks on.
//!
//! What is found is not said here.

use std::io::{IsTerminal, Write, stderr};

/// The line; it goes with this.
#[derive(Debug)]
pub struct Passing(bool);

impl Passing {
    /// Shows it, cut to what fits on any terminal.
    pub fn say(words: &str) -> Passing {
        let shown = stderr().is_terminal() && std::env::var_os("TERM").is_some_and(|term| term != "dumb");
        if shown {
            let words: String = words.chars().take(76).collect();
            let _ = write!(stderr(), "\r\x1b[2K{words}…");
        }
        Passing(shown)
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        if self.0 {
            let _ = write!(stderr(), "\r\x1b[2K");
        }
    }
}
