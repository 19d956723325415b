//! Bounded line reading from a child's pipe, and a ring that keeps the tail of its stderr. Threads are the caller's.
//!
//! A line never takes more memory than its limit, whatever the child writes; what is longer is skipped and counted.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Mutex, PoisonError};

/// Limit of a line of stdout: an agent's longest useful line (a whole answer, a tool result) is far below it.
pub const MAX_LINE: usize = 1 << 20;

/// Limit of a line of stderr, which is only ever read by people.
pub const MAX_STDERR_LINE: usize = 4 << 10;

/// How much of stderr is kept for finding out why a child failed.
pub const STDERR_TAIL: usize = 64 << 10;

/// Read buffer; also the step in which an over-long line is skipped.
const BUFFER: usize = 16 << 10;

/// One line, or the fact that there was one.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// Without its line end. Invalid UTF-8 is replaced; NUL is kept.
    Text(String),
    /// It was longer than the limit by far or by little: its first bytes and its whole length.
    TooLong {
        /// The beginning, for telling what it was.
        head: String,
        /// Length in bytes without the line end.
        bytes: u64,
    },
}

/// How much of an over-long line is handed on.
const HEAD: usize = 512;

/// Hands on the lines in batches, until the end, an error, or until `each` says `false`. A batch is what was there
/// without waiting: one line of a quiet child, a buffer full of a chatty one. Empty lines are left out.
pub fn read_lines(source: impl Read, max: usize, mut each: impl FnMut(Vec<Line>) -> bool) {
    let mut source = BufReader::with_capacity(BUFFER, source);
    let mut line: Vec<u8> = Vec::new();
    let mut dropped: u64 = 0;
    loop {
        let mut batch = Vec::new();
        let used = {
            let Ok(chunk) = fill(&mut source) else { break };
            if chunk.is_empty() {
                break;
            }
            for piece in chunk.split_inclusive(|&b| b == b'\n') {
                let (piece, ended) = piece.strip_suffix(b"\n").map_or((piece, false), |piece| (piece, true));
                take(piece, max, &mut line, &mut dropped);
                if ended {
                    batch.extend(finish(&mut line, &mut dropped));
                }
            }
            chunk.len()
        };
        source.consume(used);
        if !batch.is_empty() && !each(batch) {
            return;
        }
    }
    let rest: Vec<Line> = finish(&mut line, &mut dropped).into_iter().collect();
    if !rest.is_empty() {
        each(rest);
    }
}

/// Adds a piece to the line that is being read, or only counts it when the line is too long.
fn take(piece: &[u8], max: usize, line: &mut Vec<u8>, dropped: &mut u64) {
    if *dropped > 0 {
        *dropped += piece.len() as u64;
    } else if line.len() + piece.len() > max {
        *dropped = (line.len() + piece.len()) as u64;
        line.extend_from_slice(&piece[..piece.len().min(HEAD.saturating_sub(line.len()))]);
        line.truncate(HEAD);
        line.shrink_to_fit();
    } else {
        line.extend_from_slice(piece);
    }
}

fn fill(source: &mut impl BufRead) -> std::io::Result<&[u8]> {
    loop {
        // Two calls, because the borrow of a returned slice would outlive the retry.
        match source.fill_buf().map(<[u8]>::is_empty) {
            Ok(_) => return source.fill_buf(),
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

fn finish(line: &mut Vec<u8>, dropped: &mut u64) -> Option<Line> {
    let mut bytes = std::mem::take(line);
    let length = std::mem::take(dropped);
    if length > 0 {
        return Some(Line::TooLong { head: String::from_utf8_lossy(&bytes).into_owned(), bytes: length });
    }
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    if bytes.is_empty() {
        return None;
    }
    // No copy in the usual case.
    let text = String::from_utf8(bytes);
    Some(Line::Text(text.unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())))
}

/// The last lines of a stream, shared between its reader and whoever asks why the child failed.
#[derive(Debug, Clone, Default)]
pub struct OutputTail(Arc<Mutex<String>>);

impl OutputTail {
    /// Adds a line and forgets the oldest beyond [`STDERR_TAIL`].
    pub fn push(&self, line: &str) {
        let mut text = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        text.push_str(line);
        text.push('\n');
        if text.len() > STDERR_TAIL {
            // Down to half at once, so that a flood does not move the text at every line.
            let mut cut = text.len() - STDERR_TAIL / 2;
            while !text.is_char_boundary(cut) {
                cut += 1;
            }
            let cut = text[cut..].find('\n').map_or(cut, |i| cut + i + 1);
            text.drain(..cut);
        }
    }

    /// Forgets all.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// What is kept.
    pub fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(input: &[u8], max: usize) -> Vec<Line> {
        let mut out = Vec::new();
        read_lines(input, max, |batch| {
            out.extend(batch);
            true
        });
        out
    }

    fn text(s: &str) -> Line {
        Line::Text(s.to_owned())
    }

    #[test]
    fn splits_and_forgives() {
        assert_eq!(lines(b"a\r\nb\n\nc", 10), [text("a"), text("b"), text("c")]);
        assert_eq!(lines(b"a\0b\n\xff\xfe\n", 10), [text("a\0b"), text("\u{fffd}\u{fffd}")]);
        assert_eq!(lines(b"", 10), []);
    }

    #[test]
    fn skips_what_is_too_long_and_goes_on() {
        let mut input = vec![b'x'; 3_000_000];
        input.extend_from_slice(b"\nnext\n");
        let got = lines(&input, 1000);
        assert_eq!(got.len(), 2);
        assert!(matches!(&got[0], Line::TooLong { head, bytes: 3_000_000 } if head.len() == HEAD), "{got:?}");
        assert_eq!(got[1], text("next"));
        assert_eq!(lines(b"0123456789\n", 10), [text("0123456789")], "exactly the limit is kept");
        assert!(
            matches!(lines(b"01234567890", 10)[0], Line::TooLong { bytes: 11, .. }),
            "at the end of the stream"
        );
    }

    #[test]
    fn stops_when_nobody_listens() {
        let mut batches = 0;
        read_lines(&[b'\n', b'x'].repeat(BUFFER)[..], 10, |_| {
            batches += 1;
            false
        });
        assert_eq!(batches, 1);
    }

    #[test]
    fn the_tail_keeps_the_end() {
        let tail = OutputTail::default();
        for i in 0..20_000 {
            tail.push(&format!("line {i} ä"));
        }
        let text = tail.text();
        assert!(text.len() <= STDERR_TAIL && text.len() > STDERR_TAIL / 4, "{}", text.len());
        assert!(text.starts_with("line ") && text.ends_with("line 19999 ä\n"));
    }
}
