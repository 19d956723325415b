//! Runtime information (see RUNTIME INFORMATION in wtt-connect-protocol(7)): what the web's sidebar shows of this
//! machine. Sent after each connection and when it has changed. Git is asked by a child with a limit, on a thread of
//! its own, and its answer is kept for some seconds. What people do in the workdir themselves is seen by a glance at
//! three files of the repository once a minute; git is asked only when one of them has changed. A file that was
//! edited alone is seen after the next turn, or when asked.

use super::child::{self, Retain};
use super::event::{GitReport, HostEvent, RepositoryStamps};
use super::settings::HostSettings;
use crate::config::Config;
use crate::sys::program_path::find_program;
use crate::sys::{child_process, id, os, thread, time};
use crate::wire::host_frames::{self, HostRequest};
use crossbeam_channel::Sender;
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A huge repository on a slow disk is shown without its state.
const GIT_TIMEOUT: Duration = Duration::from_secs(5);
/// What git said is told again within this.
const GIT_CACHE_TIME: Duration = Duration::from_secs(5);
/// So long after a turn git is asked: the next message often comes at once, and git would hold up the start of its
/// agent.
const AFTER_TURN_DELAY: Duration = Duration::from_millis(500);
/// Enough to tell branch and commit, and whether anything has changed.
const MAX_GIT_OUTPUT_CHARS: usize = 4000;

/// What does not change while the daemon runs.
pub(super) fn static_info(config: &Config) -> Value {
    let name = config.workdir.file_name().map(|name| name.to_string_lossy().into_owned());
    let shell = config.shell.enabled && config.shell.mode != crate::config::ShellMode::Off;
    let platform = if cfg!(target_os = "macos") { "darwin" } else { std::env::consts::OS };
    json!({ "kind": "wtt-connect", "version": env!("CARGO_PKG_VERSION"), "adapter": config.adapter,
        "agent_type": config.adapter, "adapters": config.adapters, "model": config.model,
        "reasoning_effort": config.effort, "mode": config.mode.name(),
        "workdir": config.workdir.to_string_lossy().into_owned(), "workdir_name": name,
        "hostname": os::host_name(), "platform": platform, "arch": std::env::consts::ARCH,
        "capabilities": { "shell": shell, "terminal": config.shell.enabled } })
}

/// What was said, and to whom more is to be said.
pub(super) struct RuntimeInfo {
    about: Value,
    workdir: PathBuf,
    to_keeper: Sender<HostEvent>,
    usage: Value,
    git: Value,
    git_read_at: Option<Instant>,
    /// When git is asked because a turn is over.
    git_due_at: Option<Instant>,
    /// The state of the repository's files at that time, and when they are glanced at again.
    stamps: RepositoryStamps,
    next: Option<Instant>,
    is_git_running: bool,
    /// Something has happened since the look began.
    is_outdated: bool,
    sent: Option<Value>,
    pending_calls: Vec<HostRequest>,
    /// Connected, and the service has not refused it.
    is_accepted: bool,
}

impl RuntimeInfo {
    pub(super) fn new(settings: &HostSettings, to_keeper: Sender<HostEvent>) -> RuntimeInfo {
        RuntimeInfo {
            about: settings.about.clone(),
            workdir: settings.workdir.clone(),
            to_keeper,
            usage: Value::Null,
            git: Value::Null,
            git_read_at: None,
            git_due_at: None,
            stamps: RepositoryStamps::default(),
            next: None,
            is_git_running: false,
            is_outdated: false,
            sent: None,
            pending_calls: Vec::new(),
            is_accepted: false,
        }
    }

    pub(super) fn link(&mut self, up: bool) {
        (self.is_accepted, self.sent, self.next, self.git_due_at) = (up, None, None, None);
        if up {
            self.start_git(None);
        }
    }

    pub(super) fn on_refused(&mut self) {
        if std::mem::replace(&mut self.is_accepted, false) {
            log::debug!(target: "host", "the service does not take runtime info");
        }
    }

    pub(super) fn run_git_status(&mut self, usage: Value, now: Instant) {
        self.usage = usage;
        self.git_due_at.get_or_insert(now + AFTER_TURN_DELAY);
    }

    /// Asks git once the turns that have ended are settled, and looks whether people have changed branch or commit.
    /// Returns when to come again: never while nobody wants to know.
    pub(super) fn check_repository(&mut self, now: Instant, every: Duration) -> Option<Instant> {
        if !self.is_accepted {
            return None;
        }
        if self.git_due_at.is_some_and(|at| at <= now) {
            self.git_due_at = None;
            self.start_git(None);
        }
        let at = *self.next.get_or_insert(time::next_tick(now, every));
        if at <= now {
            self.next = Some(time::next_tick(now, every));
            if !self.is_git_running {
                self.start_git(Some(self.stamps));
            }
        }
        self.next.into_iter().chain(self.git_due_at).min()
    }

    /// A request: answered now, or when git has answered.
    pub(super) fn ask(&mut self, call: HostRequest) -> Option<String> {
        if self.git_read_at.is_some_and(|at| at.elapsed() < GIT_CACHE_TIME) && !self.is_git_running {
            return call.answer(true, json!({ "runtime": self.info() }));
        }
        self.pending_calls.push(call);
        self.start_git(None);
        None
    }

