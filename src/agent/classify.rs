//! Classifies the error messages of CLIs and providers: one table of patterns, in order of precedence.
//!
//! It is applied only to error messages and stderr, never to an agent's answer. "Recorded" messages are in
//! `tests/fixtures`; "public" ones come from the public sources of the CLIs and from reports of their users.

use crate::agent::limit_reset;
use crate::agent::outcome::Reason;

/// A message that contains any of these words, in lower case, has this reason.
type PatternRow = (&'static [&'static str], Reason);

/// The first matching row decides, so special cases come before general ones.
const TABLE: &[PatternRow] = &[
    // recorded: "no rollout found for thread id …" (codex), "No conversation found with session ID: …" (claude),
    // "Error resuming session: Invalid session identifier …" (gemini), "Session not found" (opencode)
    (
        &[
            "no rollout found",
            "no conversation found with session id",
            "is not a uuid and does not match any session title",
            "is not a thread id",
            "is not a session id",
            "no previous sessions found",
            "session not found",
            "was created under a different directory",
            // recorded: pi, which exits with 0 after the second; public: qoder
            "no session found matching",
            "session found in different project",
            "invalid session identifier",
        ],
        Reason::StaleSession,
    ),
    // recorded: "… already has an active writer" (codex), "Session ID … is already in use." (claude), root, trust, length
    (
        &[
            "already has an active writer",
            "is already in use",
            "cannot be used with root/sudo",
            "not inside a trusted directory",
            "input exceeds the maximum length",
            "maximum number of turns",
            "is invalid. allowed choices",
            "is no longer supported; remove this setting",
            "no prompt provided",
            "workspace trust required",
            "input must be provided",
            "not running in a trusted directory",
            "no input provided via stdin",
            "you must provide a message",
        ],
        Reason::RefusedByPolicy,
    ),
    // recorded: "unexpected argument '--full-auto' found" (codex), "unknown option '--nonsense'" (claude)
    (
        &[
            "unexpected argument",
            "unknown option",
            "unknown flag",
            "unrecognized option",
            "unrecognized subcommand",
            "unknown argument:",
            "use --approval-mode=yolo instead",
            "is no longer maintained",
            "requires --verbose",
            "missing optional dependency",
            "unsupported platform",
            "env: node:",
            "env: 'node':",
            "node: not found",
            "exec format error",
            "cannot execute binary file",
        ],
        Reason::CliUnsupported,
    ),
    // recorded: "Not logged in · Please run /login" (claude), "Missing environment variable: `FAKE_API_KEY`." (codex)
    (
        &[
            "not logged in",
            "please run /login",
            "please log in",
            "codex login",
            "missing environment variable",
            "must specify the gemini_api_key",
            "please set an auth method",
            "invalid auth method selected",
            "no model configured",
            "llm not set",
            // recorded: pi; public: crush, cursor
            "no api key found",
            "no providers configured",
            "authentication required",
            "agent login'",
        ],
        Reason::NotLoggedIn,
    ),
    // public: OpenAI and Anthropic billing errors; recorded: "Reached maximum budget ($0.001)" (claude)
    (
        &[
            "insufficient_quota",
            "exceeded your current quota",
            "credit balance is too low",
            "out of credits",
            "billing hard limit",
            "quota exceeded",
            "payment required",
            "reached maximum budget",
        ],
        Reason::Quota,
    ),
    // public: "Server is temporarily limiting requests (not your usage limit)" (claude)
    (&["not your usage limit"], Reason::RateLimited),
    // public: "You've hit your usage limit. … try again in 3 days 2 hours" (codex), "Claude usage limit reached", "You've hit
    // your session limit · resets 3pm (Asia/Tokyo)", "You're out of extra usage · resets 4pm" (claude)
    (
        &[
            "usage limit",
            "usage_limit",
            "hit your limit",
            "session limit reached",
            "hit your session limit",
            "limit · resets",
            "out of extra usage",
            "weekly limit",
            "5-hour limit",
            "opus limit",
            "reached your limit",
            "exhausted your daily quota",
            "exhausted your capacity",
        ],
        Reason::UsageLimit(None),
    ),
    // recorded: "exceeded retry limit, last status: 429 Too Many Requests" (codex), "Request rejected (429)" (claude)
    (
        &[
            "429 too many requests",
            "too many requests",
            "request rejected (429)",
            "rate_limit",
            "rate limit",
            "resource_exhausted",
        ],
        Reason::RateLimited,
    ),
    // recorded: "unexpected status 401 Unauthorized: …" (codex), "Failed to authenticate. API Error: 401 …" (claude)
    (
        &[
            "401 unauthorized",
            "403 forbidden",
            "failed to authenticate",
            "authentication_error",
            "authentication_failed",
            "permission_error",
            "invalid api key",
            "api key is invalid",
            "incorrect api key",
            "token has expired",
            "token expired",
            "refresh token",
            "token has been revoked",
            "unauthenticated",
            "permission_denied",
            "api key not valid",
            "provider.auth_error",
        ],
        Reason::AuthRejected,
    ),
    // public: Anthropic and OpenAI
    (
        &[
            "prompt is too long",
            "context_length_exceeded",
            "context window",
            "maximum context length",
            "conversation is too long",
            "input length and `max_tokens` exceed",
        ],
        Reason::ContextOverflow,
    ),
    // public: histories that the provider refuses for ever
    (
        &[
            "tool_use` ids were found without",
            "unexpected `tool_use_id`",
            "tool_use ids must be unique",
            "thinking blocks in the latest assistant message cannot be modified",
            "must not be empty if not the last message",
            "no tool output found for function call",
            "no tool call found for function call output",
            "could not process image",
            "image exceeds",
            "encrypted content could not be verified",
        ],
        Reason::PoisonedSession,
    ),
    // recorded: a model that does not exist (claude 404); must stand before the general 400
    (
        &[
            "issue with the selected model",
            "model_not_found",
            // recorded: pi; public: cursor, crush
            "unknown provider",
            "cannot use this model",
            "failed to resolve models",
            "model is not supported",
            "does not exist or you do not",
        ],
        Reason::ProviderError,
    ),
    // recorded: names that cannot be resolved, refused connections, cut streams, "waiting for network"
    (
        &[
            "connection refused",
            "econnrefused",
            "econnreset",
            "enotfound",
            "etimedout",
            "connection reset",
            "failed to lookup address",
            "waiting for network",
            "error sending request",
            "network error",
            "network is unreachable",
            "unable to connect",
            "connection error",
            "connection failed",
            "fetch failed",
            "api error: terminated",
            "network attempt failed",
            "certificate",
        ],
        Reason::Network,
    ),
    // recorded: "We’re currently experiencing high demand" (codex), "API Error: 529 …" (claude)
    (
        &[
            "experiencing high demand",
            "overloaded",
            "internal server error",
            "server-side issue",
            "server_error",
            "bad gateway",
            "service unavailable",
            "gateway timeout",
            "api error: 5",
            "unexpected status 5",
            "failed with status 5",
            "stream disconnected before completion",
            "idle timeout waiting for sse",
            "model crashed",
        ],
        Reason::ProviderError,
    ),
];

