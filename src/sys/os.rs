//! Facts about this machine and this process, and requests to the kernel that concern neither files nor child processes.

use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Room for a file of `/proc`. The longest one that is read here, `vmstat`, has half of it.
const PROC_FILE_BYTES: usize = 8 * 1024;

/// Whether this process runs as root: some CLIs refuse some flags then.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The real user id of this process.
pub fn user_id() -> u32 {
    rustix::process::getuid().as_raw()
}

/// The name of this machine.
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Keeps the memory of this process, which holds the token, out of core dumps and from other processes of the same user. Agents
/// are not affected: their exec resets it. Does nothing outside Linux.
pub fn disable_core_dumps() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

/// Sends SIGTERM to a process that is no child of this one.
///
/// # Errors
/// When there is no such process, or it belongs to another user.
pub fn terminate(pid: u32) -> io::Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
    Ok(kill_process(pid, Signal::TERM)?)
}

/// Checks that a directory exists and can be entered.
///
/// # Errors
/// When it does not, or cannot.
pub fn check_dir(dir: &Path) -> io::Result<()> {
    if !std::fs::metadata(dir)?.is_dir() {
        return Err(io::Error::from(io::ErrorKind::NotADirectory));
    }
    Ok(rustix::fs::access(dir, rustix::fs::Access::EXEC_OK)?)
}

/// Whether an error means that the machine has no processes, memory or file descriptors left for now.
pub fn is_resource_shortage(error: &io::Error) -> bool {
    use rustix::io::Errno;
    [Errno::AGAIN, Errno::NOMEM, Errno::MFILE, Errno::NFILE]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Reads a file of `/proc`, or `None`. Such files do not tell their length: reading into a buffer with room for all of it takes
/// two calls instead of a dozen, and the process table has hundreds of files.
pub fn read_proc_file(path: &str) -> Option<String> {
    let (mut file, mut bytes, mut len) = (File::open(path).ok()?, vec![0; PROC_FILE_BYTES], 0);
    loop {
        match file.read(&mut bytes[len..]).ok()? {
            0 => break,
            n => len += n,
        }
    }
    bytes.truncate(len);
    String::from_utf8(bytes).ok()
}

/// The number of processes that the kernel has killed since boot because memory ran out; `None` where it does not tell.
pub fn oom_kills() -> Option<u64> {
    let vmstat = read_proc_file("/proc/vmstat")?;
    vmstat.lines().find_map(|line| line.strip_prefix("oom_kill "))?.trim().parse().ok()
}
