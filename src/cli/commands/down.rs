//! `down`: stops a connector and removes its service; with `--purge` it also deletes the profile and its state.

use super::{profiles, running_pid};
use crate::cli::output;
use crate::cli::service::{ManagerKind, ServiceAction, ServiceManager};
use crate::cli::table::CommandArgs;
use crate::config::{paths::Places, profile};
use crate::error::{Error, Result, cannot, reason};
use crate::sys::os;
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

/// A connector shuts down within 20 seconds.
const STOP_TIMEOUT: Duration = Duration::from_secs(25);
/// Short for a person who waits, and cheap for the machine.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Stops the service and a process that was started by hand.
pub fn run(args: &CommandArgs) -> Result<()> {
    let profile = profiles::find(&args.operand(0).unwrap_or_default())?;
    let up = super::up_command(&profile.name, &profile.config);
    let (name, state_dir) = (profile.name, profile.config.state_dir);
    let places = profile.config.selection.places();
    let manager = ServiceManager::find(&places);
    let mut said = format!("{name} was not running");
    if let Ok(manager) = &manager {
        let active = manager.is_active(&name);
        manager.act(&name, ServiceAction::Down).map_err(Error::Failed)?;
        if active {
            said = format!("{} was stopped and will not start again", manager.name(&name));
        }
    }
    if let Some(pid) = running_pid(&state_dir) {
        let failed =
            |why: &str| Error::Failed(format!("process {pid}, which runs {name}, does not stop: {why}"));
        os::terminate(pid).map_err(|e| failed(&reason(&e)))?;
        wait(&state_dir).map_err(failed)?;
        said = format!("{name} was stopped (process {pid})");
    }
    output::print_and_continue(&format!("{said}\n"))?;
    if args.purge {
        return purge(&name, &places, &state_dir, manager.ok().as_ref());
    }
    if let (Ok(manager), true) = (&manager, cfg!(target_os = "macos")) {
        remove(&manager.file(&name))?;
    }
    output::print_and_continue(&format!(
        "Its profile and state were kept; `{up}` starts it again, `wtt-connect down {name} --purge` deletes them.\n"
    ))
}

fn wait(state_dir: &Path) -> std::result::Result<(), &'static str> {
    let until = Instant::now() + STOP_TIMEOUT;
    while running_pid(state_dir).is_some() {
        if Instant::now() > until {
            return Err("it was asked to 25 seconds ago");
        }
        crate::sys::thread::sleep(POLL_INTERVAL);
    }
    Ok(())
}

/// Deletes the service file, the state and the profile, in this order, so that the command can be repeated after an error.
fn purge(name: &str, places: &Places, state_dir: &Path, manager: Option<&ServiceManager>) -> Result<()> {
    let path = places.profile_file(name).map_err(|why| Error::Config(why.into()))?;
    let last = profile::names(path.parent()).iter().all(|other| other == name);
    if let Some(manager) = manager {
        // the template unit is shared by all profiles
        if (manager.kind == ManagerKind::Launchd || last) && remove(&manager.file(name))? {
            manager.act(name, ServiceAction::Forget).map_err(Error::Failed)?;
        }
    }
    // a state directory that the user has chosen may hold other things
    let ours = places.state_dir(name).is_ok_and(|dir| dir == state_dir);
    let mut said = format!("Deleted {}", path.display());
    if ours {
        match std::fs::remove_dir_all(state_dir) {
            Err(e) if e.kind() != ErrorKind::NotFound => {
                return Err(cannot("delete", state_dir)(e));
            }
            _ => said.push_str(&format!(" and {}", state_dir.display())),
        }
    }
    remove(&path)?;
    if !ours {
        said.push_str(&format!(
            "; the state in {} was kept, because it is not in the default place",
            state_dir.display()
        ));
    }
    output::print_and_continue(&format!("{said}. The agent's working directory was not touched.\n"))
}

/// Deletes a file. Returns whether it existed.
fn remove(file: &Path) -> Result<bool> {
    match std::fs::remove_file(file) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
        Err(e) => Err(cannot("delete", file)(e)),
    }
}
