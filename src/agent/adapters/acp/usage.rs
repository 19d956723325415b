//! Tokens of an ACP turn, from the response to its prompt. Pure.
//!
//! `usage_update` counts the tokens of the context, not of the turn.

use crate::agent::Usage;
use crate::agent::dialect::{count_field, usage_with_cache, usage_without_cache};
use serde_json::Value;

/// Reads `usage`, or else `_meta.quota.token_count` (gemini). Agents differ in whether the input includes cached tokens:
/// the total shows it.
pub fn of(result: &Value) -> Option<Usage> {
    // All counts are 0 if the agent has not counted, as after a cancellation.
    read(result).filter(|usage| *usage != Usage::default())
}

fn read(result: &Value) -> Option<Usage> {
    let usage = &result["usage"];
    if usage.is_object() {
        let counted = usage_with_cache(usage, ["inputTokens", "cachedReadTokens", "outputTokens"]);
        let total = count_field(usage, "totalTokens");
        let without_cache =
            counted.input.saturating_add(counted.output).saturating_add(count_field(usage, "thoughtTokens"));
        if total > 0 && total <= without_cache {
            return Some(counted);
        }
        let keys = ["inputTokens", "cachedReadTokens", "cachedWriteTokens", "outputTokens"];
        return Some(usage_without_cache(usage, keys));
    }
    let tokens = &result["_meta"]["quota"]["token_count"];
    tokens
        .is_object()
        .then(|| usage_with_cache(tokens, ["input_tokens", "cached_input_tokens", "output_tokens"]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_input_holds_what_was_cached() {
        let usage = |value| of(&json!({ "usage": value })).unwrap();
        let got = Usage { input: 110, cached: 10, output: 20 };
        let recorded =
            json!({"inputTokens": 100, "outputTokens": 20, "cachedReadTokens": 10, "totalTokens": 130});
        assert_eq!(usage(recorded), got);
        assert_eq!(
            usage(
                json!({"inputTokens": 110, "outputTokens": 20, "cachedReadTokens": 10, "totalTokens": 130})
            ),
            got
        );
        assert_eq!(usage(json!({"inputTokens": 100, "outputTokens": 20, "cachedReadTokens": 10})), got);
        assert_eq!(usage(json!({"inputTokens": u64::MAX, "cachedReadTokens": 5})).input, u64::MAX);
        let gemini = json!({"_meta": {"quota": {"token_count": {"input_tokens": 100, "output_tokens": 20}}}});
        assert_eq!(of(&gemini), Some(Usage { input: 100, cached: 0, output: 20 }));
        assert_eq!(of(&json!({"usage": null, "_meta": {"quota": {"token_count": null}}})), None);
    }
}
