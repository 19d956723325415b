//! The hub's handling of one message: seen before, for us, a chat command, or a turn to accept.

use crate::config::Busy;
use crate::daemon::hub::Hub;
use crate::session::chat_command;
use crate::session::messages::{Lang, Say, kept};
use crate::session::routing;
use crate::session::routing::{Route, RoutingDefaults};
use crate::session::task::TaskLink;
use crate::session::turn::TurnEnd;
use crate::store::errand::Errand;
use crate::store::outbox::ReplyKind;
use crate::store::state::{OpenTurn, Record};
use crate::sys::time;
use crate::wire::assumed::CHUNK_CHARS;
use crate::wire::intake::{self, Job, Scope, Verdict};
use crate::wire::message::{Message, SenderKind, TopicKind};
use crate::wire::outbound_text;
use crate::wire::outbound_text::TaskStatusLine;
use crate::wire::outgoing::{self, Status, StatusKind};
use crate::wire::task;
use std::sync::Arc;
use std::time::Instant;

impl Hub {
    /// One message, pushed or polled. It may have to wait until its topic has been caught up with.
    pub(crate) fn on_message(&mut self, mut message: Message) {
        if message.topic_kind == TopicKind::Unknown
            && let Some(kind) = self.kinds.get(&message.topic_id)
        {
            message.topic_kind = *kind;
        }
        self.tasks.complete(&mut message);
        if message.sender_id == self.me.agent_id {
            self.take(&message);
        } else if let Some(message) = self.catch_up.pass(message) {
            self.take_with_files(&message);
        }
    }

    /// One message whose turn it is.
    pub(crate) fn take(&mut self, message: &Message) {
        if message.sender_id == self.me.agent_id {
            if let Some(client_id) = outgoing::client_id(message) {
                let action = self.delivery.echoed(&message.topic_id, client_id);
                self.act(action);
            }
            return;
        }
        let key = message.dedupe_key();
        let opened = self.unseal(message);
        if let Err(why) = self.consider(opened.as_ref().unwrap_or(message), &key) {
            log::debug!(target: "hub", "ignored message {key}: {why}");
        }
    }

