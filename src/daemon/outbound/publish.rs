//! Sends what the delivery decides, and carries out what it concludes. The hub thread's writes to the outbox are here.

use super::Outbound;
use crate::daemon::context::Context;
use crate::daemon::control::reply::reply;
use crate::daemon::effect::{Effect, Effects, Notice, own_status};
use crate::daemon::outbound::delivery::{Conclusion, NextStep, Transport};
use crate::daemon::outbound::http_call::{HttpCall, HttpOutcome, HttpPurpose};
use crate::daemon::outbound::requests::Purpose;
use crate::daemon::outbound::upload_waiters::FinishedUpload;
use crate::daemon::outbound::uploads::UploadJob;
use crate::session::turn::TurnEnd;
use crate::store::follow_up::FollowUp;
use crate::store::outbox::{OutboxEntry, ReplyKind};
use crate::store::state::Record;
use crate::wire::assumed::{CHUNK_CHARS, HISTORY_LIMIT};
use crate::wire::message::Message;
use crate::wire::outbound_text::chunk;
use crate::wire::outgoing::{self, Publish, StatusKind};
use crate::wire::topic::Topic;
use serde_json::{Value, json};
use std::time::Instant;

/// A message whose text equals that of an entry counts as that entry when it is not older than this before it: the clocks
/// of the service and of this machine differ. Milliseconds.
const CLOCK_SLACK_MS: i64 = 60_000;

impl Outbound {
    /// Answers a message visibly, through the outbox like any reply. With a full outbox the answer is only shown.
    pub(crate) fn notice(&mut self, cx: &mut Context, notice: Notice) -> Effects {
        let Notice { job, text, kind, follow_up } = notice;
        cx.record_seen(&job.key);
        let mut effects = Effects::none();
        if self.delivery.is_full() && follow_up.is_none() {
            effects.show_now(&job.topic_id, own_status(&text, StatusKind::Error, &cx.config().adapter));
            return effects;
        }
        let parts = cx.shared.encrypt_parts(&job, chunk(&text, CHUNK_CHARS));
        let reply_to = job.message_id.as_deref();
        let mut entry = cx.shared.outbox.new_entry(&job.key, &job.topic_id, reply_to, parts, kind);
        entry.follow_ups.extend(follow_up);
        self.post(cx, entry);
        effects
    }

    /// Makes an entry durable and delivers it.
    pub(crate) fn post(&mut self, cx: &Context, entry: OutboxEntry) {
        cx.shared.outbox.put_or_keep_in_memory(&entry);
        self.delivery.add(entry, false);
    }

    /// Delivers an entry that the thread that made it has written to disk.
    pub(crate) fn deliver_written(&mut self, entry: OutboxEntry) {
        self.delivery.add(entry, false);
    }

    /// Delivers the reply of a turn that is over. The one that says that a message is deferred reaches the disk behind
    /// the deferred message: after a crash between the two the message is not lost.
    pub(crate) fn deliver_reply(&mut self, cx: &mut Context, end: &TurnEnd, reply: OutboxEntry) {
        if matches!(end, TurnEnd::Parked { .. }) {
            // a disk that refuses is reported with the batch
            let _ = cx.store.commit();
            cx.shared.outbox.put_or_keep_in_memory(&reply);
        }
        self.delivery.add(reply, false);
    }

    /// Sends what can be sent now.
    pub(crate) fn deliver(&mut self, cx: &mut Context, now: Instant) -> Effects {
        let mut effects = Effects::none();
        if !cx.is_connected() {
            return effects;
        }
        for step in self.delivery.next(now) {
            match step {
                NextStep::Publish { seq, part } => self.publish(cx, seq, part, now),
                NextStep::LookUp { seq } => {
                    let Some(topic_id) = self.delivery.entry(seq).map(|entry| entry.topic_id.clone()) else {
                        continue;
                    };
                    cx.request("history", Purpose::Lookup { seq }, |id| {
                        outgoing::history(id, &topic_id, HISTORY_LIMIT)
                    });
                }
                NextStep::FollowUp { seq, left } => self.follow_up(cx, seq, left, now, &mut effects),
                NextStep::Conclude(conclusion) => self.conclude(cx, conclusion),
            }
        }
        effects
    }

    fn publish(&mut self, cx: &mut Context, seq: u64, part: usize, now: Instant) {
        let attempt = self.delivery.attempt(seq);
        let Some(entry) = self.delivery.entry(seq) else { return };
        let client_id = entry.client_id(part);
        let publication = Publish {
            request_id: "",
            topic_id: &entry.topic_id,
            content: entry.parts.get(part).map_or("", String::as_str),
            semantic_type: "post",
            reply_to: entry.reply_to.as_deref().filter(|_| part == 0 && attempt.names_message),
            client_id: attempt.has_metadata.then_some(client_id.as_str()),
            outcome: attempt.has_metadata.then_some(entry.kind.word()),
        };
        match attempt.transport {
            Transport::Socket => {
                cx.request("publish", Purpose::Publish { seq, part }, |id| {
                    outgoing::publish(&Publish { request_id: id, ..publication })
                });
            }
            Transport::Http => {
                let me = &cx.identity.agent_id;
                let body = outgoing::message(&publication, me);
                let path = outgoing::messages_path(&entry.topic_id, me);
                let call = HttpCall::Post { path, body };
                if !self.http.enqueue(&cx.shared, HttpPurpose::Part { seq, part }, call) {
                    self.delivery.lost(seq, part, now);
                }
            }
        }
    }

