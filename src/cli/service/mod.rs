//! The service managers: systemd's user manager and launchd, behind one type. What is to be run is worked out as data
//! ([`ManagerCall`]), so that it can be shown (`up --dry-run`) and tested; then it is run.

pub mod executable_path;
pub mod unit;

use crate::config::paths::{NO_HOME, Places};
use crate::store::atomic;
use crate::sys::{child_process, program_path};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// The template unit.
const TEMPLATE: &str = "wtt-connect@.service";

/// A connector ends its agents within 20 seconds; launchd kills it after 30.
const END: Duration = Duration::from_secs(35);
/// Short for a person who waits, long for a machine.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Which manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManagerKind {
    /// `systemctl --user`
    Systemd,
    /// `launchctl`
    Launchd,
}

/// A manager that answers.
#[derive(Debug, Clone)]
pub struct ServiceManager {
    /// Which one.
    pub kind: ManagerKind,
    tool: PathBuf,
    /// Where it looks for units or agents.
    folder: PathBuf,
    user: u32,
}

/// One call of the manager's tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagerCall {
    /// Its arguments.
    pub args: Vec<String>,
    /// It may fail: what it undoes may not be there.
    pub may_fail: bool,
}

/// What is to be done with the service of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceAction {
    /// Start now and at each login. `reload`: the file has changed. `restart`: what runs is to take new settings.
    Up {
        /// Read the files again.
        reload: bool,
        /// End what runs first.
        restart: bool,
    },
    /// Stop, and do not start again.
    Down,
    /// Forget a unit that was removed.
    Forget,
}

impl ServiceManager {
    /// The manager of this user on this machine. The error says what is missing.
    pub fn find(places: &Places) -> Result<ServiceManager, String> {
        let kind = if cfg!(target_os = "macos") { ManagerKind::Launchd } else { ManagerKind::Systemd };
        let name = if kind == ManagerKind::Systemd { "systemctl" } else { "launchctl" };
        let tool = program_path::find_program(OsStr::new(name))
            .ok_or_else(|| format!("there is no {name} on PATH"))?;
        ServiceManager::with(kind, tool, places)
    }

