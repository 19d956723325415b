//! The part of the delivery that follows the texts: follow-ups in order, each tried again for as long as it makes sense.

use super::{Conclusion, Delivery, PartState, pause_after_loss};
use crate::daemon::outbound::http_call::HttpOutcome;
use crate::store::follow_up::FollowUp;
use crate::store::outbox::ReplyKind;
use crate::wire::task;
use serde_json::Value;
use std::time::{Duration, Instant};

/// Pauses before another try of what the service refuses (confirmed, see TASKS in
/// wtt-connect-protocol(7)).
const RETRY_AFTER: [Duration; 3] =
    [Duration::from_millis(250), Duration::from_millis(750), Duration::from_secs(15)];
/// How often in a row the outcome of a follow-up may be unknown: about a day with the longest pause. Something is wrong with it.
const LOST_MAX: u32 = 300;

impl Delivery {
    /// A follow-up has ended in some way. `left`: as it was when it began.
    pub(crate) fn on_follow_up(
        &mut self,
        seq: u64,
        left: usize,
        how: HttpOutcome,
        now: Instant,
    ) -> Option<Conclusion> {
        let sending = self.sending.get_mut(&seq)?;
        if sending.step != PartState::Sent || !sending.is_said() || sending.entry.follow_ups.len() != left {
            return None;
        }
        let before = sending.entry.text_bytes();
        let gave_up = match how {
            HttpOutcome::Accepted(answer) => {
                let (texts, row) = sending.entry.follow_ups.remove(0).results(&answer);
                sending.entry.parts.extend(texts);
                if let Some(row) = row {
                    note_artifact(&mut sending.entry.follow_ups, row);
                }
                None
            }
            HttpOutcome::Refused(status, why) => {
                let entry = Box::new(sending.entry.clone());
                let mut body = sending.entry.follow_ups.first_mut().and_then(FollowUp::patch_body_mut);
                if body.as_mut().is_some_and(|body| task::weaken(status, body)) {
                    sending.step = PartState::Ready;
                    return None;
                }
                // what is gone does not come back
                let pauses = if matches!(status, 404 | 410) { &[][..] } else { &RETRY_AFTER[..] };
                if let Some(pause) = pauses.get(sending.refusals) {
                    sending.refusals += 1;
                    sending.step = PartState::Pause(now + *pause);
                    return None;
                }
                match body {
                    Some(body) if let Some(instead) = task::last_resort(status, body, &why) => {
                        *body = instead
                    }
                    _ => drop(sending.entry.follow_ups.remove(0)),
                }
                Some(Conclusion::GaveUp { entry, why })
            }
            HttpOutcome::Unknown(_) if sending.lost < LOST_MAX => {
                sending.step = PartState::Pause(now + pause_after_loss(&mut sending.lost));
                return None;
            }
            HttpOutcome::Unknown(why) => {
                let entry = Box::new(sending.entry.clone());
                sending.entry.follow_ups.remove(0);
                Some(Conclusion::GaveUp { entry, why })
            }
        };
        self.bytes = self.bytes - before + sending.entry.text_bytes();
        (sending.refusals, sending.lost) = (0, 0);
        sending.step = PartState::Ready;
        sending.recovered = false;
        let moved = || if sending.is_said() { None } else { Some(Conclusion::Advanced { seq }) };
        gave_up.or_else(moved).or_else(|| self.advance(seq))
    }

    /// The first follow-up of an entry, and how often in a row its outcome was unknown.
    pub(crate) fn first_follow_up(&self, seq: u64) -> Option<(&FollowUp, u32)> {
        let sending = self.sending.get(&seq)?;
        sending.entry.follow_ups.first().map(|follow_up| (follow_up, sending.lost))
    }

    /// Since when the service may have done its first follow-up; `None`: it was not asked before.
    pub(crate) fn asked_before(&self, seq: u64) -> Option<i64> {
        let sending = self.sending.get(&seq)?;
        // or people may have gone on while the connector was away
        let is_late = sending.entry.kind == ReplyKind::Interrupted;
        (sending.recovered || sending.lost > 0 || is_late).then_some(sending.entry.written_at)
    }

    /// Whether a patch of this path is still to be made.
    pub(crate) fn will_patch(&self, wanted: &str) -> bool {
        let mut follow_ups = self.sending.values().flat_map(|s| s.entry.follow_ups.iter());
        follow_ups.any(|follow_up| follow_up.as_patch().is_some_and(|(path, _)| path == wanted))
    }
}

