//! Reasoning efforts in the words of Codex, for its command line and for the app-server. Pure.

use crate::agent::TurnRequest;

/// The word that Codex accepts for the effort; `None` leaves its default.
pub(super) fn effort(request: &TurnRequest) -> Option<&str> {
    request.explicit_effort().map(|word| match word {
        "off" => "none",
        "max" => "xhigh",
        other => other,
    })
}
