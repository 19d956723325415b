//! Reads lines of bounded length from a child's pipe, and keeps the last lines of its stderr. Starts no threads.
//!
//! A line never takes more memory than its limit, whatever the child writes. Of a longer one only the beginning is kept.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Mutex, PoisonError};

/// Limit of a line of stdout, in bytes. An agent's longest useful lines (a whole answer, a tool result) are far shorter.
pub const MAX_LINE: usize = 1 << 20;

/// Limit of a line of stderr, in bytes. Only people read it.
pub const MAX_STDERR_LINE: usize = 4 << 10;

/// Bytes of stderr that are kept to find out why a child failed.
pub const STDERR_TAIL: usize = 64 << 10;

/// Size of the read buffer. An over-long line is skipped in steps of this size.
const BUFFER_BYTES: usize = 16 << 10;

/// One line, or what is known of one that was too long.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// Its text without the line end. Invalid UTF-8 is replaced; NUL is kept.
    Text(String),
    /// It exceeded the limit.
    TooLong {
        /// Its beginning, to recognize it by.
        head: String,
        /// Its whole length in bytes without the line end.
        bytes: u64,
    },
}

/// Bytes of an over-long line that are passed on.
const HEAD_BYTES: usize = 512;

/// Reads lines and passes them to `each` in batches, until the end, an error, or until `each` returns false. A batch is what was
/// available without waiting: one line, or a whole buffer from a child that writes much. Empty lines are skipped.
pub fn read_lines(source: impl Read, max: usize, mut each: impl FnMut(Vec<Line>) -> bool) {
    let mut source = BufReader::with_capacity(BUFFER_BYTES, source);
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
                append(piece, max, &mut line, &mut dropped);
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

/// Appends a piece to the line that is being read, or only counts its bytes when the line is too long.
fn append(piece: &[u8], max: usize, line: &mut Vec<u8>, dropped: &mut u64) {
    if *dropped > 0 {
        *dropped += piece.len() as u64;
    } else if line.len() + piece.len() > max {
        *dropped = (line.len() + piece.len()) as u64;
        line.extend_from_slice(&piece[..piece.len().min(HEAD_BYTES.saturating_sub(line.len()))]);
        line.truncate(HEAD_BYTES);
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

/// The last lines of a stream, shared between the thread that reads it and the code that reports why the child failed.
#[derive(Debug, Clone, Default)]
pub struct OutputTail(Arc<Mutex<String>>);

impl OutputTail {
    /// Appends a line and drops the oldest ones beyond [`STDERR_TAIL`] bytes.
    pub fn push(&self, line: &str) {
        let mut text = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        text.push_str(line);
        text.push('\n');
        if text.len() > STDERR_TAIL {
            // Down to half at once, so that not every line of a flood moves the text.
            let mut cut = text.len() - STDERR_TAIL / 2;
            while !text.is_char_boundary(cut) {
                cut += 1;
            }
            let cut = text[cut..].find('\n').map_or(cut, |i| cut + i + 1);
            text.drain(..cut);
        }
    }

    /// Drops all lines.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The kept lines, each with a line feed.
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
    fn lines_are_split_and_repaired() {
        assert_eq!(lines(b"a\r\nb\n\nc", 10), [text("a"), text("b"), text("c")]);
        assert_eq!(lines(b"a\0b\n\xff\xfe\n", 10), [text("a\0b"), text("\u{fffd}\u{fffd}")]);
        assert_eq!(lines(b"", 10), []);
    }

    #[test]
    fn an_overlong_line_is_skipped() {
        let mut input = vec![b'x'; 3_000_000];
        input.extend_from_slice(b"\nnext\n");
        let got = lines(&input, 1000);
        assert_eq!(got.len(), 2);
        assert!(
            matches!(&got[0], Line::TooLong { head, bytes: 3_000_000 } if head.len() == HEAD_BYTES),
            "{got:?}"
        );
        assert_eq!(got[1], text("next"));
        assert_eq!(lines(b"0123456789\n", 10), [text("0123456789")], "exactly the limit is kept");
        assert!(
            matches!(lines(b"01234567890", 10)[0], Line::TooLong { bytes: 11, .. }),
            "at the end of the stream"
        );
    }

    #[test]
    fn reading_stops_when_the_callback_returns_false() {
        let mut batches = 0;
        read_lines(&[b'\n', b'x'].repeat(BUFFER_BYTES)[..], 10, |_| {
            batches += 1;
            false
        });
        assert_eq!(batches, 1);
    }

    #[test]
    fn the_tail_keeps_the_last_lines() {
        let tail = OutputTail::default();
        for i in 0..20_000 {
            tail.push(&format!("line {i} ä"));
        }
        let text = tail.text();
        assert!(text.len() <= STDERR_TAIL && text.len() > STDERR_TAIL / 4, "{}", text.len());
        assert!(text.starts_with("line ") && text.ends_with("line 19999 ä\n"));
    }
}