    /// Carries out the first follow-up of an entry that has `left` of them.
    fn follow_up(&mut self, cx: &mut Context, seq: u64, left: usize, now: Instant, effects: &mut Effects) {
        let Some((follow_up, tries)) = self.delivery.first_follow_up(seq) else { return };
        if let Some((path, body)) = follow_up.as_patch() {
            effects.push(Effect::OwnTaskChange { path: path.to_owned(), body: body.clone() });
        }
        let purpose = HttpPurpose::FollowUp { seq, left };
        let is_under_way = match follow_up.clone() {
            FollowUp::Patch { path, body } => {
                let call = match self.delivery.asked_before(seq) {
                    Some(since) => HttpCall::PatchUnlessDone { path, body, since },
                    None => HttpCall::Patch { path, body },
                };
                self.http.enqueue(&cx.shared, purpose, call)
            }
            FollowUp::Upload(upload) => self.uploads.send_entry(&cx.shared, purpose, upload, tries),
        };
        if !is_under_way {
            let outcome = HttpOutcome::Unknown("no thread could be started".to_owned());
            let conclusion = self.delivery.on_follow_up(seq, left, outcome, now);
            self.conclude_some(cx, conclusion);
        }
    }

    /// Makes a call by HTTP; its outcome comes as an event. False when no thread could be started.
    pub(crate) fn call_http(&mut self, cx: &Context, purpose: HttpPurpose, call: HttpCall) -> bool {
        self.http.enqueue(&cx.shared, purpose, call)
    }

    /// A call by HTTP has ended, whatever it was for.
    pub(crate) fn on_call_ended(&mut self, purpose: &HttpPurpose) {
        self.http.on_call_ended(purpose);
    }

    /// The service has answered a publication by the socket.
    pub(crate) fn on_published(&mut self, cx: &mut Context, seq: u64, part: usize, refusal: Option<&str>) {
        let conclusion = match refusal {
            None => self.delivery.accepted(seq, part),
            Some(why) => {
                log::warn!(target: "hub", "the service refused a reply: {why}");
                self.delivery.refused(seq, part, why, Instant::now())
            }
        };
        self.conclude_some(cx, conclusion);
    }

    /// A publication by HTTP has ended.
    pub(crate) fn on_posted(&mut self, cx: &mut Context, seq: u64, part: usize, outcome: HttpOutcome) {
        let now = Instant::now();
        let conclusion = match outcome {
            HttpOutcome::Accepted(_) => self.delivery.accepted(seq, part),
            HttpOutcome::Refused(_, why) => {
                log::warn!(target: "hub", "the service refused a reply by HTTP too: {why}");
                self.delivery.refused(seq, part, &why, now)
            }
            HttpOutcome::Unknown(why) => {
                log::debug!(target: "hub", "a reply by HTTP: {why}; it will be looked up");
                self.delivery.lost(seq, part, now);
                None
            }
        };
        self.conclude_some(cx, conclusion);
    }

    /// What follows a reply has ended. `left`: follow-ups of the entry when it began.
    pub(crate) fn on_follow_up(&mut self, cx: &mut Context, seq: u64, left: usize, outcome: HttpOutcome) {
        if let HttpOutcome::Refused(_, why) | HttpOutcome::Unknown(why) = &outcome {
            log::debug!(target: "hub", "what follows a reply: {why}");
        }
        let conclusion = self.delivery.on_follow_up(seq, left, outcome, Instant::now());
        self.conclude_some(cx, conclusion);
    }

    /// A request of the delivery was not answered in time.
    pub(crate) fn on_unanswered(&mut self, seq: u64) {
        self.delivery.unanswered(seq);
    }

    /// The history of an entry's topic: compared with what is not acknowledged. None: it could not be read.
    pub(crate) fn on_history(&mut self, cx: &mut Context, seq: u64, data: Option<&Value>) {
        let Some(data) = data else { return self.delivery.lookup_refused(seq) };
        let conclusion = self.look_up(cx, seq, data);
        self.conclude_some(cx, conclusion);
    }

