//! The checks of `doctor` on this machine: directories and the lock. Nothing is changed.

use super::{Finding, Severity, finding};
use crate::cli::commands::running_pid;
use crate::config::{Config, profile};
use crate::store;
use std::path::{Path, PathBuf};

/// Checks the directories in the settings.
pub fn directories(config: &Config, findings: &mut Vec<Finding>) {
    for (what, dir) in [("workspace", &config.workdir), ("state", &config.state_dir)] {
        findings.push(directory(what, dir));
    }
    if let Some(dir) = config.store_file.parent()
        && dir != config.state_dir
    {
        findings.push(directory("session file", dir));
    }
    for file in store::set_aside(&config.store_file) {
        let text = format!(
            "an unreadable state file was set aside as {}; delete it if it is not needed",
            file.display()
        );
        findings.push(finding("Directories", "state", Severity::Note, text));
    }
    let state = std::fs::metadata(&config.state_dir);
    if state.is_ok_and(|meta| profile::privacy(&meta) == profile::Privacy::Readable) {
        let text =
            format!("{} is accessible to other users; run chmod 700 on it", config.state_dir.display());
        findings.push(finding("Directories", "state", Severity::Note, text));
    }
}

/// Checks whether a directory is writable, or can be created in its nearest existing parent. Nothing is left behind.
fn directory(what: &str, dir: &Path) -> Finding {
    let nearest: PathBuf = dir.ancestors().find(|p| p.exists()).unwrap_or(Path::new("/")).to_owned();
    let shown = dir.display();
    let writable = nearest.is_dir() && rustix::fs::access(&nearest, rustix::fs::Access::WRITE_OK).is_ok();
    let (severity, text) = match (nearest == dir, writable) {
        (true, true) => (Severity::Ok, format!("{shown} is writable")),
        (false, true) => match create_and_remove(&nearest) {
            Ok(()) => (Severity::Ok, format!("{shown} will be created")),
            Err(why) => {
                let why = crate::error::reason(&why);
                (Severity::Problem, format!("{shown} cannot be created below {}: {why}", nearest.display()))
            }
        },
        (true, false) if !dir.is_dir() => {
            (Severity::Problem, format!("{shown} is not a directory; choose another one"))
        }
        (true, false) => {
            (Severity::Problem, format!("{shown} is not writable; change its owner or the setting"))
        }
        (false, false) => {
            let why = if nearest.is_dir() { "permission denied" } else { "not a directory" };
            (Severity::Problem, format!("{shown} cannot be created below {}: {why}", nearest.display()))
        }
    };
    finding("Directories", what, severity, text)
}

/// Creates and removes a directory, because some file systems (`/proc`) claim to be writable but are not.
fn create_and_remove(parent: &Path) -> std::io::Result<()> {
    let dir = parent.join(format!(".wtt-connect-doctor-{}", std::process::id()));
    std::fs::create_dir(&dir)?;
    std::fs::remove_dir(&dir)
}

/// Checks whether a connector runs with this state directory.
pub fn connector(config: &Config) -> Finding {
    let text = match running_pid(&config.state_dir) {
        Some(pid) => {
            format!("process {pid} is running with this state directory; a second one would exit with 75")
        }
        None => "not running".into(),
    };
    finding("Connector", "state", Severity::Ok, text)
}
