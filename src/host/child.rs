//! Runs one child to its end, with limits: of time, and of what is kept of its output. Blocks in poll(2).

use crate::sys::child_process::{ChildExit, ChildGroup, ChildSignal};
use crate::sys::poll::{self, WakeReceiver, Waker};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// From SIGTERM to SIGKILL.
const TERM_GRACE: Duration = Duration::from_secs(2);
/// Reads in a row: a child that never stops writing must not outlive its time. More than a pipe can hold.
const MAX_READS_PER_ROUND: usize = 256;
/// Exit code of what was ended because its time was up, as `timeout(1)` has it.
const TIMED_OUT: i32 = 124;

/// Ends a running child from another thread.
#[derive(Debug, Clone)]
pub(super) struct ChildStopper {
    is_requested: Arc<AtomicBool>,
    waker: Waker,
}

impl ChildStopper {
    /// A stop, and what it wakes.
    pub(super) fn new() -> io::Result<(ChildStopper, WakeReceiver)> {
        let (waker, wake) = poll::waker_pair()?;
        Ok((ChildStopper { is_requested: Arc::default(), waker }, wake))
    }

    /// Now.
    pub(super) fn stop(&self) {
        self.is_requested.store(true, Ordering::Release);
        self.waker.wake();
    }
}

/// How many characters of a stream are kept, and which.
#[derive(Debug, Clone, Copy)]
pub(super) enum Retain {
    /// The first.
    Start(usize),
    /// The last.
    End(usize),
}

/// What is kept of a stream of bytes.
#[derive(Debug)]
pub(super) struct CapturedOutput {
    bytes: Vec<u8>,
    keep: Retain,
    cut: bool,
}

impl CapturedOutput {
    fn add(&mut self, bytes: &[u8]) {
        // a character has up to four bytes
        let (Retain::Start(chars) | Retain::End(chars)) = self.keep;
        let room = chars.saturating_mul(4);
        match self.keep {
            Retain::Start(_) => {
                let taken = bytes.len().min(room.saturating_sub(self.bytes.len()));
                self.bytes.extend_from_slice(&bytes[..taken]);
                self.cut |= taken < bytes.len();
            }
            Retain::End(_) => {
                self.bytes.extend_from_slice(bytes);
                // twice as much is kept, so that little is moved often
                if self.bytes.len() > room * 2 {
                    self.cut = true;
                    self.bytes.drain(..self.bytes.len() - room);
                }
            }
        }
    }

    /// The text, and whether something is missing.
    pub(super) fn text(&self) -> (String, bool) {
        let text = String::from_utf8_lossy(&self.bytes);
        let count = text.chars().count();
        let (skip, chars) = match self.keep {
            Retain::Start(chars) => (0, chars),
            Retain::End(chars) => (count.saturating_sub(chars), chars),
        };
        (text.chars().skip(skip).take(chars).collect(), self.cut || count > chars)
    }
}

/// How it went.
pub(super) struct ChildResult {
    /// As shells count it; 124 when the time was up.
    pub(super) code: i32,
    pub(super) timed_out: bool,
    pub(super) stopped: bool,
    pub(super) out: CapturedOutput,
    pub(super) err: CapturedOutput,
}

/// Runs it. `input` is written to its stdin, which then ends; a child that does not read it has its time all the same.
///
/// It is over when the child itself has ended, whatever it has left running: that stays, and what it writes later is
/// not waited for. Only when the time is up, or on a stop, its whole group is ended.
pub(super) fn run(
    command: &mut Command,
    input: &[u8],
    limit: Duration,
    keep: Retain,
    stop: &ChildStopper,
    mut wake: WakeReceiver,
) -> io::Result<ChildResult> {
    command.stdin(if input.is_empty() { Stdio::null() } else { Stdio::piped() });
    let mut child = ChildGroup::spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped()))?;
    let (ended, waker) = (Arc::new(AtomicBool::new(false)), stop.waker.clone());
    let told = ended.clone();
    child.watch(move || {
        told.store(true, Ordering::Release);
        waker.wake();
    })?;
    let (stdin, out, err) = child.pipes();
    let [mut stdin, out, err] = [stdin.map(OwnedFd::from), out.map(OwnedFd::from), err.map(OwnedFd::from)]
        .map(|fd| fd.map(File::from));
    let (mut pipes, mut left) = ([out, err], input);
    for pipe in pipes.iter().chain([&stdin]).flatten() {
        rustix::io::ioctl_fionbio(pipe, true)?;
    }
    let kept = || CapturedOutput { bytes: Vec::new(), keep, cut: false };
    let (mut out, mut err) = (kept(), kept());
    let mut until = Instant::now() + limit;
    let (mut timed_out, mut stopped, mut killed) = (false, false, false);
    loop {
        let over = ended.load(Ordering::Acquire);
        feed(&mut stdin, &mut left);
        // after the end: everything that is there, without waiting for more
        for (pipe, kept) in pipes.iter_mut().zip([&mut out, &mut err]) {
            drain(pipe, kept);
        }
        if over {
            break;
        }
        let now = Instant::now();
        if !stopped && stop.is_requested.load(Ordering::Acquire) {
            (stopped, until) = (true, now);
        }
        if now >= until {
            timed_out |= !stopped;
            child.signal_group(if killed { ChildSignal::Kill } else { ChildSignal::Term });
            (killed, until) = (true, now + TERM_GRACE);
        }
        poll::wait_for_pipes(&pipes, stdin.as_ref(), &mut wake, until.saturating_duration_since(now))?;
    }
    let code =
        if timed_out || stopped { child.reap() } else { child.reap_leader_only() }.map(|ended| match ended {
            ChildExit::Code(code) => code,
            ChildExit::Signal(number) => 128 + number,
        });
    let code = if timed_out { TIMED_OUT } else { code.unwrap_or(-1) };
    Ok(ChildResult { code, timed_out, stopped, out, err })
}

/// Writes what the child takes now; the pipe goes when all is written, or when nobody reads it any more.
fn feed(pipe: &mut Option<File>, left: &mut &[u8]) {
    while let Some(file) = pipe {
        match file.write(left) {
            Ok(count @ 1..) => *left = &left[count..],
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
            Ok(_) | Err(_) => *pipe = None,
        }
    }
}

/// Reads what is there; the pipe goes when it has ended.
fn drain(pipe: &mut Option<File>, kept: &mut CapturedOutput) {
    let mut buffer = [0; 8192];
    for _ in 0..MAX_READS_PER_ROUND {
        let Some(file) = pipe else { return };
        match file.read(&mut buffer) {
            Ok(count @ 1..) => kept.add(&buffer[..count]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
            Ok(_) | Err(_) => *pipe = None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_or_end_of_a_stream_is_kept_within_bounds() {
        for (keep, want) in [(Retain::Start(5), "aébéa"), (Retain::End(5), "éaébZ")] {
            let mut kept = CapturedOutput { bytes: Vec::new(), keep, cut: false };
            for _ in 0..10_000 {
                "aéb".bytes().for_each(|byte| kept.add(&[byte]));
                "é".bytes().for_each(|byte| kept.add(&[byte]));
                assert!(kept.bytes.len() <= 41);
            }
            "aébZ".bytes().for_each(|byte| kept.add(&[byte]));
            assert_eq!(kept.text(), (want.to_owned(), true));
        }
        let mut kept = CapturedOutput { bytes: Vec::new(), keep: Retain::End(3), cut: false };
        kept.add("é漢🦀".as_bytes());
        assert_eq!(kept.text(), ("é漢🦀".to_owned(), false));
    }
}
