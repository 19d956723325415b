//! The service managers, systemd's user manager and launchd, behind one type. The calls of their tools are data
//! ([`ManagerCall`]), so that they can be shown (`up --dry-run`) and tested.

pub mod executable_path;
pub mod unit;

use crate::config::paths::{NO_HOME, Places};
use crate::store::atomic;
use crate::sys::{child_process, program_path};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// The file name of the template unit.
const TEMPLATE: &str = "wtt-connect@.service";

/// A connector shuts down within 20 seconds; launchd kills it after 30.
const STOP_TIMEOUT: Duration = Duration::from_secs(35);
/// Short for a person who waits, and cheap for the machine.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// The kind of a service manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManagerKind {
    /// `systemctl --user`
    Systemd,
    /// `launchctl`
    Launchd,
}

/// A service manager that works on this machine.
#[derive(Debug, Clone)]
pub struct ServiceManager {
    /// Its kind.
    pub kind: ManagerKind,
    tool: PathBuf,
    /// The folder of its units or agents.
    folder: PathBuf,
    user: u32,
}

/// A call of the manager's tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagerCall {
    /// The arguments.
    pub args: Vec<String>,
    /// Whether a failure is ignored, because there may be nothing to undo.
    pub may_fail: bool,
}

/// What to do with the service of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceAction {
    /// Start the service now and at each login.
    Up {
        /// Whether the service file has changed.
        reload: bool,
        /// Whether to restart a running service.
        restart: bool,
    },
    /// Stop the service, and do not start it again.
    Down,
    /// Unload a unit whose file was deleted.
    Forget,
}

impl ServiceManager {
    /// Finds the service manager of this user. The error says what is missing.
    pub fn find(places: &Places) -> Result<ServiceManager, String> {
        let kind = if cfg!(target_os = "macos") { ManagerKind::Launchd } else { ManagerKind::Systemd };
        let name = if kind == ManagerKind::Systemd { "systemctl" } else { "launchctl" };
        let tool = program_path::find_program(OsStr::new(name))
            .ok_or_else(|| format!("there is no {name} on PATH"))?;
        ServiceManager::with(kind, tool, places)
    }

    /// The same with a given tool.
    pub fn with(kind: ManagerKind, tool: PathBuf, places: &Places) -> Result<ServiceManager, String> {
        let home = places.home.as_ref().ok_or(NO_HOME)?;
        let user = rustix::process::geteuid().as_raw();
        let mut manager = ServiceManager { kind, tool, folder: home.join("Library/LaunchAgents"), user };
        let said = match kind {
            ManagerKind::Launchd => manager.run(&manager.domain_query()),
            ManagerKind::Systemd => manager.run(&step(&["--user", "show-environment"])),
        };
        let said = said.map_err(|why| match kind {
            ManagerKind::Systemd => format!("`systemctl --user` does not work: {why}"),
            ManagerKind::Launchd => format!("launchctl has no session for this user: {why}"),
        })?;
        if kind == ManagerKind::Systemd {
            // the environment of the manager decides where it looks, not ours
            let theirs = said.lines().find_map(|line| line.strip_prefix("XDG_CONFIG_HOME="));
            let config = theirs.map_or_else(|| home.join(".config"), PathBuf::from);
            manager.folder = config.join("systemd/user");
        }
        Ok(manager)
    }

    fn domain(&self) -> String {
        format!("gui/{}", self.user)
    }

    fn domain_query(&self) -> ManagerCall {
        step(&["print", &self.domain()])
    }

    /// The name of a profile's service.
    pub fn name(&self, profile: &str) -> String {
        match self.kind {
            ManagerKind::Systemd => format!("wtt-connect@{profile}.service"),
            ManagerKind::Launchd => format!("com.wtt.connect.{profile}"),
        }
    }

    /// The path of its service file.
    pub fn file(&self, profile: &str) -> PathBuf {
        match self.kind {
            ManagerKind::Systemd => self.folder.join(TEMPLATE),
            ManagerKind::Launchd => self.folder.join(format!("{}.plist", self.name(profile))),
        }
    }

    /// The content of its service file.
    pub fn text(&self, profile: &str, exe: &Path, places: &Places) -> Result<String, String> {
        let mut variables = Vec::new();
        for (name, folder) in [("XDG_CONFIG_HOME", &places.xdg_config), ("XDG_STATE_HOME", &places.xdg_state)]
        {
            variables.extend(folder.as_ref().and_then(|dir| Some((name, dir.to_str()?.to_owned()))));
        }
        match self.kind {
            ManagerKind::Systemd => unit::systemd(exe, &variables),
            ManagerKind::Launchd => unit::launchd(&self.name(profile), exe, profile, &variables),
        }
    }

