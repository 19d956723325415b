//! Finding and ending the processes of a turn wherever they went: other groups, other sessions, other parents.
//!
//! Every process of a turn carries [`RUN_MARK`] in its environment; `/proc/<pid>/environ` shows it. Descendants that
//! cleared their environment are found through their parents, as long as these live. Linux only: elsewhere the process
//! group is all that we can end.

use crate::sys::proc::RUN_MARK;

/// The marker of one turn, as put into the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark(String);

impl Mark {
    /// `<owner>:<turn>`; the owner holds colons of its own (`<state dir>:<instance>`).
    pub fn new(owner: &str, turn: &str) -> Self {
        Self(format!("{owner}:{turn}"))
    }

    /// The value for the environment.
    pub fn value(&self) -> &str {
        &self.0
    }
}

/// What to spare when a turn has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spare {
    /// Nothing: the turn was stopped, or the agent died.
    Nothing,
    /// Processes that left on purpose: their session leader lives and is neither ours nor the agent.
    Detached,
}

pub use system::{Family, end_left_over};

#[cfg(target_os = "linux")]
mod system {
    use super::{Mark, RUN_MARK, Spare};
    use crate::sys::proc::Sig;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::process::{Pid, PidfdFlags, kill_process, pidfd_open, pidfd_send_signal};
    use std::collections::{BTreeMap, BTreeSet};
    use std::io::Read;
    use std::os::fd::OwnedFd;
    use std::time::{Duration, Instant};

    /// Rounds of "look and kill" before giving up: each finds what was forked during the one before.
    const ROUNDS: usize = 20;
    /// How long a killed process may take to be gone.
    const GONE: Duration = Duration::from_secs(1);
    /// How long left-overs of a crash get between SIGTERM and SIGKILL.
    const POLITE: Duration = Duration::from_millis(500);
    /// A process in the middle of an exec shows an empty environment for a moment; so often we look again.
    const BLANK_TRIES: usize = 4;
    /// The moment.
    const BLANK_PAUSE: Duration = Duration::from_millis(5);
    /// The parent of all kernel threads, whose environment is always blank.
    const KTHREADD: i32 = 2;
    /// Environments are small; the kernel's own limit for all arguments and variables is a quarter of the stack (2 MiB).
    const MAX_ENVIRON: u64 = 2 << 20;

