//! The daemon: start-up as a list, the threads, the end.
//!
//! Threads: the caller's (the hub), `net`, `signals`, one per live session, and four small ones per running or kept
//! agent, and an idle watcher while an agent process is kept between turns.

mod commands;
pub mod connection;
mod context;
pub mod control;
mod effect;
mod event;
mod hub;
mod inbound;
mod language;
mod lifecycle;
mod outbound;
mod permissions;
mod scheduler;
mod tasks;
mod topic_choice;

use crate::agent::adapters;
use crate::agent::discovery::locate;
use crate::agent::pool::Pool;
use crate::agent::runner;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::http::proxy::Proxies;
use crate::secret::Secret;
use crate::session::messages::{Lang, Msg};
use crate::session::{Shared, SwitcherLock, file_upload};
use crate::store::lock::{self, Lock, LockError};
use crate::store::outbox::{Outbox, OutboxEntry, ReplyKind};
use crate::store::sent_files::SentFiles;
use crate::store::state::Record;
use crate::store::{Store, atomic};
use crate::sys::own_executable::ExecutableSnapshot;
use crate::sys::{id, signal, thread, time};
use crate::wire::e2e::E2eKey;
use connection::NetHandle;
use context::Context;
use crossbeam_channel::{Receiver, Sender};
use event::Event;
use hub::Hub;
use outbound::Outbound;
use outbound::http_worker::HttpWorker;
use outbound::uploads::Uploads;
use scheduler::Scheduler;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;
use std::time::Duration;

/// Events that may wait for the hub: as many as it takes in one round. When it is full the network thread and the agents
/// wait; the hub never does. The queue is memory from the start, so more room costs something even if it is never used.
const EVENTS: usize = 256;
/// The network thread may be stuck in a name look-up; the process then ends without it.
const NET_JOIN: Duration = Duration::from_secs(2);

/// How the daemon is run.
#[derive(Default)]
pub struct Options {
    /// Ends the daemon when this channel receives or its sender is dropped; signals work as well.
    pub stop: Option<Receiver<()>>,
    /// Reads the token again before each attempt to connect, so that a new one is picked up without a restart.
    pub token: Option<Box<dyn FnMut() -> Secret + Send>>,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").field("stop", &self.stop.is_some()).finish()
    }
}

/// How a run without an error has ended.
#[derive(Debug)]
pub enum DaemonEnding {
    /// The daemon was to stop.
    Finished,
    /// The program is to be started again: everything is on disk, the lock is free.
    Restart(ExecutableSnapshot),
}

/// Runs until a signal or `options.stop`. Blocks.
pub fn run(config: Config, options: Options) -> Result<DaemonEnding> {
    make_folders(&config)?;
    let _lock = take_lock(&config)?;
    let (events, inbox) = crossbeam_channel::bounded(EVENTS);
    listen(options.stop, &events)?;
    log::info!(
        target: "daemon",
        "wtt-connect {} for {} with {} in {}",
        env!("CARGO_PKG_VERSION"), config.agent_id, config.adapter, config.workdir.display()
    );
    let _socket = answer_commands(&config, &events);
    // dialling takes its round trips while the files are read; what arrives meanwhile waits in the queue
    let (net, net_thread) = connect(&config, options.token, &events)?;
    warn_when_mute(&config);
    let Restored { store, outbox, left, owner } = restore(&config)?;
    let host = Host::start(&config, Arc::new(net.clone())).map_err(thread_error)?;
    let (http, uploads) = (HttpWorker::new(events.clone()), Uploads::new(events.clone()));
    let scheduler = Scheduler::new(events, config.session_idle, config.max_agents);
    let pool = Pool::new(config.agent_idle, config.max_agents);
    let (draining, gate) = (AtomicBool::new(false), SwitcherLock::default());
    let (staging, sent_files) = (file_upload::staging_area(&config), SentFiles::new(&config.state_dir));
    let wanted = |copy: &str| left.iter().any(|entry| entry.staged_names().any(|other| other == copy));
    staging.remove_unreferenced(&wanted);
    let e2e = config.e2e_password.as_ref().map(|password| E2eKey::derive(password.expose()));
    let shared = Arc::new(Shared { config, outbox, owner, pool, draining, gate, staging, sent_files, e2e });
    let cx = Context::new(shared.clone(), store, net.clone());
    let outbound = Outbound::new(&cx, http, uploads, left);
    let mut hub = Hub::new(cx, inbox, scheduler, outbound, host);
    let mark = mark_of(&shared.config.state_dir);
    let code = hub.run();
    let again = hub.cx.lifecycle.restart_pending.then(|| hub.cx.lifecycle.self_update.image().clone());
    hub.host.end();
    lifecycle::shutdown::await_kept(&shared.pool);

    net.close();
    // with the hub goes the event channel: the network thread must not wait for room in it
    let mut store = hub.into_store();
    wait_for(net_thread);
    // also processes that detached from their turn: nothing else can stop them after this
    let swept = runner::sweep_left_over(&mark, "");
    if swept > 0 {
        log::info!(target: "daemon", "ended {swept} process(es) that agents had left running");
    }
    if let Err(error) = store.snapshot() {
        log::error!(target: "store", "cannot write the state: {error}");
    }
    log::info!(target: "daemon", "ended");
    match code {
        0 => Ok(again.map_or(DaemonEnding::Finished, DaemonEnding::Restart)),
        _ => Err(Error::Silent(code)),
    }
}

