//! The requests of the catch-up: after each connection the service is asked what was missed (`poll`), which topics there are
//! (`subscribed`), and reads those that were active since the service was last heard (see CATCH-UP in
//! wtt-connect-protocol(7)).

use crate::daemon::context::Context;
use crate::daemon::effect::{Effect, Effects, IntakeStep};
use crate::daemon::inbound::Inbound;
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

impl Inbound {
    /// A connection is up: asks what was missed.
    pub(crate) fn on_connected(&mut self, cx: &mut Context) {
        let slack = i64::try_from(CLOCK_SLACK.as_millis()).unwrap_or(0);
        let since = (cx.store.state().caught_up_to - slack).max(oldest_answered(cx));
        self.catch_up.begin(since, Instant::now());
        poll(cx);
        cx.request("subscribed", Purpose::Topics, outgoing::subscribed);
    }

    /// The connection is gone: from now on things may be missed, and what waits for files goes on without them.
    pub(crate) fn on_disconnected(&mut self, cx: &mut Context, was_up: bool) -> Effects {
        let is_complete = was_up && self.catch_up.is_complete();
        self.catch_up.end(Instant::now());
        if is_complete {
            cx.store.record(Record::CaughtUp { at: time::now_ms() });
        }
        let mut effects = Effects::none();
        effects.intake(IntakeStep::Admit, self.attachments.give_up());
        effects
    }

    /// The daemon ends: what comes from now on is missed.
    pub(crate) fn on_end(&self, cx: &mut Context) {
        if cx.is_connected() && self.catch_up.is_complete() {
            cx.store.record(Record::CaughtUp { at: time::now_ms() });
        }
    }

    /// The answer to `poll`.
    pub(crate) fn on_polled(&mut self, cx: &mut Context, data: &Value) -> Effects {
        let rows = outgoing::rows(data).into_iter();
        let mut missed: Vec<Message> = rows.filter_map(|row| Message::decode(row).ok()).collect();
        missed.sort_by_cached_key(|message| message.created_at.unwrap_or(0));
        if self.catch_up.polled(missed.iter().map(Message::dedupe_key)) {
            poll(cx);
        }
        let oldest = oldest_answered(cx);
        let is_too_old = |message: &Message| message.created_at.is_some_and(|at| at < oldest);
        for message in missed.iter().filter(|message| is_too_old(message)) {
            let key = message.dedupe_key();
            log::debug!(target: "hub", "ignored message {key}: missed, and older than WTT_CONNECT_CATCH_UP_MINUTES or than the state file");
        }
        let mut effects = Effects::none();
        effects.intake(IntakeStep::Arrive, missed.into_iter().filter(|message| !is_too_old(message)));
        effects
    }

    /// The answer to `subscribed`. None: there was none.
    pub(crate) fn on_topics(&mut self, cx: &Context, data: Option<&Value>) -> Effects {
        let since = self.catch_up.since();
        let mut listed = data.map(topic::topics).unwrap_or_default();
        if self.topic_kinds.len() + listed.len() > KINDS {
            self.topic_kinds.clear();
        }
        for topic in &listed {
            self.topic_kinds.insert(topic.id.clone(), topic.kind);
        }
        listed.retain(|t| t.kind != TopicKind::Broadcast && t.active_at.is_none_or(|at| at >= since));
        listed.sort_by_cached_key(|topic| std::cmp::Reverse(topic.active_at.unwrap_or(0)));
        let known = known_topics(cx, since).into_iter();
        let unlisted = known.filter(|id| !self.topic_kinds.contains_key(id));
        listed.extend(unlisted.map(|id| Topic::bare(&id)));
        listed.truncate(TOPICS);
        log::debug!(target: "hub", "reading {} topic(s) for what was missed", listed.len());
        let mut effects = Effects::none();
        effects.intake(IntakeStep::Attach, self.catch_up.discovered(listed));
        effects.push(Effect::ContinueCatchUp);
        effects
    }

