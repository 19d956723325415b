//! The status card of each topic: throttles what agents report, always shows the last. Pure; time is passed in.

use crate::wire::assumed::TYPING_THROTTLE;
use crate::wire::outgoing::TypingStatus;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// `[TASK_STATUS]` lines are stored by the service for ever: far fewer of them.
const LINE_GAP: Duration = Duration::from_secs(5);

#[derive(Debug)]
struct TopicStatus {
    sent: Instant,
    /// The last sign of life; at first when the turn came.
    beat: Instant,
    line: Option<Instant>,
    waiting: Option<TypingStatus>,
}

/// All topics with a live turn.
#[derive(Debug, Default)]
pub(crate) struct ProgressThrottle {
    cards: HashMap<String, TopicStatus>,
}

impl ProgressThrottle {
    /// A new status: returned when it may be sent now, kept as the newest otherwise.
    pub(crate) fn show(&mut self, topic: &str, status: TypingStatus, now: Instant) -> Option<TypingStatus> {
        match self.cards.get_mut(topic) {
            Some(card) if now < card.sent + TYPING_THROTTLE => {
                card.waiting = Some(status);
                None
            }
            Some(card) => {
                card.sent = now;
                card.waiting = None;
                Some(status)
            }
            None => {
                self.cards.insert(
                    topic.to_owned(),
                    TopicStatus { sent: now, beat: now, line: None, waiting: None },
                );
                Some(status)
            }
        }
    }

    /// Whether a `[TASK_STATUS]` line may be published for the topic now; counts it if so.
    pub(crate) fn line(&mut self, topic: &str, now: Instant) -> bool {
        let Some(card) = self.cards.get_mut(topic) else { return false };
        if card.line.is_some_and(|at| now < at + LINE_GAP) {
            return false;
        }
        card.line = Some(now);
        true
    }

    /// Whether a sign of life is due for the topic now; counts it if so.
    pub(crate) fn beat(&mut self, topic: &str, now: Instant, every: Duration) -> bool {
        let Some(card) = self.cards.get_mut(topic).filter(|card| now >= card.beat + every) else {
            return false;
        };
        card.beat = now;
        true
    }

    /// Statuses whose time has come.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<(String, TypingStatus)> {
        let mut out = Vec::new();
        for (topic, card) in self.cards.iter_mut() {
            if now >= card.sent + TYPING_THROTTLE
                && let Some(status) = card.waiting.take()
            {
                card.sent = now;
                out.push((topic.clone(), status));
            }
        }
        out
    }

    /// When to call [`ProgressThrottle::due`].
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.cards.values().filter(|c| c.waiting.is_some()).map(|c| c.sent + TYPING_THROTTLE).min()
    }

    /// A status that bypasses the throttle was sent.
    pub(crate) fn shown(&mut self, topic: &str, now: Instant) {
        if !self.cards.contains_key(topic) {
            self.cards
                .insert(topic.to_owned(), TopicStatus { sent: now, beat: now, line: None, waiting: None });
        }
    }

    /// Whether the topic has a live turn with a card.
    pub(crate) fn is_live(&self, topic: &str) -> bool {
        self.cards.contains_key(topic)
    }

    /// The topic has no live turn left.
    pub(crate) fn clear(&mut self, topic: &str) {
        self.cards.remove(topic);
    }
}
