//! The keeper's loop: who may open what, when output is sent, when a terminal is over.

use crate::config::ShellMode;
use crate::host::event::{FrameSink, HostEvent};
use crate::host::flow_control::FlowControl;
use crate::host::settings::HostSettings;
use crate::host::terminal::{Terminal, TerminalEnd};
use crate::host::{runtime, shell};
use crate::sys::id;
use crate::wire::host_frames::{self, DISABLED, HostAction, HostRequest, TerminalSize};
use crossbeam_channel::{Receiver, Sender};
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Open at a time: each is a window that somebody looks at.
const MAX_TERMINALS: usize = 10;
/// Commands at a time; the web sends one and waits.
const MAX_JOBS: usize = 4;
/// No output is sent while more than this waits for the socket: a reply behind it is late by some milliseconds.
const MAX_SOCKET_BACKLOG_BYTES: usize = 64 * 1024;
/// How soon to look again whether the socket has taken it.
const BACKLOG_RECHECK: Duration = Duration::from_millis(4);
/// Events handled before the terminals get their turn.
const MAX_EVENTS_PER_ROUND: usize = 64;

pub(super) struct HostManager {
    settings: HostSettings,
    out: Arc<dyn FrameSink>,
    event_sender: Sender<HostEvent>,
    terminals: Vec<(u64, Terminal)>,
    jobs: Vec<(u64, shell::ChildStopper)>,
    runtime: runtime::RuntimeInfo,
    flow_control: FlowControl,
    counter: u64,
    /// Since when there is no connection.
    disconnected_since: Option<Instant>,
    is_shutting_down: bool,
    has_warned: bool,
}

impl HostManager {
    pub(super) fn new(
        settings: HostSettings,
        out: Arc<dyn FrameSink>,
        to_itself: Sender<HostEvent>,
    ) -> HostManager {
        let runtime = runtime::RuntimeInfo::new(&settings, to_itself.clone());
        HostManager {
            settings,
            out,
            event_sender: to_itself,
            terminals: Vec::new(),
            jobs: Vec::new(),
            runtime,
            flow_control: FlowControl::new(),
            counter: 0,
            disconnected_since: Some(Instant::now()),
            is_shutting_down: false,
            has_warned: false,
        }
    }

    pub(super) fn run(mut self, inbox: &Receiver<HostEvent>, open: &AtomicUsize) {
        let mut next = None;
        loop {
            let first = match next {
                Some(at) => inbox.recv_deadline(at).ok(),
                None => inbox.recv().ok(),
            };
            for event in first.into_iter().chain(inbox.try_iter().take(MAX_EVENTS_PER_ROUND)) {
                self.handle(event);
            }
            next = self.run_due(Instant::now());
            open.store(self.terminals.len(), Ordering::Relaxed);
            if self.is_shutting_down && self.terminals.is_empty() && self.jobs.is_empty() {
                return;
            }
        }
    }

    fn handle(&mut self, event: HostEvent) {
        let now = Instant::now();
        match event {
            HostEvent::Call(call) => self.handle_call(*call),
            HostEvent::Connection(up) => {
                let was_down = self.disconnected_since.is_some();
                self.disconnected_since = if up { None } else { self.disconnected_since.or(Some(now)) };
                if up && was_down {
                    // seen twice is better than never seen
                    for frame in self.flow_control.unconfirmed_frames() {
                        self.send_terminal_frame(&frame);
                    }
                    self.terminals.iter().for_each(|(_, t)| t.redraw());
                }
                self.runtime.link(up);
            }
            HostEvent::TurnEnded(usage) => self.runtime.run_git_status(usage, now),
            HostEvent::RuntimeInfoRefused => self.runtime.on_refused(),
            HostEvent::Git(git) => {
                for frame in self.runtime.git(git) {
                    self.out.send(frame);
                }
            }
            // what there is to send is seen in each round
            HostEvent::Output => {}
            HostEvent::Exited(number, code) => {
                if let Some((_, terminal)) = self.terminals.iter_mut().find(|(n, _)| *n == number) {
                    terminal.exited(code, now);
                }
            }
            HostEvent::JobDone(number) => self.jobs.retain(|(n, _)| *n != number),
            HostEvent::Shutdown => {
                self.is_shutting_down = true;
                self.terminals.iter_mut().for_each(|(_, t)| t.hang_up(now));
                self.jobs.iter().for_each(|(_, stop)| stop.stop());
            }
        }
    }