    /// Asks for the histories of further topics; notes when all were read.
    pub(crate) fn continue_catch_up(&mut self, cx: &mut Context) {
        while let Some((topic, id)) = self.catch_up.next() {
            cx.request("history", Purpose::Missed { topic }, |request| {
                outgoing::history(request, &id, HISTORY_LIMIT)
            });
        }
        if self.catch_up.is_complete() {
            cx.store.record(Record::CaughtUp { at: time::now_ms() });
        }
    }

    /// The history of a topic: what was missed there, then its live messages. None: it could not be read.
    pub(crate) fn on_history(&mut self, cx: &Context, number: usize, data: Option<&Value>) -> Effects {
        let mut rows: Vec<Message> = Vec::new();
        if let Some(topic) = self.catch_up.topic(number).cloned() {
            let data = data.map(outgoing::rows).unwrap_or_default();
            rows = self.missed_in(cx, data.into_iter().filter_map(|row| topic.message(row)).collect());
        }
        rows.extend(self.catch_up.read(number));
        // those that were polled among those that were read; live ones are the newest
        rows.sort_by_cached_key(|m| m.created_at.unwrap_or(i64::MAX));
        let mut effects = Effects::none();
        effects.intake(IntakeStep::Admit, rows);
        effects.push(Effect::ContinueCatchUp);
        effects
    }

    /// What of a history was missed. Remembers files that a message of it may be about.
    fn missed_in(&mut self, cx: &Context, mut rows: Vec<Message>) -> Vec<Message> {
        let since = self.catch_up.since();
        rows.retain(|m| m.created_at.is_some_and(|at| at >= since - SOON_MS));
        // a question that was missed may be about a picture that was there before, and that no other has used
        for row in rows.iter().filter(|m| !m.media.is_empty()) {
            let is_later = |m: &&Message| m.sender_id == row.sender_id && m.created_at >= row.created_at;
            let is_used = rows.iter().filter(is_later).any(|m| cx.store.state().has_seen(&m.dedupe_key()));
            if is_used || row.created_at < Some(since) {
                self.remember_post(cx, row, is_used);
            }
        }
        rows.retain(|m| m.created_at >= Some(since));
        // what an earlier life has answered, whose state is lost
        let own = rows.iter().filter(|m| m.sender_id == cx.identity.agent_id);
        let answered: Vec<String> = own.filter_map(|m| m.reply_to.clone()).collect();
        rows.retain(|m| m.id.as_ref().is_none_or(|id| !answered.contains(id)));
        rows
    }

    /// The catch-up takes too long: live messages go on without it.
    pub(crate) fn on_timer(&mut self, now: Instant) -> Effects {
        let mut effects = Effects::none();
        effects.intake(IntakeStep::Attach, self.catch_up.expired(now));
        effects
    }
}

fn poll(cx: &mut Context) {
    cx.request("poll", Purpose::Poll, |id| outgoing::poll(id, POLL_LIMIT));
}

/// Messages from before this time (milliseconds since the epoch) are not answered.
fn oldest_answered(cx: &Context) -> i64 {
    let limit = i64::try_from(cx.config().catch_up.as_millis()).unwrap_or(i64::MAX);
    // a damaged state file does not say what was run already, and nothing may run twice
    time::now_ms().saturating_sub(limit).max(cx.store.complete_since())
}

/// Topics with native sessions that were used lately.
fn known_topics(cx: &Context, since: i64) -> Vec<String> {
    const WEEK_MS: i64 = 7 * 24 * 3_600_000;
    let mut used: Vec<(i64, String)> = Vec::new();
    for (key, row) in cx.store.state().sessions.iter().filter(|(_, row)| row.used_at + WEEK_MS > since) {
        match routing::topic_of(key) {
            // the sessions of a topic follow each other
            Some(id) if used.last().is_some_and(|(_, last)| *last == id) => {}
            Some(id) => used.push((row.used_at, id)),
            None => {}
        }
    }
    used.sort_by_cached_key(|(at, _)| std::cmp::Reverse(*at));
    used.into_iter().take(KNOWN_TOPICS).map(|(_, id)| id).collect()
}
