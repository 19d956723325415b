//! The hub: the one thread that owns the state of the daemon. It takes events, decides, and never waits for a
//! network, an agent or a session; its only blocking act is the commit of the journal, once per batch of events.

mod host_requests;

use crate::daemon::connection::NetHandle;
use crate::daemon::connection::link_state::LinkState;
use crate::daemon::event::Event;
use crate::daemon::inbound::catch_up::state::CatchUp;
use crate::daemon::inbound::late_attachments::LateAttachments;
use crate::daemon::inbound::ping_pong::PingPong;
use crate::daemon::language::TopicLanguages;
use crate::daemon::lifecycle::Lifecycle;
use crate::daemon::outbound::delivery::Delivery;
use crate::daemon::outbound::http_worker::HttpWorker;
use crate::daemon::outbound::progress_throttle::ProgressThrottle;
use crate::daemon::outbound::requests::{Purpose, Requests};
use crate::daemon::outbound::upload_waiters::UploadWaiters;
use crate::daemon::outbound::uploads::Uploads;
use crate::daemon::permissions::PermissionRequests;
use crate::daemon::scheduler::Scheduler;
use crate::daemon::tasks::Tasks;
use crate::host::Host;
use crate::session::turn::TurnEnd;
use crate::session::{SessionEvent, Shared};
use crate::store::Store;
use crate::store::outbox::{Entry, ReplyKind};
use crate::store::state::Record;
use crate::sys::fault_injection;
use crate::sys::signal::Signal;
use crate::wire::frame::{self, ActionResult, Frame};
use crate::wire::identity::Identity;
use crate::wire::message::TopicKind;
use crossbeam_channel::Receiver;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Changes that need not be durable at once are written together after this.
const COALESCE: Duration = Duration::from_millis(250);
/// Events handled before the batch is committed and dispatched.
const BATCH: usize = 256;
/// A disk that refuses is reported this often, not once per message.
const WARN_EVERY: Duration = Duration::from_secs(60);

/// The state of the running daemon.
pub(crate) struct Hub {
    pub(crate) shared: Arc<Shared>,
    pub(crate) store: Store,
    pub(crate) net: NetHandle,
    inbox: Receiver<Event>,
    pub(crate) me: Identity,
    pub(crate) link: LinkState,
    pub(crate) sessions: Scheduler,
    pub(crate) pingpong: PingPong,
    pub(crate) catch_up: CatchUp,
    pub(crate) files: LateAttachments,
    /// Kinds of the topics that the service has listed, for messages that do not say theirs.
    pub(crate) kinds: BTreeMap<String, TopicKind>,
    pub(crate) board: ProgressThrottle,
    pub(crate) tongues: TopicLanguages,
    pub(crate) delivery: Delivery,
    pub(crate) courier: HttpWorker,
    pub(crate) uploads: Uploads,
    pub(crate) cards: UploadWaiters,
    pub(crate) requests: Requests,
    pub(crate) tasks: Tasks,
    pub(crate) asks: PermissionRequests,
    pub(crate) drain: Option<crate::daemon::lifecycle::shutdown::Shutdown>,
    pub(crate) care: Lifecycle,
    pub(crate) host: Host,
    pub(crate) commit_now: bool,
    commit_by: Option<Instant>,
    warned: Option<Instant>,
    /// The outbox was full when last looked at.
    pub(crate) full: bool,
}

impl Hub {
    pub(crate) fn new(
        shared: Arc<Shared>,
        store: Store,
        net: NetHandle,
        inbox: Receiver<Event>,
        sessions: Scheduler,
        left: Vec<Entry>,
        (courier, uploads, host): (HttpWorker, Uploads, Host),
    ) -> Hub {
        let care = Lifecycle::new(shared.config.auto_reexec);
        let me = Identity {
            agent_id: shared.config.agent_id.clone(),
            display_name: None,
            aliases: shared.config.aliases.clone(),
        };
        let mut delivery = Delivery::default();
        for entry in left {
            match entry.kind {
                ReplyKind::Speech => uploads.speak_on(&shared, entry),
                _ => delivery.add(entry, true),
            }
        }
        Hub {
            shared,
            store,
            net,
            inbox,
            me,
            link: LinkState::default(),
            sessions,
            pingpong: PingPong::default(),
            catch_up: CatchUp::default(),
            files: LateAttachments::default(),
            kinds: BTreeMap::new(),
            board: ProgressThrottle::default(),
            tongues: TopicLanguages::default(),
            delivery,
            courier,
            uploads,
            cards: UploadWaiters::default(),
            requests: Requests::default(),
            tasks: Tasks::new(),
            asks: PermissionRequests::default(),
            drain: None,
            care,
            host,
            commit_now: false,
            commit_by: None,
            warned: None,
            full: false,
        }
    }

