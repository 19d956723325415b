//! The sessions and their turns, as the hub sees them: who runs, who waits, how to stop one.
//!
//! The mailbox of a session is here; its worker gets one turn at a time. So one session is strictly serial, and the
//! number of agents that run at once is bounded for the whole daemon: a real CLI takes 150 to 250 MiB of memory.

pub(crate) mod busy_policy;
pub(crate) mod deferred;
mod task_turns;
mod turn;

use crate::agent::runner::{Control, HEARTBEAT_INTERVAL, SteeringMessage};
use crate::daemon::event::Event;
use crate::daemon::scheduler::turn::{FinishedTurn, LiveTurn, TurnOwner};
use crate::session::messages::{Lang, Msg};
use crate::session::routing::{self, Route};
use crate::session::task::TaskLink;
use crate::session::turn::TurnId;
use crate::session::{self, Assignment, SessionChange, Shared, Work};
use crate::store::Store;
use crate::store::state::SessionRow;
use crate::text;
use crate::wire::intake::{Job, Scope};
use crate::wire::outgoing::{StatusKind, TypingStatus};
use crossbeam_channel::{Receiver, Sender};
use serde_json::Value;
use std::collections::{HashMap, HashSet, VecDeque};
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
/// Requests to a turn that its worker may not have taken up yet: all its permission requests may be answered at once.
const CONTROL_QUEUE: usize = 64;

/// A session with something to do, or with a worker.
#[derive(Debug)]
struct LiveSession {
    worker: Option<Sender<Work>>,
    turns: VecDeque<LiveTurn>,
    idle_since: Option<Instant>,
}

/// What is known of a turn when it is accepted.
struct NewTurn {
    scope: Scope,
    /// Key of its message.
    key: String,
    /// Empty for a chat command.
    adapter: String,
    adapter_reason: &'static str,
    title: String,
    message: Value,
    owner: TurnOwner,
    task: Arc<TaskLink>,
}

/// All sessions with something to do, or with a worker.
#[derive(Debug)]
pub(crate) struct Scheduler {
    live: HashMap<Scope, LiveSession>,
    /// Sessions whose running turn is offered further messages, once those are on disk.
    offers: Vec<Scope>,
    /// Turns that run or wait.
    live_turns: HashSet<TurnId>,
    /// Sessions whose first turn waits for a place, longest waiting first.
    waiting: VecDeque<Scope>,
    /// Sessions whose first turn needs none.
    ready: VecDeque<Scope>,
    /// Places taken.
    places_taken: usize,
    retry_at: Option<Instant>,
    last_turn_id: TurnId,
    events: Sender<Event>,
    /// A worker without work ends after this.
    idle_limit: Duration,
    max_agents: usize,
}

