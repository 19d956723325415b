//! The environment of shells and one-shot commands: the user's own, without a trace of our settings and secrets.
//!
//! All `WTT_*` variables go, but for the address of the service: what is started here may be another connector, which
//! must find neither our identity nor a marker by which its processes would be taken for ours.

use crate::sys::child_process;
use crate::sys::os;
use crate::sys::program_path::{find_program, is_executable};
use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// Where programs are when nobody says it.
const USUAL_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// All variables.
pub(super) fn variables(base_url: &str) -> Vec<(OsString, OsString)> {
    let ours = |name: &OsStr| name.as_encoded_bytes().starts_with(b"WTT_");
    let mut out = Vec::new();
    out.extend(
        env::vars_os().filter(|(name, _)| !ours(name) && !child_process::is_scrubbed(name) && name != "PATH"),
    );
    out.push(("WTT_BASE_URL".into(), base_url.into()));
    out.push(("PATH".into(), search_path()));
    let mut add = |name: &str, value: Option<OsString>| {
        if let Some(value) = value.filter(|_| env::var_os(name).is_none_or(|old| old.is_empty())) {
            out.push((name.into(), value));
        }
    };
    add("HOME", passwd_field(5).map(OsString::from));
    // a service that the system starts at boot has neither, and `systemctl --user` needs both
    let runtime = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let runtime = runtime.unwrap_or_else(|| format!("/run/user/{}", os::user_id()).into());
    let bus = runtime.join("bus");
    if bus.exists() {
        let mut address = OsString::from("unix:path=");
        address.push(&bus);
        add("XDG_RUNTIME_DIR", Some(runtime.into_os_string()));
        add("DBUS_SESSION_BUS_ADDRESS", Some(address));
    }
    out
}

/// What is run here may call `wtt-connect`, and shall find this one.
fn search_path() -> OsString {
    let path = env::var_os("PATH").filter(|path| !path.is_empty()).unwrap_or_else(|| USUAL_PATH.into());
    let own = env::current_exe().unwrap_or_default();
    let mut folders = Vec::new();
    folders.extend(env::split_paths(&path));
    let found = folders.iter().map(|folder| folder.join("wtt-connect")).find(|file| is_executable(file));
    let is_own = found.and_then(|file| file.canonicalize().ok()).is_some_and(|file| file == own);
    if let Some(folder) = own.parent().filter(|_| !is_own) {
        folders.insert(0, folder.to_owned());
    }
    env::join_paths(folders).unwrap_or(path)
}

/// The user's login shell: `SHELL`, else what the account says, else one that is everywhere.
pub(super) fn login_shell() -> PathBuf {
    let own = env::var_os("SHELL").map(PathBuf::from);
    let named = passwd_field(6).map(PathBuf::from);
    let usable = |shell: &PathBuf| {
        let refuses = shell.ends_with("nologin") || shell.ends_with("false");
        shell.is_absolute() && !refuses && is_executable(shell)
    };
    let known = ["/bin/bash", "/bin/sh"].map(PathBuf::from);
    own.into_iter().chain(named).chain(known).find(usable).unwrap_or_else(|| "/bin/sh".into())
}

/// What one-shot commands are written for: bash, where there is one.
pub(super) fn command_shell() -> PathBuf {
    find_program(OsStr::new("bash")).unwrap_or_else(|| Path::new("/bin/sh").to_owned())
}

/// A field of this user's row in the list of accounts.
fn passwd_field(field: usize) -> Option<String> {
    let list = std::fs::read_to_string("/etc/passwd").ok()?;
    let uid = os::user_id().to_string();
    let row = list.lines().find(|row| row.split(':').nth(2) == Some(&uid))?;
    row.split(':').nth(field).filter(|text| !text.is_empty()).map(str::to_owned)
}