    /// Runs until a drain is complete. Returns the exit code.
    pub(crate) fn run(&mut self) -> u8 {
        loop {
            match self.next_event() {
                Some(event) => {
                    self.handle(event);
                    for _ in 0..BATCH {
                        match self.inbox.try_recv() {
                            Ok(event) => self.handle(event),
                            Err(_) => break,
                        }
                    }
                }
                None => log::trace!(target: "hub", "timer"),
            }
            let now = Instant::now();
            self.on_time(now);
            self.commit(now);
            let held = self.holds_back();
            self.sessions.dispatch(&self.shared, &self.store, held);
            for (topic, status) in self.sessions.waiting(now) {
                self.show_now(&topic, &status);
            }
            self.deliver(now);
            if let Some(code) = self.drained(now) {
                return code;
            }
        }
    }

    /// What is left after [`Hub::run`].
    pub(crate) fn into_store(mut self) -> Store {
        self.note_heard();
        self.store
    }

    fn next_event(&mut self) -> Option<Event> {
        let Some(deadline) = self.deadline() else { return self.inbox.recv().ok() };
        self.inbox.recv_deadline(deadline).ok()
    }

    fn deadline(&self) -> Option<Instant> {
        [
            self.requests.deadline(),
            self.board.deadline(),
            self.delivery.deadline().filter(|_| self.link.up_since.is_some()),
            self.sessions.deadline(),
            self.catch_up.deadline(),
            self.asks.deadline(),
            self.cards.deadline(),
            self.commit_by,
            self.parked_deadline(Instant::now()),
            self.drain.as_ref().map(|d| d.deadline()),
            self.care.deadline(),
            self.tasks.deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Net(event) => self.on_net(event),
            Event::Session(event) => self.on_session(event),
            Event::HttpOutcome(tag, posted) => self.on_posted(tag, posted),
            Event::Uploading(topic, text) => self.uploading(&topic, text),
            Event::FinishedUpload(filed) => self.on_filed(*filed),
            Event::Control(asked) => self.answer(asked),
            Event::Signal(Signal::Stop(number)) => self.stop_by(number),
            Event::Signal(Signal::Reload) => self.net.retry_now(),
            // after a signal the end of our owner's pipe is no second request
            Event::Stop if self.drain.is_some() && !self.care.again => {}
            Event::Stop => self.stop_by(0),
        }
    }

    pub(crate) fn on_frame(&mut self, text: &str) {
        fault_injection::panic_at("hub", text);
        match frame::decode(text) {
            Frame::Pong => {}
            Frame::Result(result) => self.on_result(result),
            Frame::Message(message) => self.on_message(*message),
            Frame::Request { kind, request_id, .. } => self.on_request(&kind, &request_id),
            Frame::Host(call) => self.host.handle_call(*call),
            Frame::TaskStatus(fields) => self.on_task_status(&fields),
            Frame::Other(kind) => log::debug!(target: "hub", "ignored a frame of type `{kind}`"),
        }
    }

    fn on_result(&mut self, result: ActionResult) {
        let Some(purpose) = result.request_id.as_deref().and_then(|id| self.requests.settle(id)) else {
            return self.host.on_action_result(&result);
        };
        let error = || result.error.clone().unwrap_or_else(|| "no reason given".to_owned());
        match (purpose, result.ok) {
            (Purpose::Publish { seq, part }, true) => {
                let action = self.delivery.accepted(seq, part);
                self.act(action);
            }
            (Purpose::Publish { seq, part }, false) => {
                log::warn!(target: "hub", "the service refused a reply: {}", error());
                let action = self.delivery.refused(seq, part, &error(), Instant::now());
                self.act(action);
            }
            (Purpose::Lookup { seq }, true) => {
                let action = self.look_up(seq, &result.data);
                self.act(action);
            }
            (Purpose::Lookup { seq }, false) => self.delivery.lookup_refused(seq),
            (Purpose::Poll, true) => self.on_missed(&result.data),
            (Purpose::Poll, false) => log::debug!(target: "hub", "poll: {}", error()),
            (Purpose::Topics, _) => self.on_topics(&result.data),
            (Purpose::Missed { topic }, _) => self.on_history(topic, &result.data),
            (Purpose::Attachments { number }, _) => self.on_files(number, &result.data),
        }
    }

