//! The hub's side of the catch-up: after each connection it asks what was missed (`poll`), which topics there are
//! (`subscribed`), and reads those that were active since we last heard the service (see CATCH-UP in
//! wtt-connect-protocol(7)).

use crate::daemon::hub::Hub;
use crate::daemon::inbound::catch_up::state::TOPICS;
use crate::daemon::inbound::late_attachments::SOON_MS;
use crate::daemon::outbound::requests::Purpose;
use crate::session::routing;
use crate::store::state::Record;
use crate::sys::time;
use crate::wire::assumed::{CLOCK_SLACK, HISTORY_LIMIT, POLL_LIMIT};
use crate::wire::message::{Message, TopicKind};
use crate::wire::outgoing;
use crate::wire::topic::{self, Topic};
use serde_json::Value;
use std::time::Instant;

/// Topics of earlier sessions that are read as well, in case the service does not list them.
const KNOWN_TOPICS: usize = 20;
/// Kinds of topics remembered, for messages that do not say theirs.
const KINDS: usize = 10_000;

impl Hub {
    /// A connection is up.
    pub(crate) fn begin_catch_up(&mut self) {
        let now = Instant::now();
        let slack = i64::try_from(CLOCK_SLACK.as_millis()).unwrap_or(0);
        let since = (self.store.state().heard_at - slack).max(self.oldest());
        self.catch_up.begin(since, now);
        self.poll();
        let id = self.requests.open("subscribed", Purpose::Topics, now);
        self.net.send(outgoing::subscribed(&id));
    }

    fn poll(&mut self) {
        let id = self.requests.open("poll", Purpose::Poll, Instant::now());
        self.net.send(outgoing::poll(&id, POLL_LIMIT));
    }

    /// What was missed before this (milliseconds since the epoch) is not answered any more.
    fn oldest(&self) -> i64 {
        let limit = i64::try_from(self.shared.config.catch_up.as_millis()).unwrap_or(i64::MAX);
        // after a damaged state file nobody knows what was run already, and nothing may be run twice
        time::now_ms().saturating_sub(limit).max(self.store.complete_since())
    }

    /// The connection is gone: from now on things may be missed.
    pub(crate) fn stop_catch_up(&mut self, was_up: bool) {
        let complete = was_up && self.catch_up.is_complete();
        self.catch_up.end(Instant::now());
        if complete {
            self.store.record(Record::Heard { at: time::now_ms() });
        }
    }

    /// The answer to `poll`.
    pub(crate) fn on_missed(&mut self, data: &Value) {
        let mut missed: Vec<Message> =
            outgoing::rows(data).into_iter().filter_map(|row| Message::decode(row).ok()).collect();
        missed.sort_by_key(|m| m.created_at);
        if self.catch_up.polled(missed.iter().map(Message::dedupe_key)) {
            self.poll();
        }
        let oldest = self.oldest();
        for message in missed {
            if message.created_at.is_some_and(|at| at < oldest) {
                let key = message.dedupe_key();
                log::debug!(target: "hub", "ignored message {key}: missed, and older than WTT_CONNECT_CATCH_UP_MINUTES or than the state file");
            } else {
                self.on_message(message);
            }
        }
    }

    /// The answer to `subscribed`, or none.
    pub(crate) fn on_topics(&mut self, data: &Value) {
        let since = self.catch_up.since();
        let mut listed = topic::topics(data);
        if self.kinds.len() + listed.len() > KINDS {
            self.kinds.clear();
        }
        for topic in &listed {
            self.kinds.insert(topic.id.clone(), topic.kind);
        }
        listed.retain(|t| t.kind != TopicKind::Broadcast && t.active_at.is_none_or(|at| at >= since));
        listed.sort_by_key(|topic| std::cmp::Reverse(topic.active_at));
        let unlisted = self.known_topics(since).into_iter().filter(|id| !self.kinds.contains_key(id));
        listed.extend(unlisted.map(|id| Topic::bare(&id)).collect::<Vec<_>>());
        listed.truncate(TOPICS);
        log::debug!(target: "hub", "reading {} topic(s) for what was missed", listed.len());
        for message in self.catch_up.discovered(listed) {
            self.take_with_files(&message);
        }
        self.ask_histories();
    }

    /// Topics with native sessions that were used lately.
    fn known_topics(&self, since: i64) -> Vec<String> {
        const WEEK_MS: i64 = 7 * 24 * 3_600_000;
        let mut used: Vec<(i64, String)> = Vec::new();
        for (key, row) in self.store.state().sessions.iter().filter(|(_, row)| row.used_at + WEEK_MS > since)
        {
            match routing::topic_of(key) {
                // the sessions of a topic follow each other
                Some(id) if used.last().is_some_and(|(_, last)| *last == id) => {}
                Some(id) => used.push((row.used_at, id)),
                None => {}
            }
        }
        used.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        used.into_iter().take(KNOWN_TOPICS).map(|(_, id)| id).collect()
    }

    /// The daemon ends.
    pub(crate) fn note_heard(&mut self) {
        if self.link.up_since.is_some() && self.catch_up.is_complete() {
            self.store.record(Record::Heard { at: time::now_ms() });
        }
    }

    fn ask_histories(&mut self) {
        while let Some((topic, id)) = self.catch_up.next() {
            let request = self.requests.open("history", Purpose::Missed { topic }, Instant::now());
            self.net.send(outgoing::history(&request, &id, HISTORY_LIMIT));
        }
        if self.catch_up.is_complete() {
            self.store.record(Record::Heard { at: time::now_ms() });
        }
    }

    /// The history of a topic, or none; then its live messages.
    pub(crate) fn on_history(&mut self, number: usize, data: &Value) {
        let since = self.catch_up.since();
        let mut rows: Vec<Message> = Vec::new();
        if let Some(topic) = self.catch_up.topic(number).cloned() {
            rows = outgoing::rows(data)
                .into_iter()
                .filter_map(|row| topic.message(row))
                .filter(|m| m.created_at.is_some_and(|at| at >= since - SOON_MS))
                .collect();
            // a question that was missed may be about a picture that was there before, and that no other has had
            for row in rows.iter().filter(|m| !m.media.is_empty()) {
                let later = |m: &&Message| m.sender_id == row.sender_id && m.created_at >= row.created_at;
                let had = rows.iter().filter(later).any(|m| self.store.state().has_seen(&m.dedupe_key()));
                if had || row.created_at < Some(since) {
                    self.note_post(row, had);
                }
            }
            rows.retain(|m| m.created_at >= Some(since));
            // what an earlier life has answered, whose state is lost
            let me = &self.me.agent_id;
            let mine = rows.iter().filter(|m| m.sender_id == *me);
            let answered: Vec<String> = mine.filter_map(|m| m.reply_to.clone()).collect();
            rows.retain(|m| m.id.as_ref().is_none_or(|id| !answered.contains(id)));
        }
        rows.extend(self.catch_up.read(number));
        // those that were polled among those that were read; live ones are the newest
        rows.sort_by_key(|m| m.created_at.unwrap_or(i64::MAX));
        for message in rows {
            self.take(&message);
        }
        self.ask_histories();
    }
}
