//! Whether the end of a run must be reported to a task again, although it may have been reported before. Pure.

use super::{Task, inner};
use serde_json::Value;

/// Whether a patch that may have been applied at this time or later must not be repeated: people have continued since,
/// or the task has the same notes already.
pub fn is_settled(row: &Value, body: &Value, since: i64) -> bool {
    let (Some(task), Some(row), Some(_)) = (Task::decode(row), inner(row), body.get("status")) else {
        return false;
    };
    let is_same = row.get("notes").and_then(Value::as_str) == body["notes"].as_str();
    let is_made = is_same && task.updated_at.is_some_and(|at| at >= since);
    task.status.is_over() || is_made
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_may_have_been_done_is_not_done_over_what_people_did() {
        let at = |status: &str, notes: &str, second: u32| json!({"id": "k", "status": status, "notes": notes, "updated_at": format!("2026-04-01T08:00:0{second}Z")});
        let since = at("", "", 5);
        let since = Task::decode(&since).unwrap().updated_at.unwrap();
        let body = json!({"status": "review", "notes": "well"});
        for (row, settled) in [
            (at("doing", "", 6), false),
            (at("review", "before", 6), false),
            (at("done", "", 4), true),
            (at("blocked", "", 6), true),
            (at("review", "well", 6), true),
            (at("doing", "well", 6), true),  // sent back
            (at("doing", "well", 4), false), // an earlier result
            (json!({"task": at("doing", "well", 6)}), true),
            (json!(null), false),
        ] {
            assert_eq!(is_settled(&row, &body, since), settled, "{row}");
        }
        assert!(!is_settled(&at("done", "", 6), &json!({"priority": "P0"}), since));
    }
}