    /// The calls for an action, in order.
    pub fn steps(&self, profile: &str, action: ServiceAction) -> Vec<ManagerCall> {
        use ManagerKind::{Launchd, Systemd};
        let name = self.name(profile);
        let target = format!("{}/{name}", self.domain());
        let unit = |verb: &str| step(&["--user", verb, &name]);
        let reload_units = || step(&["--user", "daemon-reload"]);
        let enable = || step(&["enable", &target]);
        let unload = || ManagerCall { may_fail: true, ..step(&["bootout", &target]) };
        match (self.kind, action) {
            (Systemd, ServiceAction::Up { reload, restart }) => {
                let start = unit(if restart { "restart" } else { "start" });
                reload.then(reload_units).into_iter().chain([unit("enable"), start]).collect()
            }
            (Systemd, ServiceAction::Down) => {
                let reset = ManagerCall { may_fail: true, ..unit("reset-failed") };
                vec![unit("stop"), unit("disable"), reset]
            }
            (Systemd, ServiceAction::Forget) => vec![reload_units()],
            (Launchd, ServiceAction::Up { reload: false, restart: false }) => {
                vec![enable(), step(&["kickstart", &target])]
            }
            // launchd reads the file only when it loads the agent
            (Launchd, ServiceAction::Up { .. }) => {
                let file = self.file(profile).to_string_lossy().into_owned();
                vec![unload(), enable(), step(&["bootstrap", &self.domain(), &file])]
            }
            (Launchd, ServiceAction::Down) => vec![unload()],
            (Launchd, ServiceAction::Forget) => Vec::new(),
        }
    }

    /// Runs the calls for an action. The error is the message of the tool.
    pub fn act(&self, profile: &str, action: ServiceAction) -> Result<(), String> {
        for step in self.steps(profile, action) {
            match self.run(&step) {
                Err(why) if !step.may_fail => return Err(format!("`{}`: {why}", self.words(&step))),
                Ok(_) if step.args[0] == "bootout" => self.wait_until_unloaded(profile),
                _ => {}
            }
        }
        Ok(())
    }

    /// launchctl returns before the agent has ended, and does not load an agent of the same name until then.
    fn wait_until_unloaded(&self, profile: &str) {
        let query = step(&["print", &format!("{}/{}", self.domain(), self.name(profile))]);
        let until = Instant::now() + STOP_TIMEOUT;
        while Instant::now() < until && self.run(&query).is_ok() {
            crate::sys::thread::sleep(POLL_INTERVAL);
        }
    }

    /// A call as a command line.
    pub fn words(&self, step: &ManagerCall) -> String {
        let name = self.tool.file_name().unwrap_or_default().to_string_lossy();
        format!("{name} {}", step.args.join(" "))
    }

    /// Whether the service is running or starting.
    pub fn is_active(&self, profile: &str) -> bool {
        let name = self.name(profile);
        match self.kind {
            ManagerKind::Systemd => {
                let said = self.run(&step(&["--user", "show", "--property=ActiveState", "--value", &name]));
                said.is_ok_and(|state| matches!(state.trim(), "active" | "activating" | "reloading"))
            }
            ManagerKind::Launchd => {
                let said = self.run(&step(&["print", &format!("{}/{name}", self.domain())]));
                said.is_ok_and(|text| text.contains("state = running"))
            }
        }
    }

    /// Writes the service file of a profile unless it has this content already. Returns whether it was written.
    pub fn install(&self, profile: &str, text: &str) -> Result<bool, String> {
        let file = self.file(profile);
        if std::fs::read_to_string(&file).is_ok_and(|old| old == text) {
            return Ok(false);
        }
        let written =
            atomic::make_private_folder(&self.folder).and_then(|()| atomic::write(&file, text.as_bytes()));
        written.map_err(|e| format!("cannot write {}: {}", file.display(), crate::error::reason(&e)))?;
        Ok(true)
    }

    /// Lets the services of this user run without a login. The error is the message of the tool.
    pub fn enable_linger(&self) -> Result<(), String> {
        let tool = self.tool.with_file_name("loginctl");
        run(&tool, &step(&["enable-linger"])).map(drop)
    }

    /// The last lines of a service's log, which may tell why it did not start.
    pub fn last_log_lines(&self, profile: &str) -> String {
        if self.kind == ManagerKind::Launchd {
            return String::new();
        }
        let args = ["--user", "--unit", &self.name(profile), "--lines", "4", "--output", "cat", "--no-pager"];
        run(&self.tool.with_file_name("journalctl"), &step(&args)).unwrap_or_default()
    }

    fn run(&self, step: &ManagerCall) -> Result<String, String> {
        run(&self.tool, step)
    }
}

fn step(args: &[&str]) -> ManagerCall {
    ManagerCall { args: args.iter().map(|arg| (*arg).to_owned()).collect(), may_fail: false }
}

/// Runs a tool to its end. Returns its stdout, or why it failed in one line.
fn run(tool: &Path, step: &ManagerCall) -> Result<String, String> {
    let mut command = child_process::command(tool, Path::new("/"));
    command.args(&step.args).stdin(Stdio::null());
    // `su` and cron do not set this variable, although the user manager may be running
    let folder = PathBuf::from(format!("/run/user/{}", rustix::process::geteuid().as_raw()));
    if std::env::var_os("XDG_RUNTIME_DIR").is_none() && folder.is_dir() {
        command.env("XDG_RUNTIME_DIR", folder);
    }
    let out = command
        .output()
        .map_err(|e| format!("cannot run {}: {}", tool.display(), crate::error::reason(&e)))?;
    if out.status.success() {
        return Ok(String::from_utf8_lossy(&out.stdout).into_owned());
    }
    let said = crate::text::one_line(&String::from_utf8_lossy(&out.stderr));
    if said.is_empty() {
        return Err(out.status.to_string());
    }
    Err(crate::text::truncate(&said, MESSAGE_CHARS))
}

/// Longest error message of a tool that is shown.
const MESSAGE_CHARS: usize = 300;
