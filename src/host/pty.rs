//! One pseudo-terminal with a login shell in it. The only file that touches portable-pty.
//!
//! What the library leaves to its user is done here: it reports a failed exec as success (so the shell is looked at
//! first), goes to the home directory when the wanted one is missing (so that is looked at, too), sets close-on-exec
//! only after opening (so nothing else is started meanwhile), hands on the whole environment (so it is given one), and
//! signals the shell alone (so groups are signalled here). Dropping its writer types into the shell: it goes last.

use crate::sys::child_process::{self, ChildSignal};
use crate::sys::os;
use crate::sys::process_tree;
use crate::wire::host_frames::TerminalSize;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::fs::{Mode, OFlags};
use rustix::termios::{Action, QueueSelector, tcflow, tcflush};
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// An open terminal and its shell.
pub(super) struct Pty {
    master: Box<dyn MasterPty + Send>,
    child: Box<dyn Child + Send + Sync>,
    pid: i32,
}

/// The two ends that threads block on.
pub(super) struct PtyStreams {
    pub(super) output: Box<dyn Read + Send>,
    pub(super) input: Box<dyn Write + Send>,
}

/// Starts a login shell in a terminal of that size.
pub(super) fn open(
    shell: &Path,
    cwd: &Path,
    env: &[(OsString, OsString)],
    size: TerminalSize,
) -> Result<(Pty, PtyStreams), String> {
    os::check_dir(cwd).map_err(|e| format!("cannot enter {}: {e}", cwd.display()))?;
    let mut command = CommandBuilder::new_default_prog();
    command.env_clear();
    for (name, value) in env {
        command.env(name, value);
    }
    command.env("SHELL", shell);
    command.env("TERM", "xterm-256color");
    command.env("COLORTERM", "truecolor");
    command.env("PWD", cwd);
    command.cwd(cwd);
    let opened = child_process::spawn_exclusively(|| {
        native_pty_system().openpty(pty_size(size)).and_then(|pair| {
            let child = pair.slave.spawn_command(command)?;
            Ok((pair.master, child))
        })
    });
    let (master, mut child) = opened.map_err(|e| format!("cannot open a terminal: {e}"))?;
    let ends =
        master.try_clone_reader().and_then(|output| Ok(PtyStreams { output, input: master.take_writer()? }));
    match (ends, child.process_id().and_then(|pid| i32::try_from(pid).ok())) {
        (Ok(ends), Some(pid)) => Ok((Pty { master, child, pid }, ends)),
        _ => {
            let _ = child.kill();
            let _ = child.wait();
            Err("cannot use the new terminal".to_owned())
        }
    }
}

impl Pty {
    /// Process id of the shell; its session and group have the same number.
    pub(super) fn pid(&self) -> i32 {
        self.pid
    }

    /// Tells the programs in it that the window has another size.
    pub(super) fn resize(&self, size: TerminalSize) {
        let _ = self.master.resize(pty_size(size));
    }

    /// Signals the shell's group and the one in front.
    pub(super) fn signal(&self, sig: ChildSignal) {
        if let Some(front) = self.master.process_group_leader().filter(|front| *front != self.pid) {
            child_process::signal_group(front, sig);
        }
        child_process::signal_group(self.pid, sig);
    }

    /// Kills the shell and what is in front. Its other jobs are hung up, which it has not done itself.
    pub(super) fn kill(&self) {
        process_tree::signal_session(self.pid, ChildSignal::Hup);
        self.signal(ChildSignal::Kill);
    }

    /// Reaps the shell, which has ended, and lets go of the threads that block on a terminal which some process that
    /// stays behind keeps open: input that nobody reads is thrown away, output is let on, and one byte is written.
    pub(super) fn close(mut self) {
        let _ = self.child.wait();
        if let Some(Err(e)) = self.master.tty_name().map(|path| unblock_threads(&path)) {
            log::debug!(target: "host", "a closed terminal: {e}");
        }
    }
}

fn unblock_threads(path: &PathBuf) -> io::Result<()> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let slave = rustix::fs::open(path, flags, Mode::empty())?;
    tcflush(&slave, QueueSelector::IOFlush)?;
    tcflow(&slave, Action::OOn)?;
    rustix::io::write(&slave, b"\0")?;
    Ok(())
}

fn pty_size(size: TerminalSize) -> PtySize {
    PtySize { rows: size.rows, cols: size.cols, pixel_width: 0, pixel_height: 0 }
}
