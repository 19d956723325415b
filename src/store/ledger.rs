//! What the state keeps for people to look back at: tokens by day and by topic, and earlier native sessions. No IO.

use crate::json::null_as_default;
use crate::store::state::SessionRow;
use crate::sys::time;
use crate::text;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BinaryHeap};

/// Days that are kept, today included: a month.
pub const DAYS: i64 = 31;
const DAY_MS: i64 = 24 * 3600 * 1000;
/// Topics (times agents) whose tokens are kept; the least recently used go first. A row is about 130 bytes.
const TOPICS: usize = 2_000;
/// Earlier sessions of one topic that can be gone back to: more are not read in a list.
const SHELF_OF_TOPIC: usize = 20;
/// Earlier sessions in all. A row is about 200 bytes.
const SHELF: usize = 5_000;

/// A sum of tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tokens {
    /// Last addition, milliseconds since the epoch.
    #[serde(deserialize_with = "null_as_default")]
    pub at: i64,
    /// Turns of the agent.
    #[serde(deserialize_with = "null_as_default")]
    pub turns: u64,
    /// Those of them that told no count.
    #[serde(deserialize_with = "null_as_default")]
    pub mute: u64,
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

impl Tokens {
    /// Adds another sum.
    pub fn add(&mut self, more: &Tokens) {
        self.at = self.at.max(more.at);
        for (sum, part) in [
            (&mut self.turns, more.turns),
            (&mut self.mute, more.mute),
            (&mut self.input, more.input),
            (&mut self.cached, more.cached),
            (&mut self.output, more.output),
        ] {
            *sum = sum.saturating_add(part);
        }
    }

    /// One turn; its input, cached and output tokens, if the agent has told them.
    pub(crate) fn of_turn(at: i64, told: Option<[u64; 3]>) -> Tokens {
        let [input, cached, output] = told.unwrap_or_default();
        Tokens { at, turns: 1, mute: u64::from(told.is_none()), input, cached, output }
    }
}

/// The sums and the shelf.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ledger {
    /// By day (UTC) and agent: `2026-04-01 codex`.
    #[serde(deserialize_with = "null_as_default")]
    pub days: BTreeMap<String, Tokens>,
    /// By topic or task and agent: `wtt:topic:<id> codex`.
    #[serde(deserialize_with = "null_as_default")]
    pub topics: BTreeMap<String, Tokens>,
    /// Native sessions that are not in use, by session key and native id.
    #[serde(deserialize_with = "null_as_default")]
    pub shelf: BTreeMap<String, SessionRow>,
    /// What a newer version wrote.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Ledger {
    /// A turn of an agent has ended.
    pub(crate) fn count(&mut self, scope: &str, adapter: &str, turn: &Tokens) {
        self.days.entry(format!("{} {adapter}", day(turn.at))).or_default().add(turn);
        self.topics.entry(format!("{scope} {adapter}")).or_default().add(turn);
    }

    /// Puts a session aside, so that people can go back to it.
    pub(crate) fn put_aside(&mut self, key: &str, row: SessionRow) {
        let Some(id) = row.native().map(str::to_owned) else { return };
        self.shelf.insert(format!("{key}:{id}"), row);
        let of_topic = scope_of(key);
        while text::with_prefix(&self.shelf, of_topic).count() > SHELF_OF_TOPIC {
            let oldest = text::with_prefix(&self.shelf, of_topic).min_by_key(|(_, row)| row.used_at);
            let Some(name) = oldest.map(|(name, _)| name.clone()) else { break };
            self.shelf.remove(&name);
        }
    }

    /// A session is in use (again).
    pub(crate) fn take_back(&mut self, key: &str, id: &str) {
        let found = text::with_prefix(&self.shelf, scope_of(key)).find(|(_, row)| row.native() == Some(id));
        if let Some(name) = found.map(|(name, _)| name.clone()) {
            self.shelf.remove(&name);
        }
    }

    /// Drops what is too old or too much.
    pub(crate) fn trim(&mut self) {
        let newest = self.days.values().map(|sum| sum.at).max().unwrap_or_default();
        self.days.retain(|_, sum| newest - sum.at < DAYS * DAY_MS);
        keep_newest(&mut self.topics, TOPICS, |sum| sum.at);
        keep_newest(&mut self.shelf, SHELF, |row| row.used_at);
    }
}

