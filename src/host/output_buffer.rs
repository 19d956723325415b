//! What a terminal has written and nobody has fetched yet: bounded, filled by the terminal's reader, emptied in pieces
//! that never cut a character. While it is full the reader waits, so the programs in the terminal do.

use crossbeam_channel::Sender;
use std::io::{ErrorKind, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::host::event::HostEvent;

/// Largest piece: more than a screen, and quick to draw.
pub(super) const CHUNK_BYTES: usize = 16 * 1024;
/// What waits before programs have to: some pieces, so that neither side idles while the other works.
const MAX_BUFFERED_BYTES: usize = 4 * CHUNK_BYTES;
/// Bytes of the longest character.
const MAX_CHAR_BYTES: usize = 4;

#[derive(Debug, Default)]
struct BufferState {
    bytes: Vec<u8>,
    /// There will be no more.
    ended: bool,
    /// Nobody fetches any more.
    closed: bool,
}

/// Shared by the reader of a terminal and its keeper.
#[derive(Debug, Default)]
pub(super) struct OutputBuffer {
    state: Mutex<BufferState>,
    room: Condvar,
}

impl OutputBuffer {
    fn lock(&self) -> MutexGuard<'_, BufferState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes that wait, and whether there will be no more.
    pub(super) fn state(&self) -> (usize, bool) {
        let held = self.lock();
        (held.bytes.len(), held.ended)
    }

    /// The next piece, of at most so many bytes; all of it `to_the_end`, else what are whole characters. And how many
    /// bytes are left that wait for the rest of their character; none when there is more to take.
    pub(super) fn take_chunk(&self, to_the_end: bool, most: usize) -> (String, usize) {
        let mut held = self.lock();
        let end = held.bytes.len().min(CHUNK_BYTES).min(most.max(MAX_CHAR_BYTES));
        let cut =
            if to_the_end && end == held.bytes.len() { end } else { complete_prefix_len(&held.bytes[..end]) };
        let piece = String::from_utf8_lossy(&held.bytes[..cut]).into_owned();
        held.bytes.drain(..cut);
        let rest = if complete_prefix_len(&held.bytes) == 0 { held.bytes.len() } else { 0 };
        drop(held);
        self.room.notify_one();
        (piece, rest)
    }

    /// Lets the reader go.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.room.notify_one();
    }

    /// Waits for room; what was there before, and `None` when nobody wants more.
    fn append(&self, bytes: &[u8]) -> Option<usize> {
        let mut held = self.lock();
        while held.bytes.len() >= MAX_BUFFERED_BYTES && !held.closed {
            held = self.room.wait(held).unwrap_or_else(PoisonError::into_inner);
        }
        let before = held.bytes.len();
        held.bytes.extend_from_slice(bytes);
        (!held.closed).then_some(before)
    }
}

/// The reader's thread: until the last process has closed the terminal, or nobody wants more.
pub(super) fn read(mut from: Box<dyn Read + Send>, screen: &Arc<OutputBuffer>, to: &Sender<HostEvent>) {
    let mut buffer = [0; CHUNK_BYTES];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => {
                let Some(before) = screen.append(&buffer[..count]) else { break };
                // told when there is something to add to what may be the beginning of a character, and when it fills a piece
                if before < 4 || (before < CHUNK_BYTES && before + count >= CHUNK_BYTES) {
                    let _ = to.send(HostEvent::Output);
                }
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    screen.lock().ended = true;
    let _ = to.send(HostEvent::Output);
}

/// How many of these bytes come before an unfinished character at their end.
fn complete_prefix_len(bytes: &[u8]) -> usize {
    for back in 1..=bytes.len().min(3) {
        let at = bytes.len() - back;
        let length = match bytes[at] {
            0x80..=0xbf => continue,
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => 1,
        };
        return if length > back { at } else { bytes.len() };
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_end_between_characters() {
        let text = "a🦀é漢";
        for cut in 0..=text.len() {
            let at = complete_prefix_len(&text.as_bytes()[..cut]);
            assert!(text.is_char_boundary(at) && cut - at < 4, "{cut}");
        }
        for (bytes, want) in
            [(&b"\xff"[..], 1), (b"\x80\x80\x80\x80", 4), (b"a\xe9", 1), (b"\xe9a", 2), (b"", 0)]
        {
            assert_eq!(complete_prefix_len(bytes), want, "{bytes:?}");
        }
    }

    #[test]
    fn what_is_put_comes_out_whole_and_in_order() {
        let screen = OutputBuffer::default();
        let text = "🦀漢é-".repeat(1000);
        let mut out = String::new();
        for piece in text.as_bytes().chunks(7) {
            screen.append(piece).unwrap();
            out += &screen.take_chunk(false, CHUNK_BYTES).0;
        }
        assert_eq!(out, text);
        screen.append(b"\xf0\x9f").unwrap();
        assert_eq!(screen.take_chunk(false, CHUNK_BYTES), (String::new(), 2));
        assert_eq!(screen.take_chunk(true, CHUNK_BYTES), ("\u{fffd}".to_owned(), 0));
        // a little more than a piece: the rest is no unfinished character, and is not left behind
        screen.append(&[b'x'; CHUNK_BYTES + 2]).unwrap();
        assert_eq!(screen.take_chunk(false, usize::MAX).1, 0);
        assert_eq!(screen.take_chunk(false, 1), ("xx".to_owned(), 0));
        screen.close();
        assert_eq!(screen.append(b"x"), None);
    }
}
