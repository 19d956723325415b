//! Child processes: building a command with a clean environment, spawning it as a process group of its own,
//! signals to the group, watching its end, reaping.
//!
//! The only place that creates a `Command`. Only the owner of a [`Running`] signals and reaps; the watcher thread
//! merely observes, so a process id cannot be used again between a decision and its signal.
//! Finding descendants in other groups is [`crate::sys::process_tree`]; finding programs is [`crate::sys::program_path`].

use crate::sys::thread;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use std::sync::{Mutex, PoisonError};

/// The environment variable by which the processes of one turn are found again.
pub const OWNER_TAG_VARIABLE: &str = "WTT_CONNECT_RUN_MARK";

/// Set for a connector that must end with its stdin, because it is the child of `try`.
pub const END_WITH_STDIN_VARIABLE: &str = "WTT_CONNECT_UNTIL_EOF";

/// Never passed on: our secrets, the service manager's private variables, and log switches that make agents flood stderr.
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

/// The longest file of `/proc` that is read so, `vmstat`, has half of it.
const PROC_FILE: usize = 8 * 1024;

/// One spawn at a time: whoever opens a terminal device sets its close-on-exec flag only after opening it, and a
/// process started in between would inherit it.
static SPAWN: Mutex<()> = Mutex::new(());

/// Whether an environment variable is kept from agents. `WTT_CONNECT_STT_API_KEY` and its kind are secrets by pattern.
pub fn is_scrubbed(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| {
        SCRUBBED.contains(&name) || (name.starts_with("WTT_CONNECT_") && name.ends_with("_API_KEY"))
    })
}

/// A command in its own process group, with `workdir` as its directory and as `PWD`, and our environment without secrets.
#[allow(clippy::disallowed_methods)] // this is the one place that the lint points to
pub fn command(program: &Path, workdir: &Path) -> Command {
    let mut cmd = Command::new(program);
    cmd.current_dir(workdir).env("PWD", workdir).process_group(0);
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_scrubbed(name)) {
        cmd.env_remove(name);
    }
    // A program outside PATH (nvm, a private prefix) usually needs its neighbours: `#!/usr/bin/env node`.
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

/// The user's own value of a variable, as the child would inherit it.
pub fn inherited_variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// Whether we run as root: some CLIs refuse some flags then.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The number of the user that we are.
pub fn user_id() -> u32 {
    rustix::process::getuid().as_raw()
}

/// The name of this machine.
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Keeps the token of this process out of core dumps and from other processes of the same user. Agents are not affected:
/// their exec resets it.
pub fn disable_core_dumps() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

/// Tells a process of this user that is no child of ours to end in order.
pub fn terminate(pid: u32) -> io::Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
    Ok(rustix::process::kill_process(pid, Signal::TERM)?)
}

/// Whether a directory can be entered.
pub fn check_dir(dir: &Path) -> io::Result<()> {
    if !std::fs::metadata(dir)?.is_dir() {
        return Err(io::Error::from(io::ErrorKind::NotADirectory));
    }
    Ok(rustix::fs::access(dir, rustix::fs::Access::EXEC_OK)?)
}

/// Whether a failed spawn means that the machine is out of processes, memory or descriptors for now.
pub fn is_resource_shortage(e: &io::Error) -> bool {
    use rustix::io::Errno;
    [Errno::AGAIN, Errno::NOMEM, Errno::MFILE, Errno::NFILE]
        .iter()
        .any(|errno| e.raw_os_error() == Some(errno.raw_os_error()))
}

/// A file of `/proc`, which cannot say how long it is: room for all of it, and two calls to read it instead of a dozen
/// into room that grows. The process table has hundreds of them.
pub fn read_proc_file(path: &str) -> Option<String> {
    let (mut file, mut bytes, mut len) = (std::fs::File::open(path).ok()?, vec![0; PROC_FILE], 0);
    loop {
        match file.read(&mut bytes[len..]).ok()? {
            0 => break,
            n => len += n,
        }
    }
    bytes.truncate(len);
    String::from_utf8(bytes).ok()
}