    /// One row of the process table: `/proc/<pid>/stat`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    struct Row {
        pid: i32,
        parent: i32,
        session: i32,
        /// Clock ticks since boot. With the pid it names a process for good.
        start: u64,
        zombie: bool,
    }

    fn lookup(pid: i32) -> Option<Row> {
        parse(pid, &std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The command name is in parentheses and may hold anything, so fields are counted from the last `)`.
    fn parse(pid: i32, stat: &str) -> Option<Row> {
        let fields: Vec<&str> = stat.get(stat.rfind(')')? + 1..)?.split_whitespace().collect();
        let number = |i: usize| fields.get(i)?.parse::<i32>().ok();
        Some(Row {
            pid,
            parent: number(1)?,
            session: number(3)?,
            start: fields.get(19)?.parse().ok()?,
            zombie: matches!(*fields.first()?, "Z" | "X"),
        })
    }

    /// Every living process that began at `since` or later, but not we.
    fn table(since: u64) -> Vec<Row> {
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
    enum Sight {
        Marked(String),
        Foreign,
        /// Nothing at all: it is being replaced by an exec just now, or was started so.
        Blank,
    }

    /// Looks into a process's environment. Other people's processes cannot be read, and so are never touched.
    fn sight(pid: i32) -> Sight {
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

    fn pause(time: Duration) {
        let time = Timespec { tv_sec: 0, tv_nsec: time.subsec_nanos().into() };
        let _ = poll(&mut [], Some(&time));
    }

    /// Signals exactly this process, never one that got its pid later. The descriptor becomes readable when it is gone.
    fn signal(row: &Row, sig: Sig) -> Option<OwnedFd> {
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
    fn await_gone(fds: &[OwnedFd], limit: Duration) {
        let until = Instant::now() + limit;
        for fd in fds {
            let left = until.saturating_duration_since(Instant::now());
            let timeout =
                Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
            let _ = poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&timeout));
        }
    }

    /// The processes of one turn.
    #[derive(Debug)]
    pub struct Family {
        mark: Mark,
        agent: i32,
        /// Start of the agent: nothing of the turn is older, which keeps the scan cheap.
        since: u64,
        /// Seen so far, by pid, with their start.
        known: BTreeMap<i32, u64>,
        ended: bool,
    }

    impl Family {
        /// The family of an agent that has just been started (and not reaped).
        pub fn new(mark: Mark, agent: u32) -> Self {
            let agent = i32::try_from(agent).unwrap_or(0);
            let since = lookup(agent).map_or(0, |row| row.start);
            let mut known = BTreeMap::new();
            known.insert(agent, since);
            Self { mark, agent, since, known, ended: false }
        }

        /// Looks who belongs to it now. Call it before the first signal: a dying parent hides its children.
        pub fn look(&mut self) {
            self.members(Spare::Nothing);
        }

        /// Everybody who lives and belongs, but for the agent itself.
        fn members(&mut self, spare: Spare) -> Vec<Row> {
            for _ in 1..BLANK_TRIES {
                if let Some(members) = self.try_members(spare, false) {
                    return members;
                }
                pause(BLANK_PAUSE);
            }
            self.try_members(spare, true).unwrap_or_default()
        }

        /// `None` when a process could not be told yet, unless that is to be ignored.
        fn try_members(&mut self, spare: Spare, ignore_blank: bool) -> Option<Vec<Row>> {
            let own = i32::try_from(std::process::id()).unwrap_or(0);
            let rows = table(self.since);
            let mut newer = BTreeSet::new();
            newer.extend(rows.iter().map(|row| row.pid));
            let mut members: Vec<Row> = Vec::new();
            let mut rest = Vec::new();
            for row in rows {
                // After a normal end only orphans are of interest: who has a living parent that is as new as the turn,
                // or is a child of ours, belongs to another turn, or is found through the parent below.
                let placed = newer.contains(&row.parent) || (row.parent == own && own != 1);
                if self.known.get(&row.pid) == Some(&row.start) {
                    members.push(row);
                    continue;
                }
                let seen = if spare == Spare::Detached && placed { Sight::Foreign } else { sight(row.pid) };
                match seen {
                    Sight::Marked(mark) if mark == self.mark.value() => members.push(row),
                    Sight::Blank if !ignore_blank && row.parent != KTHREADD => return None,
                    Sight::Marked(_) | Sight::Foreign | Sight::Blank => rest.push(row),
                }
            }
            // Children of members, and theirs, until nothing is added.
            loop {
                let before = members.len();
                rest.retain(|row| {
                    let child = members.iter().any(|m| m.pid == row.parent);
                    if child {
                        members.push(*row);
                    }
                    !child
                });
                if members.len() == before {
                    break;
                }
            }
            self.known.extend(members.iter().map(|row| (row.pid, row.start)));
            members.retain(|row| row.pid != self.agent);
            Some(members)
        }

        /// Kills what is left after the agent has been reaped. Returns how many processes that were.
        pub fn end(&mut self, spare: Spare) -> usize {
            // Read from the process table, as those of the others are: in a PID namespace a session that began outside
            // has the number 0, which rustix::process::getsid does not take.
            let own = i32::try_from(std::process::id()).unwrap_or(0);
            let own_session = lookup(own).map_or(0, |row| row.session);
            let mut killed = 0;
            self.ended = true;
            for _ in 0..ROUNDS {
                let mut doomed = self.members(spare);
                if spare == Spare::Detached {
                    doomed.retain(|row| {
                        let left_on_purpose = row.session != own_session
                            && row.session != self.agent
                            && lookup(row.session).is_some_and(|leader| !leader.zombie);
                        !left_on_purpose
                    });
                }
                if doomed.is_empty() {
                    return killed;
                }
                killed += doomed.len();
                let fds: Vec<_> = doomed.iter().filter_map(|row| signal(row, Sig::Kill)).collect();
                await_gone(&fds, GONE);
            }
            log::warn!(
                "some processes of a turn could not be ended (they hang in the kernel or fork without end)"
            );
            killed
        }
    }

    impl Drop for Family {
        /// A turn that ends in a panic leaves nothing either.
        fn drop(&mut self) {
            if !self.ended {
                self.end(Spare::Nothing);
            }
        }
    }

    /// Ends every process whose marker is one of a past instance. Spares us and our ancestors: an agent may have
    /// restarted the daemon. Returns how many were found.
    pub fn end_left_over(is_left_over: impl Fn(&str) -> bool) -> usize {
        let mut ancestors = Vec::new();
        let mut next = i32::try_from(std::process::id()).unwrap_or(0);
        while next > 1 && ancestors.len() < 1000 {
            ancestors.push(next);
            next = lookup(next).map_or(0, |row| row.parent);
        }
        let mut found = BTreeMap::new();
        for round in 0..ROUNDS {
            let doomed: Vec<Row> = table(0)
                .into_iter()
                .filter(|row| !ancestors.contains(&row.pid))
                .filter(|row| matches!(sight(row.pid), Sight::Marked(mark) if is_left_over(&mark)))
                .collect();
            if doomed.is_empty() {
                break;
            }
            let sig = if round == 0 { Sig::Term } else { Sig::Kill };
            let fds: Vec<_> = doomed.iter().filter_map(|row| signal(row, sig)).collect();
            found.extend(doomed.iter().map(|row| (row.pid, row.start)));
            await_gone(&fds, if round == 0 { POLITE } else { GONE });
        }
        found.len()
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_command_name_may_hold_anything() {
            let stat = "7 (a) R (b) S 1 2 3 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4242 0 0";
            let got = parse(7, stat).unwrap();
            assert_eq!(got, Row { pid: 7, parent: 1, session: 3, start: 4242, zombie: false });
            assert_eq!(parse(7, "7 (x"), None);
            assert!(parse(7, &stat.replace(") S", ") Z")).unwrap().zombie);
        }

        #[test]
        fn we_are_in_the_table_of_the_kernel() {
            let own = lookup(i32::try_from(std::process::id()).unwrap()).unwrap();
            assert!(own.start > 0 && own.parent > 0);
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::{Mark, Spare};

    /// The processes of one turn; only the group is known here, and its owner ends that.
    #[derive(Debug)]
    pub struct Family;

    impl Family {
        /// Without `/proc` there is nothing to remember.
        pub fn new(_mark: Mark, _agent: u32) -> Self {
            Self
        }

        /// Nothing to look at.
        pub fn look(&mut self) {}

        /// Nothing to end beyond the group.
        pub fn end(&mut self, _spare: Spare) -> usize {
            0
        }
    }

    /// Nothing can be found without `/proc`.
    pub fn end_left_over(_is_left_over: impl Fn(&str) -> bool) -> usize {
        0
    }
}