    fn consider(&mut self, message: &Message, key: &str) -> Result<(), &'static str> {
        if self.store.state().has_seen(key) {
            return Err("seen before");
        }
        if let Some(hint) = task::hint(message).filter(|_| message.sender_kind != SenderKind::Agent) {
            self.store.record(Record::Seen { key: key.to_owned() });
            return self.on_task_hint(hint);
        }
        let aimed;
        let message = if self.asks.is_meant(message) {
            aimed = message.aimed_at(&self.me.agent_id);
            &aimed
        } else {
            message
        };
        let mut job = match intake::intake(message, &self.me) {
            Verdict::Run(job) => *job,
            Verdict::Ignore(why) => {
                self.files.note(message, false);
                return Err(why);
            }
        };
        if self.drain.is_some() {
            return Err("shutting down; it will be fetched after the restart");
        }
        if job.sender_kind == SenderKind::Agent {
            if let Some(why) = self.pingpong.agent(&job.topic_id, Instant::now()) {
                self.store.record(Record::Seen { key: job.key });
                return Err(why);
            }
        } else {
            self.pingpong.human(&job.topic_id);
        }
        self.tongues.heard(&job);
        self.care.last = Some((Instant::now(), job.topic_id.clone()));
        match chat_command::parse(&job.instruction) {
            Some(command) => self.command(job, command),
            None if self.is_answer(&job) => {}
            None => {
                self.files.complete(message, &mut job);
                if let Some(job) = self.fold_into_task(job) {
                    self.accept(job);
                }
            }
        }
        Ok(())
    }

    /// Who answers a message, by what it asks for itself and what was chosen in its topic.
    pub(crate) fn route(&self, job: &mut Job) -> Result<Route, String> {
        let config = &self.shared.config;
        // a choice made in the topic counts like a wish of each of its messages, a message's own wish wins
        let choice = self.store.state().choices.get(&job.scope.to_string()).cloned().unwrap_or_default();
        let speak = self.speaks(&choice);
        let asked = &mut job.model;
        asked.model = asked.model.take().or(choice.model);
        asked.effort = asked.effort.take().or(choice.effort);
        let defaults = RoutingDefaults {
            adapter: &config.adapter,
            chosen: choice.adapter.as_deref(),
            mode: self.mode_of(choice.mode.as_deref()),
            enabled: &config.adapters,
            model: config.model.as_deref(),
            effort: config.effort.as_deref(),
            map: &config.provider_map,
        };
        Ok(Route { speak, ..routing::route(job, &defaults)? })
    }

    pub(crate) fn accept(&mut self, job: Job) {
        let busy = self.shared.config.busy;
        self.accept_as(job, busy, false);
    }

    /// The same; `busy`: what is done when the topic is at work. `wanted`: because the message itself asks for it.
    pub(crate) fn accept_as(&mut self, job: Job, busy: Busy, wanted: bool) {
        self.take_in(job, busy, wanted, Arc::default());
    }

    /// The same for a turn that carries a task out: it is never a part of another one.
    pub(crate) fn accept_for(&mut self, job: Job, link: Arc<TaskLink>) {
        self.take_in(job, Busy::Queue, false, link);
    }

    fn take_in(&mut self, mut job: Job, busy: Busy, wanted: bool, link: Arc<TaskLink>) {
        if self.care.again {
            return self.keep_for_later(job);
        }
        let route = match self.route(&mut job) {
            Ok(route) => route,
            Err(why) => {
                let text = format!("⚠️ {}", kept(self.tongues.of(&job.topic_id), &why));
                let after = link.commit_finished(&TurnEnd::Refused, &text, None, "");
                return self.notice_and(&job, &text, ReplyKind::Failed, after);
            }
        };
        log::debug!(target: "hub", "{}: {}", job.scope, route.words());
        if !self.sessions.has_room(&job.scope) {
            // a task is told of; the people in its chat are shown a status
            let text = Say::QueueFull.to(self.tongues.of(&job.topic_id), &[]);
            return match link.commit_finished(&TurnEnd::Refused, &text, None, "") {
                None => self.refuse(&job, &route.adapter),
                after => self.notice_and(&job, &text, ReplyKind::Failed, after),
            };
        }
        if let Scope::Task(task_id) = &job.scope {
            self.tasks.note_topic(&job.topic_id, task_id);
        }
        let task = link.task_id();
        let Some(job) = (if task.is_some() { Some(job) } else { self.join(job, &route, busy, wanted) })
        else {
            return;
        };
        let ahead = self.sessions.turns(&job.scope).count();
        let lang = self.tongues.of(&job.topic_id);
        let (kind, text) = match ahead {
            _ if self.delivery.is_full() => (StatusKind::Queued, Say::OutboxFull.to(lang, &[])),
            0 if self.sessions.is_full() => (StatusKind::Queued, Say::WaitsForPlace.to(lang, &[])),
            0 => (StatusKind::Running, Say::Starts.to(lang, &[])),
            1 => (StatusKind::Queued, Say::Waits1.to(lang, &[])),
            n => (StatusKind::Queued, Say::Waits.to(lang, &[&n.to_string()])),
        };
        let shown = Status { model: route.model.clone(), ..status(&text, kind, &route.adapter) };
        if task.is_none() {
            self.note_begun(&job);
        }
        self.record_open(&job, kind == StatusKind::Running, None, task);
        if kind == StatusKind::Running {
            self.show(&job.topic_id.clone(), shown);
        } else {
            self.show_now(&job.topic_id, &shown);
        }
        self.sessions.enqueue(job, route, lang, link);
    }

    /// The mailbox is full. A status, because the UIs take any post for the answer of the running turn.
    pub(crate) fn refuse(&mut self, job: &Job, adapter: &str) {
        // who is told to send it again must not have it run twice when the topic is read after a reconnect
        self.store.record(Record::Seen { key: job.key.clone() });
        let text = Say::QueueFull.to(self.tongues.of(&job.topic_id), &[]);
        self.show_now(&job.topic_id, &status(&text, StatusKind::Error, adapter));
    }

    pub(crate) fn record_accepted(&mut self, job: &Job, started: bool, into: Option<String>) {
        self.record_open(job, started, into, None);
    }

    fn record_open(&mut self, job: &Job, started: bool, into: Option<String>, task: Option<String>) {
        let turn = OpenTurn {
            topic_id: job.topic_id.clone(),
            reply_to: job.message_id.clone(),
            at: time::now_ms(),
            started,
            into,
            task,
            zh: self.tongues.of(&job.topic_id) == Lang::Zh,
            ..OpenTurn::default()
        };
        self.store.record(Record::Accepted { key: job.key.clone(), turn });
        self.commit_now = true;
    }

    /// The connector's own visible answer. Through the outbox like any reply.
    pub(crate) fn notice(&mut self, job: &Job, text: &str, kind: ReplyKind) {
        self.notice_and(job, text, kind, None);
    }

    pub(crate) fn notice_and(&mut self, job: &Job, text: &str, kind: ReplyKind, after: Option<Errand>) {
        self.store.record(Record::Seen { key: job.key.clone() });
        if self.delivery.is_full() && after.is_none() {
            // shown, not kept: the outbox has no room for small talk
            let adapter = self.shared.config.adapter.clone();
            return self.show_now(&job.topic_id, &status(text, StatusKind::Error, &adapter));
        }
        let parts = self.shared.encrypt_parts(job, outbound_text::chunk(text, CHUNK_CHARS));
        let reply_to = job.message_id.as_deref();
        let mut entry = self.shared.outbox.entry(&job.key, &job.topic_id, reply_to, parts, kind);
        entry.after.extend(after);
        self.shared.outbox.keep(&entry);
        self.delivery.add(entry, false);
    }
}

/// A status of the connector itself.
pub(crate) fn status(text: &str, kind: StatusKind, adapter: &str) -> Status {
    Status { text: text.to_owned(), kind, adapter: adapter.to_owned(), model: None }
}

/// A `[TASK_STATUS]` line as a message that every UI hides from the feed (see PROGRESS in
/// wtt-connect-protocol(7)).
pub(crate) fn progress_line(
    request_id: &str,
    topic: &str,
    task_id: Option<&str>,
    status: &Status,
    agent_id: &str,
) -> String {
    let kind = status.kind.as_str();
    let line = outbound_text::task_status_line(&TaskStatusLine {
        time: &time::rfc3339(time::now_ms()),
        status: "doing",
        action: &format!("{kind}:{}", status.text),
        task_id,
        topic_id: topic,
        agent_id,
        kind,
    });
    outgoing::progress(request_id, topic, &line)
}
