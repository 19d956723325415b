//! Which part deals with what: connection events, frames, answers of the service, outcomes of calls, session events.

use super::{Hub, service_requests};
use crate::daemon::connection::NetEvent;
use crate::daemon::effect::{Effect, Effects, IntakeStep, Urgency};
use crate::daemon::outbound::http_call::{HttpOutcome, HttpPurpose};
use crate::daemon::outbound::requests::Purpose;
use crate::daemon::permissions;
use crate::daemon::scheduler::deferred;
use crate::daemon::tasks::answered;
use crate::session::SessionEvent;
use crate::session::turn::{EndedTurn, TurnEnd};
use crate::store::outbox::OutboxEntry;
use crate::store::state::Record;
use crate::sys::{fault_injection, time};
use crate::wire::frame::{self, ActionResult, Frame};
use crate::wire::intake::Scope;

impl Hub {
    /// The connection has come, gone, or brought a frame.
    pub(super) fn on_net(&mut self, event: NetEvent) -> Effects {
        let effects = match event {
            NetEvent::Up { display_name, .. } => {
                log::info!(target: "hub", "connected as {}", self.cx.identity.agent_id);
                self.cx.link.on_up();
                if display_name.is_some() {
                    self.cx.identity.display_name = display_name;
                }
                self.inbound.on_connected(&mut self.cx);
                self.tasks.set_connected(true);
                self.host.on_turn_ended(service_requests::usage_totals(&self.cx.store));
                self.host.on_connection(true);
                Effects::none()
            }
            NetEvent::Down { why, retry_in, refused } => {
                let remedy = self.cx.config().token_remedy();
                let was_up = self.cx.link.on_down(why, retry_in, refused, &remedy);
                let effects = self.inbound.on_disconnected(&mut self.cx, was_up);
                self.cx.requests.clear();
                self.outbound.on_disconnected();
                self.tasks.set_connected(false);
                self.host.on_connection(false);
                effects
            }
            NetEvent::Frame(text) => return self.on_frame(&text),
        };
        self.cx.report_to_service_manager();
        effects
    }

    fn on_frame(&mut self, text: &str) -> Effects {
        fault_injection::panic_at("hub", text);
        match frame::decode(text) {
            Frame::Pong => {}
            Frame::Result(result) => return self.on_result(&result),
            Frame::Message(message) => {
                return Effect::Intake { step: IntakeStep::Arrive, message }.into();
            }
            Frame::Request { kind, request_id, .. } => {
                service_requests::answer(&self.cx, &kind, &request_id);
            }
            Frame::Host(call) => self.host.handle_call(*call),
            Frame::TaskStatus(fields) => {
                return self.with_tasks(|tasks, cx, neighbors| tasks.on_task_status(cx, neighbors, &fields));
            }
            Frame::Other(kind) => log::debug!(target: "hub", "ignored a frame of type `{kind}`"),
        }
        Effects::none()
    }

    /// The answer to a request.
    fn on_result(&mut self, result: &ActionResult) -> Effects {
        let Some(purpose) = result.request_id.as_deref().and_then(|id| self.cx.requests.settle(id)) else {
            self.host.on_action_result(result);
            return Effects::none();
        };
        let refusal = (!result.ok).then(|| result.error.as_deref().unwrap_or("no reason given"));
        let data = Some(&result.data);
        match purpose {
            Purpose::Publish { seq, part } => self.outbound.on_published(&mut self.cx, seq, part, refusal),
            Purpose::Lookup { seq } => {
                self.outbound.on_history(&mut self.cx, seq, data.filter(|_| result.ok))
            }
            Purpose::Poll => match refusal {
                None => return self.inbound.on_polled(&mut self.cx, &result.data),
                Some(why) => log::debug!(target: "hub", "poll: {why}"),
            },
            Purpose::Topics => return self.inbound.on_topics(&self.cx, data),
            Purpose::Missed { topic } => return self.inbound.on_history(&self.cx, topic, data),
            Purpose::Attachments { number } => return self.inbound.on_attachments(&self.cx, number, data),
        }
        Effects::none()
    }

    /// A request was not answered in time.
    pub(super) fn on_unanswered(&mut self, purpose: Purpose) -> Effects {
        match purpose {
            Purpose::Publish { seq, .. } | Purpose::Lookup { seq } => self.outbound.on_unanswered(seq),
            Purpose::Poll => log::debug!(target: "hub", "the service did not answer `poll`"),
            Purpose::Topics => return self.inbound.on_topics(&self.cx, None),
            Purpose::Missed { topic } => return self.inbound.on_history(&self.cx, topic, None),
            Purpose::Attachments { number } => return self.inbound.on_attachments(&self.cx, number, None),
        }
        Effects::none()
    }

