//! How much terminal output may be on its way at once, and what of it is kept until the service has it.
//!
//! The kernel and the boxes on the way take far more than they deliver, and a reply waits behind all of it. So a
//! WebSocket ping follows the output, and its pong tells how much longer than usual that way was: what is under way is
//! limited to what is delivered in that time. Pure: frames and times are passed in.

use crate::sys::websocket_loop::PingReply;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Output may hold up a reply for 50 ms; what is under way may double before the next pong says that it was too much.
const ADDED_DELAY_TARGET: Duration = Duration::from_millis(20);
/// Before anything is known of the way.
const INITIAL_WINDOW_BYTES: usize = 4 * 1024;
/// Less is not worth a frame; a way of 40 KiB a second delivers it in 50 ms.
const MIN_WINDOW_BYTES: usize = 2 * 1024;
/// More never gets anything there sooner.
const MAX_WINDOW_BYTES: usize = 256 * 1024;
/// A service that answers no ping for so long answers none: only our own queue is watched then.
const PONG_TIMEOUT: Duration = Duration::from_secs(20);

/// A ping that is not answered yet.
#[derive(Debug)]
struct Probe {
    number: usize,
    at: Instant,
    /// The service has everything up to here when it answers.
    mark: u64,
    /// So much was under way.
    ahead: usize,
}

/// What is under way to the service.
#[derive(Debug)]
pub(super) struct FlowControl {
    window: usize,
    /// Bytes of all frames so far, and those that have arrived.
    sent: u64,
    confirmed: u64,
    probe: Option<Probe>,
    number: usize,
    /// The shortest way.
    shortest_round_trip: Option<Duration>,
    /// No ping is answered.
    is_unanswered: bool,
    /// What may not have arrived, with the mark behind it.
    unconfirmed: VecDeque<(u64, String)>,
}

impl FlowControl {
    pub(super) fn new() -> FlowControl {
        let (sent, heard) = (0, 0);
        let kept = VecDeque::new();
        FlowControl {
            window: INITIAL_WINDOW_BYTES,
            sent,
            confirmed: heard,
            probe: None,
            number: 0,
            shortest_round_trip: None,
            is_unanswered: false,
            unconfirmed: kept,
        }
    }

    fn bytes_in_flight(&self) -> usize {
        usize::try_from(self.sent - self.confirmed).unwrap_or(usize::MAX)
    }

    /// So many bytes may go now.
    pub(super) fn available_bytes(&self) -> usize {
        let left = self.window.saturating_sub(self.bytes_in_flight());
        match left {
            _ if self.is_unanswered => MAX_WINDOW_BYTES,
            // not in crumbs
            left if left >= MIN_WINDOW_BYTES / 4 => left,
            _ => 0,
        }
    }

    /// A frame goes, or would go if there were a connection.
    pub(super) fn record_sent(&mut self, frame: &str) {
        if !self.is_unanswered {
            self.sent += frame.len() as u64;
            self.unconfirmed.push_back((self.sent, frame.to_owned()));
        }
    }

    /// The number of the ping that is to be sent now, if any.
    pub(super) fn next_probe(&mut self, now: Instant) -> Option<usize> {
        // the first one goes before any output, and shows how long the way is
        let known = self.shortest_round_trip.is_some() && self.sent == self.confirmed;
        if self.is_unanswered || self.probe.is_some() || known {
            return None;
        }
        self.number += 1;
        self.probe =
            Some(Probe { number: self.number, at: now, mark: self.sent, ahead: self.bytes_in_flight() });
        Some(self.number)
    }

    /// What pong came last.
    pub(super) fn on_pong(&mut self, reply: Option<PingReply>, now: Instant) {
        let Some(probe) = &self.probe else { return };
        if let Some(reply) = reply.filter(|reply| reply.number == probe.number) {
            let way = reply.received_at.saturating_duration_since(probe.at);
            let (mark, ahead) = (probe.mark, probe.ahead);
            self.probe = None;
            self.confirmed = mark;
            while self.unconfirmed.front().is_some_and(|(end, _)| *end <= mark) {
                self.unconfirmed.pop_front();
            }
            self.adjust_window(way, ahead);
        } else if self.shortest_round_trip.is_none() && now.saturating_duration_since(probe.at) > PONG_TIMEOUT
        {
            log::debug!(target: "host", "the service answers no pings; terminals are paced by our own queue alone");
            (self.is_unanswered, self.probe, self.confirmed) = (true, None, self.sent);
            self.unconfirmed.clear();
        }
    }

