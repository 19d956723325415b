//! Sums of tokens by day and by topic, for `/usage`. No IO.

use crate::json::null_as_default;
use crate::store::rows::keep_newest;
use crate::sys::time;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Days that are kept, today included: a month.
pub const KEPT_DAYS: i64 = 31;
const DAY_MS: i64 = 24 * 3600 * 1000;
/// Topics (times agents) whose tokens are kept; the least recently used go first. A row is about 130 bytes.
const MAX_TOPICS: usize = 2_000;

/// A sum of tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TokenUsage {
    /// Last addition, milliseconds since the epoch.
    #[serde(rename = "at", deserialize_with = "null_as_default")]
    pub last_at: i64,
    /// Turns of the agent.
    #[serde(deserialize_with = "null_as_default")]
    pub turns: u64,
    /// Those of them that told no count.
    #[serde(rename = "mute", deserialize_with = "null_as_default")]
    pub turns_without_count: u64,
    /// Input tokens, cached ones included.
    #[serde(deserialize_with = "null_as_default")]
    pub input: u64,
    /// Input tokens read from a cache.
    #[serde(deserialize_with = "null_as_default")]
    pub cached: u64,
    /// Output tokens.
    #[serde(deserialize_with = "null_as_default")]
    pub output: u64,
}

impl TokenUsage {
    /// Adds another sum.
    pub fn add(&mut self, more: &TokenUsage) {
        self.last_at = self.last_at.max(more.last_at);
        for (sum, part) in [
            (&mut self.turns, more.turns),
            (&mut self.turns_without_count, more.turns_without_count),
            (&mut self.input, more.input),
            (&mut self.cached, more.cached),
            (&mut self.output, more.output),
        ] {
            *sum = sum.saturating_add(part);
        }
    }

    /// One turn; its input, cached and output tokens, if the agent has told them.
    pub(crate) fn of_turn(at: i64, told: Option<[u64; 3]>) -> TokenUsage {
        let [input, cached, output] = told.unwrap_or_default();
        TokenUsage {
            last_at: at,
            turns: 1,
            turns_without_count: u64::from(told.is_none()),
            input,
            cached,
            output,
        }
    }
}

/// The sums of a profile.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UsageTotals {
    /// By day (UTC) and agent: `2026-04-01 codex`.
    #[serde(deserialize_with = "null_as_default")]
    pub days: BTreeMap<String, TokenUsage>,
    /// By topic or task and agent: `wtt:topic:<id> codex`.
    #[serde(deserialize_with = "null_as_default")]
    pub topics: BTreeMap<String, TokenUsage>,
}

impl UsageTotals {
    /// Adds a turn that has ended.
    pub(crate) fn add_turn(&mut self, scope: &str, adapter: &str, turn: &TokenUsage) {
        self.days.entry(format!("{} {adapter}", day(turn.last_at))).or_default().add(turn);
        self.topics.entry(format!("{scope} {adapter}")).or_default().add(turn);
    }

    /// Drops days that are too old, and topics beyond the limit.
    pub(crate) fn trim(&mut self) {
        let newest = self.days.values().map(|sum| sum.last_at).max().unwrap_or_default();
        self.days.retain(|_, sum| newest - sum.last_at < KEPT_DAYS * DAY_MS);
        keep_newest(&mut self.topics, MAX_TOPICS, |sum| sum.last_at);
    }
}

/// The day of a moment, in UTC.
pub fn day(at: i64) -> String {
    let mut day = time::rfc3339(at);
    day.truncate("2026-04-01".len());
    day
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_of_days_and_the_newest_topics_are_kept() {
        let mut totals = UsageTotals::default();
        for n in 0..40 {
            totals.add_turn("wtt:topic:t", "codex", &TokenUsage::of_turn(n * DAY_MS, Some([10, 1, 2])));
            totals.add_turn("wtt:topic:t", "codex", &TokenUsage::of_turn(n * DAY_MS, None));
        }
        totals.trim();
        assert_eq!(totals.days.len(), 31);
        assert_eq!(totals.days["1970-02-09 codex"].input, 10);
        let sum = totals.topics["wtt:topic:t codex"];
        assert_eq!(
            (sum.turns, sum.turns_without_count, sum.input, sum.cached, sum.output),
            (80, 40, 400, 40, 80)
        );
        for n in 0..MAX_TOPICS + 5 {
            totals.add_turn(
                &format!("wtt:topic:{n}"),
                "pi",
                &TokenUsage::of_turn(1_000_000_000_000 + n as i64, None),
            );
        }
        totals.trim();
        assert_eq!(totals.topics.len(), MAX_TOPICS);
        assert!(
            !totals.topics.contains_key("wtt:topic:t codex") && !totals.topics.contains_key("wtt:topic:4 pi")
        );
    }
}
