//! Cards that somebody waits for: `upload-file` ends when the service has taken its card or refused it, or after a while
//! with the word that the card is kept. The cards themselves are entries of the outbox like any other.

use crate::daemon::control::server;
use crate::daemon::hub::Hub;
use crate::json::object;
use crate::store::outbox::{Entry, ReplyKind};
use serde_json::Value;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// The shells of agents give a command a minute or two; a connection that is cut is back sooner, mostly.
const PATIENCE: Duration = Duration::from_secs(20);
/// Cards are remembered for somebody who has gone and may ask again; the oldest go.
const LEFT: usize = 64;

/// A file that was asked for is with the service: its card comes next.
#[derive(Debug)]
pub(super) struct Filed {
    pub(super) key: String,
    pub(super) topic_id: String,
    pub(super) card: String,
    /// What whoever waits is told when the service has the card.
    pub(super) answer: Value,
    pub(super) back: UnixStream,
}

/// Somebody who waits for an entry; without a way back when he was told not to wait any longer.
#[derive(Debug)]
struct Waiting {
    seq: u64,
    answer: Value,
    back: Option<UnixStream>,
    until: Instant,
}

/// What the hub knows of them.
#[derive(Debug, Default)]
pub(super) struct Cards {
    waiting: Vec<Waiting>,
    /// Topic and text of cards of which nobody was told. Whoever asks for the same again is answered by such a card, once.
    left: Vec<(String, String)>,
}

impl Cards {
    /// Remembers a card of an earlier run.
    pub(super) fn recall(&mut self, entry: &Entry) {
        if let (true, [card]) = (entry.is_asked(), entry.parts.as_slice()) {
            if self.left.len() >= LEFT {
                self.left.remove(0);
            }
            self.left.push((entry.topic_id.clone(), card.clone()));
        }
    }

    /// Forgets it; whether it was remembered.
    fn forget(&mut self, topic_id: &str, card: &str) -> bool {
        let place = self.left.iter().position(|(topic, other)| topic == topic_id && other == card);
        place.map(|place| self.left.swap_remove(place)).is_some()
    }

    /// When somebody has waited long enough.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.waiting.iter().filter(|waiting| waiting.back.is_some()).map(|waiting| waiting.until).min()
    }

    /// Tells those who have.
    pub(super) fn look(&mut self, now: Instant) {
        for waiting in self.waiting.iter_mut().filter(|waiting| waiting.until <= now) {
            if let Some(back) = waiting.back.take() {
                waiting.answer["pending"] = true.into();
                server::reply(back, &waiting.answer);
            }
        }
    }

    /// An entry is out, or refused for good.
    pub(super) fn settle(&mut self, entry: &Entry, refusal: Option<&str>) {
        if !entry.is_asked() {
            return;
        }
        let mut told = refusal.is_some();
        for waiting in self.waiting.iter_mut().filter(|waiting| waiting.seq == entry.seq) {
            told |= match (waiting.back.take(), refusal) {
                (None, _) => true,
                (Some(back), None) => server::reply(back, &waiting.answer),
                (Some(back), Some(why)) => {
                    let why = format!("the service refuses the card in topic {}: {why}", entry.topic_id);
                    server::reply(back, &object!({ "error": why }))
                }
            };
        }
        self.waiting.retain(|waiting| waiting.seq != entry.seq);
        for card in &entry.parts {
            self.forget(&entry.topic_id, card);
        }
        if !told {
            self.recall(entry);
        }
    }
}

impl Hub {
    /// Sends a card, unless the same one is on its way already.
    pub(super) fn on_filed(&mut self, filed: Filed) {
        let Filed { key, topic_id, card, answer, back } = filed;
        let same = |entry: &Entry| {
            entry.is_asked() && entry.topic_id == topic_id && entry.parts.first() == Some(&card)
        };
        let seq = match self.delivery.find(same) {
            Some(seq) => seq,
            None if self.cards.forget(&topic_id, &card) => {
                server::reply(back, &answer);
                return;
            }
            None => {
                let entry = self.shared.outbox.entry(&key, &topic_id, None, vec![card], ReplyKind::Notice);
                if let Err(e) = self.shared.outbox.put(&entry) {
                    let why = format!("the card could not be kept: {}", crate::error::reason(&e));
                    server::reply(back, &object!({ "error": why }));
                    return;
                }
                let seq = entry.seq;
                self.delivery.add(entry, false);
                seq
            }
        };
        let until = Instant::now() + PATIENCE;
        self.cards.waiting.push(Waiting { seq, answer, back: Some(back), until });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::outbox::ASKED;
    use std::io::Read;

    fn entry(seq: u64) -> Entry {
        Entry {
            seq,
            id: format!("id{seq}"),
            key: format!("{ASKED}{seq}"),
            topic_id: "t".into(),
            reply_to: None,
            also: Vec::new(),
            parts: vec!["card".into()],
            kind: ReplyKind::Notice,
            at: 0,
            sent: 0,
            after: Vec::new(),
        }
    }

    /// Somebody who waits, and what he hears.
    fn wait(cards: &mut Cards, seq: u64, now: Instant) -> UnixStream {
        let (back, ear) = UnixStream::pair().unwrap();
        let answer = object!({ "url": "u" });
        cards.waiting.push(Waiting { seq, answer, back: Some(back), until: now + PATIENCE });
        ear
    }

    fn heard(mut ear: UnixStream) -> String {
        let mut text = String::new();
        ear.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn who_waits_is_told_once_and_who_has_gone_is_remembered() {
        let (mut cards, now) = (Cards::default(), Instant::now());
        let ear = wait(&mut cards, 1, now);
        cards.settle(&entry(1), None);
        assert_eq!(heard(ear), "{\"url\":\"u\"}\n");
        assert!(!cards.forget("t", "card"), "he knows of it");

        let ear = wait(&mut cards, 2, now);
        cards.settle(&entry(2), Some("not found"));
        assert!(heard(ear).contains("refuses the card in topic t: not found"));
        assert!(!cards.forget("t", "card"), "there is none");

        drop(wait(&mut cards, 3, now));
        cards.settle(&entry(3), None);
        assert!(cards.forget("t", "card") && !cards.forget("t", "card"));

        let ear = wait(&mut cards, 4, now);
        cards.look(now);
        assert_eq!(cards.deadline(), Some(now + PATIENCE));
        cards.look(now + PATIENCE);
        assert_eq!((heard(ear).contains("\"pending\":true"), cards.deadline()), (true, None));
        cards.settle(&entry(4), None);
        assert!(!cards.forget("t", "card"), "he was told that it comes");
    }
}
