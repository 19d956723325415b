//! Getting outbox entries acknowledged: one at a time per topic, in order, looked up before anything is repeated.
//!
//! Pure: it decides, the hub sends. An entry whose fate is unknown (no answer, connection lost, crash) is searched in
//! the topic's history by its client id, else by equal text, and published again only if it is absent. What follows the
//! texts (`follow_ups.rs`) is in a lane of its own for each topic, so that it holds no later reply back.

mod attempts;
mod follow_ups;

use crate::store::outbox::OutboxEntry;
pub(crate) use attempts::{Attempt, Transport};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, Instant};

/// Pause after a call with an unknown outcome before looking for it, so that a failing service gets fewer requests.
/// Doubled each time.
const LOOK_AFTER: Duration = Duration::from_secs(2);
/// The longest of these pauses.
const LOOK_AFTER_MAX: Duration = Duration::from_secs(300);
/// A history that cannot be read must not hold a reply back for ever.
const LOOKUPS: u32 = 3;

/// From here on the outbox is full: replies that exist are kept, but no new turn begins. A service that takes nothing
/// for days must not fill the disk of a small host.
pub(crate) const MAX_ENTRIES: usize = 1000;
/// The same for the text of all replies together.
pub(crate) const MAX_BYTES: usize = 64 << 20;

/// What is sent next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NextStep {
    /// Publish this part.
    Publish { seq: u64, part: usize },
    /// Ask for the history of the entry's topic.
    LookUp { seq: u64 },
    /// Carry out the first follow-up of an entry that has `left` of them.
    FollowUp { seq: u64, left: usize },
    /// Nothing is left to send.
    Conclude(Conclusion),
}

/// What has become of an entry, to be noted on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub(crate) enum Conclusion {
    /// All texts are acknowledged and follow-ups are left, or one of these is done: rewrite the file.
    Advanced { seq: u64 },
    /// A follow-up was refused for good: keep a copy of the entry as it was. The rest goes on.
    GaveUp { entry: Box<OutboxEntry>, why: String },
    /// All parts are acknowledged and all follow-ups done: remove the file.
    Delivered(Box<OutboxEntry>),
    /// Refused for good: set the file aside.
    Refused { entry: Box<OutboxEntry>, why: String },
}

/// A reply that the service refuses so far; it is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RefusedReply<'a> {
    /// Its topic.
    pub(crate) topic_id: &'a str,
    /// What the service said last.
    pub(crate) why: &'a str,
}

/// Where the current part of an entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PartState {
    /// To be sent.
    Ready,
    /// Not before this.
    Pause(Instant),
    /// On the wire.
    Sent,
    /// Perhaps there already.
    Unknown,
    /// The same, but not to be looked up before this.
    UnknownUntil(Instant),
    /// Being looked up.
    Looking,
}

#[derive(Debug)]
struct Undelivered {
    entry: OutboxEntry,
    part: usize,
    step: PartState,
    refusals: usize,
    /// What the service said last when it refused a text.
    refusal: String,
    lookups: u32,
    /// Calls in a row with an unknown outcome.
    lost: u32,
    /// Later parts may be there too: an earlier run may have sent them.
    recovered: bool,
    /// Somebody waits for it, and may ask again.
    awaited: bool,
}

/// All entries that are not acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    sending: BTreeMap<u64, Undelivered>,
    /// Entries with texts to publish, by topic.
    topics: HashMap<String, VecDeque<u64>>,
    /// Entries that have nothing but follow-ups left, and what these yield, by topic.
    follow_ups_only: HashMap<String, VecDeque<u64>>,
    bytes: usize,
}

impl Undelivered {
    /// Whether all texts are acknowledged.
    fn is_said(&self) -> bool {
        self.part >= self.entry.parts.len()
    }
}

impl Delivery {
    /// Takes an entry over. `recovered`: from an earlier run, which may have sent it.
    pub(crate) fn add(&mut self, entry: OutboxEntry, recovered: bool) {
        let part = entry.acknowledged.min(entry.parts.len());
        self.bytes += entry.text_bytes();
        let mut sending = Undelivered {
            part,
            step: PartState::Ready,
            refusals: 0,
            refusal: String::new(),
            lookups: 0,
            lost: 0,
            recovered,
            awaited: entry.is_requested_upload() && !recovered,
            entry,
        };
        let lanes = if sending.is_said() { &mut self.follow_ups_only } else { &mut self.topics };
        if recovered && !sending.is_said() {
            sending.step = PartState::Unknown;
        }
        lanes.entry(sending.entry.topic_id.clone()).or_default().push_back(sending.entry.seq);
        self.sending.insert(sending.entry.seq, sending);
    }

    /// Entries not yet acknowledged.
    pub(crate) fn len(&self) -> usize {
        self.sending.len()
    }

