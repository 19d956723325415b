//! Cards that a client waits for: `upload-file` ends when the service has accepted or refused its card, or after a while
//! with the message that the card is kept. The cards themselves are entries of the outbox like any other.

use crate::daemon::control::reply::reply;
use crate::store::outbox::OutboxEntry;
use serde_json::{Value, json};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// The shells of agents give a command a minute or two; a connection that is cut is back sooner, mostly.
const CARD_TIMEOUT: Duration = Duration::from_secs(20);
/// Cards that are remembered for requesters that are gone and may repeat the request; the oldest are dropped.
const REMEMBERED_MAX: usize = 64;
/// A request that is repeated for lack of an answer comes within this time; a later one wants another card.
const REPEAT_TIME: Duration = Duration::from_secs(600);

/// A file that was asked for is with the service: its card comes next.
#[derive(Debug)]
pub(crate) struct FinishedUpload {
    pub(crate) key: String,
    pub(crate) topic_id: String,
    pub(crate) card: String,
    /// The answer to the requester when the service has the card.
    pub(crate) answer: Value,
    pub(crate) back: UnixStream,
}

/// A client that waits for an entry.
#[derive(Debug)]
struct UploadWaiter {
    seq: u64,
    answer: Value,
    back: UnixStream,
    until: Instant,
}

/// The clients that wait, and the cards of those that are gone.
#[derive(Debug, Default)]
pub(crate) struct UploadWaiters {
    waiting: Vec<UploadWaiter>,
    /// Entries whose requester was told that they come later.
    informed: Vec<u64>,
    /// Topic and text of cards that no requester knows of, and since when. A repeated request for the same is answered by such
    /// a card, once.
    left: Vec<(String, String, Instant)>,
}

impl UploadWaiters {
    /// Remembers a card.
    fn recall(&mut self, entry: &OutboxEntry) {
        if let [card] = entry.parts.as_slice() {
            if self.left.len() >= REMEMBERED_MAX {
                self.left.remove(0);
            }
            self.left.push((entry.topic_id.clone(), card.clone(), Instant::now()));
        }
    }

    /// Forgets a card. Returns whether it was remembered, and not for too long.
    pub(crate) fn take_remembered(&mut self, topic_id: &str, card: &str, now: Instant) -> bool {
        let place = self.left.iter().position(|(topic, other, _)| topic == topic_id && other == card);
        let left = place.map(|place| self.left.remove(place));
        left.is_some_and(|(.., since)| now.saturating_duration_since(since) < REPEAT_TIME)
    }

    /// Adds a client that waits for an entry.
    pub(crate) fn add(&mut self, seq: u64, answer: Value, back: UnixStream, now: Instant) {
        self.waiting.push(UploadWaiter { seq, answer, back, until: now + CARD_TIMEOUT });
    }

