//! Native sessions that are not in use, for `/sessions` and `/switch`. No IO.

use crate::store::rows::{SessionRow, keep_newest};
use crate::text;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Former sessions of one topic: nobody reads a longer list.
const MAX_PER_TOPIC: usize = 20;
/// Former sessions in all. A row is about 200 bytes.
const MAX_TOTAL: usize = 5_000;

/// Former sessions, by session key and native id.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FormerSessions(BTreeMap<String, SessionRow>);

impl FormerSessions {
    /// The former sessions of a scope (`wtt:topic:<id>`), in the order of their keys.
    pub fn of_scope<'a>(
        &'a self,
        scope: &str,
    ) -> impl Iterator<Item = (&'a String, &'a SessionRow)> + use<'a> {
        text::with_prefix(&self.0, &format!("{scope}:"))
    }

    /// Adds the session that `key` stood for until now; one without a native id cannot be resumed and is dropped. The
    /// least recently used session of the topic makes room.
    pub(crate) fn insert(&mut self, key: &str, row: SessionRow) {
        let Some(id) = row.any_native_id().map(str::to_owned) else { return };
        self.0.insert(format!("{key}:{id}"), row);
        let prefix = scope_prefix(key);
        while text::with_prefix(&self.0, prefix).count() > MAX_PER_TOPIC {
            let oldest = text::with_prefix(&self.0, prefix).min_by_key(|(_, row)| row.used_at);
            let Some(name) = oldest.map(|(name, _)| name.clone()) else { break };
            self.0.remove(&name);
        }
    }

    /// Removes the session with this native id from those of the topic of `key`: it is in use again.
    pub(crate) fn remove(&mut self, key: &str, id: &str) {
        let found =
            text::with_prefix(&self.0, scope_prefix(key)).find(|(_, row)| row.any_native_id() == Some(id));
        if let Some(name) = found.map(|(name, _)| name.clone()) {
            self.0.remove(&name);
        }
    }

    /// Drops the least recently used sessions beyond the limit.
    pub(crate) fn trim(&mut self) {
        keep_newest(&mut self.0, MAX_TOTAL, |row| row.used_at);
    }
}

/// The beginning of all session keys of the same topic or task: three parts with their colons.
fn scope_prefix(key: &str) -> &str {
    let end = key.match_indices(':').nth(2).map_or(key.len(), |(at, _)| at + 1);
    &key[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_sessions_of_each_topic_are_kept() {
        let row = |id: &str, used_at| {
            let mut row = SessionRow { used_at, ..SessionRow::default() };
            row.native_ids.insert("codexThreadId".to_owned(), id.into());
            row
        };
        let mut former = FormerSessions::default();
        for n in 0..25 {
            former.insert("wtt:topic:a:codex:default:default", row(&format!("id-{n}"), n));
        }
        former.insert("wtt:topic:ab:codex:default:default", row("other", 0));
        former.insert("wtt:topic:a:codex:default:default", SessionRow::default());
        assert_eq!(text::with_prefix(&former.0, "wtt:topic:a:").count(), MAX_PER_TOPIC);
        assert!(!former.0.contains_key("wtt:topic:a:codex:default:default:id-4"));
        former.remove("wtt:topic:a:codex:gpt:default", "id-9");
        former.remove("wtt:topic:a:codex:gpt:default", "other");
        assert_eq!(former.0.len(), MAX_PER_TOPIC);
        assert!(!former.0.contains_key("wtt:topic:a:codex:default:default:id-9"));
    }
}
