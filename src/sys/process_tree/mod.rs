//! Finding and ending the processes of a turn wherever they went: other groups, other sessions, other parents.
//!
//! Every process of a turn carries [`crate::sys::child_process::RUN_MARK`] in its environment; `/proc/<pid>/environ` shows it. Descendants that
//! cleared their environment are found through their parents, as long as these live. Linux only: elsewhere the process
//! group is all that we can end.

#[cfg(target_os = "linux")]
mod proc_table;

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

pub use system::{Family, end_left_over, signal_session};

#[cfg(target_os = "linux")]
mod system {
    use super::proc_table::{Row, Sight, await_gone, lookup, pause, sight, signal, table};
    use super::{Mark, Spare};
    use crate::sys::child_process::Sig;
    use std::time::Duration;

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

    /// The leader of a session that was left for on purpose: it lives, and is neither ours nor the agent.
    fn detached(session: i32, agent: i32) -> Option<Row> {
        // Read from the process table, as those of the others are: in a PID namespace a session that began outside
        // has the number 0, which rustix::process::getsid does not take.
        let own = i32::try_from(std::process::id()).unwrap_or(0);
        let own_session = lookup(own).map_or(0, |row| row.session);
        lookup(session).filter(|leader| session != own_session && session != agent && !leader.zombie)
    }

    /// The processes of one turn, or of a kept agent.
    #[derive(Debug)]
    pub struct Family {
        mark: Mark,
        agent: i32,
        /// Start of the agent: nothing of the turn is older, which keeps the scan cheap.
        since: u64,
        /// Seen so far, by pid, with their start.
        known: Vec<(i32, u64)>,
        /// The agent's own helpers (its tool servers): what was there before a turn of a kept agent.
        settled: Vec<(i32, u64)>,
        /// Sessions that tools of earlier turns left for, by leader: no part of the family any more.
        freed: Vec<(i32, u64)>,
        ended: bool,
    }

    impl Family {
        /// The family of an agent that has just been started (and not reaped).
        pub fn new(mark: Mark, agent: u32) -> Self {
            let agent = i32::try_from(agent).unwrap_or(0);
            let since = lookup(agent).map_or(0, |row| row.start);
            Self {
                mark,
                agent,
                since,
                known: vec![(agent, since)],
                settled: Vec::new(),
                freed: Vec::new(),
                ended: false,
            }
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
            let mut rows = table(self.since);
            rows.retain(|row| !self.freed.iter().any(|freed| freed.0 == row.session));
            let mut newer = Vec::new();
            newer.extend(rows.iter().map(|row| row.pid));
            let mut members: Vec<Row> = Vec::new();
            let mut rest = Vec::new();
            for row in rows {
                // After a normal end only orphans are of interest: who has a living parent that is as new as the turn,
                // or is a child of ours, belongs to another turn, or is found through the parent below.
                let placed = || newer.contains(&row.parent) || (row.parent == own && own != 1);
                if self.known.contains(&(row.pid, row.start)) {
                    members.push(row);
                    continue;
                }
                let seen = if spare == Spare::Detached && placed() { Sight::Foreign } else { sight(row.pid) };
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
            for row in &members {
                if !self.known.contains(&(row.pid, row.start)) {
                    self.known.push((row.pid, row.start));
                }
            }
            members.retain(|row| row.pid != self.agent);
            Some(members)
        }

        /// The turn of a kept agent begins now: who is there is the agent's own.
        pub fn settle(&mut self) {
            let members = self.members(Spare::Detached);
            self.settled.clear();
            self.settled.extend(members.iter().map(|row| (row.pid, row.start)));
        }

        /// The turn is over and the agent stays: kills what the turn has left. Returns how many processes that were.
        ///
        /// The agent's own are those from before the turn, and those that it and they have started since without a
        /// group of their own: tool servers (a tool that can be interrupted has a group). What left for a session of
        /// its own on purpose belongs to no turn from now on.
        pub fn end_turn(&mut self) -> usize {
            let killed = self.end_all(|family| {
                let mut doomed = family.members(Spare::Detached);
                // By pid and group.
                let mut own = vec![(family.agent, family.agent)];
                let mut stay = Vec::new();
                loop {
                    let before = own.len();
                    doomed.retain(|row| {
                        let stays = family.settled.contains(&(row.pid, row.start))
                            || own.contains(&(row.parent, row.group));
                        if stays {
                            own.push((row.pid, row.group));
                            stay.push((row.pid, row.start));
                        }
                        !stays
                    });
                    if own.len() == before {
                        break;
                    }
                }
                family.settled = stay;
                let Family { freed, agent, .. } = family;
                doomed.retain(|row| {
                    // A session that the agent has made for a tool is no choice of the tool's.
                    let leader = detached(row.session, *agent)
                        .filter(|leader| !own.iter().any(|own| own.0 == leader.parent));
                    freed.extend(leader.map(|leader| (leader.pid, leader.start)));
                    leader.is_none()
                });
                doomed
            });
            self.freed.retain(|(pid, start)| lookup(*pid).is_some_and(|row| row.start == *start));
            self.known.clear();
            self.known.extend(self.settled.iter().copied());
            self.known.push((self.agent, self.since));
            killed
        }

        /// Kills what is left after the agent has been reaped. Returns how many processes that were.
        pub fn end(&mut self, spare: Spare) -> usize {
            self.ended = true;
            self.end_all(|family| {
                let mut doomed = family.members(spare);
                if spare == Spare::Detached {
                    doomed.retain(|row| detached(row.session, family.agent).is_none());
                }
                doomed
            })
        }

        /// Kills those, and looks again, until there are none.
        fn end_all(&mut self, mut those: impl FnMut(&mut Self) -> Vec<Row>) -> usize {
            let mut killed = 0;
            for _ in 0..ROUNDS {
                let doomed = those(self);
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

    /// Signals everybody in the session of this leader but the leader.
    pub fn signal_session(leader: i32, sig: Sig) {
        for row in table(0).iter().filter(|row| row.session == leader && row.pid != leader) {
            signal(row, sig);
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
        let mut found: Vec<(i32, u64)> = Vec::new();
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
            doomed.iter().for_each(|row| {
                if !found.contains(&(row.pid, row.start)) {
                    found.push((row.pid, row.start));
                }
            });
            await_gone(&fds, if round == 0 { POLITE } else { GONE });
        }
        found.len()
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

        /// Nothing to look at.
        pub fn settle(&mut self) {}

        /// Nothing can be told from the agent's own.
        pub fn end_turn(&mut self) -> usize {
            0
        }

        /// Nothing to end beyond the group.
        pub fn end(&mut self, _spare: Spare) -> usize {
            0
        }
    }

    /// Nothing can be found without `/proc`.
    pub fn signal_session(_leader: i32, _sig: crate::sys::child_process::Sig) {}

    /// Nothing can be found without `/proc`.
    pub fn end_left_over(_is_left_over: impl Fn(&str) -> bool) -> usize {
        0
    }
}