    /// When the first of them has waited long enough.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.waiting.iter().map(|waiting| waiting.until).min()
    }

    /// Answers the clients that have waited long enough. Returns the entries that no client waits for now.
    pub(crate) fn take_expired(&mut self, now: Instant) -> Vec<u64> {
        let mut over = Vec::new();
        while let Some(at) = self.waiting.iter().position(|waiting| waiting.until <= now) {
            let mut waiting = self.waiting.swap_remove(at);
            waiting.answer["pending"] = true.into();
            // a client that is gone does not know of it, and may repeat the request
            if reply(waiting.back, &waiting.answer) && !self.informed.contains(&waiting.seq) {
                self.informed.push(waiting.seq);
            }
            over.push(waiting.seq);
        }
        over
    }

    /// An entry was sent, or refused for good. Returns whether a client that waited was told.
    pub(crate) fn settle(&mut self, entry: &OutboxEntry, refusal: Option<&str>) -> bool {
        if !entry.is_requested_upload() {
            return false;
        }
        let mut heard = false;
        let informed = refusal.is_some() || self.informed.contains(&entry.seq);
        self.informed.retain(|seq| *seq != entry.seq);
        while let Some(at) = self.waiting.iter().position(|waiting| waiting.seq == entry.seq) {
            let waiting = self.waiting.swap_remove(at);
            let answer = match refusal {
                None => waiting.answer,
                Some(why) => {
                    let why = format!("the service refuses the card in topic {}: {why}", entry.topic_id);
                    json!({ "error": why })
                }
            };
            heard |= reply(waiting.back, &answer);
        }
        if !informed && !heard {
            self.recall(entry);
        }
        heard
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::outbox::{ReplyKind, UPLOAD_KEY_PREFIX};
    use std::io::Read;

    fn entry(seq: u64) -> OutboxEntry {
        OutboxEntry {
            key: format!("{UPLOAD_KEY_PREFIX}{seq}"),
            topic_id: "t".into(),
            parts: vec!["card".into()],
            kind: ReplyKind::Notice,
            ..OutboxEntry::example(seq)
        }
    }

    /// Somebody who waits, and what he hears.
    fn wait(cards: &mut UploadWaiters, seq: u64, now: Instant) -> UnixStream {
        let (back, ear) = UnixStream::pair().unwrap();
        let answer = json!({ "url": "u" });
        cards.waiting.push(UploadWaiter { seq, answer, back, until: now + CARD_TIMEOUT });
        ear
    }

    fn heard(mut ear: UnixStream) -> String {
        let mut text = String::new();
        ear.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn who_waits_is_told_once_and_who_has_gone_is_remembered() {
        let (mut cards, now) = (UploadWaiters::default(), Instant::now());
        let ear = wait(&mut cards, 1, now);
        cards.settle(&entry(1), None);
        assert_eq!(heard(ear), "{\"url\":\"u\"}\n");
        assert!(!cards.take_remembered("t", "card", now), "he knows of it");

        let ear = wait(&mut cards, 2, now);
        assert!(cards.settle(&entry(2), Some("not found")), "nothing of it is kept");
        assert!(!cards.settle(&entry(9), Some("not found")), "nobody heard it");
        assert!(heard(ear).contains("refuses the card in topic t: not found"));
        assert!(!cards.take_remembered("t", "card", now), "there is none");

        drop(wait(&mut cards, 3, now));
        cards.settle(&entry(3), None);
        assert!(cards.take_remembered("t", "card", now) && !cards.take_remembered("t", "card", now));

        let ear = wait(&mut cards, 4, now);
        assert!(cards.take_expired(now).is_empty());
        assert_eq!(cards.deadline(), Some(now + CARD_TIMEOUT));
        assert_eq!(cards.take_expired(now + CARD_TIMEOUT), [4]);
        assert_eq!((heard(ear).contains("\"pending\":true"), cards.deadline()), (true, None));
        cards.settle(&entry(4), None);
        assert!(!cards.take_remembered("t", "card", now), "he was informed that it comes");
    }

    #[test]
    fn who_had_gone_before_he_could_be_told_to_wait_is_remembered_for_a_while() {
        let (mut cards, now) = (UploadWaiters::default(), Instant::now());
        drop(wait(&mut cards, 1, now));
        assert_eq!(cards.take_expired(now + CARD_TIMEOUT), [1]);
        cards.settle(&entry(1), None);
        assert!(cards.take_remembered("t", "card", now), "he may ask again");

        // of an earlier run
        cards.settle(&entry(2), None);
        assert!(!cards.take_remembered("t", "card", now + 2 * REPEAT_TIME), "somebody wants it once more");

        // asked for again and again while nothing is taken
        for n in 1..=3 {
            let ear = wait(&mut cards, 3, now);
            cards.take_expired(now + CARD_TIMEOUT);
            assert!(heard(ear).contains("pending") && cards.informed == [3], "{n}");
        }
        drop(wait(&mut cards, 3, now));
        cards.settle(&entry(3), None);
        assert!(!cards.take_remembered("t", "card", now) && cards.informed.is_empty());
    }
}
