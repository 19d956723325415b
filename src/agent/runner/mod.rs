//! The single process runner: spawn, feed, read, time limits, cancel ladder, sweep. Runs on the session's thread.
//!
//! Two reader threads, a writer and a watcher only move lines and facts into one bounded channel; every decision,
//! signal and reaping is made by the loop in `runner/turn.rs`. A turn has exactly one [`Report`], and it comes only
//! when nothing of the turn is left. An agent that serves further turns is handed to the [`pool`] in between.

mod accounting;
mod completion;
mod delayed_input;
mod home_overlay;
mod images;
mod pipes;
mod post_turn;
pub(crate) mod process;
mod steering;
mod temp_dir;
mod termination;
mod turn;

use crate::agent::adapter::{AdapterSpec, LaunchContext};
use crate::agent::dialect::{Dialect, Effects};
use crate::agent::discovery::locate;
use crate::agent::discovery::locate::Program;
use crate::agent::outcome::{AgentOutcome, Reason, SessionAction, TurnReport};
use crate::agent::permission::{Decision, PermissionPolicy, PermissionRequest};
use crate::agent::pool::{Pool, PoolKey};
use crate::agent::runner::accounting::Book;
use crate::agent::runner::completion::Over;
use crate::agent::runner::process::Process;
pub use crate::agent::runner::steering::{SteerOutcome, SteeringMessage};
use crate::agent::runner::turn::Turn;
use crate::agent::{AgentEvent, TurnRequest, Usage};
use crate::config::Limits;
use crate::secret::Secret;
use crate::sys::child_process::{self, ChildGroup};
use crate::sys::id;
use crate::sys::os;
use crate::sys::process_tree::{self, OwnerTag, ProcessTree};
use crossbeam_channel::Receiver;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// A request to a running turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    /// The user stops the turn: the agent is asked, then the polite ladder, all gone within 10 s (aim 3 s).
    Cancel,
    /// The daemon is shutting down: the same, faster.
    Shutdown,
    /// At once: SIGKILL.
    Kill,
    /// What people say to a question of [`Progress::Ask`]; one that is not open any more is passed over.
    Answer {
        /// [`Ask::id`].
        id: String,
        /// What was decided.
        decision: Decision,
    },
}

/// Where the agent's process stays after the turn, if its dialect can serve another one.
#[derive(Debug, Clone, Copy)]
pub struct KeepProcess<'a> {
    /// The kept processes of the daemon. It also counts the running ones.
    pub pool: &'a Pool,
    /// The session whose turns a process serves; one process each.
    pub session: &'a str,
}

/// What the runner needs besides the request.
#[derive(Debug)]
pub struct Runner<'a> {
    /// The adapter.
    pub spec: &'a AdapterSpec,
    /// Program and leading arguments (`WTT_CONNECT_<ADAPTER>_COMMAND`); found on PATH by the spec when empty.
    pub command: &'a [String],
    /// Variables for the agent that our own environment does not have (API keys, proxies of an env file).
    pub env: &'a BTreeMap<String, Secret>,
    /// Time limits.
    pub limits: Limits,
    /// Owner marker for the sweep: profile and instance, e.g. `<state dir hash>:<instance>`.
    pub owner: &'a str,
    /// Cancel and shutdown.
    pub control: &'a Receiver<Control>,
    /// Further messages for the turn; [`Progress::Steered`] says what became of each. What is still in it when the
    /// turn is over was not taken.
    pub steers: &'a Receiver<SteeringMessage>,
    /// Thread totals of the last turn of this session (codex counts per thread).
    pub usage_before: Option<Usage>,
    /// When the session to resume was last opened, milliseconds since the epoch, for agents that cannot load one twice
    /// in a minute.
    pub opened_at: Option<i64>,
    /// Where to keep a process that can stay; `None` ends each with its turn.
    pub keep_process: Option<KeepProcess<'a>>,
    /// Rules on what the agent asks.
    pub policy: &'a dyn PermissionPolicy,
}

impl Runner<'_> {
    /// Whether a process that speaks so may serve further turns.
    fn can_stay(&self, dialect: &dyn Dialect) -> bool {
        dialect.keeps_process() && self.keep_process.is_some_and(|keep| keep.pool.is_open())
    }
}

/// What the runner reports while it works.
#[derive(Debug)]
pub enum RunnerEvent {
    /// An event of the agent.
    Agent(AgentEvent),
    /// Nothing happened for [`BEAT`]; a chance to renew the typing status.
    Heartbeat,
    /// The agent waits for [`Control::Answer`], because a rule wants people to be asked (its words). Meanwhile only
    /// the total limit runs.
    PermissionRequested(PermissionRequest, String),
    /// A question was decided without people, by this rule.
    PermissionDecided(PermissionRequest, Decision, String),
    /// The agent does not wait for this answer any more.
    PermissionWithdrawn(String),
    /// What became of a further message.
    Steered {
        /// [`Steer::id`].
        id: String,
        /// What became of it.
        outcome: SteerOutcome,
    },
}

