//! The five steps of a message, from its arrival to its turn.
//!
//! 1. [`Inbound::arrive`]: what the message does not say is added; it may have to wait until its topic was caught up with.
//! 2. [`Inbound::attach`]: its files may have to be looked up.
//! 3. [`Inbound::admit`]: seen before, for this agent, in time?
//! 4. [`Inbound::dispatch`]: a chat command, an answer to a permission request, part of a task, or a turn.
//! 5. [`start_turn`]: who answers it, whether there is room, and whether it is added to a turn that is there.

use super::Inbound;
use super::decrypt::decrypted;
use crate::daemon::context::{AcceptedAs, Context};
use crate::daemon::effect::{Effect, Effects, IntakeStep, Notice, StartTurn, Urgency, own_status};
use crate::daemon::lifecycle::LastMessage;
use crate::daemon::outbound::Outbound;
use crate::daemon::permissions::PermissionRequests;
use crate::daemon::scheduler::busy_policy::refuse_full;
use crate::daemon::scheduler::{Scheduler, deferred};
use crate::daemon::tasks::{Neighbors, Tasks, answered};
use crate::daemon::topic_choice;
use crate::session::chat_command;
use crate::session::messages::{Lang, Msg, kept};
use crate::session::turn::TurnEnd;
use crate::store::outbox::ReplyKind;
use crate::wire::intake::{self, Job, Scope, Verdict};
use crate::wire::message::{Message, SenderKind, TopicKind};
use crate::wire::outgoing::{self, StatusKind, TypingStatus};
use crate::wire::task;
use std::time::Instant;

/// The parts that a message may concern.
#[derive(Debug)]
pub(crate) struct IntakeParts<'a> {
    /// Sessions and their turns.
    pub(crate) scheduler: &'a mut Scheduler,
    /// What waits to be sent.
    pub(crate) outbound: &'a mut Outbound,
    /// What people are asked.
    pub(crate) permissions: &'a mut PermissionRequests,
    /// Tasks that may have to be run.
    pub(crate) tasks: &'a mut Tasks,
}

impl Inbound {
    /// Handles one message from a step on, until it has to wait or is dealt with.
    pub(crate) fn intake(
        &mut self,
        cx: &mut Context,
        parts: &mut IntakeParts<'_>,
        step: IntakeStep,
        message: Message,
    ) -> Effects {
        match step {
            IntakeStep::Arrive => self.arrive(cx, parts, message),
            IntakeStep::Attach => self.attach(cx, parts, &message),
            IntakeStep::Admit => self.admit(cx, parts, &message),
        }
    }

    /// Step 1: a message was pushed or polled.
    fn arrive(&mut self, cx: &mut Context, parts: &mut IntakeParts<'_>, mut message: Message) -> Effects {
        if message.topic_kind == TopicKind::Unknown
            && let Some(kind) = self.topic_kinds.get(&message.topic_id)
        {
            message.topic_kind = *kind;
        }
        parts.tasks.complete(&mut message);
        if message.sender_id == cx.identity.agent_id {
            return self.admit(cx, parts, &message);
        }
        match self.catch_up.pass(message) {
            Some(message) => self.attach(cx, parts, &message),
            None => Effects::none(),
        }
    }

    /// Step 2: goes on now, or when the files of the message, or of one before it in the topic, were looked up.
    fn attach(&mut self, cx: &mut Context, parts: &mut IntakeParts<'_>, message: &Message) -> Effects {
        if self.attachments.queue(message) || self.look_up_attachments(cx, message) {
            return Effects::none();
        }
        self.admit(cx, parts, message)
    }

    /// Step 3: whether the message is new, for this agent, and to be answered.
    fn admit(&mut self, cx: &mut Context, parts: &mut IntakeParts<'_>, message: &Message) -> Effects {
        if message.sender_id == cx.identity.agent_id {
            if let Some(client_id) = outgoing::client_id(message) {
                parts.outbound.on_echo(cx, &message.topic_id, client_id);
            }
            return Effects::none();
        }
        let key = message.dedupe_key();
        let opened = decrypted(cx, message);
        match self.admit_new(cx, parts, opened.as_ref().unwrap_or(message), &key) {
            Ok(effects) => effects,
            Err(why) => {
                log::debug!(target: "hub", "ignored message {key}: {why}");
                Effects::none()
            }
        }
    }