impl Scheduler {
    /// At most `max_agents` agents run at once; a worker ends after `idle_limit` without work.
    pub(crate) fn new(events: Sender<Event>, idle_limit: Duration, max_agents: usize) -> Scheduler {
        Scheduler {
            live: HashMap::new(),
            offers: Vec::new(),
            live_turns: HashSet::new(),
            waiting: VecDeque::new(),
            ready: VecDeque::new(),
            places_taken: 0,
            retry_at: None,
            last_turn_id: TurnId::default(),
            events,
            idle_limit,
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
        self.live_turns.len()
    }

    /// Whether another session's turn would have to wait for a free place.
    pub(crate) fn is_full(&self) -> bool {
        self.places_taken + self.waiting.len() >= self.max_agents
    }

    /// Room for one more message of this session.
    pub(crate) fn has_room(&self, scope: &Scope) -> bool {
        self.turns(scope).count() < MAILBOX
    }

    /// Adds a turn behind those of its session; [`Scheduler::dispatch`] hands it to the worker, after the commit.
    pub(crate) fn enqueue(&mut self, mut job: Job, route: Route, lang: Lang, task: Arc<TaskLink>) {
        let new = NewTurn {
            scope: job.scope.clone(),
            key: job.key.clone(),
            adapter: route.adapter.clone(),
            adapter_reason: route.why,
            title: title(&job),
            message: std::mem::take(&mut job.source),
            owner: owner_of(&job, &route),
            task: task.clone(),
        };
        self.register(new, |turn_id, control, steers| {
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

    /// Adds a change of the native sessions, in its order among the turns. `go_on`: the session that is continued, with its
    /// key; `text`: the answer to the command.
    pub(crate) fn enqueue_change(&mut self, job: Job, go_on: Option<(String, SessionRow)>, text: String) {
        let new = NewTurn {
            scope: job.scope.clone(),
            key: job.key.clone(),
            adapter: String::new(),
            adapter_reason: "",
            title: title(&job),
            message: Value::Null,
            owner: TurnOwner::default(),
            task: Arc::default(),
        };
        self.register(new, |turn_id, _, _| {
            Work::Change(Box::new(SessionChange { job, turn_id, continue_with: go_on, text }))
        });
    }

    fn register(
        &mut self,
        new: NewTurn,
        work: impl FnOnce(TurnId, Receiver<Control>, Receiver<SteeringMessage>) -> Work,
    ) {
        let NewTurn { scope, key, adapter, adapter_reason, title, message, owner, task } = new;
        self.last_turn_id = self.last_turn_id.next();
        let (control, controls) = crossbeam_channel::bounded(CONTROL_QUEUE);
        let (steers, steered) = crossbeam_channel::bounded(MAILBOX);
        let turn = LiveTurn {
            turn_id: self.last_turn_id,
            key,
            accepted: Instant::now(),
            work: Some(work(self.last_turn_id, controls, steered)),
            control,
            steers,
            owner,
            offer: None,
            merged: Vec::new(),
            adapter,
            adapter_reason,
            began: None,
            is_stopping: false,
            title,
            message,
            has_place: false,
            wait_shown_at: Some(Instant::now()),
            task,
        };
        self.live_turns.insert(self.last_turn_id);
        let live = self.live.entry(scope.clone()).or_insert_with(|| LiveSession {
            worker: None,
            turns: VecDeque::new(),
            idle_since: None,
        });
        live.idle_since = None;
        live.turns.push_back(turn);
        if live.turns.len() == 1 {
            self.queue_session(scope);
        }
    }

    /// The session's first turn is new: it goes to those that wait for a place, or need none.
    fn queue_session(&mut self, scope: Scope) {
        let needs_place = self.turns(&scope).next().is_some_and(LiveTurn::needs_place);
        if needs_place { self.waiting.push_back(scope) } else { self.ready.push_back(scope) }
    }

    /// Hands accepted turns to their workers, now that they are on disk; starts workers where there are none.
    /// `is_held`: no agent may begin now.
    pub(crate) fn dispatch(&mut self, shared: &Arc<Shared>, store: &Store, is_held: bool) {
        self.retry_at = None;
        self.send_offers();
        while let Some(scope) = self.next_scope(is_held) {
            if let Err(error) = self.hand_to_worker(&scope, shared, store) {
                log::error!(target: "hub", "cannot start a session thread: {error}; trying again");
                self.queue_session(scope);
                self.retry_at = Some(Instant::now() + RETRY);
                return;
            }
        }
    }

    fn next_scope(&mut self, is_held: bool) -> Option<Scope> {
        let is_free = !is_held && self.places_taken < self.max_agents;
        self.ready.pop_front().or_else(|| if is_free { self.waiting.pop_front() } else { None })
    }

    fn hand_to_worker(&mut self, scope: &Scope, shared: &Arc<Shared>, store: &Store) -> std::io::Result<()> {
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
            if let Work::Turn(assignment) = &mut work {
                // what people have allowed for the session
                let grants = store.state().permissions.grants.get(&scope.to_string());
                assignment.grants = grants.cloned().unwrap_or_default();
            }
            // the worker has ended its last turn, so there is room; it leaves only when this sender is dropped
            let _ = worker.try_send(work);
            turn.has_place = turn.needs_place();
            self.places_taken += usize::from(turn.has_place);
        }
        Ok(())
    }

    /// A worker has taken a turn up. Returns the key of its message.
    pub(crate) fn began(&mut self, scope: &Scope, turn_id: TurnId) -> Option<String> {
        let turn = self.live.get_mut(scope)?.turns.iter_mut().find(|t| t.turn_id == turn_id)?;
        turn.began = Some(Instant::now());
        Some(turn.key.clone())
    }

    /// A turn is over.
    pub(crate) fn ended(&mut self, scope: &Scope, turn_id: TurnId) -> Option<FinishedTurn> {
        self.live_turns.remove(&turn_id).then_some(())?;
        let is_crowded = self.live.len() > LINGERING;
        let live = self.live.get_mut(scope)?;
        let turn = live.turns.pop_front()?;
        self.places_taken -= usize::from(turn.has_place);
        if live.turns.is_empty() && is_crowded {
            self.live.remove(scope);
        } else if live.turns.is_empty() {
            live.idle_since = Some(Instant::now());
        } else {
            // what was offered to this turn and not taken has turns of its own
            live.turns.iter_mut().for_each(|next| next.offer = None);
            live.turns.iter_mut().take(1).for_each(|next| next.wait_shown_at = None);
            self.queue_session(scope.clone());
        }
        Some(FinishedTurn { took: turn.accepted.elapsed(), message: turn.message, merged: turn.merged })
    }

    /// Turns that wait for a place and should say so (again): their topics and what to show there.
    pub(crate) fn due_wait_statuses(&mut self, now: Instant) -> Vec<(String, TypingStatus)> {
        let mut due = Vec::new();
        for scope in &self.waiting {
            let turn = self.live.get_mut(scope).and_then(|live| live.turns.front_mut());
            let Some(turn) =
                turn.filter(|turn| turn.wait_shown_at.is_none_or(|shown| now >= shown + HEARTBEAT_INTERVAL))
            else {
                continue;
            };
            turn.wait_shown_at = Some(now);
            if let Some(Work::Turn(assignment)) = &turn.work {
                let Assignment { job, route, lang, .. } = &**assignment;
                due.push((job.topic_id.clone(), waits_for_a_place(route, *lang)));
            }
        }
        due
    }

    /// A live turn by its number.
    pub(crate) fn turn(&self, scope: &Scope, turn_id: TurnId) -> Option<&LiveTurn> {
        self.turns(scope).find(|turn| turn.turn_id == turn_id)
    }

    /// Sends a request to the agent of a turn. False if it accepts none now.
    pub(crate) fn control(&self, scope: &Scope, turn_id: TurnId, request: Control) -> bool {
        self.turn(scope, turn_id).is_some_and(|turn| turn.control.try_send(request).is_ok())
    }

    /// Whether events of this turn still count.
    pub(crate) fn is_live(&self, turn_id: TurnId) -> bool {
        self.live_turns.contains(&turn_id)
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
            turn.is_stopping = true;
            let _ = turn.control.try_send(Control::Cancel);
            count += 1;
        }
        // one that still waits for a place says so now, not when it would have begun
        if let Some(at) = self.waiting.iter().position(|s| s == scope).filter(|_| count > 0)
            && let Some(scope) = self.waiting.remove(at)
        {
            self.queue_session(scope);
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
        let idle_limit = self.idle_limit;
        self.live.retain(|_, live| live.idle_since.is_none_or(|since| now < since + idle_limit));
    }

    /// When to call [`Scheduler::end_idle`], or to try again to start a worker.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let idle =
            self.live.values().filter_map(|live| live.idle_since).min().map(|since| since + self.idle_limit);
        let waiting = self.waiting.iter().filter_map(|scope| self.turns(scope).next()?.wait_shown_at).min();
        idle.into_iter().chain(self.retry_at).chain(waiting.map(|shown| shown + HEARTBEAT_INTERVAL)).min()
    }
}

fn owner_of(job: &Job, route: &Route) -> TurnOwner {
    TurnOwner { session_key: routing::session_key(&job.scope, route), sender_id: job.sender_id.clone() }
}

/// How a message begins, with its sender's name.
fn title(job: &Job) -> String {
    let name = job.sender_name.as_deref().unwrap_or(&job.sender_id);
    text::truncate(&text::one_line(&format!("{name}: {}", job.instruction)), TITLE_CHARS)
}

/// The status of a turn that waits for one of the others to end.
fn waits_for_a_place(route: &Route, lang: Lang) -> TypingStatus {
    TypingStatus {
        text: Msg::WaitsForPlace.to(lang, &[]),
        kind: StatusKind::Queued,
        adapter: route.adapter.clone(),
        model: route.model.clone(),
    }
}
