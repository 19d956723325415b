//! Classifies failures of ACP turns by error code, message and stop reason. Pure.

use crate::agent::classify;
use crate::agent::dialect::string_field;
use crate::agent::outcome::Reason;
use serde_json::Value;

/// Error code of the protocol: the agent needs a login.
pub const NEEDS_LOGIN: i64 = -32000;
/// Error code: a resource was not found, which can only be the session.
const NOT_FOUND: i64 = -32002;
/// Error code: invalid parameters.
pub const BAD_PARAMS: i64 = -32602;
/// Error code: the request was withdrawn. It is answered all the same.
pub const CANCELLED: i64 = -32800;
/// Error code: unknown method.
pub const NO_METHOD: i64 = -32601;

/// The message of an error. Its data says more than "Internal error".
pub fn words(error: &Value) -> &str {
    let data = &error["data"];
    let inner =
        [string_field(data, "details"), string_field(data, "message"), data.as_str().unwrap_or_default()];
    let message = string_field(error, "message");
    let outer =
        message.strip_prefix("Internal error").map_or(message, |rest| rest.trim_start_matches([':', ' ']));
    inner.into_iter().find(|words| !words.is_empty()).unwrap_or(if outer.is_empty() {
        message
    } else {
        outer
    })
}

/// Why a request failed. `resuming`: it was to open an earlier session; `resumed`: it included a history.
pub fn reason(error: &Value, resuming: bool, resumed: bool) -> Reason {
    let code = error["code"].as_i64().unwrap_or_default();
    let words = words(error);
    if code == NOT_FOUND || words.starts_with("Session not found") {
        return Reason::StaleSession;
    }
    // "Authentication required: 401": the provider rejects the login.
    if matches!((code, status(words)), (401 | 403, _) | (_, Some(401 | 403))) {
        return Reason::AuthRejected;
    }
    if let Some(known) = classify::by_message(words) {
        return known;
    }
    match (code, status(words)) {
        (NEEDS_LOGIN, _) => Reason::NotLoggedIn,
        _ if resuming => Reason::StaleSession,
        (402, _) | (_, Some(402)) => Reason::Quota,
        (413, _) | (_, Some(413)) => Reason::ContextOverflow,
        (429, _) | (_, Some(429)) => Reason::RateLimited,
        (400, _) if resumed => Reason::PoisonedSession,
        _ => classify::provider_failure(words, resumed),
    }
}

/// An HTTP status in the message of an error: "fake upstream error 401".
fn status(words: &str) -> Option<u16> {
    words
        .split(|c: char| !c.is_alphanumeric())
        .filter_map(|word| word.parse().ok())
        .find(|n| (400..500).contains(n))
}

/// The failure of a stop reason other than a good end and a cancellation, with a message for people.
pub fn stopped(reason: &str) -> Option<(Reason, &'static str)> {
    Some(match reason {
        "max_tokens" => {
            (Reason::ProviderError, "its answer has reached the model's limit of tokens and is cut off")
        }
        "max_turn_requests" => {
            (Reason::RefusedByPolicy, "it has reached its own limit of requests in one turn")
        }
        "refusal" => (Reason::RefusedByPolicy, "the model declined to go on"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn recorded_errors() {
        let cases = [
            (json!({"code": -32000, "message": "Authentication required"}), "not_logged_in"),
            (
                json!({"code": -32000, "message": "Gemini API key is missing or not configured."}),
                "not_logged_in",
            ),
            (
                json!({"code": -32000, "message": "Authentication required: 401 fake upstream error 401"}),
                "auth_rejected",
            ),
            (json!({"code": -32002, "message": "Session nope not found"}), "stale_session"),
            (json!({"code": -32602, "message": "Session not found: nope"}), "stale_session"),
            (
                json!({"code": -32603, "message": "Internal error: API Error: 400 fake invalid_request_error"}),
                "provider_error",
            ),
            (json!({"code": -32603, "message": "Internal error: fake upstream error 401"}), "auth_rejected"),
            (
                json!({"code": -32603, "message": "Internal error", "data": {"message": "unexpected status 401 Unauthorized"}}),
                "auth_rejected",
            ),
            (
                json!({"code": 400, "message": "{\"error\":{\"code\":400,\"message\":\"fake INVALID_ARGUMENT\"}}"}),
                "provider_error",
            ),
            (json!({"code": 401, "message": "x"}), "auth_rejected"),
            (json!({"code": 429, "message": "x"}), "rate_limited"),
            (json!({"code": 503, "message": "x"}), "provider_error"),
            (json!(null), "provider_error"),
            (json!({"code": "x", "message": 5, "data": []}), "provider_error"),
        ];
        for (error, want) in cases {
            assert_eq!(reason(&error, false, false).word(), want, "{error}");
        }
        let details = json!({"code": -32603, "message": "Internal error", "data": {"details": "Invalid session identifier"}});
        assert_eq!(reason(&details, true, true).word(), "stale_session");
        assert_eq!(words(&details), "Invalid session identifier");
        assert_eq!(reason(&json!({"code": 400, "message": "x"}), false, true).word(), "poisoned_session");
        assert_eq!(words(&json!({"message": "Internal error"})), "Internal error");
    }
}