    fn on_time(&mut self, now: Instant) {
        for purpose in self.requests.expired(now) {
            match purpose {
                Purpose::Publish { seq, .. } | Purpose::Lookup { seq } => self.delivery.unanswered(seq),
                Purpose::Poll => log::debug!(target: "hub", "the service did not answer `poll`"),
                Purpose::Topics => self.on_topics(&serde_json::Value::Null),
                Purpose::Missed { topic } => self.on_history(topic, &serde_json::Value::Null),
                Purpose::Attachments { number } => self.on_files(number, &serde_json::Value::Null),
            }
        }
        for (topic, status) in self.board.due(now) {
            self.send_status(&topic, &status, now);
        }
        for message in self.catch_up.expired(now) {
            self.take_with_files(&message);
        }
        self.sessions.end_idle(now);
        self.look_at_asks(now);
        for seq in self.cards.look(now) {
            self.delivery.not_awaited(seq);
        }
        self.run_parked();
        self.look_at_tasks(now);
        self.look_after(now);
        if self.commit_by.is_some_and(|at| at <= now) {
            self.commit_now = true;
        }
    }

    /// Makes the batch durable if something in it must be. A disk that refuses does not stop the work.
    fn commit(&mut self, now: Instant) {
        if !self.store.dirty() {
            (self.commit_now, self.commit_by) = (false, None);
            return;
        }
        if !self.commit_now {
            self.commit_by.get_or_insert(now + COALESCE);
            return;
        }
        (self.commit_now, self.commit_by) = (false, None);
        let committed = self.store.commit();
        if committed.is_ok() {
            self.disk_refuses(None);
        }
        if let Err(error) = committed {
            self.commit_by = Some(now + WARN_EVERY);
            self.disk_refuses(Some(error.to_string()));
            if self.warned.is_none_or(|at| now > at + WARN_EVERY) {
                self.warned = Some(now);
                log::error!(target: "store", "cannot write the state: {error}; going on from memory");
            }
        }
    }

    fn on_session(&mut self, event: SessionEvent) {
        match event {
            SessionEvent::TurnStarted { scope, turn_id } => {
                let key = self.sessions.began(&scope, turn_id);
                // most turns begin at once and were recorded as begun when they were accepted
                let is_new =
                    |key: &String| self.store.state().open.get(key).is_some_and(|turn| !turn.started);
                if let Some(key) = key.filter(is_new) {
                    self.store.record(Record::Started { key });
                    self.commit_now = true;
                }
            }
            SessionEvent::Status { topic_id, turn_id, status } => {
                if self.sessions.is_live(turn_id) {
                    self.show(&topic_id, status);
                }
            }
            SessionEvent::Remember { key, row } => self.store.record(Record::Session { key, row }),
            SessionEvent::Forget { key } => self.store.record(Record::Forget { key }),
            SessionEvent::SetAside { key } => self.store.record(Record::Shelve { key }),
            SessionEvent::Steered { scope, key, fate } => self.steered(&scope, &key, fate),
            SessionEvent::Used { scope, adapter, usage } => self.count_tokens(&scope, adapter, usage),
            SessionEvent::Asked(asked) => self.on_asked(*asked),
            SessionEvent::Withdrawn { turn_id, id } => self.on_withdrawn(turn_id, &id),
            SessionEvent::Decided { asked, decision } => self.on_decided(&asked, &decision),
            SessionEvent::Revoke { scope } => self.store.record(Record::Revoke { key: scope.to_string() }),
            SessionEvent::Spoken { entry } => self.delivery.add(*entry, false),
            SessionEvent::Ended { scope, ended, entry, on_disk } => {
                self.note_answer(&scope, ended.turn_id);
                if let Some(over) = self.sessions.ended(&scope, ended.turn_id) {
                    let (number, word) = (ended.turn_id, ended.end.word());
                    log::info!(target: "hub", "turn {number} in {scope}: {word} after {:.1?}", over.took);
                    for (key, message) in std::iter::once((ended.key, over.message)).chain(over.also) {
                        if let TurnEnd::Parked { until } = ended.end {
                            self.park(&key, &scope, until, message);
                        }
                        if on_disk {
                            self.store.record(Record::Finished { key });
                        }
                    }
                }
                self.close_asks_of(ended.turn_id);
                self.board.clear(&entry.topic_id);
                self.add_reply(&ended.end, *entry);
                self.host.on_turn_ended(self.usage_totals());
            }
        }
    }
}