    fn look_up(&mut self, cx: &Context, seq: u64, data: &Value) -> Option<Conclusion> {
        let entry = self.delivery.entry(seq)?;
        let (since, reply_to) = (entry.written_at, entry.reply_to.clone());
        let topic = Topic::bare(&entry.topic_id);
        let answers_another =
            |m: &Message| m.reply_to.is_some() && reply_to.is_some() && m.reply_to != reply_to;
        let own: Vec<Message> = outgoing::rows(data)
            .into_iter()
            .filter_map(|row| topic.message(row))
            .filter(|m| m.sender_id == cx.identity.agent_id)
            .collect();
        self.delivery.looked_up(seq, |client_id, text| {
            own.iter().any(|m| match outgoing::client_id(m) {
                Some(id) => id == client_id,
                // the service may not keep metadata: equal text, not older than the entry, and not the same short
                // answer to another message
                None => {
                    m.content == text
                        && m.created_at.is_none_or(|at| at + CLOCK_SLACK_MS >= since)
                        && !answers_another(m)
                }
            })
        })
    }

    /// A message of this agent came back: proof that it has arrived, whatever happens to its answer.
    pub(crate) fn on_echo(&mut self, cx: &mut Context, topic_id: &str, client_id: &str) {
        let conclusion = self.delivery.echoed(topic_id, client_id);
        self.conclude_some(cx, conclusion);
    }

    /// A file that was asked for is with the service: posts its card, unless the same one is on its way already.
    pub(crate) fn on_finished_upload(&mut self, cx: &Context, upload: FinishedUpload) {
        let FinishedUpload { key, topic_id, card, answer, back } = upload;
        let is_same = |entry: &OutboxEntry| {
            entry.is_requested_upload() && entry.topic_id == topic_id && entry.parts.first() == Some(&card)
        };
        let now = Instant::now();
        let seq = match self.delivery.find(is_same) {
            Some(seq) => seq,
            None if self.waiters.take_remembered(&topic_id, &card, now) => {
                reply(back, &answer);
                return;
            }
            None => {
                let outbox = &cx.shared.outbox;
                let entry = outbox.new_entry(&key, &topic_id, None, vec![card], ReplyKind::Notice);
                if let Err(error) = outbox.put(&entry) {
                    // its file may be there all the same, and the requester repeats a request that has failed
                    let _ = outbox.remove(&entry);
                    let why = format!("the card could not be kept: {}", crate::error::reason(&error));
                    reply(back, &json!({ "error": why }));
                    return;
                }
                let seq = entry.seq;
                self.delivery.add(entry, false);
                seq
            }
        };
        self.waiters.add(seq, answer, back, now);
    }

    /// Sends the files that a client of the control socket names; the threads answer it.
    pub(crate) fn send_requested(&mut self, cx: &Context, job: UploadJob) {
        let may_send = !cx.lifecycle.is_shutting_down() && !self.delivery.is_full();
        self.uploads.send_requested(&cx.shared, job, may_send);
    }

    fn conclude_some(&mut self, cx: &mut Context, conclusion: Option<Conclusion>) {
        if let Some(conclusion) = conclusion {
            self.conclude(cx, conclusion);
        }
    }

    /// Carries out what the delivery has concluded.
    fn conclude(&mut self, cx: &mut Context, conclusion: Conclusion) {
        match conclusion {
            Conclusion::Delivered(entry) => {
                commit_finished(cx, &entry);
                self.waiters.settle(&entry, None);
                log_error(cx.shared.outbox.remove(&entry));
                self.stop_typing(cx, &entry.topic_id);
            }
            Conclusion::Refused { entry, why } => {
                commit_finished(cx, &entry);
                // a requester that knows of the refusal needs no copy
                if self.waiters.settle(&entry, Some(&why)) {
                    log::warn!(target: "hub", "a card in topic {} was refused ({why}); who asked for it knows", entry.topic_id);
                    log_error(cx.shared.outbox.remove(&entry));
                } else {
                    log::error!(target: "hub", "a reply in topic {} was refused for good ({why}); it is kept in outbox/failed", entry.topic_id);
                    log_error(cx.shared.outbox.move_to_failed(&entry));
                }
                self.stop_typing(cx, &entry.topic_id);
            }
            Conclusion::Advanced { seq } => {
                let Some(entry) = self.delivery.entry(seq) else { return };
                // without it the texts would be looked up, and the follow-ups done, once more: both are harmless
                log_error(cx.shared.outbox.put(entry));
                self.stop_typing(cx, &entry.topic_id);
            }
            Conclusion::GaveUp { entry, why } => {
                log::error!(target: "hub", "the service does not take a part of a reply, or what follows it, in topic {} ({why}); it is kept in outbox/failed", entry.topic_id);
                log_error(cx.shared.outbox.copy_to_failed(&entry));
            }
        }
    }
}

/// "Finished" must be on disk before the outbox file goes, or a crash would report the turn as interrupted.
fn commit_finished(cx: &mut Context, entry: &OutboxEntry) {
    for key in std::iter::once(&entry.key).chain(&entry.merged_keys) {
        if cx.store.state().open.contains_key(key) {
            cx.store.record(Record::Finished { key: key.clone() });
        }
    }
    if cx.store.has_uncommitted()
        && let Err(error) = cx.store.commit()
    {
        log::warn!(target: "store", "cannot write the state: {error}");
    }
}

fn log_error(done: std::io::Result<()>) {
    if let Err(error) = done {
        log::warn!(target: "hub", "outbox: {error}");
    }
}
