//! Child processes: builds a command with a scrubbed environment, spawns it in its own process group, signals the group, waits
//! for its end, reaps it.
//!
//! The only place that creates a `Command`. Only the owner of a [`ChildGroup`] signals and reaps; the watcher thread merely
//! observes, so that a pid is not reused between a decision and its signal. Descendants in other process groups are found by
//! [`crate::sys::process_tree`], programs by [`crate::sys::program_path`].

use crate::sys::thread;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use std::sync::{Mutex, PoisonError};

/// The environment variable that marks the processes of one turn, see [`crate::sys::process_tree::OwnerTag`].
pub const OWNER_TAG_VARIABLE: &str = "WTT_CONNECT_RUN_MARK";

/// Set for a connector that must end when its stdin ends, because it is the child of `try`.
pub const END_WITH_STDIN_VARIABLE: &str = "WTT_CONNECT_UNTIL_EOF";

/// Variables that agents do not inherit: secrets, the service manager's private variables, and log settings with which agents
/// flood stderr.
const SCRUBBED: &[&str] = &[
    "WTT_TOKEN",
    "WTT_AGENT_TOKEN",
    "WTT_HTTP_TOKEN",
    "WTT_E2E_PASSWORD",
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "RUST_LOG",
    "RUST_BACKTRACE",
    "NODE_DEBUG",
    "DEBUG",
    "WTT_CONNECT_LOG",
    "WTT_CONNECT_PANIC_RESTARTS",
    END_WITH_STDIN_VARIABLE,
    OWNER_TAG_VARIABLE,
];

/// Held during each spawn. Opening a terminal device and setting its close-on-exec flag are two calls; a process that is spawned
/// between them would inherit the descriptor.
static SPAWN_LOCK: Mutex<()> = Mutex::new(());

/// Whether agents do not inherit an environment variable. `WTT_CONNECT_…_API_KEY` variables are secrets, too.
pub fn is_scrubbed(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| {
        SCRUBBED.contains(&name) || (name.starts_with("WTT_CONNECT_") && name.ends_with("_API_KEY"))
    })
}

/// A command in its own process group, with `workdir` as its directory and as `PWD`, and the scrubbed environment of this
/// process.
#[allow(clippy::disallowed_methods)] // the lint refers to this function
pub fn command(program: &Path, workdir: &Path) -> Command {
    let mut cmd = Command::new(program);
    cmd.current_dir(workdir).env("PWD", workdir).process_group(0);
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_scrubbed(name)) {
        cmd.env_remove(name);
    }
    // A program outside PATH (nvm, a private prefix) usually needs others from its directory: `#!/usr/bin/env node`.
    if let Some(dir) = program.parent().filter(|dir| dir.is_absolute()) {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut dirs: Vec<_> = std::env::split_paths(&path).collect();
        if !dirs.iter().any(|d| d == dir) {
            dirs.push(dir.to_owned());
            if let Ok(joined) = std::env::join_paths(dirs) {
                cmd.env("PATH", joined);
            }
        }
    }
    cmd
}

/// The value of a variable in the environment of this process, which a child inherits.
pub fn inherited_variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// The signals that this program sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChildSignal {
    /// SIGHUP: the terminal is gone.
    Hup,
    /// SIGWINCH: the size of the terminal has changed.
    Winch,
    /// SIGINT: interrupt the current work.
    Int,
    /// SIGTERM: exit.
    Term,
    /// SIGKILL: cannot be caught.
    Kill,
}

impl ChildSignal {
    pub(super) fn raw(self) -> Signal {
        match self {
            ChildSignal::Hup => Signal::HUP,
            ChildSignal::Winch => Signal::WINCH,
            ChildSignal::Int => Signal::INT,
            ChildSignal::Term => Signal::TERM,
            ChildSignal::Kill => Signal::KILL,
        }
    }
}

