//! Classifies errors of the app-server by their message, then by `codexErrorInfo` (names from the schema of 0.169.0). Pure.

use crate::agent::classify;
use crate::agent::dialect::{count_field, string_field};
use crate::agent::outcome::Reason;
use serde_json::Value;

/// Why a turn failed; `resumed`: the request included a history.
pub(super) fn reason(error: &Value, resumed: bool) -> Reason {
    let message = string_field(error, "message");
    if let Some(reason) = classify::by_message(message) {
        return reason;
    }
    let info = &error["codexErrorInfo"];
    let (name, status) = match info.as_object().and_then(|info| info.iter().next()) {
        Some((name, more)) => (name.as_str(), count_field(more, "httpStatusCode")),
        None => (info.as_str().unwrap_or_default(), 0),
    };
    match (name, status) {
        (_, 401 | 403) | ("unauthorized", _) => Reason::AuthRejected,
        (_, 429) | ("rateLimitExceeded", _) => Reason::RateLimited,
        ("usageLimitExceeded", _) => Reason::UsageLimit(None),
        ("sessionBudgetExceeded", _) => Reason::Quota,
        ("contextWindowExceeded", _) => Reason::ContextOverflow,
        ("cyberPolicy" | "misalignmentPolicyViolation" | "inferenceHookDenied" | "tooManyDenials", _) => {
            Reason::RefusedByPolicy
        }
        ("httpConnectionFailed" | "responseStreamConnectionFailed", 0) => Reason::Network,
        ("badRequest", _) if resumed => Reason::PoisonedSession,
        _ => classify::provider_failure(message, resumed),
    }
}