    /// When the oldest of them was written, milliseconds since the epoch.
    pub(crate) fn oldest(&self) -> Option<i64> {
        self.sending.values().map(|s| s.entry.written_at).min()
    }

    /// Bytes of text in all of them.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether no more replies should be made for now.
    pub(crate) fn is_full(&self) -> bool {
        self.len() >= MAX_ENTRIES || self.bytes >= MAX_BYTES
    }

    /// An entry.
    pub(crate) fn entry(&self, seq: u64) -> Option<&OutboxEntry> {
        self.sending.get(&seq).map(|s| &s.entry)
    }

    /// The first entry of a kind.
    pub(crate) fn find(&self, is: impl Fn(&OutboxEntry) -> bool) -> Option<u64> {
        self.sending.values().find(|s| is(&s.entry)).map(|s| s.entry.seq)
    }

    /// A reply that the service refuses so far.
    pub(crate) fn refused_reply(&self) -> Option<RefusedReply<'_>> {
        let refused = self.sending.values().find(|s| s.refusals > 0 && !s.is_said())?;
        Some(RefusedReply { topic_id: &refused.entry.topic_id, why: &refused.refusal })
    }

    /// How the current part of an entry is published.
    pub(crate) fn attempt(&self, seq: u64) -> Attempt {
        let attempt = self.sending.get(&seq).and_then(|sending| Attempt::after(sending.refusals, false));
        attempt.unwrap_or(Attempt::FIRST)
    }

    /// What can be sent now: the first entry of each topic.
    pub(crate) fn next(&mut self, now: Instant) -> Vec<NextStep> {
        let (mut out, mut done) = (Vec::new(), Vec::new());
        for queue in self.topics.values().chain(self.follow_ups_only.values()) {
            let Some(sending) = queue.front().and_then(|seq| self.sending.get_mut(seq)) else { continue };
            match sending.step {
                PartState::Ready => {}
                PartState::Pause(until) if until <= now => {}
                PartState::UnknownUntil(until) if until > now => continue,
                PartState::Unknown | PartState::UnknownUntil(_) => {
                    sending.step = PartState::Looking;
                    out.push(NextStep::LookUp { seq: sending.entry.seq });
                    continue;
                }
                PartState::Pause(_) | PartState::Sent | PartState::Looking => continue,
            }
            sending.step = PartState::Sent;
            let (seq, left) = (sending.entry.seq, sending.entry.follow_ups.len());
            match sending.is_said() {
                // its last follow-up was given up
                true if left == 0 => done.push(seq),
                true => out.push(NextStep::FollowUp { seq, left }),
                false => out.push(NextStep::Publish { seq, part: sending.part }),
            }
        }
        out.extend(
            done.into_iter()
                .filter_map(|seq| self.take(seq))
                .map(|entry| NextStep::Conclude(Conclusion::Delivered(entry))),
        );
        out.sort_by_cached_key(|action| match action {
            NextStep::Publish { seq, .. } | NextStep::LookUp { seq } | NextStep::FollowUp { seq, .. } => *seq,
            NextStep::Conclude(_) => 0,
        });
        out
    }

    /// The service has taken a part.
    pub(crate) fn accepted(&mut self, seq: u64, part: usize) -> Option<Conclusion> {
        let sending = self.sending.get_mut(&seq).filter(|s| s.part == part && !s.is_said())?;
        sending.part += 1;
        (sending.refusals, sending.lost) = (0, 0);
        sending.step = if sending.recovered { PartState::Unknown } else { PartState::Ready };
        self.advance(seq)
    }

    /// After a step: the entry is delivered, or goes on with its follow-ups, or with its next part.
    fn advance(&mut self, seq: u64) -> Option<Conclusion> {
        let sending = self.sending.get_mut(&seq).filter(|s| s.is_said())?;
        if sending.entry.follow_ups.is_empty() {
            return self.take(seq).map(Conclusion::Delivered);
        }
        sending.entry.acknowledged = sending.part;
        sending.step = PartState::Ready;
        let topic = sending.entry.topic_id.clone();
        let queue = self.follow_ups_only.entry(topic.clone()).or_default();
        if !queue.contains(&seq) {
            queue.push_back(seq);
            leave(&mut self.topics, &topic, seq);
        }
        Some(Conclusion::Advanced { seq })
    }

    /// The service refuses a part.
    pub(crate) fn refused(&mut self, seq: u64, part: usize, why: &str, now: Instant) -> Option<Conclusion> {
        let sending = self.sending.get_mut(&seq).filter(|s| s.part == part && !s.is_said())?;
        match Attempt::after(sending.refusals + 1, sending.awaited) {
            Some(attempt) => {
                sending.refusals += 1;
                why.clone_into(&mut sending.refusal);
                sending.step = PartState::Pause(now + attempt.pause);
                None
            }
            None if sending.entry.follow_ups.iter().any(|follow_up| follow_up.as_patch().is_some()) => {
                // the task gets its result all the same
                let entry = Box::new(sending.entry.clone());
                sending.part = sending.entry.parts.len();
                (sending.refusals, sending.lost) = (0, 0);
                self.advance(seq);
                Some(Conclusion::GaveUp { entry, why: why.to_owned() })
            }
            None => self.take(seq).map(|entry| Conclusion::Refused { entry, why: why.to_owned() }),
        }
    }

    /// A call ended in a way that leaves open whether the service has the part.
    pub(crate) fn lost(&mut self, seq: u64, part: usize, now: Instant) {
        if let Some(sending) =
            self.sending.get_mut(&seq).filter(|s| s.part == part && s.step == PartState::Sent)
        {
            sending.step = PartState::UnknownUntil(now + pause_after_loss(&mut sending.lost));
        }
    }

    /// No answer in time.
    pub(crate) fn unanswered(&mut self, seq: u64) {
        if let Some(sending) = self.sending.get_mut(&seq).filter(|s| !s.is_said()) {
            match sending.step {
                PartState::Sent => sending.step = PartState::Unknown,
                PartState::Looking => looked_in_vain(sending),
                PartState::Ready | PartState::Pause(_) | PartState::Unknown | PartState::UnknownUntil(_) => {}
            }
        }
    }

    /// No client waits for it now: it is tried as often as any other.
    pub(crate) fn not_awaited(&mut self, seq: u64) {
        if let Some(sending) = self.sending.get_mut(&seq) {
            sending.awaited = false;
        }
    }

    /// The history could not be read.
    pub(crate) fn lookup_refused(&mut self, seq: u64) {
        if let Some(sending) = self.sending.get_mut(&seq).filter(|s| s.step == PartState::Looking) {
            sending.step = PartState::Ready;
            sending.recovered = false;
        }
    }

    /// The history came: `is_there(client_id, text)` says whether a part is in it.
    pub(crate) fn looked_up(
        &mut self,
        seq: u64,
        mut is_there: impl FnMut(&str, &str) -> bool,
    ) -> Option<Conclusion> {
        let sending = self.sending.get_mut(&seq).filter(|s| s.step == PartState::Looking)?;
        while let Some(text) = sending.entry.parts.get(sending.part) {
            if !is_there(&sending.entry.client_id(sending.part), text) {
                break;
            }
            sending.part += 1;
        }
        sending.recovered = false;
        sending.step = PartState::Ready;
        self.advance(seq)
    }

    /// Our own message came back: proof that it has arrived, whatever happens to its answer.
    pub(crate) fn echoed(&mut self, topic: &str, client_id: &str) -> Option<Conclusion> {
        let fronts =
            [&self.topics, &self.follow_ups_only].map(|lanes| lanes.get(topic).and_then(VecDeque::front));
        let sent = fronts.into_iter().flatten().find_map(|seq| {
            let sending = self.sending.get(seq).filter(|s| s.step != PartState::Ready && !s.is_said())?;
            (sending.entry.client_id(sending.part) == client_id).then_some((*seq, sending.part))
        });
        sent.and_then(|(seq, part)| self.accepted(seq, part))
    }

    /// The connection is gone: what was on the wire is unknown.
    pub(crate) fn disconnected(&mut self) {
        for sending in self.sending.values_mut() {
            // a follow-up has a connection of its own
            if matches!(sending.step, PartState::Sent | PartState::Looking) && !sending.is_said() {
                sending.step = PartState::Unknown;
            }
        }
    }

    /// The next pause that ends.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.sending
            .values()
            .filter_map(|s| match s.step {
                PartState::Pause(until) | PartState::UnknownUntil(until) => Some(until),
                PartState::Ready | PartState::Sent | PartState::Unknown | PartState::Looking => None,
            })
            .min()
    }

    fn take(&mut self, seq: u64) -> Option<Box<OutboxEntry>> {
        let sending = self.sending.remove(&seq)?;
        self.bytes -= sending.entry.text_bytes();
        leave(&mut self.topics, &sending.entry.topic_id, seq);
        leave(&mut self.follow_ups_only, &sending.entry.topic_id, seq);
        Some(Box::new(sending.entry))
    }
}

fn leave(lanes: &mut HashMap<String, VecDeque<u64>>, topic: &str, seq: u64) {
    let Some(queue) = lanes.get_mut(topic) else { return };
    queue.retain(|s| *s != seq);
    if queue.is_empty() {
        lanes.remove(topic);
    }
}

fn pause_after_loss(lost: &mut u32) -> Duration {
    let pause = LOOK_AFTER.saturating_mul(1 << (*lost).min(10)).min(LOOK_AFTER_MAX);
    *lost += 1;
    pause
}

fn looked_in_vain(sending: &mut Undelivered) {
    sending.lookups += 1;
    sending.step = if sending.lookups < LOOKUPS { PartState::Unknown } else { PartState::Ready };
}
