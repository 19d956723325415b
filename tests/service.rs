//! `up`, `down`, `workdir` and `setup`: the real binary, with a service manager that is a script (`tests/stubs`).
//! The same under a real `systemd --user` is `tests/systemd.rs`.

mod bind;
mod launchd;
mod refuse;
mod scripts;
mod setup;

use crate::cli::{Machine, Run};
use crate::support::daemon::{AGENT, TOKEN, Wtt};
use std::path::PathBuf;

/// The profile that `up codex agent-001` makes.
pub const PROFILE: &str = "agent-001-codex";

/// A machine with a Codex that is logged in, a service manager and a WTT service.
pub struct Host {
    pub machine: Machine,
    pub wtt: Wtt,
}

impl Host {
    pub fn new() -> Host {
        Host::with(Machine::new())
    }

    /// The same on a machine that has more in its environment.
    pub fn with(machine: Machine) -> Host {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let bin = machine.path("bin");
        std::fs::create_dir(&bin).unwrap();
        for name in ["systemctl", "loginctl", "journalctl"] {
            std::os::unix::fs::symlink(root.join("tests/stubs/systemctl"), bin.join(name)).unwrap();
        }
        std::os::unix::fs::symlink(crate::support::daemon::binary(), bin.join("wtt-connect")).unwrap();
        let codex = "#!/bin/sh\n[ \"$1\" = --version ] && echo codex-cli 0.118.0 || echo 'Logged in using an API key - sk-***' >&2\n";
        make_program(&machine.file("bin/codex", codex));
        let path = format!("{}:/usr/bin:/bin", bin.display());
        let stub = bin.to_str().unwrap().to_owned();
        Host { machine: machine.env("PATH", &path).env("STUB", &stub), wtt: Wtt::start() }
    }

    /// `up codex agent-001 TOKEN --base-url …` and more.
    pub fn up(&self, more: &[&str]) -> Run {
        self.up_with(TOKEN, more)
    }

    pub fn up_with(&self, token: &str, more: &[&str]) -> Run {
        let base = self.wtt.service.base_url();
        let mut words = vec!["up", "codex", AGENT, token, "--base-url", &base];
        words.extend(more);
        self.machine.run(&words)
    }

    /// What the service manager was asked for since the last look, without the questions.
    pub fn calls(&self) -> Vec<String> {
        let file = self.machine.path("bin/calls");
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let _ = std::fs::remove_file(&file);
        let asks = |line: &&str| !line.contains(" show");
        text.lines().filter(asks).map(str::to_owned).collect()
    }

    /// Lets a verb of the service manager fail from now on.
    pub fn fail(&self, verb: &str, why: &str) {
        self.machine.file(&format!("bin/fail-{verb}"), why);
    }

    pub fn profile(&self) -> PathBuf {
        self.machine.path(&format!("home/.config/wtt-connect/profiles/{PROFILE}.env"))
    }

    pub fn profile_text(&self) -> String {
        std::fs::read_to_string(self.profile()).unwrap()
    }

    pub fn unit(&self) -> PathBuf {
        self.machine.path("home/.config/systemd/user/wtt-connect@.service")
    }

    pub fn state_dir(&self) -> PathBuf {
        self.machine.path(&format!("home/.local/state/wtt-connect/{PROFILE}"))
    }
}

impl Drop for Host {
    /// What the manager started must not outlive the test.
    fn drop(&mut self) {
        let Ok(entries) = std::fs::read_dir(self.machine.path("bin")) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name().into_string().unwrap_or_default();
            let Some(profile) = name.strip_prefix("pid-") else { continue };
            let unit = format!("wtt-connect@{profile}.service");
            let mut stop = std::process::Command::new(self.machine.path("bin/systemctl"));
            let _ = stop.args(["--user", "stop", &unit]).env("STUB", self.machine.path("bin")).status();
        }
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.machine.path("bin/log")).unwrap_or_default();
            eprintln!("--- log of the connector ---\n{log}---");
        }
    }
}

pub fn make_program(path: &std::path::Path) {
    crate::support::program::program(path, std::fs::read(path).unwrap());
}

pub fn mode(path: &std::path::Path) -> u32 {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).unwrap().mode() & 0o777
}