/// The variable with the turn that a process serves, where the environment for the agent has it.
pub const TURN_VARIABLE: &str = "WTT_CONNECT_TURN";
/// Its value in a process that may serve further turns: whichever runs.
pub const CURRENT_TURN: &str = "current";

/// Below the 30 s after which the web may drop a typing status.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(20);

/// Runs one turn to its only end. Blocks; call it on the session's thread. When it returns, no process of the turn is left
/// (but for those that left their session on purpose after a normal end, and the agent itself where it is kept).
///
/// A session that the CLI no longer knows is given up once, visibly ([`AgentEvent::FreshSession`]), and the turn runs again.
/// A kept process that has died is replaced by a new one that resumes; nobody notices.
pub fn run(runner: &Runner<'_>, request: &TurnRequest, on: &mut dyn FnMut(RunnerEvent)) -> TurnReport {
    let total_until = Instant::now() + runner.limits.total;
    let with_images = (runner.spec.image_data && !request.images.is_empty()).then(|| images::read(request));
    let request = with_images.as_ref().unwrap_or(request);
    let who = runner.keep_process.map(|keep| PoolKey {
        session: keep.session.to_owned(),
        start: start_of(runner, request),
        native: request.resume.clone(),
    });
    let (seat, kept) = match runner.keep_process.zip(who.as_ref()).map(|(keep, who)| keep.pool.acquire(who)) {
        Some((seat, kept)) => (Some(seat), kept),
        None => (None, None),
    };
    let first = steering::with(request, &steering::before(runner, on));
    let kept = kept.map(|process| go_on(runner, &first, process, total_until, on));
    let mut over = match kept {
        Some(over) if !over.unheard => retry(runner, &first, over, total_until, on),
        unheard => {
            let told = unheard.map(|over| over.taken).unwrap_or_default();
            let request = steering::with(&first, &told);
            whole(runner, &request, total_until, runner.usage_before, on)
        }
    };
    let mut earlier = steering::Earlier::default();
    let mut texts = Vec::new();
    while !over.more.is_empty() && !matches!(over.report.outcome, AgentOutcome::Failed { .. }) {
        earlier.keep(&over);
        texts.append(&mut over.taken);
        texts.append(&mut over.more);
        texts.extend(steering::before(runner, on));
        let request = steering::again(&first, over.report.session.take(), &texts);
        over = whole(runner, &request, total_until, over.report.usage_total, on);
    }
    earlier.add_to(&mut over);
    if let (Some(seat), Some(who), Some(process)) = (seat, who, over.kept) {
        seat.release(PoolKey { native: over.report.session.clone(), ..who }, process);
    }
    over.report
}

/// A process of its own, and another one if the session is not known any more.
fn whole(
    runner: &Runner<'_>,
    request: &TurnRequest,
    total_until: Instant,
    usage_before: Option<Usage>,
    on: &mut dyn FnMut(RunnerEvent),
) -> Over {
    let over = attempt(runner, request, total_until, usage_before, on);
    retry(runner, request, over, total_until, on)
}

/// Once more in a fresh session, when the CLI did not know the one to resume.
fn retry(
    runner: &Runner<'_>,
    request: &TurnRequest,
    over: Over,
    total_until: Instant,
    on: &mut dyn FnMut(RunnerEvent),
) -> Over {
    let AgentOutcome::Failed { reason, detail, .. } = &over.report.outcome else { return over };
    if request.resume.is_none() || reason.session_action() != SessionAction::ForgetAndRetry {
        return over;
    }
    on(RunnerEvent::Agent(AgentEvent::FreshSession(detail.clone())));
    let prompt = request.fresh_prompt.clone().unwrap_or_else(|| request.prompt.clone());
    let fresh = TurnRequest { resume: None, fresh_prompt: None, prompt, ..request.clone() };
    let told = [over.taken, over.more].concat();
    attempt(runner, &steering::with(&fresh, &told), total_until, None, on)
}

/// Everything that is fixed when the process is started, in one text.
fn start_of(runner: &Runner<'_>, request: &TurnRequest) -> String {
    let program = locate::locate(runner.spec, runner.command);
    let TurnRequest { workdir, model, effort, mode, transport, .. } = request;
    format!("{program:?} {workdir:?} {model:?} {effort:?} {mode:?} {transport:?}")
}

/// Ends what an earlier, crashed instance of this owner left running (marker in /proc/*/environ), and removes the folders
/// of its turns. Returns how many processes that were.
///
/// Everything of other instances goes, also what had left its session on purpose: after a crash nobody can tell
/// which tool was meant to stay, and a service manager ends all of them anyway.
pub fn sweep_left_over(owner_prefix: &str, instance: &str) -> usize {
    let ended = process_tree::terminate_leftovers(|mark| is_left_over(mark, owner_prefix, instance));
    temp_dir::remove_left_over(owner_prefix);
    ended
}