    /// The error is the reason to ignore the message.
    fn admit_new(
        &mut self,
        cx: &mut Context,
        parts: &mut IntakeParts<'_>,
        message: &Message,
        key: &str,
    ) -> Result<Effects, &'static str> {
        if cx.store.state().has_seen(key) {
            return Err("seen before");
        }
        if let Some(hint) = task::hint(message).filter(|_| message.sender_kind != SenderKind::Agent) {
            cx.record_seen(key);
            log::debug!(target: "hub", "message {key} is about a task; the task is looked at");
            return Ok(parts.tasks.on_hint(cx, &mut neighbors(self, parts.scheduler, parts.outbound), hint));
        }
        let answers_request = parts.permissions.is_answered_by(message);
        let addressed = answers_request.then(|| message.aimed_at(&cx.identity.agent_id));
        let message = addressed.as_ref().unwrap_or(message);
        let job = match intake::intake(message, &cx.identity) {
            Verdict::Run(job) => *job,
            Verdict::Ignore(why) => {
                self.attachments.remember(message, false);
                return Err(why);
            }
        };
        if cx.lifecycle.is_shutting_down() {
            return Err("shutting down; it will be fetched after the restart");
        }
        if job.sender_kind != SenderKind::Agent {
            self.ping_pong.on_person(&job.topic_id);
        } else if let Some(why) = self.ping_pong.on_agent(&job.topic_id, Instant::now()) {
            cx.record_seen(&job.key);
            return Err(why);
        }
        cx.languages.learn(&job);
        cx.lifecycle.last_message = Some(LastMessage { at: Instant::now(), topic_id: job.topic_id.clone() });
        Ok(self.dispatch(cx, parts, message, job))
    }

    /// Step 4: who deals with a message for this agent.
    fn dispatch(
        &mut self,
        cx: &mut Context,
        parts: &mut IntakeParts<'_>,
        message: &Message,
        mut job: Job,
    ) -> Effects {
        let mut effects = Effects::none();
        if let Some(command) = chat_command::parse(&job.instruction) {
            return Effect::RunCommand { job: Box::new(job), command }.into();
        }
        if let Some(text) = parts.permissions.take_answer(cx, parts.scheduler, &job) {
            effects.notice(&job, text);
            return effects;
        }
        self.attachments.complete(message, &mut job);
        let mut neighbors = neighbors(self, parts.scheduler, parts.outbound);
        if let Some(job) = parts.tasks.fold(cx, &mut neighbors, job, &mut effects) {
            effects.start(StartTurn::for_message(job));
        }
        effects
    }
}

fn neighbors<'a>(inbound: &Inbound, scheduler: &'a mut Scheduler, outbound: &'a Outbound) -> Neighbors<'a> {
    Neighbors { scheduler, outbound, is_catching_up: inbound.is_catching_up() }
}

/// Step 5: a message is answered by a turn of its own or by another one's, or refused.
pub(crate) fn start_turn(cx: &mut Context, parts: &mut IntakeParts<'_>, turn: StartTurn) -> Effects {
    let StartTurn { mut job, busy, is_requested, task } = turn;
    if cx.lifecycle.restart_pending {
        return deferred::defer_until_restart(cx, job);
    }
    let lang = cx.language_of(&job.topic_id);
    let route = match topic_choice::route(cx, &mut job) {
        Ok(route) => route,
        Err(why) => {
            let text = format!("⚠️ {}", kept(lang, &why));
            let follow_up = task.commit_finished(&TurnEnd::Refused, &text, None, "");
            let notice = Notice { job, text, kind: ReplyKind::Failed, follow_up };
            return Effect::Notice(Box::new(notice)).into();
        }
    };
    log::debug!(target: "hub", "{}: {}", job.scope, route.words());
    if !parts.scheduler.has_room(&job.scope) {
        // the task gets a note; the people in its chat see a status
        let text = Msg::QueueFull.to(lang, &[]);
        return match task.commit_finished(&TurnEnd::Refused, &text, None, "") {
            None => refuse_full(cx, &job, &route.adapter),
            follow_up => {
                let notice = Notice { job, text, kind: ReplyKind::Failed, follow_up };
                Effect::Notice(Box::new(notice)).into()
            }
        };
    }
    if let Scope::Task(task_id) = &job.scope {
        parts.tasks.remember_topic(&job.topic_id, task_id);
    }
    let task_id = task.task_id();
    if task_id.is_none() {
        let busy = busy.unwrap_or(cx.config().busy);
        job = match parts.scheduler.add_to_turn(cx, job, &route, busy, is_requested) {
            Ok(effects) => return effects,
            Err(job) => *job,
        };
        answered::note_begun(cx, &job);
    }
    let (kind, text) = first_status(parts, &job.scope, lang);
    let started = kind == StatusKind::Running;
    cx.record_accepted(&job, AcceptedAs { started, task_id, ..AcceptedAs::default() });
    let status = TypingStatus { model: route.model.clone(), ..own_status(&text, kind, &route.adapter) };
    let urgency = if started { Urgency::Throttled } else { Urgency::Immediate };
    let topic_id = job.topic_id.clone();
    parts.scheduler.enqueue(job, route, lang, task);
    Effect::ShowStatus { topic_id, status, urgency }.into()
}

/// What a new turn is shown as, by what is ahead of it.
fn first_status(parts: &IntakeParts<'_>, scope: &Scope, lang: Lang) -> (StatusKind, String) {
    match parts.scheduler.turns(scope).count() {
        _ if parts.outbound.is_full() => (StatusKind::Queued, Msg::OutboxFull.to(lang, &[])),
        0 if parts.scheduler.is_full() => (StatusKind::Queued, Msg::WaitsForPlace.to(lang, &[])),
        0 => (StatusKind::Running, Msg::Starts.to(lang, &[])),
        1 => (StatusKind::Queued, Msg::Waits1.to(lang, &[])),
        n => (StatusKind::Queued, Msg::Waits.to(lang, &[&n.to_string()])),
    }
}