/// Opens the control socket. Without it the connector works; only the command line cannot ask it.
fn answer_commands(config: &Config, events: &Sender<Event>) -> Option<control::server::Socket> {
    control::server::listen(&config.state_dir, &mark_of(&config.state_dir), events.clone())
        .map_err(|error| log::warn!(target: "control", "`status` and `restart` cannot reach this connector: {error}"))
        .ok()
}

/// Signals and `options.stop` as events.
fn listen(stop: Option<Receiver<()>>, events: &Sender<Event>) -> Result<()> {
    let to_hub = events.clone();
    signal::spawn_handler(Box::new(move |signal| to_hub.send(Event::Signal(signal)).is_ok()))
        .map_err(thread_error)?;
    if let Some(stop) = stop {
        let events = events.clone();
        thread::spawn_small("stop", move || {
            let _ = stop.recv();
            let _ = events.send(Event::Stop);
        })
        .map_err(thread_error)?;
    }
    Ok(())
}

/// A missing CLI is no reason not to run: it may be installed at any time. The log says so before the first message does.
fn warn_when_mute(config: &Config) {
    let Some(spec) = adapters::find(&config.adapter) else { return };
    let command = config.commands.get(spec.name).map(Vec::as_slice).unwrap_or_default();
    if let Err(what) = locate::locate(spec, command) {
        let remedy = locate::remedy(spec, command);
        log::warn!(target: "daemon", "{} cannot answer: {what}; {remedy}", spec.title);
    }
}

fn connect(
    config: &Config,
    token: Option<Box<dyn FnMut() -> Secret + Send>>,
    events: &Sender<Event>,
) -> Result<(NetHandle, JoinHandle<()>)> {
    let same = config.token.clone();
    let net_config = connection::NetConfig {
        urls: connection::urls(&config.base_url, config.ws_url.as_deref(), &config.agent_id),
        token: token.unwrap_or_else(|| Box::new(move || same.clone())),
        ca_file: config.ca_file.clone(),
        proxies: Proxies::from_lookup(|name| config.variable(name)),
        timing: connection::Timing::from_env(),
    };
    connection::start(net_config, events.clone(), Event::Net).map_err(thread_error)
}

/// What an earlier run has left, put in order.
struct Restored {
    store: Store,
    outbox: Outbox,
    left: Vec<OutboxEntry>,
    owner: String,
}

fn restore(config: &Config) -> Result<Restored> {
    let mut store = Store::open(&config.store_file).map_err(|e| {
        Error::Config(format!("cannot use the state file {}: {e}", config.store_file.display()))
    })?;
    let folder = config.state_dir.join("outbox");
    let (outbox, mut left, poisoned) = Outbox::open(&folder)
        .map_err(|e| Error::Config(format!("cannot use the outbox {}: {e}", folder.display())))?;
    for note in store.repairs() {
        log::warn!(target: "store", "{note}");
    }
    if poisoned > 0 {
        log::warn!(target: "store", "{poisoned} unreadable outbox entries were moved to {}/failed", folder.display());
    }
    let (mark, instance) = (mark_of(&config.state_dir), id::hex());
    let swept = runner::sweep_left_over(&mark, &instance);
    if swept > 0 {
        log::warn!(target: "daemon", "ended {swept} process(es) that an earlier run had left behind");
    }
    permissions::close_left_over(&mut store, &outbox, &mut left)
        .map_err(|e| Error::Config(format!("cannot write to the outbox: {e}")))?;
    report_interrupted(&mut store, &outbox, &mut left)?;
    if store.state().caught_up_to == 0 {
        // the first start of this profile: what was said long before it is not for us
        store.record(Record::CaughtUp { at: time::now_ms() });
    }
    if !left.is_empty() {
        log::info!(target: "daemon", "{} reply(ies) of earlier runs to deliver", left.len());
    }
    Ok(Restored { store, outbox, left, owner: format!("{mark}:{instance}") })
}

