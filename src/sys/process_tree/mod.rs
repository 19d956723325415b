//! Finds and kills the processes of a turn wherever they went: into other process groups, other sessions, to other parents.
//!
//! Every process of a turn carries [`crate::sys::child_process::OWNER_TAG_VARIABLE`] in its environment, which
//! `/proc/<pid>/environ` shows. Descendants that cleared their environment are found through their parents, as long as these
//! live. Linux only: on other systems the process group is all that can be killed.

#[cfg(target_os = "linux")]
mod proc_table;

/// The environment variable's value that marks the processes of one turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerTag(String);

impl OwnerTag {
    /// `<owner>:<turn>`. The owner contains colons itself (`<state dir>:<instance>`).
    pub fn new(owner: &str, turn: &str) -> Self {
        Self(format!("{owner}:{turn}"))
    }

    /// The value for the environment.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Which processes of a turn to kill when it has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KillScope {
    /// All: the turn was stopped, or the agent died.
    Everything,
    /// All but those that detached on purpose: their session leader lives, and is neither this program nor the agent.
    AttachedOnly,
}

pub use system::{ProcessTree, signal_session, terminate_leftovers};

#[cfg(target_os = "linux")]
mod system {
    use super::proc_table::{Environment, ProcessKey, ProcessStat, list_since, pause, read_environment};
    use super::proc_table::{read_stat, signal_exactly, wait_until_gone};
    use super::{KillScope, OwnerTag};
    use crate::sys::child_process::ChildSignal;
    use std::time::Duration;

    /// Rounds of "list and kill" before giving up: each finds what was forked during the one before.
    const MAX_ROUNDS: usize = 20;
    /// How long a killed process may take to disappear. Longer waits mean that it hangs in the kernel.
    const KILL_TIMEOUT: Duration = Duration::from_secs(1);
    /// The time between SIGTERM and SIGKILL for what a crashed connector left behind.
    const TERM_TIMEOUT: Duration = Duration::from_millis(500);
    /// During an exec a process has an empty environment for a moment. It is read this often before that is believed.
    const ENVIRONMENT_ATTEMPTS: usize = 4;
    /// The pause between those attempts; an exec takes less.
    const ENVIRONMENT_PAUSE: Duration = Duration::from_millis(5);
    /// The parent of all kernel threads, whose environment is always empty.
    const KTHREADD: i32 = 2;

    /// The leader of a session that a process joined on purpose: it lives, and is neither this program nor the agent.
    fn detached_leader(session: i32, agent: i32) -> Option<ProcessStat> {
        // Our own session is read from /proc like those of the others: in a PID namespace a session that began outside has the
        // number 0, which rustix::process::getsid does not accept.
        let own_session = read_stat(own_pid()).map_or(0, |own| own.session);
        read_stat(session).filter(|leader| session != own_session && session != agent && !leader.is_zombie)
    }

    fn own_pid() -> i32 {
        i32::try_from(std::process::id()).unwrap_or(0)
    }

    /// The processes of one turn, or of an agent that serves several turns.
    #[derive(Debug)]
    pub struct ProcessTree {
        tag: OwnerTag,
        /// The agent's process. Nothing of the turn is older, which keeps the scan cheap.
        agent: ProcessKey,
        /// Members seen so far, the agent included.
        known: Vec<ProcessKey>,
        /// The agent's own helpers (its tool servers): what ran before a turn of a kept agent.
        agent_helpers: Vec<ProcessKey>,
        /// Leaders of the sessions into which tools of earlier turns detached: these are no members any more.
        released_sessions: Vec<ProcessKey>,
        is_killed: bool,
    }

    impl ProcessTree {
        /// The tree of an agent that has just been started and not been reaped.
        pub fn new(tag: OwnerTag, agent_pid: u32) -> Self {
            let pid = i32::try_from(agent_pid).unwrap_or(0);
            let agent = ProcessKey { pid, start: read_stat(pid).map_or(0, |agent| agent.key.start) };
            Self {
                tag,
                agent,
                known: vec![agent],
                agent_helpers: Vec::new(),
                released_sessions: Vec::new(),
                is_killed: false,
            }
        }

        /// Scans for members and remembers them. Call it before the first signal: when a parent ends, its children can no longer
        /// be found through it.
        pub fn refresh(&mut self) {
            self.members(KillScope::Everything);
        }