    /// The same with a tool that is known.
    pub fn with(kind: ManagerKind, tool: PathBuf, places: &Places) -> Result<ServiceManager, String> {
        let home = places.home.as_ref().ok_or(NO_HOME)?;
        let user = rustix::process::geteuid().as_raw();
        let mut manager = ServiceManager { kind, tool, folder: home.join("Library/LaunchAgents"), user };
        let said = match kind {
            ManagerKind::Launchd => manager.run(&manager.domain_query()),
            ManagerKind::Systemd => manager.run(&step(&["--user", "show-environment"])),
        };
        let said = said.map_err(|why| match kind {
            ManagerKind::Systemd => format!("`systemctl --user` does not work here: {why}"),
            ManagerKind::Launchd => format!("launchctl has no session for this user: {why}"),
        })?;
        if kind == ManagerKind::Systemd {
            // its own environment decides where it looks, not ours
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

    /// What the manager calls the service of a profile.
    pub fn name(&self, profile: &str) -> String {
        match self.kind {
            ManagerKind::Systemd => format!("wtt-connect@{profile}.service"),
            ManagerKind::Launchd => format!("com.wtt.connect.{profile}"),
        }
    }

    /// The file that describes it.
    pub fn file(&self, profile: &str) -> PathBuf {
        match self.kind {
            ManagerKind::Systemd => self.folder.join(TEMPLATE),
            ManagerKind::Launchd => self.folder.join(format!("{}.plist", self.name(profile))),
        }
    }

    /// What stands in that file.
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

    /// The calls that an action takes, in order.
    pub fn steps(&self, profile: &str, action: ServiceAction) -> Vec<ManagerCall> {
        let name = self.name(profile);
        let mut steps = Vec::new();
        match self.kind {
            ManagerKind::Systemd => {
                let one = |verb: &str| step(&["--user", verb, &name]);
                match action {
                    ServiceAction::Up { reload, restart } => {
                        if reload {
                            steps.push(step(&["--user", "daemon-reload"]));
                        }
                        steps.push(one("enable"));
                        steps.push(one(if restart { "restart" } else { "start" }));
                    }
                    ServiceAction::Down => {
                        steps.push(one("stop"));
                        steps.push(one("disable"));
                        steps.push(ManagerCall { may_fail: true, ..one("reset-failed") });
                    }
                    ServiceAction::Forget => steps.push(step(&["--user", "daemon-reload"])),
                }
            }
            ManagerKind::Launchd => {
                let target = format!("{}/{name}", self.domain());
                let out = ManagerCall { may_fail: true, ..step(&["bootout", &target]) };
                match action {
                    ServiceAction::Up { reload: false, restart: false } => {
                        steps.push(step(&["enable", &target]));
                        steps.push(step(&["kickstart", &target]));
                    }
                    // only an agent that is loaded anew is read anew
                    ServiceAction::Up { .. } => {
                        steps.push(out);
                        steps.push(step(&["enable", &target]));
                        let file = self.file(profile).to_string_lossy().into_owned();
                        steps.push(step(&["bootstrap", &self.domain(), &file]));
                    }
                    ServiceAction::Down => steps.push(out),
                    ServiceAction::Forget => {}
                }
            }
        }
        steps
    }

    /// Carries an action out. The error is what the tool said.
    pub fn act(&self, profile: &str, action: ServiceAction) -> Result<(), String> {
        for step in self.steps(profile, action) {
            match self.run(&step) {
                Err(why) if !step.may_fail => return Err(format!("`{}`: {why}", self.words(&step))),
                Ok(_) if step.args[0] == "bootout" => self.wait_until_gone(profile),
                _ => {}
            }
        }
        Ok(())
    }

    /// launchctl comes back before the agent has ended, and loads no other of that name until then.
    fn wait_until_gone(&self, profile: &str) {
        let query = step(&["print", &format!("{}/{}", self.domain(), self.name(profile))]);
        let until = Instant::now() + END;
        while Instant::now() < until && self.run(&query).is_ok() {
            crate::sys::thread::sleep(LOOK_AGAIN);
        }
    }

    /// A step as it would be typed.
    pub fn words(&self, step: &ManagerCall) -> String {
        let name = self.tool.file_name().unwrap_or_default().to_string_lossy();
        format!("{name} {}", step.args.join(" "))
    }

    /// Whether the service runs, or is on its way.
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

    /// Writes the file of a profile's service unless it is like that already. Whether it was written.
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

    /// Lets the user's services run without a login. The error is what was said.
    pub fn linger(&self) -> Result<(), String> {
        let tool = self.tool.with_file_name("loginctl");
        run(&tool, &step(&["enable-linger"])).map(drop)
    }

    /// The last lines of a service's log, to say why it did not start.
    pub fn last_words(&self, profile: &str) -> String {
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

/// Runs a tool to its end; what it wrote to stdout, or why it failed, in one line.
fn run(tool: &Path, step: &ManagerCall) -> Result<String, String> {
    let mut command = child_process::command(tool, Path::new("/"));
    command.args(&step.args).stdin(Stdio::null());
    // `su` and cron leave this out, and the user's manager is there all the same.
    let folder = PathBuf::from(format!("/run/user/{}", rustix::process::geteuid().as_raw()));
    if std::env::var_os("XDG_RUNTIME_DIR").is_none() && folder.is_dir() {
        command.env("XDG_RUNTIME_DIR", folder);
    }
    let out = command
        .output()
        .map_err(|e| format!("{} cannot be run: {}", tool.display(), crate::error::reason(&e)))?;
    if out.status.success() {
        return Ok(String::from_utf8_lossy(&out.stdout).into_owned());
    }
    let said = crate::text::one_line(&String::from_utf8_lossy(&out.stderr));
    if said.is_empty() {
        return Err(out.status.to_string());
    }
    Err(crate::text::truncate(&said, SAID_MAX))
}

/// Longest complaint of a tool that is passed on.
const SAID_MAX: usize = 300;
