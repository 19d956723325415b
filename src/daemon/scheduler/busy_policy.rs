//! What becomes of a message while its topic is at work: it waits, is merged with one that waits, or is offered to the
//! running turn. One that was taken has no turn of its own: the running one's reply answers it.
//!
//! An offered message stands in the mailbox behind the running turn until its outcome is known, so it cannot be lost; it is
//! on disk before it is offered, with the key of the turn that it is for.

use super::turn::{LiveTurn, MergedMessage, SteerOffer, TurnOwner};
use super::{Scheduler, owner_of};
use crate::agent::runner::{SteerOutcome, SteeringMessage};
use crate::config::Busy;
use crate::daemon::context::{AcceptedAs, Context};
use crate::daemon::effect::{Effects, own_status};
use crate::session::Work;
use crate::session::messages::Msg;
use crate::session::prompt;
use crate::session::routing::Route;
use crate::wire::intake::{Job, Scope};
use crate::wire::message::SenderKind;
use crate::wire::outgoing::{StatusKind, TypingStatus};
use std::sync::Arc;

/// The running turn that a message can be offered to.
struct SteerableTurn {
    key: String,
    /// Where the message stands in the mailbox: behind those that were offered before.
    place: usize,
}

/// A message that a running turn has taken: what its topic is shown.
struct TakenMessage {
    topic_id: String,
    adapter: String,
}

/// Whether a message can be added to another one's turn. Files are fetched before an agent starts.
fn can_be_added(job: &Job) -> bool {
    !job.instruction.starts_with('/') && job.media.is_empty()
}

impl Scheduler {
    /// Adds a message to a turn that runs or waits, if that is wanted and possible; else the message comes back.
    /// `is_requested`: the message itself asks for `busy`, by a chat command.
    pub(crate) fn add_to_turn(
        &mut self,
        cx: &mut Context,
        job: Job,
        route: &Route,
        busy: Busy,
        is_requested: bool,
    ) -> Result<Effects, Box<Job>> {
        if !can_be_added(&job) {
            return Err(Box::new(job));
        }
        let owner = owner_of(&job, route);
        // unasked, no message overtakes one that waits
        let unasked_for = (!is_requested).then_some(owner.session_key.as_str());
        // what agents say to each other interrupts nobody
        let may_steer = busy != Busy::Queue && (is_requested || job.sender_kind != SenderKind::Agent);
        if let Some(running) = self.running_turn(&job.scope, unasked_for).filter(|_| may_steer) {
            return Ok(self.offer_to(cx, running, job, route, busy));
        }
        if !cx.config().merge_waiting {
            return Err(Box::new(job));
        }
        self.merge_with_waiting(cx, job, route, &owner)
    }

    /// Offers a message to the running turn of its session.
    fn offer_to(
        &mut self,
        cx: &mut Context,
        running: SteerableTurn,
        job: Job,
        route: &Route,
        busy: Busy,
    ) -> Effects {
        let lang = cx.language_of(&job.topic_id);
        let interrupt = busy == Busy::Interrupt;
        let say = if interrupt { Msg::Interrupting } else { Msg::Steering };
        let text = prompt::build(&job, &cx.config().agent_id, false);
        let merged_into = Some(running.key);
        cx.record_accepted(&job, AcceptedAs { merged_into, ..AcceptedAs::default() });
        let status = own_status(&say.to(lang, &[]), StatusKind::Queued, &route.adapter);
        let mut effects = Effects::none();
        effects.show_now(&job.topic_id, TypingStatus { model: route.model.clone(), ..status });
        let (scope, steer) = (job.scope.clone(), SteeringMessage { id: job.key.clone(), text, interrupt });
        self.enqueue(job, route.clone(), lang, Arc::default());
        self.move_last_to(&scope, running.place, steer);
        effects
    }

    /// Merges a message into the last waiting turn, if both have the same owner.
    fn merge_with_waiting(
        &mut self,
        cx: &mut Context,
        job: Job,
        route: &Route,
        owner: &TurnOwner,
    ) -> Result<Effects, Box<Job>> {
        let Some(turn) = self.waiting_turn(&job.scope, owner) else { return Err(Box::new(job)) };
        if let Some(Work::Turn(assignment)) = &mut turn.work {
            assignment.job.text.push_str("\n\n");
            assignment.job.text.push_str(&job.text);
            assignment.also.push(job.key.clone());
        }
        turn.merged.push(MergedMessage { key: job.key.clone(), source: job.source.clone() });
        let merged_into = Some(turn.key.clone());
        cx.record_accepted(&job, AcceptedAs { merged_into, ..AcceptedAs::default() });
        let text = Msg::WaitsMerged.to(cx.language_of(&job.topic_id), &[]);
        let mut effects = Effects::none();
        effects.show_now(&job.topic_id, own_status(&text, StatusKind::Queued, &route.adapter));
        Ok(effects)
    }

