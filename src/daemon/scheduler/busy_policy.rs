//! What becomes of a message while its topic is at work: it waits, is merged with one that waits, or is offered to the
//! running turn. One that was taken in has no turn of its own: the running one's reply answers it.
//!
//! An offered message stands in the mailbox behind the running turn until its fate is known, so it cannot be lost; it is
//! on disk before it is offered, with the key of the turn that it is for.

use crate::agent::runner::{SteerOutcome, SteeringMessage};
use crate::config::Busy;
use crate::daemon::hub::Hub;
use crate::daemon::inbound::intake::status;
use crate::daemon::scheduler::{LiveTurn, Scheduler};
use crate::session::Work;
use crate::session::messages::Say;
use crate::session::prompt;
use crate::session::routing;
use crate::session::routing::Route;
use crate::wire::intake::{Job, Scope};
use crate::wire::message::SenderKind;
use crate::wire::outgoing::{Status, StatusKind};
use std::sync::Arc;

/// A message on its way into the running turn.
#[derive(Debug)]
pub(crate) enum SteerOffer {
    /// To be sent once it is on disk.
    Due(SteeringMessage),
    /// Sent; its fate is not known yet.
    Sent,
}

impl LiveTurn {
    /// Its agent runs, or is being started, and nobody has stopped it.
    fn is_at_work(&self) -> bool {
        self.work.is_none() && !self.adapter.is_empty() && !self.stopping
    }
}

/// Whether a message can be added to another one's turn.
fn can_join(job: &Job) -> bool {
    // files are fetched before an agent starts
    !job.instruction.starts_with('/') && job.media.is_empty()
}

impl Scheduler {
    /// Where a message for this session would go: the key of the running turn that it can be offered to, and the place
    /// behind those that were offered before.
    fn running_turn(&self, scope: &Scope, session: Option<&str>) -> Option<(String, usize)> {
        let turns = &self.live.get(scope)?.turns;
        let front = turns.front().filter(|turn| turn.is_at_work())?;
        let place = 1 + turns.iter().skip(1).take_while(|turn| turn.offer.is_some()).count();
        // unasked, no message overtakes one that waits
        let may = session.is_none_or(|session| front.whose.0 == session && place == turns.len());
        may.then(|| (front.key.clone(), place))
    }

    /// The last waiting turn, if a message of this session and sender can be merged into it.
    fn waiting_turn(&mut self, scope: &Scope, whose: &(String, String)) -> Option<&mut LiveTurn> {
        let turn = self.live.get_mut(scope)?.turns.back_mut()?;
        let fits = turn.whose == *whose && turn.offer.is_none() && !turn.stopping;
        let joins = matches!(&turn.work, Some(Work::Turn(turn)) if turn.task.task_id().is_none() && can_join(&turn.job));
        (fits && joins).then_some(turn)
    }

    /// Moves the turn that was added last to its place, to be offered.
    fn offer(&mut self, scope: &Scope, place: usize, steer: SteeringMessage) {
        let Some(live) = self.live.get_mut(scope) else { return };
        if let Some(mut turn) = live.turns.pop_back() {
            turn.offer = Some(SteerOffer::Due(steer));
            live.turns.insert(place.min(live.turns.len()), turn);
            self.offers.push(scope.clone());
        }
    }

    /// Sends what is on disk now.
    pub(crate) fn send_offers(&mut self) {
        for scope in std::mem::take(&mut self.offers) {
            let Some(live) = self.live.get_mut(&scope) else { continue };
            let Some(front) = live.turns.front().filter(|turn| turn.is_at_work()) else { continue };
            let steers = front.steers.clone();
            for turn in live.turns.iter_mut().skip(1) {
                if let Some(SteerOffer::Due(steer)) = &turn.offer {
                    // the turn may be over: then this one has its own
                    turn.offer = steers.try_send(steer.clone()).is_ok().then_some(SteerOffer::Sent);
                }
            }
        }
    }

    /// The fate of an offered message is known: one that was taken belongs to the running turn. The status to show.
    fn settled(&mut self, scope: &Scope, key: &str, taken: bool) -> Option<(String, String)> {
        let turns = &mut self.live.get_mut(scope)?.turns;
        let at = turns.iter().position(|turn| turn.key == key && turn.offer.is_some())?;
        if !taken {
            turns[at].offer = None;
            return None;
        }
        let turn = turns.remove(at)?;
        self.live_turn_ids.remove(&turn.turn_id);
        let Some(Work::Turn(assignment)) = turn.work else { return None };
        let front = turns.front_mut()?;
        front.also.push((turn.key, turn.message));
        Some((assignment.job.topic_id, front.adapter.clone()))
    }
}

impl Hub {
    /// Adds a message to a turn that runs or waits, if that is wanted and can be; else it comes back.
    pub(crate) fn join(&mut self, job: Job, route: &Route, busy: Busy, wanted: bool) -> Option<Job> {
        if !can_join(&job) {
            return Some(job);
        }
        let whose = (routing::session_key(&job.scope, route), job.sender_id.clone());
        let lang = self.tongues.of(&job.topic_id);
        let text = prompt::build(&job, &self.shared.config.agent_id, false);
        let here = self.sessions.running_turn(&job.scope, (!wanted).then_some(&whose.0));
        // what agents say to each other interrupts nobody
        let may = busy != Busy::Queue && (wanted || job.sender_kind != SenderKind::Agent);
        if let Some((into, place)) = here.filter(|_| may) {
            let interrupt = busy == Busy::Interrupt;
            let say = if interrupt { Say::Interrupting } else { Say::Steering };
            self.record_accepted(&job, false, Some(into));
            self.show_now(
                &job.topic_id,
                &Status {
                    model: route.model.clone(),
                    ..status(&say.to(lang, &[]), StatusKind::Queued, &route.adapter)
                },
            );
            let (scope, steer) =
                (job.scope.clone(), SteeringMessage { id: job.key.clone(), text, interrupt });
            self.sessions.enqueue(job, route.clone(), lang, Arc::default());
            self.sessions.offer(&scope, place, steer);
            return None;
        }
        if !self.shared.config.merge_waiting {
            return Some(job);
        }
        let Some(turn) = self.sessions.waiting_turn(&job.scope, &whose) else { return Some(job) };
        if let Some(Work::Turn(assignment)) = &mut turn.work {
            assignment.job.text.push_str("\n\n");
            assignment.job.text.push_str(&job.text);
            assignment.also.push(job.key.clone());
        }
        turn.also.push((job.key.clone(), job.source.clone()));
        let into = turn.key.clone();
        self.record_accepted(&job, false, Some(into));
        self.show_now(
            &job.topic_id,
            &status(&Say::WaitsMerged.to(lang, &[]), StatusKind::Queued, &route.adapter),
        );
        None
    }

    /// What became of an offered message.
    pub(crate) fn steered(&mut self, scope: &Scope, key: &str, fate: SteerOutcome) {
        let Some((topic, adapter)) = self.sessions.settled(scope, key, fate != SteerOutcome::TooLate) else {
            return;
        };
        log::info!(target: "hub", "a further message was added to the turn in {scope}");
        let say = if fate == SteerOutcome::Interrupting { Say::Interrupting } else { Say::Steered };
        let text = say.to(self.tongues.of(&topic), &[]);
        self.show_now(&topic, &status(&text, StatusKind::Running, &adapter));
    }
}
