//! The live sessions and their turns, as the hub sees them: who runs, who waits, how to stop one.
//!
//! The mailbox of a session is here; its worker gets one turn at a time. So one session is strictly serial, and the
//! number of agents that run at once is bounded for the whole daemon: a real CLI takes 150 to 250 MiB of memory.

pub(crate) mod busy_policy;
mod deferred;
mod task_turns;

use crate::agent::runner::{Control, HEARTBEAT_INTERVAL, SteeringMessage};
use crate::daemon::event::Event;
use crate::daemon::permissions;
use crate::daemon::scheduler::busy_policy::SteerOffer;
use crate::session::messages::{Lang, Say};
use crate::session::routing;
use crate::session::routing::Route;
use crate::session::task::TaskLink;
use crate::session::turn::TurnId;
use crate::session::{self, Assignment, SessionChange, Shared, Work};
use crate::store::Store;
use crate::store::state::SessionRow;
use crate::text;
use crate::wire::intake::{Job, Scope};
use crate::wire::outgoing::{Status, StatusKind};
use crossbeam_channel::{Receiver, Sender};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Messages that may wait in one session, the running one included.
pub(crate) const MAILBOX: usize = 32;
/// Sessions with a thread that waits for the next message; beyond these a worker ends with its last turn.
const LINGERING: usize = 16;
/// Enough of a message to know it by.
const TITLE_CHARS: usize = 80;
/// A thread could not be started: the system is out of them for the moment.
const RETRY: Duration = Duration::from_secs(1);

/// A turn from acceptance to its end.
#[derive(Debug)]
pub(crate) struct LiveTurn {
    pub(crate) turn_id: TurnId,
    pub(crate) key: String,
    accepted: Instant,
    /// What the worker shall do; taken when it is handed over.
    pub(crate) work: Option<Work>,
    pub(crate) control: Sender<Control>,
    /// Further messages for its agent.
    pub(crate) steers: Sender<SteeringMessage>,
    /// Its session key, and who sent it.
    pub(crate) whose: (String, String),
    /// It is to be added to the running turn, or was offered to it: not a turn of its own yet.
    pub(crate) offer: Option<SteerOffer>,
    /// Messages that its reply answers as well: their keys, and as they came.
    pub(crate) also: Vec<(String, Value)>,
    /// Empty for a chat command.
    pub(crate) adapter: String,
    /// Why this adapter.
    pub(crate) why: &'static str,
    pub(crate) began: Option<Instant>,
    pub(crate) stopping: bool,
    /// How its message begins.
    pub(crate) title: String,
    /// The message, in case the turn is put off.
    pub(crate) message: Value,
    /// Its agent takes one of the places.
    placed: bool,
    /// When people were told last that it waits.
    told: Option<Instant>,
    /// The task that it carries out, if any.
    task: Arc<TaskLink>,
}

impl LiveTurn {
    /// A chat command runs no agent, and neither does a turn that is stopped before it began: it only says so.
    fn needs_place(&self) -> bool {
        !self.adapter.is_empty() && !self.stopping
    }
}

/// What is left of a turn that is over.
#[derive(Debug)]
pub(crate) struct EndedTurn {
    /// Since it was accepted.
    pub(crate) took: Duration,
    /// The message, as it came.
    pub(crate) message: Value,
    /// Those that its reply has answered as well.
    pub(crate) also: Vec<(String, Value)>,
}

#[derive(Debug)]
pub(crate) struct LiveSession {
    worker: Option<Sender<Work>>,
    pub(crate) turns: VecDeque<LiveTurn>,
    idle: Option<Instant>,
}

/// All sessions with something to do, or with a worker.
#[derive(Debug)]
pub(crate) struct Scheduler {
    pub(crate) live: HashMap<Scope, LiveSession>,
    /// Sessions with further messages for their running turn, once those are on disk.
    pub(crate) offers: Vec<Scope>,
    pub(crate) live_turn_ids: BTreeSet<TurnId>,
    /// Sessions whose first turn waits for a place, longest waiting first.
    waiting: VecDeque<Scope>,
    /// Sessions whose first turn needs none.
    ready: VecDeque<Scope>,
    /// Places taken.
    running: usize,
    retry_at: Option<Instant>,
    last_turn_id: TurnId,
    events: Sender<Event>,
    linger: Duration,
    max_agents: usize,
}

impl Scheduler {
    pub(crate) fn new(events: Sender<Event>, linger: Duration, max_agents: usize) -> Scheduler {
        Scheduler {
            live: HashMap::new(),
            offers: Vec::new(),
            live_turn_ids: BTreeSet::new(),
            waiting: VecDeque::new(),
            ready: VecDeque::new(),
            running: 0,
            retry_at: None,
            last_turn_id: TurnId::default(),
            events,
            linger,
            max_agents,
        }
    }

    /// Turns that run or wait in a session.
    pub(crate) fn turns(&self, scope: &Scope) -> impl Iterator<Item = &LiveTurn> {
        self.live.get(scope).into_iter().flat_map(|live| live.turns.iter())
    }

