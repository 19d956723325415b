//! Requests of the service that are about no message and no part of this machine, and the usage that the service is sent.

use crate::daemon::context::Context;
use crate::store::Store;
use crate::store::usage::TokenUsage;
use crate::wire::outgoing;
use serde_json::{Map, Value, json};

/// Gives the service the key of the encrypted chats, if it asks for it; refuses everything else.
pub(super) fn answer(cx: &Context, kind: &str, request_id: &str) {
    let is_key = kind.starts_with("e2e_key");
    if let Some(key) = cx.shared.e2e.as_ref().filter(|_| is_key) {
        let mut fields = Map::new();
        fields.insert("key_b64".to_owned(), key.to_base64().into());
        log::info!(target: "hub", "gave the service the key of the encrypted chats");
        cx.net.send(outgoing::respond(kind, request_id, true, fields));
        return;
    }
    let error = if is_key { "e2e_not_configured" } else { "not_supported" };
    log::debug!(target: "hub", "refused a `{kind}` of the service: {error}");
    cx.net.send(outgoing::refuse(kind, request_id, error));
}

/// What the agents have used as far back as it is kept, under the names of the page's sidebar.
pub(super) fn usage_totals(store: &Store) -> Value {
    let mut sum = TokenUsage::default();
    store.state().history.usage.days.values().for_each(|day| sum.add(day));
    json!({ "requests": sum.turns, "input_tokens": sum.input, "output_tokens": sum.output,
        "cache_tokens": sum.cached, "total_tokens": sum.input + sum.output })
}