        /// All living members but the agent itself.
        fn members(&mut self, scope: KillScope) -> Vec<ProcessStat> {
            for _ in 1..ENVIRONMENT_ATTEMPTS {
                if let Some(members) = self.try_members(scope, false) {
                    return members;
                }
                pause(ENVIRONMENT_PAUSE);
            }
            self.try_members(scope, true).unwrap_or_default()
        }

        /// `None` when an environment is empty for now, unless that `is_final`.
        fn try_members(&mut self, scope: KillScope, is_final: bool) -> Option<Vec<ProcessStat>> {
            let mut processes = list_since(self.agent.start);
            processes
                .retain(|process| !self.released_sessions.iter().any(|leader| leader.pid == process.session));
            let pids: Vec<i32> = processes.iter().map(|process| process.key.pid).collect();
            let own = own_pid();
            let mut members: Vec<ProcessStat> = Vec::new();
            let mut others = Vec::new();
            for process in processes {
                // After a normal end only orphans are of interest. A process whose living parent is as new as the turn, or that is
                // a child of this program, belongs to another turn, or is found through its parent below.
                let has_parent = || pids.contains(&process.parent) || (process.parent == own && own != 1);
                if self.known.contains(&process.key) {
                    members.push(process);
                    continue;
                }
                let environment = match scope {
                    KillScope::AttachedOnly if has_parent() => Environment::Untagged,
                    _ => read_environment(process.key.pid),
                };
                match environment {
                    Environment::Tagged(tag) if tag == self.tag.as_str() => members.push(process),
                    Environment::Empty if !is_final && process.parent != KTHREADD => return None,
                    Environment::Tagged(_) | Environment::Untagged | Environment::Empty => {
                        others.push(process)
                    }
                }
            }
            // Children of members, and their children, until nothing is added.
            loop {
                let before = members.len();
                others.retain(|process| {
                    let is_child = members.iter().any(|member| member.key.pid == process.parent);
                    if is_child {
                        members.push(*process);
                    }
                    !is_child
                });
                if members.len() == before {
                    break;
                }
            }
            for member in &members {
                if !self.known.contains(&member.key) {
                    self.known.push(member.key);
                }
            }
            members.retain(|member| member.key.pid != self.agent.pid);
            Some(members)
        }

        /// Begins a turn of a kept agent: the processes that run now are the agent's own.
        pub fn begin_turn(&mut self) {
            self.agent_helpers =
                self.members(KillScope::AttachedOnly).iter().map(|member| member.key).collect();
        }

        /// Ends a turn whose agent is kept: kills what the turn has left. Returns the number of killed processes.
        ///
        /// The agent's own processes stay: those from before the turn, and those that they have started since in their own process
        /// group, such as tool servers (a tool that can be interrupted gets a group). What detached into a session of its own on
        /// purpose stays too, and belongs to no turn from now on.
        pub fn end_turn(&mut self) -> usize {
            let killed = self.kill_until_gone(|tree| {
                let mut doomed = tree.members(KillScope::AttachedOnly);
                // By pid and process group.
                let mut own = vec![(tree.agent.pid, tree.agent.pid)];
                let mut helpers = Vec::new();
                loop {
                    let before = own.len();
                    doomed.retain(|process| {
                        let is_own = tree.agent_helpers.contains(&process.key)
                            || own.contains(&(process.parent, process.group));
                        if is_own {
                            own.push((process.key.pid, process.group));
                            helpers.push(process.key);
                        }
                        !is_own
                    });
                    if own.len() == before {
                        break;
                    }
                }
                tree.agent_helpers = helpers;
                let ProcessTree { released_sessions, agent, .. } = tree;
                doomed.retain(|process| {
                    // A session that the agent has made for a tool is no choice of the tool's.
                    let leader = detached_leader(process.session, agent.pid)
                        .filter(|leader| !own.iter().any(|(pid, _)| *pid == leader.parent));
                    released_sessions.extend(leader.map(|leader| leader.key));
                    leader.is_none()
                });
                doomed
            });
            self.released_sessions
                .retain(|leader| read_stat(leader.pid).is_some_and(|now| now.key == *leader));
            self.known.clone_from(&self.agent_helpers);
            self.known.push(self.agent);
            killed
        }