/// Runs code that spawns a process or opens a terminal device. Only one thread at a time does so.
pub fn spawn_exclusively<T>(make: impl FnOnce() -> T) -> T {
    let _guard = SPAWN_LOCK.lock().unwrap_or_else(PoisonError::into_inner);
    make()
}

/// Signals all processes of a group: that of a child of this process, or the foreground group of its terminal.
pub fn signal_group(leader: i32, sig: ChildSignal) {
    if let Some(pid) = Pid::from_raw(leader) {
        let _ = kill_process_group(pid, sig.raw());
    }
}

/// Blocks until a child of this process has ended. Returns its exit code, or 128 plus the signal, as shells do; -1 if unknown.
/// Does not reap it.
pub fn wait_for_exit(pid: i32) -> i32 {
    Pid::from_raw(pid).map_or(-1, wait_until_exited)
}

fn wait_until_exited(pid: Pid) -> i32 {
    loop {
        match waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            Err(rustix::io::Errno::INTR) => {}
            Ok(Some(status)) => {
                let signal = status.terminating_signal().map(|number| 128 + number);
                return status.exit_status().or(signal).unwrap_or(-1);
            }
            Ok(None) | Err(_) => return -1,
        }
    }
}

/// A child that leads its own process group and has not been reaped. Dropping it without [`ChildGroup::reap`] (a panic, an early
/// return) kills the whole group and reaps the child.
#[derive(Debug)]
pub struct ChildGroup {
    child: Child,
    pid: Pid,
    must_reap: bool,
}

impl ChildGroup {
    /// Starts a command made by [`command`].
    ///
    /// # Errors
    /// Those of the spawn, see [`crate::sys::os::is_resource_shortage`].
    pub fn spawn(cmd: &mut Command) -> io::Result<Self> {
        let child = spawn_exclusively(|| cmd.spawn())?;
        let pid = Pid::from_child(&child);
        Ok(Self { child, pid, must_reap: true })
    }

    /// The process id, which is also the id of the group.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Takes the pipes to stdin and from stdout and stderr. Later calls return none.
    pub fn pipes(&mut self) -> (Option<ChildStdin>, Option<ChildStdout>, Option<ChildStderr>) {
        (self.child.stdin.take(), self.child.stdout.take(), self.child.stderr.take())
    }

    /// Signals all processes of the group. Does nothing if none is left.
    pub fn signal_group(&self, sig: ChildSignal) {
        let _ = kill_process_group(self.pid, sig.raw());
    }

    /// Starts a thread that calls `on_exit` when the child has ended. Does not reap it.
    pub fn watch(&self, on_exit: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let pid = self.pid;
        thread::spawn_small("agent/exit", move || {
            wait_until_exited(pid);
            on_exit();
        })
        .map(drop)
    }

    /// Reaps a child that has exited, and leaves the other processes of its group running.
    pub fn reap_leader_only(mut self) -> io::Result<ChildExit> {
        self.must_reap = false;
        self.wait()
    }

    fn wait(&mut self) -> io::Result<ChildExit> {
        let status = self.child.wait()?;
        Ok(status.signal().map_or_else(|| ChildExit::Code(status.code().unwrap_or(-1)), ChildExit::Signal))
    }

    /// Kills what is left of the group and reaps the child. Call it when the child has exited.
    pub fn reap(mut self) -> io::Result<ChildExit> {
        self.signal_group(ChildSignal::Kill);
        self.must_reap = false;
        self.wait()
    }

    /// Gives up a child that survives SIGKILL because it hangs in the kernel: a thread waits for it instead of the caller.
    pub fn abandon(mut self) {
        self.signal_group(ChildSignal::Kill);
        self.must_reap = false;
        let _ = thread::spawn_small("agent/stuck", move || drop(self.child.wait()));
    }
}

impl Drop for ChildGroup {
    fn drop(&mut self) {
        if self.must_reap {
            self.signal_group(ChildSignal::Kill);
            let _ = self.child.wait();
        }
    }
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChildExit {
    /// It exited with this code.
    Code(i32),
    /// This signal killed it.
    Signal(i32),
}
