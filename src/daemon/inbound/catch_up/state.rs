//! Catch-up after a reconnect: which topics to read for messages that were missed, and which live messages wait for that,
//! so that a topic is answered in order. Pure; `requests.rs` sends the requests and passes the answers on.

use crate::wire::assumed::POLL_LIMIT;
use crate::wire::message::Message;
use crate::wire::topic::Topic;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

/// Topics read after one reconnect, the most recently active ones.
pub(crate) const TOPICS: usize = 50;
/// Histories requested at a time: enough to hide the round trip, few enough not to burden the service.
const WINDOW: usize = 4;
/// Live messages wait no longer than this for the reading to end.
const READING_TIMEOUT: Duration = Duration::from_secs(10);
/// Messages polled after one reconnect: pages are asked for until one is not full, or brings nothing new.
const POLLED: usize = 2_000;
/// Live messages that wait; further ones are taken at once.
const HELD: usize = 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TopicReading {
    Waiting,
    Requested,
    Read,
}

/// One catch-up, from the connection to the last history.
#[derive(Debug, Default)]
pub(crate) struct CatchUp {
    /// Messages older than this (milliseconds since the epoch) were dealt with before.
    since: i64,
    /// None: which topics there are is not known yet.
    topics: Option<Vec<(Topic, TopicReading)>>,
    index: HashMap<String, usize>,
    held: Vec<Message>,
    polled: HashSet<String>,
    until: Option<Instant>,
    complete: bool,
}

impl CatchUp {
    /// Starts when a connection is up.
    pub(crate) fn begin(&mut self, since: i64, now: Instant) {
        *self = CatchUp {
            since,
            until: Some(now + READING_TIMEOUT),
            held: std::mem::take(&mut self.held),
            ..CatchUp::default()
        };
    }

    /// Stops when the connection is lost. Live messages keep waiting, because the next connection may read older ones.
    pub(crate) fn end(&mut self, now: Instant) {
        let held = std::mem::take(&mut self.held);
        let until = (!held.is_empty()).then(|| now + READING_TIMEOUT);
        *self = CatchUp { held, until, ..CatchUp::default() };
    }

    /// Since when.
    pub(crate) fn since(&self) -> i64 {
        self.since
    }

    /// A live message: returned when it need not wait.
    pub(crate) fn pass(&mut self, message: Message) -> Option<Message> {
        if self.until.is_none() || self.held.len() >= HELD {
            return Some(message);
        }
        let waits = match &self.topics {
            None => true,
            Some(topics) => {
                self.index.get(&message.topic_id).is_some_and(|at| topics[*at].1 != TopicReading::Read)
            }
        };
        if waits {
            self.held.push(message);
            return None;
        }
        Some(message)
    }

    /// A page of `poll`, by the keys of its messages: whether there may be another one.
    pub(crate) fn polled(&mut self, page: impl Iterator<Item = String>) -> bool {
        let (before, mut rows) = (self.polled.len(), 0);
        self.polled.extend(page.inspect(|_| rows += 1));
        rows >= POLL_LIMIT && before < self.polled.len() && self.polled.len() < POLLED
    }

    /// Which topics there are. Returns what need not wait any longer.
    pub(crate) fn discovered(&mut self, topics: Vec<Topic>) -> Vec<Message> {
        if self.until.is_none() {
            return Vec::new();
        }
        self.index = topics.iter().enumerate().map(|(at, topic)| (topic.id.clone(), at)).collect();
        self.topics = Some(topics.into_iter().map(|topic| (topic, TopicReading::Waiting)).collect());
        self.settle();
        let held = std::mem::take(&mut self.held);
        held.into_iter().filter_map(|message| self.pass(message)).collect()
    }

    /// Whether all topics were read: only then nothing is missed.
    pub(crate) fn is_complete(&self) -> bool {
        self.complete
    }

    fn settle(&mut self) {
        self.complete =
            self.topics.as_ref().is_some_and(|t| t.iter().all(|(_, reading)| *reading == TopicReading::Read));
        if self.complete {
            self.until = None;
        }
    }

    /// The next topic to ask for, those with waiting messages first.
    pub(crate) fn next(&mut self) -> Option<(usize, String)> {
        let topics = self.topics.as_mut()?;
        if topics.iter().filter(|(_, reading)| *reading == TopicReading::Requested).count() >= WINDOW {
            return None;
        }
        let urgent = self.held.iter().find_map(|m| {
            let at = *self.index.get(&m.topic_id)?;
            (topics[at].1 == TopicReading::Waiting).then_some(at)
        });
        let at =
            urgent.or_else(|| topics.iter().position(|(_, reading)| *reading == TopicReading::Waiting))?;
        topics[at].1 = TopicReading::Requested;
        Some((at, topics[at].0.id.clone()))
    }

    /// A topic, by the number that [`CatchUp::next`] gave.
    pub(crate) fn topic(&self, at: usize) -> Option<&Topic> {
        self.topics.as_ref()?.get(at).map(|(topic, _)| topic)
    }

    /// A topic was read (or cannot be). Returns its live messages, which follow now.
    pub(crate) fn read(&mut self, at: usize) -> Vec<Message> {
        let Some(topics) = self.topics.as_mut() else { return Vec::new() };
        let Some((topic, reading)) = topics.get_mut(at) else { return Vec::new() };
        *reading = TopicReading::Read;
        let id = topic.id.clone();
        let (ready, held) = std::mem::take(&mut self.held).into_iter().partition(|m| m.topic_id == id);
        self.held = held;
        self.settle();
        ready
    }

    /// When to call [`CatchUp::expired`].
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.until
    }

    /// The reading takes too long: live messages go on without it.
    pub(crate) fn expired(&mut self, now: Instant) -> Vec<Message> {
        if self.until.is_none_or(|until| now < until) {
            return Vec::new();
        }
        self.until = None;
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn message() -> Message {
        let row =
            json!({"id": "m", "topic_id": "t", "sender_id": "u", "sender_type": "human", "content": "hi"});
        Message::decode(&row).unwrap()
    }

    #[test]
    fn a_live_message_waits_for_older_ones_also_over_a_lost_connection() {
        let now = Instant::now();
        let mut catch_up = CatchUp::default();
        catch_up.begin(0, now);
        assert_eq!(catch_up.pass(message()), None);
        catch_up.end(now);
        assert_eq!(catch_up.expired(now), [], "the connection may come back");
        catch_up.begin(0, now);
        assert_eq!(catch_up.discovered(vec![Topic::bare("t")]), []);
        let (at, id) = catch_up.next().unwrap();
        assert_eq!((id.as_str(), catch_up.read(at)), ("t", vec![message()]));
        assert!(catch_up.is_complete());
    }

    #[test]
    fn it_does_not_wait_for_ever() {
        let now = Instant::now();
        let mut catch_up = CatchUp::default();
        catch_up.begin(0, now);
        assert_eq!(catch_up.pass(message()), None);
        catch_up.end(now);
        let later = catch_up.deadline().unwrap();
        assert_eq!(catch_up.expired(later), [message()]);
        assert_eq!(catch_up.deadline(), None);
    }
}