/// A file that is out belongs to the artifacts of the task whose patch comes next.
fn note_artifact(after: &mut [FollowUp], row: Value) {
    let Some(fields) = after.iter_mut().find_map(|follow_up| follow_up.patch_body_mut()?.as_object_mut())
    else {
        return;
    };
    match fields.entry("artifacts").or_insert_with(|| Value::Array(Vec::new())) {
        Value::Array(rows) => rows.push(row),
        other => *other = Value::Array(vec![row]),
    }
}

#[cfg(test)]
mod tests {
    use super::super::NextStep;
    use super::*;
    use crate::store::outbox::OutboxEntry;

    fn entry(seq: u64) -> OutboxEntry {
        let body = serde_json::json!({ "status": "doing" });
        OutboxEntry {
            follow_ups: vec![FollowUp::Patch { path: "/tasks/t".into(), body }],
            ..OutboxEntry::example(seq)
        }
    }

    #[test]
    fn what_is_refused_is_shown_until_it_is_taken_and_who_waits_hears_it_at_once() {
        let (mut delivery, now) = (Delivery::default(), Instant::now());
        for (seq, key) in [(1, "m1"), (2, "upload:2")] {
            let parts = vec!["text".to_owned()];
            delivery.add(OutboxEntry { key: key.into(), parts, follow_ups: Vec::new(), ..entry(seq) }, false);
        }
        let mut refuse = |seq| {
            let sent = delivery.next(now);
            let action = delivery.refused(seq, 0, "no", now);
            (sent.len(), action.is_some(), delivery.refused_reply().map(|reply| reply.topic_id.to_owned()))
        };
        assert_eq!(refuse(1), (2, false, Some("topic1".to_owned())));
        assert_eq!([refuse(2).1, refuse(2).1, refuse(2).1], [false, false, true], "it waits for no pause");
        assert!(delivery.next(now).is_empty(), "the first one is on its way again");
        delivery.accepted(1, 0);
        assert_eq!(delivery.refused_reply(), None);
        // one that was promised for later: of an earlier run, or waited for too long
        let kept = || OutboxEntry {
            key: "upload:3".into(),
            parts: vec!["text".into()],
            follow_ups: Vec::new(),
            ..entry(3)
        };
        for recovered in [false, true] {
            let mut delivery = Delivery::default();
            delivery.add(kept(), recovered);
            delivery.not_awaited(3);
            assert!((0..5).all(|_| delivery.refused(3, 0, "busy", now).is_none()));
            assert!(delivery.refused(3, 0, "busy", now).is_some());
        }
    }

    #[test]
    fn what_follows_a_text_that_is_refused_for_good_is_done_all_the_same() {
        let (mut delivery, now) = (Delivery::default(), Instant::now());
        delivery.add(OutboxEntry { parts: vec!["said".into()], ..entry(1) }, false);
        let refused = std::iter::repeat_with(|| delivery.refused(1, 0, "no", now)).flatten().next();
        assert!(matches!(refused, Some(Conclusion::GaveUp { entry, .. }) if entry.parts == ["said"]));
        assert_eq!(delivery.next(now), [NextStep::FollowUp { seq: 1, left: 1 }]);
        assert!(matches!(
            delivery.on_follow_up(1, 1, HttpOutcome::Accepted(Value::Null), now),
            Some(Conclusion::Delivered(_))
        ));
    }

    #[test]
    fn entries_whose_last_errands_are_refused_together_all_go() {
        let (mut delivery, now) = (Delivery::default(), Instant::now());
        for seq in [1, 2, 3] {
            delivery.add(entry(seq), false);
        }
        assert_eq!(delivery.next(now).len(), 3);
        for seq in [1, 2, 3] {
            let gone = HttpOutcome::Refused(404, "no such task".into());
            assert!(matches!(delivery.on_follow_up(seq, 1, gone, now), Some(Conclusion::GaveUp { .. })));
        }
        let over = delivery.next(now);
        assert!(
            over.iter().all(|action| matches!(action, NextStep::Conclude(Conclusion::Delivered(_)))),
            "{over:?}"
        );
        assert_eq!((over.len(), delivery.len()), (3, 0));
    }
}
