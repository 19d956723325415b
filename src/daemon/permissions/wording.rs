//! The texts about permission requests and decisions, and the outbox entries that bring them. Pure but for entry numbers.

use crate::session::messages::{Lang, Msg, kept};
use crate::session::permissions::prompt;
use crate::store::outbox::{Outbox, OutboxEntry, ReplyKind};
use crate::wire::assumed::CHUNK_CHARS;
use crate::wire::outbound_text::chunk;
use serde_json::Value;
use std::time::Duration;

/// What stands for a decision when there was none.
pub(super) const CLOSED: &str = "closed";

/// A decision in one line.
pub(super) fn decision_line(lang: Lang, row: &Value) -> String {
    let word = |name: &str| prompt::escape_markdown(&kept(lang, row[name].as_str().unwrap_or_default()));
    let plain = |name: &str| prompt::escape_markdown(row[name].as_str().unwrap_or_default());
    // nobody has decided about it
    if row["decision"] == CLOSED {
        return Msg::AskGone.to(lang, &[&plain("about"), &plain("tool"), &word("by")]);
    }
    Msg::AskTold.to(lang, &[&plain("about"), &plain("tool"), &word("decision"), &word("by")])
}

/// What is said when a request is closed without a decision.
pub(super) fn closed_text(lang: Lang, id: &str, why: &str, title: &str) -> String {
    let title = prompt::escape_markdown(title);
    let about = if title.is_empty() { title } else { Msg::AskClosedAbout.to(lang, &[&title]) };
    Msg::AskClosed.to(lang, &[id, &kept(lang, why)]) + &about
}

/// A span of time.
pub(super) fn span(lang: Lang, span: Duration) -> String {
    let seconds = span.as_secs();
    if seconds >= 120 {
        Msg::Minutes.to(lang, &[&seconds.div_ceil(60).to_string()])
    } else {
        Msg::Seconds.to(lang, &[&seconds.to_string()])
    }
}

/// A post about a request. Its key is that of the request, so that it is never taken for the answer to a message.
pub(super) fn entry(outbox: &Outbox, id: &str, topic_id: &str, text: &str, kind: ReplyKind) -> OutboxEntry {
    outbox.new_entry(&format!("ask:{id}"), topic_id, None, chunk(text, CHUNK_CHARS), kind)
}