/// Words by which a provider calls a request invalid. In a resumed session, the history is the likely cause.
const INVALID: &[&str] =
    &["invalid_request_error", "api error: 400", "unexpected status 400", "400 bad request"];

/// The reason of a message, if the table knows it. The time until a usage limit resets is only that of a stated duration; a
/// time of day needs a clock, see [`limit_reset::time_left`].
pub fn by_message(message: &str) -> Option<Reason> {
    let lower = message.to_lowercase().replace(['‘', '’'], "'");
    let reason = TABLE
        .iter()
        .find(|(needles, _)| needles.iter().any(|n| lower.contains(n)))
        .map(|(_, r)| r.clone())?;
    Some(match reason {
        Reason::UsageLimit(_) => Reason::UsageLimit(limit_reset::stated_duration(message)),
        other => other,
    })
}

/// The reason of a request that failed at the provider. `resumed`: the request included a history.
pub fn provider_failure(message: &str, resumed: bool) -> Reason {
    let lower = message.to_lowercase();
    by_message(message).unwrap_or(match INVALID.iter().any(|n| lower.contains(n)) && resumed {
        true => Reason::PoisonedSession,
        false => Reason::ProviderError,
    })
}

/// The reason of a failed request for which the CLI reports the HTTP status; 0 if it does not.
pub fn by_http_status(message: &str, status: u64, resumed: bool) -> Reason {
    by_message(message).unwrap_or_else(|| match status {
        401 | 403 => Reason::AuthRejected,
        402 => Reason::Quota,
        413 => Reason::ContextOverflow,
        429 => Reason::RateLimited,
        400 if resumed => Reason::PoisonedSession,
        _ => provider_failure(message, resumed),
    })
}

