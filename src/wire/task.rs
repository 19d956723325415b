//! Tasks on the wire: paths, the task object, and the bodies that change it (protocol 6).

use crate::json::object;
use crate::text;
use serde_json::Value;

/// Fields that the service may not know, the least certain first: it is asked again without them.
const UNCERTAIN: [&[&str]; 3] = [
    &["artifacts"],
    &["output"],
    &[
        "usage_prompt_tokens",
        "usage_completion_tokens",
        "usage_cache_read_tokens",
        "usage_cache_write_tokens",
        "usage_total_tokens",
        "usage_source",
    ],
];

/// A task. Ids come from the network: they are percent-encoded.
pub fn path(task_id: &str) -> String {
    format!("/tasks/{}", text::percent(task_id))
}

/// After a refusal of fields: takes out those that the service most probably does not know. False when none is left.
pub fn weaken(status: u16, body: &mut Value) -> bool {
    if !matches!(status, 400 | 422) {
        return false;
    }
    let Some(fields) = body.as_object_mut() else { return false };
    UNCERTAIN.iter().any(|names| names.iter().filter(|name| fields.remove(**name).is_some()).count() > 0)
}

/// What is said of a task whose result the service does not take: it is blocked, and why (6.5). None when the task is
/// not there any more, or when this was refused as well.
pub fn last_resort(status: u16, body: &Value, why: &str) -> Option<Value> {
    let is_result = body.get("status").and_then(Value::as_str) == Some("review");
    let notes =
        format!("⚠️ The work is done and in the chat, but the service did not take it for review: {why}");
    (is_result && !matches!(status, 404 | 410)).then(|| object!({ "status": "blocked", "notes": notes }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_refused_result_loses_one_group_of_fields_at_a_time() {
        let mut body =
            json!({"status": "review", "notes": "n", "output": "o", "artifacts": [], "usage_source": "x"});
        assert!(!weaken(403, &mut body), "that is no matter of fields");
        let mut left = Vec::new();
        while weaken(422, &mut body) {
            left.push(body.as_object().unwrap().len());
        }
        assert_eq!((left, &body), (vec![4, 3, 2], &json!({"status": "review", "notes": "n"})));
        let blocked = last_resort(422, &body, "no reason given").unwrap();
        assert_eq!(blocked["status"], "blocked");
        assert!(blocked["notes"].as_str().unwrap().contains("no reason given"));
        assert!(last_resort(404, &body, "").is_none() && last_resort(422, &blocked, "").is_none());
    }
}