/// How many processes the kernel has ended for want of memory since boot; `None` where it does not say.
pub fn oom_kills() -> Option<u64> {
    let vmstat = read_proc_file("/proc/vmstat")?;
    vmstat.lines().find_map(|line| line.strip_prefix("oom_kill "))?.trim().parse().ok()
}

/// The signals that we send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChildSignal {
    /// SIGHUP: "your terminal is gone".
    Hup,
    /// SIGWINCH: "draw again".
    Winch,
    /// SIGINT: "stop what you do".
    Int,
    /// SIGTERM: "end".
    Term,
    /// SIGKILL.
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

/// Runs something that makes a process or opens a terminal device while nobody else does.
pub fn spawn_exclusively<T>(make: impl FnOnce() -> T) -> T {
    let _one_at_a_time = SPAWN.lock().unwrap_or_else(PoisonError::into_inner);
    make()
}

/// Signals every process of a group that a child of ours leads, or of the one in front in its terminal.
pub fn signal_group(leader: i32, sig: ChildSignal) {
    if let Some(pid) = Pid::from_raw(leader) {
        let _ = kill_process_group(pid, sig.raw());
    }
}

/// Blocks until a child of ours has ended; how, as shells count it. Does not reap.
pub fn wait_for_exit(pid: i32) -> i32 {
    Pid::from_raw(pid).map_or(-1, await_end)
}

fn await_end(pid: Pid) -> i32 {
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

/// A child that leads its own process group, and the duty to reap it. Dropped without [`Running::reap`] (a panic, an
/// early return), the whole group is killed first.
#[derive(Debug)]
pub struct ChildGroup {
    child: Child,
    pid: Pid,
    owned: bool,
}

impl ChildGroup {
    /// Starts a command made by [`command`].
    pub fn spawn(cmd: &mut Command) -> io::Result<Self> {
        let child = spawn_exclusively(|| cmd.spawn())?;
        let pid = Pid::from_child(&child);
        Ok(Self { child, pid, owned: true })
    }

    /// Process id, which is also the group id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The pipes, once.
    pub fn pipes(&mut self) -> (Option<ChildStdin>, Option<ChildStdout>, Option<ChildStderr>) {
        (self.child.stdin.take(), self.child.stdout.take(), self.child.stderr.take())
    }

    /// Signals every process of the group. Harmless when they are gone.
    pub fn signal_group(&self, sig: ChildSignal) {
        let _ = kill_process_group(self.pid, sig.raw());
    }

    /// Calls back from a thread of its own when the child has ended. Does not reap.
    pub fn watch(&self, on_exit: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let pid = self.pid;
        thread::spawn_small("agent/exit", move || {
            await_end(pid);
            on_exit();
        })
        .map(drop)
    }

    /// Reaps a child whose watcher has called back, and leaves its group alone: what it started to stay may stay.
    pub fn reap_leader_only(mut self) -> io::Result<ChildExit> {
        self.owned = false;
        self.status()
    }

    fn status(&mut self) -> io::Result<ChildExit> {
        let status = self.child.wait()?;
        Ok(status.signal().map_or_else(|| ChildExit::Code(status.code().unwrap_or(-1)), ChildExit::Signal))
    }

    /// Kills what is left of the group and reaps. Call it when the watcher has called back.
    pub fn reap(mut self) -> io::Result<ChildExit> {
        self.signal_group(ChildSignal::Kill);
        self.owned = false;
        self.status()
    }

    /// Gives up on a child that survives SIGKILL (it hangs in the kernel): a thread waits for it instead of us.
    pub fn abandon(mut self) {
        self.signal_group(ChildSignal::Kill);
        self.owned = false;
        let _ = thread::spawn_small("agent/stuck", move || drop(self.child.wait()));
    }
}

impl Drop for ChildGroup {
    fn drop(&mut self) {
        if self.owned {
            self.signal_group(ChildSignal::Kill);
            let _ = self.child.wait();
        }
    }
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChildExit {
    /// With this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}
