//! The command line as people and scripts meet it: the real binary, its words, its exit codes, what it never shows.

mod config;
mod doctor;
mod generated;
pub mod manual;
mod running;
mod words;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A token that must appear nowhere; dollar, quotes and hash are what env files like to change.
pub const CANARY: &str = "CANARY-tok-$x'\"#7f3a";

/// A machine of its own for one test: an empty home, an empty current directory, no environment.
pub struct Machine {
    dir: tempfile::TempDir,
    vars: Vec<(String, String)>,
}

impl Machine {
    pub fn new() -> Machine {
        let machine = Machine { dir: tempfile::tempdir().unwrap(), vars: Vec::new() };
        for dir in ["home", "cwd"] {
            std::fs::create_dir(machine.path(dir)).unwrap();
        }
        machine
    }
    pub fn path(&self, relative: &str) -> PathBuf {
        self.dir.path().join(relative)
    }
    /// Writes a file with mode 0600 and its folders.
    pub fn file(&self, relative: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.path(relative);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    }
    pub fn profile(&self, name: &str, text: &str) -> PathBuf {
        self.file(&format!("home/.config/wtt-connect/profiles/{name}.env"), text)
    }
    pub fn env(mut self, name: &str, value: &str) -> Machine {
        self.vars.push((name.to_owned(), value.to_owned()));
        self
    }
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wtt-connect"));
        command.args(args).env_clear().current_dir(self.path("cwd")).stdin(Stdio::null());
        command.env("HOME", self.path("home")).env("PATH", "/usr/bin:/bin");
        command.envs(self.vars.iter().map(|(k, v)| (k, v)));
        command
    }
    pub fn run(&self, args: &[&str]) -> Run {
        let Output { status, stdout, stderr } = self.command(args).output().unwrap();
        Run {
            words: args.join(" "),
            code: status.code(),
            stdout: String::from_utf8(stdout).unwrap(),
            stderr: String::from_utf8(stderr).unwrap(),
        }
    }
}

/// What a run left behind. Assertions print all of it.
pub struct Run {
    words: String,
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    #[track_caller]
    pub fn code(self, code: i32) -> Run {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }
    #[track_caller]
    pub fn says(self, text: &str) -> Run {
        assert!(self.stdout.contains(text) || self.stderr.contains(text), "`{text}` is missing in {self}");
        self
    }
    #[track_caller]
    pub fn hides(self, text: &str) -> Run {
        assert!(!self.stdout.contains(text) && !self.stderr.contains(text), "`{text}` appears in {self}");
        self
    }
    /// One line on stderr, nothing on stdout.
    #[track_caller]
    pub fn one_line(self) -> Run {
        assert!(self.stdout.is_empty() && self.stderr.lines().count() == 1, "{self}");
        assert!(self.stderr.starts_with("wtt-connect: "), "{self}");
        self
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Run { words, code, stdout, stderr } = self;
        write!(f, "wtt-connect {words}\n--- code {code:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}\n---")
    }
}

/// A path as the program prints it.
pub fn shown(path: &Path) -> String {
    path.display().to_string()
}