fn make_folders(config: &Config) -> Result<()> {
    for folder in [&config.state_dir, &config.inbox_dir, &config.artifact_dir, &config.workdir] {
        atomic::make_private_folder(folder).map_err(|e| {
            let why = crate::error::reason(&e);
            Error::Config(format!("cannot create the folder {}: {why}; choose another one", folder.display()))
        })?;
    }
    Ok(())
}

fn take_lock(config: &Config) -> Result<Lock> {
    let path = config.state_dir.join("lock");
    lock::acquire(&path).map_err(|error| match error {
        LockError::Held(pid) => Error::TryAgain(format!(
            "{} is running already{}; stop that one first, or give this one its own WTT_CONNECT_STATE_DIR",
            config.profile.as_deref().unwrap_or(&config.agent_id),
            pid.map(|p| format!(" (pid {p})")).unwrap_or_default()
        )),
        LockError::Io(e) => Error::Config(format!("cannot lock {}: {e}", path.display())),
    })
}

/// What an unclean end left unanswered gets its one visible answer. Nothing is run again.
fn report_interrupted(store: &mut Store, outbox: &Outbox, left: &mut Vec<OutboxEntry>) -> Result<()> {
    // what has its reply was dealt with, also when the mark of it had not reached the disk
    let answered: Vec<&String> =
        left.iter().flat_map(|e| std::iter::once(&e.key).chain(&e.merged_keys)).collect();
    for key in answered.into_iter().filter(|key| !store.state().has_seen(key)).cloned().collect::<Vec<_>>() {
        store.record(Record::Seen { key });
    }
    let open = store.state().open.clone();
    for (key, turn) in open.iter().map(|(key, turn)| (key.clone(), turn)) {
        // added to a turn that had begun: its notice is for both
        let is_part =
            turn.merged_into.as_ref().and_then(|into| open.get(into)).is_some_and(|turn| turn.started);
        if !is_part && !left.iter().any(|entry| entry.key == key || entry.merged_keys.contains(&key)) {
            let lang = Lang::stored(turn.in_chinese);
            let mut text = crate::session::progress::formatter::interrupted(lang, turn.started);
            if turn.started && open.values().any(|other| other.merged_into.as_ref() == Some(&key)) {
                text.push_str(&Msg::FurtherToo.to(lang, &[]));
            }
            let reply_to = turn.reply_to.as_deref();
            let after =
                turn.task_id.as_ref().map(|task_id| crate::session::task::interrupted(task_id, &text));
            let mut entry =
                outbox.new_entry(&key, &turn.topic_id, reply_to, vec![text], ReplyKind::Interrupted);
            entry.follow_ups.extend(after);
            outbox.put(&entry).map_err(|e| Error::Config(format!("cannot write to the outbox: {e}")))?;
            left.push(entry);
        }
        store.record(Record::Finished { key });
    }
    tasks::answered::close_left_over(store, left);
    store.commit().map_err(|e| Error::Config(format!("cannot write the state: {e}")))
}

fn thread_error(error: std::io::Error) -> Error {
    Error::TryAgain(format!("cannot start a thread: {error}"))
}

fn wait_for(thread: JoinHandle<()>) {
    let (done, ended) = crossbeam_channel::bounded::<()>(0);
    let joined = thread::spawn_small("join", move || {
        let _ = thread.join();
        drop(done);
    });
    if joined.is_ok() {
        let _ = ended.recv_timeout(NET_JOIN);
    }
}

/// Names the processes of this profile across restarts: a hash of the state folder's path (FNV-1a).
fn mark_of(state_dir: &Path) -> String {
    let path = state_dir.canonicalize().unwrap_or_else(|_| state_dir.to_owned());
    let hash = path
        .as_os_str()
        .as_encoded_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3));
    format!("{hash:016x}")
}