/// The day of a moment, in UTC.
pub fn day(at: i64) -> String {
    let mut day = time::rfc3339(at);
    day.truncate("2026-04-01".len());
    day
}

/// The beginning of all session keys of the same topic or task: three parts with their colons.
fn scope_of(key: &str) -> &str {
    let end = key.match_indices(':').nth(2).map_or(key.len(), |(at, _)| at + 1);
    &key[..end]
}

/// Drops the oldest rows beyond a number.
pub(crate) fn keep_newest<T>(table: &mut BTreeMap<String, T>, limit: usize, at: fn(&T) -> i64) {
    let mut over = table.len().saturating_sub(limit);
    if over == 0 {
        return;
    }
    let ages: BinaryHeap<i64> = table.values().map(at).collect();
    let newest_to_go = ages.into_sorted_vec()[over - 1];
    table.retain(|_, row| {
        let goes = over > 0 && at(row) <= newest_to_go;
        over -= usize::from(goes);
        !goes
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_of_days_and_the_newest_topics_are_kept() {
        let mut ledger = Ledger::default();
        for n in 0..40 {
            ledger.count("wtt:topic:t", "codex", &Tokens::of_turn(n * DAY_MS, Some([10, 1, 2])));
            ledger.count("wtt:topic:t", "codex", &Tokens::of_turn(n * DAY_MS, None));
        }
        ledger.trim();
        assert_eq!(ledger.days.len(), 31);
        assert_eq!(ledger.days["1970-02-09 codex"].input, 10);
        let sum = ledger.topics["wtt:topic:t codex"];
        assert_eq!((sum.turns, sum.mute, sum.input, sum.cached, sum.output), (80, 40, 400, 40, 80));
        for n in 0..TOPICS + 5 {
            ledger.count(
                &format!("wtt:topic:{n}"),
                "pi",
                &Tokens::of_turn(1_000_000_000_000 + n as i64, None),
            );
        }
        ledger.trim();
        assert_eq!(ledger.topics.len(), TOPICS);
        assert!(
            !ledger.topics.contains_key("wtt:topic:t codex") && !ledger.topics.contains_key("wtt:topic:4 pi")
        );
    }

    #[test]
    fn the_shelf_holds_the_newest_of_each_topic() {
        let row = |id: &str, used_at| {
            let mut row = SessionRow { used_at, ..SessionRow::default() };
            row.ids.insert("codexThreadId".to_owned(), id.into());
            row
        };
        let mut ledger = Ledger::default();
        for n in 0..25 {
            ledger.put_aside("wtt:topic:a:codex:default:default", row(&format!("id-{n}"), n));
        }
        ledger.put_aside("wtt:topic:ab:codex:default:default", row("other", 0));
        ledger.put_aside("wtt:topic:a:codex:default:default", SessionRow::default());
        assert_eq!(text::with_prefix(&ledger.shelf, "wtt:topic:a:").count(), SHELF_OF_TOPIC);
        assert!(!ledger.shelf.contains_key("wtt:topic:a:codex:default:default:id-4"));
        ledger.take_back("wtt:topic:a:codex:gpt:default", "id-9");
        ledger.take_back("wtt:topic:a:codex:gpt:default", "other");
        assert_eq!(ledger.shelf.len(), SHELF_OF_TOPIC);
        assert!(!ledger.shelf.contains_key("wtt:topic:a:codex:default:default:id-9"));
    }
}
