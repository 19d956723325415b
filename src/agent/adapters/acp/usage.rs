//! Tokens of an ACP turn, from the answer to its prompt. Pure.
//!
//! `usage_update` counts how full the context is, which is another thing.

use crate::agent::Usage;
use crate::agent::dialect::count_field;
use serde_json::Value;

/// Reads `usage`, else `_meta.quota.token_count` (gemini). Agents differ in whether the input holds what was cached: the
/// total tells.
pub fn of(result: &Value) -> Option<Usage> {
    // Nothing at all means that nothing was counted, as after a cancel.
    read(result).filter(|usage| *usage != Usage::default())
}

fn read(result: &Value) -> Option<Usage> {
    let usage = &result["usage"];
    if usage.is_object() {
        let (input, output) = (count_field(usage, "inputTokens"), count_field(usage, "outputTokens"));
        let (cached, written) =
            (count_field(usage, "cachedReadTokens"), count_field(usage, "cachedWriteTokens"));
        let total = count_field(usage, "totalTokens");
        let holds_cached = total > 0 && total <= add(&[input, output, count_field(usage, "thoughtTokens")]);
        let input = if holds_cached { input } else { add(&[input, cached, written]) };
        return Some(Usage { input, cached, output });
    }
    let tokens = &result["_meta"]["quota"]["token_count"];
    tokens.is_object().then(|| Usage {
        input: count_field(tokens, "input_tokens"),
        cached: count_field(tokens, "cached_input_tokens"),
        output: count_field(tokens, "output_tokens"),
    })
}

fn add(counts: &[u64]) -> u64 {
    counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
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
