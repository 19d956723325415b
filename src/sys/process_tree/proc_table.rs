//! The process table in `/proc`: the running processes, their owner tags, and signals to exactly one of them.
//!
//! What belongs to a turn is decided in [`crate::sys::process_tree`].

use crate::sys::child_process::{ChildSignal, OWNER_TAG_VARIABLE};
use crate::sys::os;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, kill_process, pidfd_open, pidfd_send_signal};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// Limit for reading an environment. The kernel's own limit for all arguments and variables is a quarter of the stack (2 MiB).
const MAX_ENVIRONMENT: u64 = 2 << 20;

/// Names a process for good, also after its pid has been given to another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ProcessKey {
    pub(super) pid: i32,
    /// Clock ticks from boot to its start.
    pub(super) start: u64,
}

/// What `/proc/<pid>/stat` says of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ProcessStat {
    pub(super) key: ProcessKey,
    pub(super) parent: i32,
    pub(super) group: i32,
    pub(super) session: i32,
    pub(super) is_zombie: bool,
}

/// Reads one process; `None` if it does not exist.
pub(super) fn read_stat(pid: i32) -> Option<ProcessStat> {
    parse_stat(pid, &os::read_proc_file(&format!("/proc/{pid}/stat"))?)
}

/// The command name stands in parentheses and may contain anything, so fields are counted from the last `)`.
fn parse_stat(pid: i32, stat: &str) -> Option<ProcessStat> {
    let fields: Vec<&str> = stat.get(stat.rfind(')')? + 1..)?.split_whitespace().collect();
    let number = |i: usize| fields.get(i)?.parse::<i32>().ok();
    Some(ProcessStat {
        key: ProcessKey { pid, start: fields.get(19)?.parse().ok()? },
        parent: number(1)?,
        group: number(2)?,
        session: number(3)?,
        is_zombie: matches!(*fields.first()?, "Z" | "X"),
    })
}

/// Lists the living processes that started at `start` (in clock ticks since boot) or later, without this one.
pub(super) fn list_since(start: u64) -> Vec<ProcessStat> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|&pid| pid != own)
        .filter_map(read_stat)
        .filter(|process| !process.is_zombie && process.key.start >= start)
        .collect()
}

/// What the environment of a process says about its owner.
pub(super) enum Environment {
    /// It carries this owner tag.
    Tagged(String),
    /// It carries none, or cannot be read.
    Untagged,
    /// It has no variables: an exec replaces it at this moment, or it was started so.
    Empty,
}

/// Reads the environment of a process. Those of other users cannot be read, so their processes are never touched.
pub(super) fn read_environment(pid: i32) -> Environment {
    let mut bytes = Vec::new();
    let Ok(file) = std::fs::File::open(format!("/proc/{pid}/environ")) else { return Environment::Untagged };
    match file.take(MAX_ENVIRONMENT).read_to_end(&mut bytes) {
        Err(_) => return Environment::Untagged,
        Ok(0) => return Environment::Empty,
        Ok(_) => {}
    }
    let mut variables = bytes.split(|&b| b == 0);
    let tag = variables.find_map(|var| var.strip_prefix(OWNER_TAG_VARIABLE.as_bytes())?.strip_prefix(b"="));
    tag.and_then(|tag| String::from_utf8(tag.to_vec()).ok())
        .map_or(Environment::Untagged, Environment::Tagged)
}

/// Blocks for less than a second.
pub(super) fn pause(time: Duration) {
    let time = Timespec { tv_sec: 0, tv_nsec: time.subsec_nanos().into() };
    let _ = poll(&mut [], Some(&time));
}

/// Signals exactly this process, never one that got its pid later. The descriptor becomes readable when the process is gone.
pub(super) fn signal_exactly(process: ProcessKey, signal: ChildSignal) -> Option<OwnedFd> {
    let pid = Pid::from_raw(process.pid)?;
    let is_same = || read_stat(process.pid).is_some_and(|now| now.key == process && !now.is_zombie);
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(fd) => {
            if is_same() {
                let _ = pidfd_send_signal(&fd, signal.raw());
                return Some(fd);
            }
        }
        // Kernels before 5.3 and some sandboxes have no pidfd; the race is then a few microseconds wide.
        Err(_) if is_same() => {
            let _ = kill_process(pid, signal.raw());
        }
        Err(_) => {}
    }
    None
}

/// Waits until all these processes are gone, for `timeout` in total.
pub(super) fn wait_until_gone(fds: &[OwnedFd], timeout: Duration) {
    let deadline = Instant::now() + timeout;
    for fd in fds {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
        let _ = poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&timeout));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_name_may_contain_anything() {
        let stat = "7 (a) R (b) S 1 2 3 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4242 0 0";
        let key = ProcessKey { pid: 7, start: 4242 };
        assert_eq!(
            parse_stat(7, stat),
            Some(ProcessStat { key, parent: 1, group: 2, session: 3, is_zombie: false })
        );
        assert_eq!(parse_stat(7, "7 (x"), None);
        assert!(parse_stat(7, &stat.replace(") S", ") Z")).unwrap().is_zombie);
    }

    #[test]
    fn this_process_is_in_the_process_table() {
        let own = read_stat(i32::try_from(std::process::id()).unwrap()).unwrap();
        assert!(own.key.start > 0 && own.parent > 0);
    }
}
