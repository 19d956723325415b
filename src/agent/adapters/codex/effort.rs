//! Reasoning efforts in the words of Codex, for its command line and for the app-server. Pure.

/// The word that Codex accepts for an effort; `None` leaves its default.
pub(in crate::agent) fn effort(word: &str) -> Option<&str> {
    match word {
        "" | "default" | "auto" => None,
        "off" => Some("none"),
        "max" => Some("xhigh"),
        other => Some(other),
    }
}
