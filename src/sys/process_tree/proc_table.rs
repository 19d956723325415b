//! The process table as `/proc` shows it: who is there, whose marker a process carries, a signal to exactly one.
//! What belongs to a turn is decided in [`crate::sys::process_tree`].

use crate::sys::child_process::{self, RUN_MARK, Sig};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, kill_process, pidfd_open, pidfd_send_signal};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// Environments are small; the kernel's own limit for all arguments and variables is a quarter of the stack (2 MiB).
const MAX_ENVIRON: u64 = 2 << 20;

/// One row of the process table: `/proc/<pid>/stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) pid: i32,
    pub(super) parent: i32,
    pub(super) group: i32,
    pub(super) session: i32,
    /// Clock ticks since boot. With the pid it names a process for good.
    pub(super) start: u64,
    pub(super) zombie: bool,
}

pub(super) fn lookup(pid: i32) -> Option<Row> {
    parse(pid, &child_process::read(&format!("/proc/{pid}/stat"))?)
}

/// The command name is in parentheses and may hold anything, so fields are counted from the last `)`.
fn parse(pid: i32, stat: &str) -> Option<Row> {
    let fields: Vec<&str> = stat.get(stat.rfind(')')? + 1..)?.split_whitespace().collect();
    let number = |i: usize| fields.get(i)?.parse::<i32>().ok();
    Some(Row {
        pid,
        parent: number(1)?,
        group: number(2)?,
        session: number(3)?,
        start: fields.get(19)?.parse().ok()?,
        zombie: matches!(*fields.first()?, "Z" | "X"),
    })
}

/// Every living process that began at `since` or later, but not we.
pub(super) fn table(since: u64) -> Vec<Row> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|&pid| pid != own)
        .filter_map(lookup)
        .filter(|row| !row.zombie && row.start >= since)
        .collect()
}

/// What a process's environment says.
pub(super) enum Sight {
    Marked(String),
    Foreign,
    /// Nothing at all: it is being replaced by an exec just now, or was started so.
    Blank,
}

/// Looks into a process's environment. Other people's processes cannot be read, and so are never touched.
pub(super) fn sight(pid: i32) -> Sight {
    let mut environ = Vec::new();
    let Ok(file) = std::fs::File::open(format!("/proc/{pid}/environ")) else { return Sight::Foreign };
    match file.take(MAX_ENVIRON).read_to_end(&mut environ) {
        Err(_) => return Sight::Foreign,
        Ok(0) => return Sight::Blank,
        Ok(_) => {}
    }
    let mut vars = environ.split(|&b| b == 0);
    let value = vars.find_map(|var| var.strip_prefix(RUN_MARK.as_bytes())?.strip_prefix(b"="));
    value.and_then(|v| String::from_utf8(v.to_vec()).ok()).map_or(Sight::Foreign, Sight::Marked)
}

pub(super) fn pause(time: Duration) {
    let time = Timespec { tv_sec: 0, tv_nsec: time.subsec_nanos().into() };
    let _ = poll(&mut [], Some(&time));
}

/// Signals exactly this process, never one that got its pid later. The descriptor becomes readable when it is gone.
pub(super) fn signal(row: &Row, sig: Sig) -> Option<OwnedFd> {
    let pid = Pid::from_raw(row.pid)?;
    let same = || lookup(row.pid).is_some_and(|now| now.start == row.start && !now.zombie);
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(fd) => {
            if same() {
                let _ = pidfd_send_signal(&fd, sig.raw());
                return Some(fd);
            }
        }
        // Kernels before 5.3 and some sandboxes have no pidfd; the race is then a few microseconds wide.
        Err(_) if same() => {
            let _ = kill_process(pid, sig.raw());
        }
        Err(_) => {}
    }
    None
}

/// Waits until all are gone, at most so long in all.
pub(super) fn await_gone(fds: &[OwnedFd], limit: Duration) {
    let until = Instant::now() + limit;
    for fd in fds {
        let left = until.saturating_duration_since(Instant::now());
        let timeout = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
        let _ = poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&timeout));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_name_may_hold_anything() {
        let stat = "7 (a) R (b) S 1 2 3 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4242 0 0";
        let got = parse(7, stat).unwrap();
        assert_eq!(got, Row { pid: 7, parent: 1, group: 2, session: 3, start: 4242, zombie: false });
        assert_eq!(parse(7, "7 (x"), None);
        assert!(parse(7, &stat.replace(") S", ") Z")).unwrap().zombie);
    }

    #[test]
    fn we_are_in_the_table_of_the_kernel() {
        let own = lookup(i32::try_from(std::process::id()).unwrap()).unwrap();
        assert!(own.start > 0 && own.parent > 0);
    }
}