/// The reason of the last line of stderr that the table knows, and the line.
pub fn by_stderr_tail(stderr_tail: &str) -> Option<(Reason, String)> {
    stderr_tail.lines().rev().find_map(|line| Some((by_message(line)?, line.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn recorded_and_reported_words() {
        let cases = [
            (
                "Error: thread/resume: thread/resume failed: no rollout found for thread id 0 (code -32600)",
                "stale_session",
            ),
            ("No conversation found with session ID: 00000000-0000-4000-8000-000000000000", "stale_session"),
            ("thread 01a201fc already has an active writer (code -32600)", "refused_by_policy"),
            ("error: unexpected argument '--full-auto' found", "cli_unsupported"),
            ("error: unknown option '--nonsense'", "cli_unsupported"),
            ("/usr/bin/env: ‘node’: No such file or directory", "cli_unsupported"),
            ("Not logged in · Please run /login", "not_logged_in"),
            ("Missing environment variable: `FAKE_API_KEY`.", "not_logged_in"),
            ("unexpected status 401 Unauthorized: Incorrect API key provided: fake, url: x", "auth_rejected"),
            ("Failed to authenticate. API Error: 403 fake permission_error", "auth_rejected"),
            (
                "exceeded retry limit, last status: 429 Too Many Requests, request id: req_fake",
                "rate_limited",
            ),
            ("API Error: Request rejected (429) · fake rate_limit_error", "rate_limited"),
            ("Your credit balance is too low to access the API", "quota"),
            ("Quota exceeded. Check your plan and billing details.", "quota"),
            ("You've hit your usage limit. Upgrade to Pro or try again in 3 hours 5 minutes.", "usage_limit"),
            ("Claude usage limit reached. Your limit will reset at 3pm", "usage_limit"),
            ("You've hit your session limit · resets 8:30pm (Asia/Tokyo)", "usage_limit"),
            ("You’ve hit your session limit", "usage_limit"),
            ("You're out of extra usage · resets 4pm", "usage_limit"),
            ("API Error: Server is temporarily limiting requests (not your usage limit)", "rate_limited"),
            ("We’re currently experiencing high demand, which may cause temporary errors.", "provider_error"),
            ("API Error: 529 fake overloaded_error. This is a server-side issue", "provider_error"),
            ("stream disconnected before completion: model crashed (fake)", "provider_error"),
            (
                "stream disconnected before completion: failed to lookup address information: Try again",
                "network",
            ),
            ("Reconnecting... waiting for network (Connection failed: error sending request)", "network"),
            (
                "API Error: Connection refused — a firewall or proxy may be blocking it (ECONNREFUSED)",
                "network",
            ),
            ("prompt is too long: 210000 tokens > 200000 maximum", "context_overflow"),
            ("messages.3: `tool_use` ids were found without `tool_result` blocks", "poisoned_session"),
            (
                "There's an issue with the selected model (claude-opus-5-5). It may not exist",
                "provider_error",
            ),
        ];
        for (message, want) in cases {
            assert_eq!(by_message(message).map(|r| r.word()), Some(want), "{message}");
        }
        assert_eq!(by_message("everything is fine"), None);
    }

    #[test]
    fn an_invalid_request_poisons_only_a_resumed_session() {
        let message = "API Error: 400 fake invalid_request_error";
        assert_eq!(provider_failure(message, true), Reason::PoisonedSession);
        assert_eq!(provider_failure(message, false), Reason::ProviderError);
        assert_eq!(provider_failure("anything else", true), Reason::ProviderError);
    }

    #[test]
    fn reset_times() {
        let limit = |s: &str| by_message(&format!("usage limit reached, {s}"));
        let some = |s| Some(Reason::UsageLimit(Some(Duration::from_secs(s))));
        assert_eq!(limit("try again in 2 days 3 hours and 5 minutes."), some(2 * 86_400 + 3 * 3_600 + 300));
        assert_eq!(limit("resets in 45m"), some(45 * 60));
        assert_eq!(limit("retry after 20s"), some(20));
        assert_eq!(limit("try again at 3:04 PM"), Some(Reason::UsageLimit(None)));
        assert_eq!(limit("try again in 99999999999999999999 days"), Some(Reason::UsageLimit(None)));
    }

    #[test]
    fn the_last_known_line_of_stderr_counts() {
        let tail_text = "ERROR failed to connect\nError: no rollout found for thread id 1\nsome help text\n";
        assert_eq!(by_stderr_tail(tail_text).map(|(r, _)| r), Some(Reason::StaleSession));
        assert_eq!(by_stderr_tail("nothing\nknown"), None);
    }
}
