//! The hub's side of the outbox: sends what the delivery decides, and carries out what it concludes.

use crate::daemon::hub::Hub;
use crate::daemon::outbound::delivery::DeliveryAction;
use crate::daemon::outbound::http_call::{HttpCall, HttpOutcome, HttpPurpose};
use crate::daemon::outbound::requests::Purpose;
use crate::store::errand::Errand;
use crate::store::outbox::Entry;
use crate::store::state::Record;
use crate::wire::assumed::{HISTORY_LIMIT, TYPING_TTL_MS};
use crate::wire::message::Message;
use crate::wire::outgoing::{self, Publish, Status};
use crate::wire::topic::Topic;
use std::time::Instant;

/// Progress is dropped while more than this waits for the socket; replies never are.
const BACKLOG_BYTES: usize = 8 * 1024 * 1024;

impl Hub {
    /// Compares the history of a topic with what is not acknowledged.
    pub(crate) fn look_up(&mut self, seq: u64, data: &serde_json::Value) -> Option<DeliveryAction> {
        let entry = self.delivery.entry(seq)?;
        let (since, reply_to) = (entry.at, entry.reply_to.clone());
        let topic = Topic::bare(&entry.topic_id);
        let elsewhere = |m: &Message| m.reply_to.is_some() && reply_to.is_some() && m.reply_to != reply_to;
        let mine: Vec<Message> = outgoing::rows(data)
            .into_iter()
            .filter_map(|row| topic.message(row))
            .filter(|m| m.sender_id == self.me.agent_id)
            .collect();
        self.delivery.looked_up(seq, |client_id, text| {
            mine.iter().any(|m| match outgoing::client_id(m) {
                Some(id) => id == client_id,
                // the service may not keep metadata: equal text, not older than the entry, and not the same short
                // answer to another message
                None => {
                    m.content == text && m.created_at.is_none_or(|at| at + 60_000 >= since) && !elsewhere(m)
                }
            })
        })
    }

    /// Sends what can be sent now.
    pub(crate) fn deliver(&mut self, now: Instant) {
        if self.link.up_since.is_none() {
            return;
        }
        for action in self.delivery.next(now) {
            match action {
                DeliveryAction::Publish { seq, part } => self.publish(seq, part, now),
                DeliveryAction::Lookup { seq } => {
                    let id = self.requests.open("history", Purpose::Lookup { seq }, now);
                    if let Some(entry) = self.delivery.entry(seq) {
                        self.net.send(outgoing::history(&id, &entry.topic_id, HISTORY_LIMIT));
                    }
                }
                DeliveryAction::Errand { seq, left } => self.run_errand(seq, left, now),
                _ => self.act(Some(action)),
            }
        }
    }

    fn run_errand(&mut self, seq: u64, left: usize, now: Instant) {
        let Some((errand, tries)) = self.delivery.errand(seq) else { return };
        if let Some((path, body)) = errand.as_patch() {
            self.tasks.note_own(path, body, now);
        }
        let tag = HttpPurpose::Errand { seq, left };
        let taken = match errand.clone() {
            Errand::Patch { path, body } => {
                let call = match self.delivery.asked_before(seq) {
                    Some(since) => HttpCall::Again { path, body, since },
                    None => HttpCall::Patch { path, body },
                };
                self.courier.carry(&self.shared, tag, call)
            }
            Errand::Upload(upload) => self.upload(tag, upload, tries),
        };
        if !taken {
            let posted = HttpOutcome::Unknown("no thread could be started".to_owned());
            let action = self.delivery.ran(seq, left, posted, now);
            self.act(action);
        }
    }

    fn publish(&mut self, seq: u64, part: usize, now: Instant) {
        let (metadata, named) = (self.delivery.with_metadata(seq), self.delivery.with_reply_to(seq));
        if self.delivery.by_http(seq) {
            return self.post(seq, part, now);
        }
        let id = self.requests.open("publish", Purpose::Publish { seq, part }, now);
        let Some(entry) = self.delivery.entry(seq) else { return };
        let client_id = entry.client_id(part);
        let frame = outgoing::publish(&Publish {
            request_id: &id,
            topic_id: &entry.topic_id,
            content: entry.parts.get(part).map_or("", String::as_str),
            semantic_type: "post",
            reply_to: entry.reply_to.as_deref().filter(|_| part == 0 && named),
            client_id: metadata.then_some(client_id.as_str()),
            outcome: metadata.then_some(entry.kind.word()),
        });
        // a connection that has just gone is reported by its own event, which makes this part unknown again
        self.net.send(frame);
    }

    /// The same by HTTP.
    fn post(&mut self, seq: u64, part: usize, now: Instant) {
        let named = self.delivery.with_reply_to(seq);
        let Some(entry) = self.delivery.entry(seq) else { return };
        let body = outgoing::message(
            &Publish {
                request_id: "",
                topic_id: &entry.topic_id,
                content: entry.parts.get(part).map_or("", String::as_str),
                semantic_type: "post",
                reply_to: entry.reply_to.as_deref().filter(|_| part == 0 && named),
                client_id: Some(&entry.client_id(part)),
                outcome: Some(entry.kind.word()),
            },
            &self.me.agent_id,
        );
        let path = outgoing::messages_path(&entry.topic_id, &self.me.agent_id);
        if !self.courier.carry(&self.shared, HttpPurpose::Part { seq, part }, HttpCall::Post { path, body }) {
            self.delivery.lost(seq, part, now);
        }
    }