    fn handle_call(&mut self, call: HostRequest) {
        match &call.ask {
            HostAction::Runtime => {
                let frame = self.runtime.ask(call);
                self.send(frame);
            }
            HostAction::Unclear(why) => self.send(call.refuse("bad_request", why)),
            _ if !self.settings.shell.enabled => {
                self.warn_once();
                let why = "Terminal and shell are off on this machine; its owner can switch them on with \
                    WTT_CONNECT_ENABLE_SHELL=1.";
                self.refuse(&call, DISABLED, why);
            }
            HostAction::Shell { .. } => self.run_job(call),
            HostAction::Open { session, size, cwd } => {
                let session = session.clone().unwrap_or_else(id::hex);
                let (size, cwd) = (*size, self.resolve_cwd(cwd.as_deref()));
                self.open(&call, session, size, cwd);
            }
            HostAction::Input { session, .. }
            | HostAction::Resize { session, .. }
            | HostAction::Close { session } => {
                let Some(terminal) =
                    self.terminals.iter_mut().map(|(_, t)| t).find(|t| t.session == *session)
                else {
                    return self.refuse(&call, "no_such_terminal", "This terminal is not open any more.");
                };
                let fields = json!({ "session_id": session });
                match &call.ask {
                    HostAction::Input { keys, .. } if !terminal.input(keys.clone()) => {
                        let why = "The program in the terminal does not read; these keys were dropped.";
                        return self.refuse(&call, "busy", why);
                    }
                    HostAction::Resize { size, .. } => terminal.resize(*size),
                    HostAction::Close { .. } => terminal.hang_up(Instant::now()),
                    _ => {}
                }
                let frame = call.answer(true, fields);
                self.send(frame);
            }
        }
    }

    fn open(&mut self, call: &HostRequest, session: String, size: TerminalSize, cwd: PathBuf) {
        let fields = json!({ "session_id": session, "data": { "session_id": session } });
        if let Some((_, terminal)) = self.terminals.iter_mut().find(|(_, t)| t.session == session) {
            // asked again, after a lost answer
            terminal.resize(size);
            return self.send(call.answer(true, fields));
        }
        if self.is_shutting_down || self.terminals.len() >= MAX_TERMINALS {
            let why = format!("{MAX_TERMINALS} terminals are open on this machine; close one first.");
            return self.refuse_open(call, &session, "too_many_terminals", &why);
        }
        self.counter += 1;
        let opened = Terminal::open(
            self.counter,
            session.clone(),
            &cwd,
            size,
            &self.settings.base_url,
            &self.event_sender,
        );
        match opened {
            Ok(terminal) => {
                log::info!(target: "host", "terminal {} opened in {}", self.counter, cwd.display());
                self.terminals.push((self.counter, terminal));
                self.send(call.answer(true, fields));
            }
            Err(why) => {
                log::warn!(target: "host", "{why}");
                self.refuse_open(call, &session, "cannot_open", &why);
            }
        }
    }

    /// The workdir, or a folder in it.
    fn resolve_cwd(&self, asked: Option<&str>) -> PathBuf {
        let workdir = &self.settings.workdir;
        let inside = asked.and_then(|cwd| workdir.join(cwd).canonicalize().ok());
        let inside = inside.filter(|cwd| workdir.canonicalize().is_ok_and(|base| cwd.starts_with(base)));
        inside.filter(|cwd| cwd.is_dir()).unwrap_or_else(|| workdir.clone())
    }

    fn run_job(&mut self, call: HostRequest) {
        let settings = &self.settings;
        let HostAction::Shell { command, timeout, cwd } = &call.ask else { return };
        let why = match settings.shell.mode {
            ShellMode::Off => {
                Some((DISABLED, "Shell commands are off on this machine: WTT_CONNECT_SHELL_MODE is off."))
            }
            _ if self.is_shutting_down || self.jobs.len() >= MAX_JOBS => {
                Some(("busy", "Too many commands run at once; try again later."))
            }
            _ => None,
        };
        if let Some((error, why)) = why {
            return self.refuse(&call, error, why);
        }
        let job = shell::ShellJob {
            command: command.clone(),
            readonly: settings.shell.mode == ShellMode::Readonly,
            cwd: self.resolve_cwd(cwd.as_deref()),
            base_url: settings.base_url.clone(),
            timeout: timeout.unwrap_or(settings.shell.timeout).min(settings.shell.timeout),
            max_chars: settings.shell.max_chars,
        };
        self.counter += 1;
        let number = self.counter;
        let (out, over) = (self.out.clone(), self.event_sender.clone());
        match shell::start(job, call.clone(), out, move || drop(over.send(HostEvent::JobDone(number)))) {
            Ok(stop) => self.jobs.push((number, stop)),
            Err(e) => self.refuse(&call, "busy", &format!("cannot start a thread: {e}")),
        }
    }

    fn refuse(&self, call: &HostRequest, error: &str, why: &str) {
        match &call.ask {
            HostAction::Open { session: Some(session), .. } | HostAction::Input { session, .. } => {
                self.refuse_open(call, session, error, why);
            }
            _ => self.send(call.refuse(error, why)),
        }
    }

