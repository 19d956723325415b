//! Output that never panics: a closed pipe ends the program silently, as in other tools.
//!
//! Also aligned columns, wrapped paragraphs and colors. No other file of the command line writes to stdout or stderr.

use crate::error::{Error, Result, reason};
use std::io::{ErrorKind, IsTerminal, Write};
use unicode_width::UnicodeWidthStr;

/// Writes to stdout, with secrets redacted. If the reader has closed the pipe (`| head`), the error ends the program with 0 and without a
/// message.
pub fn write_stdout(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(crate::sys::log::redact(text).as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Err(Error::Silent(0)),
        Err(e) => Err(Error::Failed(format!("cannot write to stdout: {}", reason(&e)))),
    }
}

/// Writes to stdout. A closed stdout is ignored, so that the operation is completed and the exit code is its own.
pub fn print_and_continue(text: &str) -> Result<()> {
    match write_stdout(text) {
        Err(Error::Silent(_)) => Ok(()),
        other => other,
    }
}

/// Writes to stderr, with secrets redacted. An error is ignored, because it could not be reported anywhere.
pub fn write_stderr(text: &str) {
    let _ = std::io::stderr().lock().write_all(crate::sys::log::redact(text).as_bytes());
}

/// A color or weight of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Color {
    /// Headings.
    Bold,
    /// Success.
    Green,
    /// A warning.
    Yellow,
    /// A problem.
    Red,
}

/// Whether stdout gets colors: it must be a terminal that supports them, and `NO_COLOR` must not be set.
pub fn use_color() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|v| !v.is_empty());
    let dumb = std::env::var_os("TERM").is_none_or(|t| t == "dumb");
    std::io::stdout().is_terminal() && !set("NO_COLOR") && !dumb
}

/// Whether stdout is a terminal; lines are then kept short.
pub fn is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// Puts a text into a color if `on`.
pub fn paint(text: &str, color: Color, on: bool) -> String {
    let code = match color {
        Color::Bold => 1,
        Color::Green => 32,
        Color::Yellow => 33,
        Color::Red => 31,
    };
    if on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

/// Formats rows with aligned columns, separated by two blanks and without trailing blanks. Every line is indented.
pub fn align_columns<const N: usize>(rows: &[[String; N]], indent: usize) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    let mut out = String::new();
    for row in rows {
        let mut line = " ".repeat(indent);
        for (width, cell) in widths.iter().zip(row) {
            line.push_str(cell);
            line.push_str(&" ".repeat(width - cell.width() + 2));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// Wraps a paragraph at blanks. A word that is longer than a line gets its own line.
pub fn wrap(text: &str, columns: usize, indent: usize) -> String {
    let mut out = String::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && indent + line.width() + 1 + word.width() > columns {
            out.push_str(&format!("{:indent$}{line}\n", ""));
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        out.push_str(&format!("{:indent$}{line}\n", ""));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_align_wide_characters() {
        let rows = [["中文", "x"], ["ab", "y"], ["abcdef", ""]].map(|r| r.map(str::to_owned));
        assert_eq!(align_columns(&rows, 1), " 中文    x\n ab      y\n abcdef\n");
    }

    #[test]
    fn wrap_fills_lines() {
        assert_eq!(wrap("aa bb cc\ndd", 7, 2), "  aa bb\n  cc dd\n");
        assert_eq!(wrap("x longerthanaline y", 6, 0), "x\nlongerthanaline\ny\n");
        assert_eq!(wrap("", 6, 0), "");
    }

    #[test]
    fn paint_only_when_on() {
        assert_eq!(paint("x", Color::Red, false), "x");
        assert_eq!(paint("x", Color::Red, true), "\x1b[31mx\x1b[0m");
    }
}
