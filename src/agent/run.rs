//! The single process runner: spawn, feed, read, time limits, cancel ladder, sweep. Runs on the session's thread.
//!
//! Two reader threads, a writer and a watcher only move lines and facts into one bounded channel; every decision,
//! signal and reaping is made by the loop in `run/turn.rs`. A turn has exactly one [`Report`], and it comes only
//! when nothing of the turn is left.

mod book;
mod pipes;
mod private;
mod turn;

use crate::agent::dialect::Effects;
use crate::agent::outcome::{Next, Outcome, Reason, Report};
use crate::agent::program::{self, Program};
use crate::agent::spec::{AdapterSpec, Host};
use crate::agent::{AgentEvent, Request, Usage};
use crate::config::Limits;
use crate::list::Table;
use crate::secret::Secret;
use crate::sys::family::{self, Family, Mark};
use crate::sys::id;
use crate::sys::proc::{self, Running};
use book::Book;
use crossbeam_channel::Receiver;
use private::Folder;
use std::ffi::OsStr;
use std::io;
use std::process::Stdio;
use std::time::{Duration, Instant};
use turn::Turn;

/// A request to a running turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// The user stops the turn: polite ladder, all gone within 10 s (aim 3 s).
    Cancel,
    /// The daemon is shutting down: the same, faster.
    Shutdown,
    /// At once: SIGKILL.
    Kill,
}

/// What the runner needs besides the request.
#[derive(Debug)]
pub struct Runner<'a> {
    /// The adapter.
    pub spec: &'a AdapterSpec,
    /// Program and leading arguments (`WTT_CONNECT_<ADAPTER>_COMMAND`); found on PATH by the spec when empty.
    pub command: &'a [String],
    /// Variables for the agent that our own environment does not have (API keys, proxies of an env file).
    pub env: &'a Table<Secret>,
    /// Time limits.
    pub limits: Limits,
    /// Owner marker for the sweep: profile and instance, e.g. `<state dir hash>:<instance>`.
    pub owner: &'a str,
    /// Cancel and shutdown.
    pub control: &'a Receiver<Control>,
    /// Thread totals of the last turn of this session (codex counts per thread).
    pub usage_before: Option<Usage>,
}

/// What the runner reports while it works.
#[derive(Debug)]
pub enum Progress {
    /// An event of the agent.
    Event(AgentEvent),
    /// Nothing happened for [`BEAT`]; a chance to renew the typing status.
    Beat,
}

/// Below the 30 s after which the web may drop a typing status.
pub const BEAT: Duration = Duration::from_secs(20);

/// Runs one turn to its only end. Blocks; call it on the session's thread. When it returns, no process of the turn is left
/// (but for those that left their session on purpose after a normal end).
///
/// A session that the CLI no longer knows is given up once, visibly ([`AgentEvent::FreshSession`]), and the turn runs again.
pub fn run(runner: &Runner<'_>, request: &Request, on: &mut dyn FnMut(Progress)) -> Report {
    let total_until = Instant::now() + runner.limits.total;
    let report = attempt(runner, request, total_until, runner.usage_before, on);
    let Outcome::Failed { reason, detail, .. } = &report.outcome else { return report };
    if request.resume.is_none() || reason.next() != Next::RetryFresh {
        return report;
    }
    on(Progress::Event(AgentEvent::FreshSession(detail.clone())));
    let prompt = request.fresh_prompt.clone().unwrap_or_else(|| request.prompt.clone());
    let fresh = Request { resume: None, prompt, ..request.clone() };
    attempt(runner, &fresh, total_until, None, on)
}

/// Ends what an earlier, crashed instance of this owner left running (marker in /proc/*/environ). Returns how many.
///
/// Everything of other instances goes, also what had left its session on purpose: after a crash nobody can tell
/// which tool was meant to stay, and a service manager ends all of them anyway.
pub fn sweep_left_over(owner_prefix: &str, instance: &str) -> usize {
    family::end_left_over(|mark| is_left_over(mark, owner_prefix, instance))
}

/// `<owner prefix>:<instance>:<turn>` of another instance.
fn is_left_over(mark: &str, owner_prefix: &str, instance: &str) -> bool {
    let rest = mark.strip_prefix(owner_prefix).and_then(|rest| rest.strip_prefix(':'));
    rest.and_then(|rest| rest.split_once(':')).is_some_and(|(other, _turn)| other != instance)
}