    /// The page shows the error of a terminal, and a program reads the answer: both are told.
    fn refuse_open(&self, call: &HostRequest, session: &str, error: &str, why: &str) {
        self.send(call.refuse(error, why));
        self.send(Some(host_frames::error(session, error, why)));
    }

    fn send(&self, frame: Option<String>) {
        if let Some(frame) = frame {
            self.out.send(frame);
        }
    }

    /// A frame that belongs to what a terminal shows: in order, and again after a cut.
    fn send_terminal_frame(&mut self, frame: &str) {
        self.flow_control.record_sent(frame);
        self.out.send(frame.to_owned());
    }

    /// Sends the ping that is due.
    fn send_due_probe(&mut self) {
        if self.disconnected_since.is_none()
            && !self.terminals.is_empty()
            && let Some(number) = self.flow_control.next_probe(Instant::now())
        {
            self.out.send_ping(number);
        }
    }

    fn warn_once(&mut self) {
        let level =
            if std::mem::replace(&mut self.has_warned, true) { log::Level::Debug } else { log::Level::Warn };
        log::log!(target: "host", level, "refused a terminal or a shell command: WTT_CONNECT_ENABLE_SHELL is off");
    }

    /// What is due now; when to come again.
    fn run_due(&mut self, now: Instant) -> Option<Instant> {
        let mut next: Option<Instant> = None;
        let mut again = |at: Option<Instant>| {
            if let Some(at) = at {
                next = Some(next.map_or(at, |n| n.min(at)));
            }
        };
        let times = self.settings.times;
        again(self.runtime.check_repository(now, times.glance));
        let deaf_at = self.disconnected_since.map(|since| since + times.grace);
        let deaf = self.is_shutting_down || deaf_at.is_some_and(|at| now >= at);
        if !self.terminals.is_empty() {
            again(deaf_at.filter(|_| !deaf));
        }
        self.flow_control.on_pong(self.out.last_ping_reply(), now);
        let (mut over, mut shown) = (Vec::new(), Vec::new());
        let mut room = self.flow_control.available_bytes();
        for (number, terminal) in &mut self.terminals {
            if deaf {
                terminal.hang_up(now);
            }
            // without a connection output waits; after the grace period nobody will want it
            let due = terminal.next_send_at().filter(|_| self.disconnected_since.is_none() || deaf);
            match due {
                Some(at) if at > now => again(Some(at)),
                Some(_) if self.disconnected_since.is_some() => {
                    terminal.take_chunk(now, usize::MAX);
                    again(terminal.next_send_at().map(|at| at.max(now)));
                }
                Some(_) if room == 0 || self.out.backlog() > MAX_SOCKET_BACKLOG_BYTES => {
                    again(Some(now + BACKLOG_RECHECK))
                }
                Some(_) => {
                    let piece = terminal.take_chunk(now, room);
                    room = room.saturating_sub(piece.len().max(room / 4));
                    if !piece.is_empty() {
                        shown.push(host_frames::output(&terminal.session, &piece));
                    }
                    again(terminal.next_send_at().map(|at| at.max(now)));
                }
                None => {}
            }
            match terminal.idle_deadline(&times) {
                Some(at) if now >= at => {
                    let note = "\r\n[wtt-connect: closed, because it was not used for long]\r\n";
                    shown.push(host_frames::output(&terminal.session, note));
                    terminal.hang_up(now);
                }
                at => again(at),
            }
            again(terminal.escalate_termination(now).filter(|at| *at > now));
            if let Some(how) = terminal.end_if_finished(now) {
                over.push((*number, how));
            }
        }
        if !shown.is_empty() {
            // who was first is last in the next round
            self.terminals.rotate_left(1);
        }
        for frame in shown {
            self.send_terminal_frame(&frame);
        }
        for (number, how) in over {
            self.close(number, how);
        }
        if next.is_none_or(|at| at > now) {
            self.send_due_probe();
        }
        next
    }

    fn close(&mut self, number: u64, how: TerminalEnd) {
        let Some(at) = self.terminals.iter().position(|(n, _)| *n == number) else { return };
        let (_, terminal) = self.terminals.remove(at);
        let session = &terminal.session;
        match how {
            TerminalEnd::Exited(code) => {
                log::info!(target: "host", "terminal {number} ended with code {code}");
                self.send_terminal_frame(&host_frames::exit(session, code));
            }
            TerminalEnd::NeverStarted => {
                let why = "The login shell ended at once; see SHELL in the environment of the connector.";
                log::warn!(target: "host", "terminal {number}: {why}");
                self.send_terminal_frame(&host_frames::error(session, "cannot_open", why));
                self.send_terminal_frame(&host_frames::exit(session, 127));
            }
        }
        terminal.close();
    }
}