    /// Git has answered: what is to be sent.
    pub(super) fn git(&mut self, look: GitReport) -> Vec<String> {
        self.is_git_running = false;
        if let Some((git, stamps)) = look {
            (self.git, self.stamps, self.git_read_at) = (git, stamps, Some(Instant::now()));
        }
        let info = self.info();
        let mut frames = Vec::new();
        for call in std::mem::take(&mut self.pending_calls) {
            frames.extend(call.answer(true, json!({ "runtime": info })));
        }
        if self.is_accepted && self.sent.as_ref() != Some(&info) {
            frames.push(host_frames::runtime_info(&format!("{REQUEST_ID_PREFIX}-{}", id::hex()), &info));
            self.sent = Some(info);
        }
        if std::mem::take(&mut self.is_outdated) {
            self.start_git(None);
        }
        frames
    }

    fn info(&self) -> Value {
        let mut info = self.about.clone();
        info["git"] = self.git.clone();
        if !self.usage.is_null() {
            info["usage_totals"] = self.usage.clone();
        }
        info
    }

    /// Asks git, or not when the files are as they were.
    fn start_git(&mut self, unless: Option<RepositoryStamps>) {
        if self.is_git_running {
            self.is_outdated = true;
            return;
        }
        self.is_git_running = true;
        let (workdir, to) = (self.workdir.clone(), self.to_keeper.clone());
        let started = thread::spawn_small("host/git", move || {
            let root = workdir.ancestors().find(|folder| folder.join(".git").exists());
            // before git is asked: what changes meanwhile is seen next time
            let stamps = root.map(stamps).unwrap_or_default();
            let git = || root.and_then(|root| look(&workdir, root)).unwrap_or_default();
            let _ = to.send(HostEvent::Git((unless != Some(stamps)).then(|| (git(), stamps))));
        });
        if started.is_err() {
            let _ = self.to_keeper.send(HostEvent::Git(None));
        }
    }
}

/// How the ids of our own frames begin.
pub const REQUEST_ID_PREFIX: &str = "runtime_info";

fn stamps(root: &Path) -> RepositoryStamps {
    let mut folder = root.join(".git");
    // a worktree names its folder in a file
    if folder.is_file() {
        let text = std::fs::read_to_string(&folder).unwrap_or_default();
        folder = root.join(text.trim().strip_prefix("gitdir: ").unwrap_or_default());
    }
    ["HEAD", "index", "logs/HEAD"].map(|name| {
        let file = std::fs::metadata(folder.join(name)).ok()?;
        Some((file.modified().ok()?, file.len()))
    })
}

/// What git says of a folder in a repository; nothing when git is slow or missing.
fn look(workdir: &Path, root: &Path) -> Option<Value> {
    let git = find_program(OsStr::new("git"))?;
    let mut command = child_process::command(&git, workdir);
    // neither a lock nor a program that the repository names
    command.args([
        "--no-optional-locks",
        "-c",
        "core.fsmonitor=false",
        "status",
        "--porcelain=v2",
        "--branch",
    ]);
    command.args(["--untracked-files=no", "--ignore-submodules=all"]);
    let (stop, wake) = child::ChildStopper::new().ok()?;
    let end =
        child::run(&mut command, b"", GIT_TIMEOUT, Retain::Start(MAX_GIT_OUTPUT_CHARS), &stop, wake).ok()?;
    (end.code == 0).then(|| parse_git_status(&end.out.text().0, root))
}

/// Reads `git status --porcelain=v2 --branch`.
fn parse_git_status(status: &str, root: &Path) -> Value {
    let header = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let commit = header("# branch.oid ")
        .filter(|oid| !oid.starts_with('('))
        .map(|oid| oid.chars().take(7).collect::<String>());
    let branch = header("# branch.head ").filter(|name| !name.starts_with('('));
    let dirty = status.lines().any(|line| !line.starts_with('#') && !line.is_empty());
    let repo = root.file_name().map(|name| name.to_string_lossy().into_owned());
    json!({ "repo": repo, "branch": branch, "commit": commit, "dirty": dirty })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn git_is_asked_when_the_turns_are_settled() {
        let config =
            Config::draft(&crate::config::Selection::default(), &mut crate::config::Settings::default());
        let folder = tempfile::tempdir().unwrap();
        let settings = HostSettings {
            shell: config.shell,
            workdir: folder.path().to_owned(),
            base_url: String::new(),
            about: Value::Null,
            times: crate::host::settings::HostTimeouts::from_env(),
        };
        let (to, from) = crossbeam_channel::unbounded();
        let mut runtime = RuntimeInfo::new(&settings, to);
        runtime.link(true);
        let Ok(HostEvent::Git(look)) = from.recv() else { panic!("asked when connected") };
        runtime.git(look);
        let (now, every) = (Instant::now(), Duration::from_secs(3600));
        runtime.run_git_status(Value::Null, now);
        runtime.run_git_status(Value::Null, now + AFTER_TURN_DELAY / 2);
        assert_eq!(runtime.check_repository(now, every), Some(now + AFTER_TURN_DELAY), "once for both");
        assert!(!runtime.is_git_running, "the next turn may begin now");
        runtime.check_repository(now + AFTER_TURN_DELAY, every);
        assert!(runtime.is_git_running && matches!(from.recv(), Ok(HostEvent::Git(Some(_)))));
    }

    #[test]
    fn the_state_of_a_repository_is_read() {
        let of = |status| parse_git_status(status, Path::new("/home/u/ws"));
        let head = "# branch.oid 0123456789abcdef\n# branch.head main\n# branch.upstream o/main\n# branch.ab +0 -0\n";
        assert_eq!(of(head), json!({"repo":"ws","branch":"main","commit":"0123456","dirty":false}));
        let changed = format!("{head}1 .M N... 100644 100644 100644 a b f\n");
        assert_eq!(of(&changed)["dirty"], true);
        let new = "# branch.oid (initial)\n# branch.head (detached)\n";
        assert_eq!(of(new), json!({"repo":"ws","branch":null,"commit":null,"dirty":false}));
    }
}