    /// The running turn that a message of this session could be offered to. `unasked_for`: the native session that it
    /// must belong to when the message does not ask for it.
    fn running_turn(&self, scope: &Scope, unasked_for: Option<&str>) -> Option<SteerableTurn> {
        let turns = &self.live.get(scope)?.turns;
        let front = turns.front().filter(|turn| turn.is_at_work())?;
        let place = 1 + turns.iter().skip(1).take_while(|turn| turn.offer.is_some()).count();
        let fits = unasked_for.is_none_or(|key| front.owner.session_key == key && place == turns.len());
        fits.then(|| SteerableTurn { key: front.key.clone(), place })
    }

    /// The last waiting turn, if a message of this owner can be merged into it.
    fn waiting_turn(&mut self, scope: &Scope, owner: &TurnOwner) -> Option<&mut LiveTurn> {
        let turn = self.live.get_mut(scope)?.turns.back_mut()?;
        let fits = turn.owner == *owner && turn.offer.is_none() && !turn.is_stopping;
        let is_plain = matches!(&turn.work, Some(Work::Turn(turn)) if turn.task.task_id().is_none() && can_be_added(&turn.job));
        (fits && is_plain).then_some(turn)
    }

    /// Moves the turn that was added last to its place, to be offered.
    fn move_last_to(&mut self, scope: &Scope, place: usize, steer: SteeringMessage) {
        let Some(live) = self.live.get_mut(scope) else { return };
        if let Some(mut turn) = live.turns.pop_back() {
            turn.offer = Some(SteerOffer::Due(steer));
            live.turns.insert(place.min(live.turns.len()), turn);
            self.offers.push(scope.clone());
        }
    }

    /// Sends the offers that are on disk now.
    pub(super) fn send_offers(&mut self) {
        for scope in std::mem::take(&mut self.offers) {
            let Some(live) = self.live.get_mut(&scope) else { continue };
            let Some(front) = live.turns.front().filter(|turn| turn.is_at_work()) else { continue };
            let steers = front.steers.clone();
            for turn in live.turns.iter_mut().skip(1) {
                if let Some(SteerOffer::Due(steer)) = &turn.offer {
                    // the turn may be over: then this message has a turn of its own
                    turn.offer = steers.try_send(steer.clone()).is_ok().then_some(SteerOffer::Sent);
                }
            }
        }
    }

    /// The outcome of an offered message is known.
    pub(crate) fn on_steered(
        &mut self,
        cx: &Context,
        scope: &Scope,
        key: &str,
        fate: SteerOutcome,
    ) -> Effects {
        let mut effects = Effects::none();
        let Some(taken) = self.settle_offer(scope, key, fate != SteerOutcome::TooLate) else {
            return effects;
        };
        log::info!(target: "hub", "a further message was added to the turn in {scope}");
        let say = if fate == SteerOutcome::Interrupting { Msg::Interrupting } else { Msg::Steered };
        let text = say.to(cx.language_of(&taken.topic_id), &[]);
        effects.show_now(&taken.topic_id, own_status(&text, StatusKind::Running, &taken.adapter));
        effects
    }

    /// A message that was taken belongs to the running turn; one that was not has a turn of its own.
    fn settle_offer(&mut self, scope: &Scope, key: &str, is_taken: bool) -> Option<TakenMessage> {
        let turns = &mut self.live.get_mut(scope)?.turns;
        let at = turns.iter().position(|turn| turn.key == key && turn.offer.is_some())?;
        if !is_taken {
            turns[at].offer = None;
            return None;
        }
        let turn = turns.remove(at)?;
        self.live_turns.remove(&turn.turn_id);
        let Some(Work::Turn(assignment)) = turn.work else { return None };
        let front = turns.front_mut()?;
        front.merged.push(MergedMessage { key: turn.key, source: turn.message });
        Some(TakenMessage { topic_id: assignment.job.topic_id, adapter: front.adapter.clone() })
    }
}

/// The mailbox is full. A status, because the UIs take any post for the answer of the running turn.
pub(crate) fn refuse_full(cx: &mut Context, job: &Job, adapter: &str) -> Effects {
    // a person who is asked to send it again must not have it run twice when the topic is read after a reconnect
    cx.record_seen(&job.key);
    let text = Msg::QueueFull.to(cx.language_of(&job.topic_id), &[]);
    let mut effects = Effects::none();
    effects.show_now(&job.topic_id, own_status(&text, StatusKind::Error, adapter));
    effects
}