/// One process, from spawn to sweep.
fn attempt(
    runner: &Runner<'_>,
    request: &Request,
    total_until: Instant,
    usage_before: Option<Usage>,
    on: &mut dyn FnMut(Progress),
) -> Report {
    let mut dialect = (runner.spec.dialect)(request);
    let mut book = Book::new(request, usage_before);
    let mut fx = Effects::default();
    dialect.start(&mut fx);
    if let Some(refused) = fx.done.take() {
        return book.report(refused);
    }
    // A message can be cancelled before its agent exists.
    if runner.control.try_recv().is_ok() {
        return book.report(Outcome::Cancelled { partial: String::new() });
    }
    let mut started = match start(runner, request) {
        Ok(started) => started,
        Err((reason, detail)) => {
            return book.report(Outcome::Failed { reason, detail, partial: String::new() });
        }
    };
    // Removed when nothing of the turn is left.
    let _folder = started.folder.take();
    if let Some(id) = started.session.take() {
        book.chosen(&id);
        on(Progress::Event(AgentEvent::Session(id)));
    }
    match pipes::connect(&mut started.child) {
        Ok(pipes) => {
            for text in fx.stdin {
                let _ = pipes.stdin.send(text);
            }
            Turn::new(started, pipes, dialect.as_mut()).drive(runner, total_until, &mut book, on)
        }
        Err(e) => {
            drop(started); // ends the child and whatever it has begun
            let detail = busy(&e);
            book.report(Outcome::Failed { reason: Reason::Internal, detail, partial: String::new() })
        }
    }
}

/// A child that has just been started. Dropped, it ends: first its family, then the child.
struct Started {
    family: Family,
    child: Running,
    oom_kills: Option<u64>,
    folder: Option<Folder>,
    session: Option<String>,
}

fn start(runner: &Runner<'_>, request: &Request) -> Result<Started, (Reason, String)> {
    let workdir = &request.workdir;
    proc::check_dir(workdir)
        .map_err(|e| (Reason::WorkdirUnusable, format!("{}: {}", workdir.display(), words(&e))))?;
    let Program { path, leading } =
        program::locate(runner.spec, runner.command).map_err(|what| (Reason::CliMissing, what))?;
    let fresh_id = id::uuid_v4();
    let invocation = (runner.spec.invoke)(request, &Host { fresh_id: &fresh_id, root: proc::is_root() });
    let mark = Mark::new(runner.owner, &id::hex());
    let mut cmd = proc::command(&path, workdir);
    for (name, value) in runner.env.iter().filter(|(name, _)| !proc::is_scrubbed(OsStr::new(name))) {
        cmd.env(name, value.expose());
    }
    cmd.args(leading).args(invocation.args).envs(invocation.env).env(proc::RUN_MARK, mark.value());
    let is_set = |name: &str| proc::inherited(name).is_some() || runner.env.contains_key(name);
    for (name, value) in invocation.env_defaults {
        if !is_set(&name) {
            cmd.env(name, value);
        }
    }
    let folder = private::lay_out(invocation.private, &mut cmd, is_set)
        .map_err(|e| (Reason::Internal, format!("a folder of its own could not be made ({})", words(&e))))?;
    let session = invocation.session;
    cmd.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let oom_kills = proc::oom_kills();
    match Running::spawn(&mut cmd) {
        Ok(child) => {
            log::debug!("started {} as process {}", path.display(), child.id());
            let family = Family::new(mark, child.id());
            Ok(Started { child, family, oom_kills, folder, session })
        }
        Err(e) if proc::is_busy(&e) => Err((Reason::Internal, busy(&e))),
        Err(e) => {
            let detail = format!("{}: {}", path.display(), words(&e));
            Err(match e.kind() {
                // The file is there: its interpreter is not.
                io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => (Reason::CliMissing, detail),
                io::ErrorKind::InvalidInput | io::ErrorKind::ArgumentListTooLong => {
                    (Reason::Internal, detail)
                }
                _ => (Reason::CliUnsupported, detail),
            })
        }
    }
}

fn busy(e: &io::Error) -> String {
    format!("the system is busy, no process could be started ({})", words(e))
}

/// An error of the system without Rust's "(os error 2)".
fn words(e: &io::Error) -> String {
    let text = e.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn left_overs_are_those_of_other_instances() {
        assert!(is_left_over("abc:old:t1", "abc", "new"));
        assert!(!is_left_over("abc:new:t1", "abc", "new"));
        assert!(!is_left_over("abcd:old:t1", "abc", "new"), "another owner with a longer name");
        assert!(!is_left_over("abc:old", "abc", "new"), "not a marker of a turn");
    }
}