    fn adjust_window(&mut self, way: Duration, ahead: usize) {
        let best = self.shortest_round_trip.map_or(way, |best| best.min(way));
        let late = way - best;
        self.shortest_round_trip = Some(best);
        if late > ADDED_DELAY_TARGET && self.window == MIN_WINDOW_BYTES {
            // so little cannot be what takes so long: the way has become longer
            self.shortest_round_trip = Some(way);
        }
        // what would have been delivered in time; one pong may be late or early by chance
        let (allowed, took) = ((best + ADDED_DELAY_TARGET).as_micros(), way.as_micros().max(1));
        let fits = usize::try_from(ahead as u128 * allowed / took).unwrap_or(MAX_WINDOW_BYTES);
        let fits = if late > ADDED_DELAY_TARGET { fits.max(self.window / 4) } else { fits.max(self.window) };
        self.window = fits.min(self.window * 2).clamp(MIN_WINDOW_BYTES, MAX_WINDOW_BYTES);
    }

    /// There is a connection again: what may not have arrived on the last one.
    pub(super) fn unconfirmed_frames(&mut self) -> Vec<String> {
        let old = std::mem::replace(self, FlowControl { number: self.number, ..FlowControl::new() });
        let mut frames = Vec::new();
        frames.extend(old.unconfirmed.into_iter().map(|(_, frame)| frame));
        frames
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A way of that delay and rate, kept busy; how long a reply would have waited behind the output, and the rate reached.
    fn run(delay_ms: u64, bytes_per_second: u64, answers: bool) -> (Vec<u64>, u64) {
        let begin = Instant::now();
        let at = |us: u64| begin + Duration::from_micros(us);
        let (mut pace, mut now, mut free, mut reply, mut waits, mut total) =
            (FlowControl::new(), 0u64, 0u64, None, vec![], 0);
        let mut pongs: VecDeque<(u64, usize)> = VecDeque::new();
        assert_eq!(pace.next_probe(at(0)), Some(1));
        if answers {
            pongs.push_back((delay_ms * 1000, 1));
        }
        while now < 30_000_000 {
            while pongs.front().is_some_and(|(when, _)| *when <= now) {
                let (when, number) = pongs.pop_front().unwrap();
                reply = Some(PingReply { number, received_at: at(when) });
            }
            pace.on_pong(reply, at(now));
            while pace.available_bytes() > 0 && !pace.is_unanswered {
                let bytes = pace.available_bytes().min(16 * 1024);
                pace.record_sent(&"x".repeat(bytes));
                total += bytes as u64;
                free = free.max(now) + bytes as u64 * 1_000_000 / bytes_per_second;
                waits.push((free - now) / 1000);
            }
            if let (Some(number), true) = (pace.next_probe(at(now)), answers) {
                pongs.push_back((free.max(now) + delay_ms * 1000, number));
            }
            now += 1000;
            assert!(pace.unconfirmed.iter().map(|(_, frame)| frame.len()).sum::<usize>() <= MAX_WINDOW_BYTES);
            if pace.is_unanswered {
                return (waits, total);
            }
        }
        (waits, total / 30)
    }

    #[test]
    fn a_reply_waits_at_most_50_ms_behind_the_output_and_the_way_is_used() {
        for (delay, rate) in
            [(0, 50_000_000), (1, 1_000_000), (1, 100_000), (150, 100_000), (150, 5_000_000), (30, 45_000)]
        {
            let (waits, reached) = run(delay, rate, true);
            let worst = waits.iter().max().unwrap();
            // the first bytes go before anything is known
            let first = INITIAL_WINDOW_BYTES as u64 * 1000 / rate;
            assert!(*worst <= first.max(50) + 1, "{delay} ms, {rate} B/s: {worst} ms");
            let possible = rate * 20 / (40 + delay) / 3;
            assert!(reached >= possible.min(2_000_000), "{delay} ms, {rate} B/s: {reached} B/s");
        }
    }

    #[test]
    fn a_service_that_answers_no_pings_is_served_all_the_same() {
        let (_, total) = run(1, 1_000_000, false);
        assert!(total <= INITIAL_WINDOW_BYTES as u64 + 1);
    }

    #[test]
    fn a_way_that_becomes_longer_is_still_used() {
        let (mut pace, mut now) = (FlowControl::new(), Instant::now());
        for round in 0..80 {
            let way = Duration::from_millis(if round < 10 { 5 } else { 305 });
            pace.record_sent(&"x".repeat(pace.available_bytes()));
            let number = pace.next_probe(now).unwrap();
            now += way;
            pace.on_pong(Some(PingReply { number, received_at: now }), now);
        }
        assert!(pace.window >= INITIAL_WINDOW_BYTES, "{pace:?}");
    }

    #[test]
    fn what_may_not_have_arrived_is_given_back_once() {
        let (mut pace, now) = (FlowControl::new(), Instant::now());
        let number = pace.next_probe(now).unwrap();
        pace.on_pong(Some(PingReply { number, received_at: now }), now);
        assert_eq!(pace.next_probe(now), None);
        pace.record_sent("one");
        let number = pace.next_probe(now).unwrap();
        pace.record_sent("two");
        assert_eq!(pace.next_probe(now), None);
        pace.on_pong(Some(PingReply { number, received_at: now }), now);
        pace.record_sent("three");
        assert_eq!(pace.unconfirmed_frames(), ["two", "three"]);
        assert!(pace.unconfirmed_frames().is_empty());
    }
}