    /// A call by HTTP has ended.
    pub(crate) fn on_posted(&mut self, tag: HttpPurpose, posted: HttpOutcome) {
        let now = Instant::now();
        self.courier.is_back(&tag);
        let action = match (tag, posted) {
            (HttpPurpose::Task { task_id, about }, posted) => {
                return self.on_task_answer(&task_id, about, posted);
            }
            (HttpPurpose::Errand { seq, left }, posted) => {
                if let HttpOutcome::Refused(_, why) | HttpOutcome::Unknown(why) = &posted {
                    log::debug!(target: "hub", "what follows a reply: {why}");
                }
                self.delivery.ran(seq, left, posted, now)
            }
            (HttpPurpose::Part { seq, part }, HttpOutcome::Taken(_)) => self.delivery.accepted(seq, part),
            (HttpPurpose::Part { seq, part }, HttpOutcome::Refused(_, why)) => {
                log::warn!(target: "hub", "the service refused a reply by HTTP too: {why}");
                self.delivery.refused(seq, part, &why, now)
            }
            (HttpPurpose::Part { seq, part }, HttpOutcome::Unknown(why)) => {
                log::debug!(target: "hub", "a reply by HTTP: {why}; it will be looked up");
                self.delivery.lost(seq, part, now);
                None
            }
        };
        self.act(action);
    }

    /// Whether new turns must wait because the outbox is full. Said once, when it begins and when it is over.
    pub(crate) fn holds_back(&mut self) -> bool {
        let full = self.delivery.is_full();
        if full && !self.full {
            let (replies, kib) = (self.delivery.len(), self.delivery.bytes() / 1024);
            log::warn!(target: "hub", "the outbox is full: {replies} replies ({kib} KiB) wait for the service; no new turn begins until it takes some");
        } else if self.full && !full {
            log::info!(target: "hub", "the outbox has room again");
        }
        self.full = full;
        full && self.drain.is_none()
    }

    /// Carries out what the delivery has concluded.
    pub(crate) fn act(&mut self, action: Option<DeliveryAction>) {
        let entry = match action {
            Some(DeliveryAction::Delivered(entry)) => {
                self.sealed(&entry);
                self.cards.settle(&entry, None);
                if let Err(error) = self.shared.outbox.remove(&entry) {
                    log::warn!(target: "hub", "outbox: {error}");
                }
                entry
            }
            Some(DeliveryAction::Refused { entry, why }) => {
                self.sealed(&entry);
                // who asked for it and has heard the refusal needs no copy
                let done = if self.cards.settle(&entry, Some(&why)) {
                    log::warn!(target: "hub", "a card in topic {} was refused ({why}); who asked for it knows", entry.topic_id);
                    self.shared.outbox.remove(&entry)
                } else {
                    log::error!(target: "hub", "a reply in topic {} was refused for good ({why}); it is kept in outbox/failed", entry.topic_id);
                    self.shared.outbox.fail(&entry)
                };
                if let Err(error) = done {
                    log::warn!(target: "hub", "outbox: {error}");
                }
                entry
            }
            Some(DeliveryAction::Moved { seq }) => {
                let Some(entry) = self.delivery.entry(seq) else { return };
                // without it the texts would be looked up, and the errands done, once more: both are harmless
                if let Err(error) = self.shared.outbox.put(entry) {
                    log::warn!(target: "hub", "outbox: {error}");
                }
                return self.typing_stops(&entry.topic_id.clone());
            }
            Some(DeliveryAction::GaveUp { entry, why }) => {
                log::error!(target: "hub", "the service does not take a part of a reply, or what follows it, in topic {} ({why}); it is kept in outbox/failed", entry.topic_id);
                if let Err(error) = self.shared.outbox.record_failure(&entry) {
                    log::warn!(target: "hub", "outbox: {error}");
                }
                return;
            }
            _ => return,
        };
        self.typing_stops(&entry.topic_id);
    }

    /// Shows a status in a topic, throttled.
    pub(crate) fn show(&mut self, topic: &str, status: Status) {
        let now = Instant::now();
        if let Some(status) = self.board.show(topic, status, now) {
            self.send_status(topic, &status, now);
        }
    }

    /// Shows what a person must not miss: a place in the queue, a refusal. The topic has a live turn.
    pub(crate) fn show_now(&mut self, topic: &str, status: &Status) {
        let now = Instant::now();
        self.board.shown(topic, now);
        self.send_status(topic, status, now);
    }

    pub(crate) fn send_status(&mut self, topic: &str, status: &Status, now: Instant) {
        if self.link.up_since.is_none() || self.net.backlog_bytes() > BACKLOG_BYTES {
            return;
        }
        let id = self.requests.untracked("typing");
        self.net.send(outgoing::typing_start(&id, topic, TYPING_TTL_MS, status));
        self.beat(topic, status, now);
        if self.shared.config.publish_progress && self.board.line(topic, now) {
            let id = self.requests.untracked("progress");
            let task = self.tasks.of_topic(topic);
            self.net.send(crate::daemon::inbound::intake::progress_line(
                &id,
                topic,
                task,
                status,
                &self.me.agent_id,
            ));
        }
    }

    fn typing_stops(&mut self, topic_id: &str) {
        // a chat command, or an earlier turn: another one is at work in the topic, and its end will say so
        if self.board.is_live(topic_id) {
            return;
        }
        let id = self.requests.untracked("typing");
        self.net.send(outgoing::typing_stop(&id, topic_id));
    }

    /// "Finished" must be on disk before the outbox file goes, or a crash would report the turn as interrupted.
    fn sealed(&mut self, entry: &Entry) {
        for key in std::iter::once(&entry.key).chain(&entry.also) {
            if self.store.state().open.contains_key(key) {
                self.store.record(Record::Finished { key: key.clone() });
            }
        }
        if self.store.dirty()
            && let Err(error) = self.store.commit()
        {
            log::warn!(target: "store", "cannot write the state: {error}");
        }
    }
}