/// `<owner prefix>:<instance>:<turn>` of another instance.
fn is_left_over(mark: &str, owner_prefix: &str, instance: &str) -> bool {
    let rest = mark.strip_prefix(owner_prefix).and_then(|rest| rest.strip_prefix(':'));
    rest.and_then(|rest| rest.split_once(':')).is_some_and(|(other, _turn)| other != instance)
}

/// Whether somebody has stopped the turn before its agent had anything to do.
fn is_stopped(runner: &Runner<'_>) -> bool {
    runner.control.try_recv().is_ok()
}

/// A turn of a process that has served others.
fn go_on(
    runner: &Runner<'_>,
    request: &TurnRequest,
    mut process: Process,
    total_until: Instant,
    on: &mut dyn FnMut(RunnerEvent),
) -> Over {
    let mut book = Book::new(request, runner.usage_before);
    if is_stopped(runner) {
        let report = book.report(AgentOutcome::Cancelled { partial: String::new() });
        return Over { kept: Some(process), ..Over::without(report) };
    }
    log::debug!("going on with process {}", process.child.id());
    process.renew();
    let mut effects = Effects::default();
    process.dialect.next_turn(request, &mut effects);
    Turn::new(process, runner, request.mode, true).drive(effects, runner, total_until, &mut book, on)
}

/// One process, from spawn to sweep or until it is kept.
fn attempt(
    runner: &Runner<'_>,
    request: &TurnRequest,
    total_until: Instant,
    usage_before: Option<Usage>,
    on: &mut dyn FnMut(RunnerEvent),
) -> Over {
    let mut dialect = (runner.spec.dialect)(request);
    let mut book = Book::new(request, usage_before);
    let mut effects = Effects::default();
    dialect.start(&mut effects);
    if let Some(refused) = effects.outcome.take() {
        return Over::without(book.report(refused));
    }
    // A message can be cancelled before its agent exists.
    if is_stopped(runner) {
        return Over::without(book.report(AgentOutcome::Cancelled { partial: String::new() }));
    }
    let fresh_id = id::uuid_v4();
    let host = LaunchContext { fresh_id: &fresh_id, is_root: os::is_root() };
    match start(runner, request, &host, dialect) {
        Ok((process, session)) => {
            if let Some(id) = session {
                book.chosen(&id);
                on(RunnerEvent::Agent(AgentEvent::Session(id)));
            }
            let turn = Turn::new(process, runner, request.mode, false);
            let mut over = turn.drive(effects, runner, total_until, &mut book, on);
            post_turn::complete(runner, request, &host, &mut over.report);
            over
        }
        Err((reason, detail)) => {
            Over::without(book.report(AgentOutcome::Failed { reason, detail, partial: String::new() }))
        }
    }
}

fn start(
    runner: &Runner<'_>,
    request: &TurnRequest,
    host: &LaunchContext<'_>,
    dialect: Box<dyn Dialect>,
) -> Result<(Process, Option<String>), (Reason, String)> {
    let workdir = &request.workdir;
    os::check_dir(workdir)
        .map_err(|e| (Reason::WorkdirUnusable, format!("{}: {}", workdir.display(), words(&e))))?;
    let Program { path, leading } =
        locate::locate(runner.spec, runner.command).map_err(|what| (Reason::CliMissing, what))?;
    let invocation = (runner.spec.invoke)(request, host);
    let mark = OwnerTag::new(runner.owner, &id::hex());
    let mut cmd = child_process::command(&path, workdir);
    for (name, value) in runner.env.iter().filter(|(name, _)| !child_process::is_scrubbed(OsStr::new(name))) {
        cmd.env(name, value.expose());
    }
    if runner.can_stay(&*dialect) && runner.env.get(TURN_VARIABLE).is_some() {
        cmd.env(TURN_VARIABLE, CURRENT_TURN);
    }
    cmd.args(leading)
        .args(invocation.args)
        .envs(invocation.env)
        .env(child_process::OWNER_TAG_VARIABLE, mark.as_str());
    let set = |name: &str| match runner.env.get(name) {
        Some(value) => Some(value.expose().into()),
        None => child_process::inherited_variable(name),
    };
    for (name, value) in invocation.env_defaults {
        if set(&name).is_none() {
            cmd.env(name, value);
        }
    }
    let folder = temp_dir::lay_out(runner.owner, invocation.temp_dir_entries, &mut cmd, set)
        .map_err(|e| (Reason::Internal, format!("a folder of its own could not be made ({})", words(&e))))?;
    cmd.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    match ChildGroup::spawn(&mut cmd) {
        Ok(child) => {
            // the count before: read while the agent is still being loaded, not while it is waited for
            let oom_kills = os::oom_kills();
            log::debug!("started {} as process {}", path.display(), child.id());
            let tree = ProcessTree::new(mark, child.id());
            let process = Process::new(tree, child, dialect, oom_kills, folder);
            process
                .map(|process| (process, invocation.chosen_session))
                .map_err(|e| (Reason::Internal, busy(&e)))
        }
        Err(e) if os::is_resource_shortage(&e) => Err((Reason::Internal, busy(&e))),
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