    /// All sessions with their turns.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&Scope, &VecDeque<LiveTurn>)> {
        self.live.iter().map(|(scope, live)| (scope, &live.turns))
    }

    /// Turns that run or wait anywhere.
    pub(crate) fn count(&self) -> usize {
        self.live_turn_ids.len()
    }

    /// Whether another session's turn would have to wait for a free place.
    pub(crate) fn is_full(&self) -> bool {
        self.running + self.waiting.len() >= self.max_agents
    }

    /// Room for one more message of this session.
    pub(crate) fn has_room(&self, scope: &Scope) -> bool {
        self.turns(scope).count() < MAILBOX
    }

    /// Takes a job in; it is handed to its worker by [`Scheduler::dispatch`], after the commit.
    pub(crate) fn enqueue(&mut self, mut job: Job, route: Route, lang: Lang, task: Arc<TaskLink>) {
        let (scope, key) = (job.scope.clone(), job.key.clone());
        let by = (route.adapter.clone(), route.why);
        let message = std::mem::take(&mut job.source);
        let title = title(&job);
        let whose = (routing::session_key(&scope, &route), job.sender_id.clone());
        self.register(scope, key, by, (title, message), (whose, task.clone()), |turn_id, control, steers| {
            let (also, grants) = (Vec::new(), Vec::new());
            Work::Turn(Box::new(Assignment {
                job,
                route,
                lang,
                turn_id,
                control,
                steers,
                also,
                grants,
                task,
            }))
        });
    }

    /// Takes a change of the native sessions in, in its order among the turns.
    pub(crate) fn enqueue_change(&mut self, job: Job, go_on: Option<(String, SessionRow)>, text: String) {
        let (scope, key) = (job.scope.clone(), job.key.clone());
        let (title, by) = (title(&job), (String::new(), ""));
        self.register(scope, key, by, (title, Value::Null), Default::default(), |turn_id, _, _| {
            Work::Change(Box::new(SessionChange { job, turn_id, continue_with: go_on, text }))
        });
    }

    fn register(
        &mut self,
        scope: Scope,
        key: String,
        (adapter, why): (String, &'static str),
        (title, message): (String, Value),
        (whose, task): ((String, String), Arc<TaskLink>),
        work: impl FnOnce(TurnId, Receiver<Control>, Receiver<SteeringMessage>) -> Work,
    ) {
        self.last_turn_id = self.last_turn_id.next();
        let (control, stop) = crossbeam_channel::bounded(permissions::REQUESTS);
        let (steers, steered) = crossbeam_channel::bounded(MAILBOX);
        let turn = LiveTurn {
            turn_id: self.last_turn_id,
            key,
            accepted: Instant::now(),
            work: Some(work(self.last_turn_id, stop, steered)),
            control,
            steers,
            whose,
            offer: None,
            also: Vec::new(),
            adapter,
            why,
            began: None,
            stopping: false,
            title,
            message,
            placed: false,
            told: Some(Instant::now()),
            task,
        };
        self.live_turn_ids.insert(self.last_turn_id);
        let live = self.live.entry(scope.clone()).or_insert_with(|| LiveSession {
            worker: None,
            turns: VecDeque::new(),
            idle: None,
        });
        live.idle = None;
        live.turns.push_back(turn);
        if live.turns.len() == 1 {
            self.line_up(scope);
        }
    }

    /// The session's first turn is new: it goes to those that wait for a place, or need none.
    fn line_up(&mut self, scope: Scope) {
        let needs_place = self.turns(&scope).next().is_some_and(LiveTurn::needs_place);
        if needs_place { self.waiting.push_back(scope) } else { self.ready.push_back(scope) }
    }

    /// Hands over what was accepted, now that it is on disk; starts workers where there are none. `held`: no agent may
    /// begin now.
    pub(crate) fn dispatch(&mut self, shared: &Arc<Shared>, store: &Store, held: bool) {
        self.retry_at = None;
        self.send_offers();
        while let Some(scope) = self.next_scope(held) {
            if let Err(error) = self.hand_over(&scope, shared, store) {
                log::error!(target: "hub", "cannot start a session thread: {error}; trying again");
                self.line_up(scope);
                self.retry_at = Some(Instant::now() + RETRY);
                return;
            }
        }
    }

    fn next_scope(&mut self, held: bool) -> Option<Scope> {
        let free = !held && self.running < self.max_agents;
        self.ready.pop_front().or_else(|| if free { self.waiting.pop_front() } else { None })
    }

    fn hand_over(&mut self, scope: &Scope, shared: &Arc<Shared>, store: &Store) -> std::io::Result<()> {
        let Some(live) = self.live.get_mut(scope) else { return Ok(()) };
        if live.worker.is_none() {
            let (mailbox, inbox) = crossbeam_channel::bounded(1);
            let rows = store.state().sessions_of(&routing::scope_key(scope));
            let rows = rows.map(|(key, row)| (key.clone(), row.clone())).collect();
            session::start(shared.clone(), scope.clone(), rows, inbox, self.events.clone(), Event::Session)?;
            live.worker = Some(mailbox);
        }
        if let (Some(worker), Some(turn)) = (&live.worker, live.turns.front_mut())
            && let Some(mut work) = turn.work.take()
        {
            permissions::give_grants(&mut work, scope, store);
            // the worker has ended its last turn, so there is room; it leaves only when this sender is dropped
            let _ = worker.try_send(work);
            turn.placed = turn.needs_place();
            self.running += usize::from(turn.placed);
        }
        Ok(())
    }

    /// A turn was taken up; its message key.
    pub(crate) fn began(&mut self, scope: &Scope, turn_id: TurnId) -> Option<String> {
        let turn = self.live.get_mut(scope)?.turns.iter_mut().find(|t| t.turn_id == turn_id)?;
        turn.began = Some(Instant::now());
        Some(turn.key.clone())
    }

    /// A turn is over.
    pub(crate) fn ended(&mut self, scope: &Scope, turn_id: TurnId) -> Option<EndedTurn> {
        self.live_turn_ids.remove(&turn_id).then_some(())?;
        let crowded = self.live.len() > LINGERING;
        let live = self.live.get_mut(scope)?;
        let turn = live.turns.pop_front()?;
        self.running -= usize::from(turn.placed);
        if live.turns.is_empty() && crowded {
            self.live.remove(scope);
        } else if live.turns.is_empty() {
            live.idle = Some(Instant::now());
        } else {
            // what was offered to this turn and not taken has turns of its own
            live.turns.iter_mut().for_each(|next| next.offer = None);
            live.turns.iter_mut().take(1).for_each(|next| next.told = None);
            self.line_up(scope.clone());
        }
        Some(EndedTurn { took: turn.accepted.elapsed(), message: turn.message, also: turn.also })
    }

    /// Turns that wait for a place and should say so (again).
    pub(crate) fn waiting(&mut self, now: Instant) -> Vec<(String, Status)> {
        let mut due = Vec::new();
        for scope in &self.waiting {
            let turn = self.live.get_mut(scope).and_then(|live| live.turns.front_mut());
            let Some(turn) =
                turn.filter(|turn| turn.told.is_none_or(|told| now >= told + HEARTBEAT_INTERVAL))
            else {
                continue;
            };
            turn.told = Some(now);
            if let Some(Work::Turn(assignment)) = &turn.work {
                let Assignment { job, route, lang, .. } = &**assignment;
                due.push((job.topic_id.clone(), waits_for_a_place(route, *lang)));
            }
        }
        due
    }

    /// Whether events of this turn still count.
    pub(crate) fn is_live(&self, turn_id: TurnId) -> bool {
        self.live_turn_ids.contains(&turn_id)
    }

    /// Asks the running (else the first waiting) turn of a session to stop. False when there is none.
    pub(crate) fn stop(&mut self, scope: &Scope) -> bool {
        self.stop_some(scope, 1, |turn| !turn.adapter.is_empty())
    }

    /// Asks the first `most` turns of a session that `wanted` picks to stop. False when there is none.
    fn stop_some(&mut self, scope: &Scope, most: usize, wanted: impl Fn(&LiveTurn) -> bool) -> bool {
        let Some(live) = self.live.get_mut(scope) else { return false };
        let mut count = 0;
        for turn in live.turns.iter_mut().filter(|turn| wanted(turn)).take(most) {
            turn.stopping = true;
            let _ = turn.control.try_send(Control::Cancel);
            count += 1;
        }
        // one that still waits for a place says so now, not when it would have begun
        if let Some(at) = self.waiting.iter().position(|s| s == scope).filter(|_| count > 0)
            && let Some(scope) = self.waiting.remove(at)
        {
            self.line_up(scope);
        }
        count > 0
    }

    /// Asks all turns to end. Those that wait for a place are handed over as well: their workers only say so.
    pub(crate) fn stop_all(&mut self, control: &Control) {
        for turn in self.live.values().flat_map(|live| live.turns.iter()) {
            let _ = turn.control.try_send(control.clone());
        }
        self.max_agents = usize::MAX;
    }

    /// Ends the workers that have had nothing to do for a while.
    pub(crate) fn end_idle(&mut self, now: Instant) {
        let linger = self.linger;
        self.live.retain(|_, live| live.idle.is_none_or(|since| now < since + linger));
    }

    /// When to call [`Scheduler::end_idle`], or to try again to start a worker.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let idle = self.live.values().filter_map(|live| live.idle).min().map(|since| since + self.linger);
        let waiting = self.waiting.iter().filter_map(|scope| self.turns(scope).next()?.told).min();
        idle.into_iter().chain(self.retry_at).chain(waiting.map(|told| told + HEARTBEAT_INTERVAL)).min()
    }
}

/// How a message begins, with its sender's name.
fn title(job: &Job) -> String {
    let name = job.sender_name.as_deref().unwrap_or(&job.sender_id);
    text::truncate(&text::one_line(&format!("{name}: {}", job.instruction)), TITLE_CHARS)
}

/// The status of a turn that waits for one of the others to end.
fn waits_for_a_place(route: &Route, lang: Lang) -> Status {
    Status {
        text: Say::WaitsForPlace.to(lang, &[]),
        kind: StatusKind::Queued,
        adapter: route.adapter.clone(),
        model: route.model.clone(),
    }
}