        /// Kills what is left after the agent has been reaped. Returns the number of killed processes.
        pub fn kill(&mut self, scope: KillScope) -> usize {
            self.is_killed = true;
            self.kill_until_gone(|tree| {
                let mut doomed = tree.members(scope);
                if scope == KillScope::AttachedOnly {
                    doomed.retain(|process| detached_leader(process.session, tree.agent.pid).is_none());
                }
                doomed
            })
        }

        /// Kills what `list` returns, and lists again, until nothing is left.
        fn kill_until_gone(&mut self, mut list: impl FnMut(&mut Self) -> Vec<ProcessStat>) -> usize {
            let mut killed = 0;
            for _ in 0..MAX_ROUNDS {
                let doomed = list(self);
                if doomed.is_empty() {
                    return killed;
                }
                killed += doomed.len();
                let fds: Vec<_> = doomed
                    .iter()
                    .filter_map(|process| signal_exactly(process.key, ChildSignal::Kill))
                    .collect();
                wait_until_gone(&fds, KILL_TIMEOUT);
            }
            log::warn!(
                "some processes of a turn could not be killed (they hang in the kernel or fork without end)"
            );
            killed
        }
    }

    impl Drop for ProcessTree {
        /// A turn that ends in a panic leaves no processes either.
        fn drop(&mut self) {
            if !self.is_killed {
                self.kill(KillScope::Everything);
            }
        }
    }

    /// Signals all processes in a session but its leader.
    pub fn signal_session(leader: i32, signal: ChildSignal) {
        for process in list_since(0) {
            if process.session == leader && process.key.pid != leader {
                signal_exactly(process.key, signal);
            }
        }
    }

    /// Terminates every process whose owner tag `is_leftover` says is that of a past instance. Spares this process and its
    /// ancestors: an agent may have restarted the daemon. Returns the number of processes found.
    pub fn terminate_leftovers(is_leftover: impl Fn(&str) -> bool) -> usize {
        let mut ancestors = Vec::new();
        let mut next = own_pid();
        while next > 1 && ancestors.len() < 1000 {
            ancestors.push(next);
            next = read_stat(next).map_or(0, |process| process.parent);
        }
        let mut found: Vec<ProcessKey> = Vec::new();
        for round in 0..MAX_ROUNDS {
            let doomed: Vec<ProcessKey> = list_since(0)
                .into_iter()
                .map(|process| process.key)
                .filter(|key| !ancestors.contains(&key.pid))
                .filter(
                    |key| matches!(read_environment(key.pid), Environment::Tagged(tag) if is_leftover(&tag)),
                )
                .collect();
            if doomed.is_empty() {
                break;
            }
            let (signal, timeout) = match round {
                0 => (ChildSignal::Term, TERM_TIMEOUT),
                _ => (ChildSignal::Kill, KILL_TIMEOUT),
            };
            let fds: Vec<_> = doomed.iter().filter_map(|key| signal_exactly(*key, signal)).collect();
            for key in doomed {
                if !found.contains(&key) {
                    found.push(key);
                }
            }
            wait_until_gone(&fds, timeout);
        }
        found.len()
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::{KillScope, OwnerTag};

    /// The processes of one turn. Without `/proc` only the process group is known, and its owner kills that.
    #[derive(Debug)]
    pub struct ProcessTree;

    impl ProcessTree {
        /// Remembers nothing: there is nothing to look it up in.
        pub fn new(_tag: OwnerTag, _agent_pid: u32) -> Self {
            Self
        }

        /// Does nothing.
        pub fn refresh(&mut self) {}

        /// Does nothing.
        pub fn begin_turn(&mut self) {}

        /// Kills nothing: the turn's processes cannot be told from the agent's own.
        pub fn end_turn(&mut self) -> usize {
            0
        }

        /// Kills nothing beyond the process group.
        pub fn kill(&mut self, _scope: KillScope) -> usize {
            0
        }
    }

    /// Does nothing: members of a session cannot be found without `/proc`.
    pub fn signal_session(_leader: i32, _signal: crate::sys::child_process::ChildSignal) {}

    /// Finds nothing: environments cannot be read without `/proc`.
    pub fn terminate_leftovers(_is_leftover: impl Fn(&str) -> bool) -> usize {
        0
    }
}