    /// A call by HTTP has ended, or could not begin.
    pub(super) fn on_http_outcome(&mut self, purpose: HttpPurpose, outcome: HttpOutcome) -> Effects {
        match purpose {
            HttpPurpose::Part { seq, part } => self.outbound.on_posted(&mut self.cx, seq, part, outcome),
            HttpPurpose::FollowUp { seq, left } => {
                self.outbound.on_follow_up(&mut self.cx, seq, left, outcome);
            }
            HttpPurpose::Task { task_id, query } => {
                return self.with_tasks(|tasks, cx, neighbors| {
                    tasks.on_answer(cx, neighbors, &task_id, query, outcome)
                });
            }
        }
        Effects::none()
    }

    pub(super) fn on_session(&mut self, event: SessionEvent) -> Effects {
        let (cx, scheduler) = (&mut self.cx, &mut self.scheduler);
        match event {
            SessionEvent::TurnStarted { scope, turn_id } => {
                let key = scheduler.began(&scope, turn_id);
                // most turns begin at once and were recorded as begun when they were accepted
                let is_new = |key: &String| cx.store.state().open.get(key).is_some_and(|turn| !turn.started);
                if let Some(key) = key.filter(is_new) {
                    cx.store.record(Record::Started { key });
                    cx.commit_now = true;
                }
            }
            SessionEvent::Status { topic_id, turn_id, status } if scheduler.is_live(turn_id) => {
                return Effect::ShowStatus { topic_id, status, urgency: Urgency::Throttled }.into();
            }
            SessionEvent::Status { .. } => {}
            SessionEvent::Remember { key, row } => cx.store.record(Record::SessionUsed { key, row }),
            SessionEvent::Forget { key } => cx.store.record(Record::SessionForgotten { key }),
            SessionEvent::SetAside { key } => cx.store.record(Record::SessionArchived { key }),
            SessionEvent::Steered { scope, key, fate } => {
                return scheduler.on_steered(cx, &scope, &key, fate);
            }
            SessionEvent::Used { scope, adapter, usage } => {
                let tokens = usage.map(|usage| [usage.input, usage.cached, usage.output]);
                let (scope, adapter) = (scope.to_string(), adapter.to_owned());
                cx.store.record(Record::TokensUsed { scope, adapter, at: time::now_ms(), tokens });
            }
            SessionEvent::Asked(asked) if scheduler.is_live(asked.turn_id) => {
                return self.permissions.on_asked(cx, *asked);
            }
            SessionEvent::Asked(_) => {}
            SessionEvent::Withdrawn { turn_id, id } => {
                return self.permissions.on_withdrawn(cx, scheduler, turn_id, &id);
            }
            SessionEvent::Decided { asked, decision } => {
                permissions::on_decided_by_rule(cx, &asked, &decision);
            }
            SessionEvent::Revoke { scope } => {
                cx.store.record(Record::PermissionsRevoked { scope: scope.to_string() })
            }
            SessionEvent::Spoken { entry } => self.outbound.deliver_written(*entry),
            SessionEvent::Ended { scope, ended, entry, on_disk } => {
                self.on_turn_ended(&scope, ended, *entry, on_disk);
            }
        }
        Effects::none()
    }

    /// A turn is over. Its messages are finished or deferred before its reply is delivered.
    fn on_turn_ended(&mut self, scope: &Scope, ended: EndedTurn, reply: OutboxEntry, is_on_disk: bool) {
        answered::note_ended(&mut self.cx, &self.scheduler, scope, ended.turn_id);
        if let Some(over) = self.scheduler.ended(scope, ended.turn_id) {
            let (number, word) = (ended.turn_id, ended.end.word());
            log::info!(target: "hub", "turn {number} in {scope}: {word} after {:.1?}", over.took);
            let merged = over.merged.into_iter().map(|merged| (merged.key, merged.source));
            for (key, message) in std::iter::once((ended.key, over.message)).chain(merged) {
                if let TurnEnd::Parked { until } = ended.end {
                    deferred::defer(&mut self.cx, &key, scope, until, message);
                }
                if is_on_disk {
                    self.cx.store.record(Record::Finished { key });
                }
            }
        }
        let effects = self.permissions.close_those_of(&mut self.cx, ended.turn_id);
        self.perform(effects);
        self.outbound.forget_status(&reply.topic_id);
        self.outbound.deliver_reply(&mut self.cx, &ended.end, reply);
        self.host.on_turn_ended(service_requests::usage_totals(&self.cx.store));
    }
}
