//! The hub's side of terminal, shell and runtime info: hands over what the service asks, and tells what has happened.

use crate::daemon::hub::Hub;
use crate::store::ledger::Tokens;
use crate::wire::attachment;
use crate::wire::message::Message;
use crate::wire::outgoing;
use serde_json::{Map, Value, json};

impl Hub {
    /// A request of the service that is about no message and no part of this machine.
    pub(crate) fn on_request(&mut self, kind: &str, request_id: &str) {
        let is_key = kind.starts_with("e2e_key");
        if let Some(key) = self.shared.e2e.as_ref().filter(|_| is_key) {
            let mut fields = Map::new();
            fields.insert("key_b64".to_owned(), key.to_base64().into());
            log::info!(target: "hub", "gave the service the key of the encrypted chats");
            self.net.send(outgoing::respond(kind, request_id, true, fields));
            return;
        }
        let error = if is_key { "e2e_not_configured" } else { "not_supported" };
        log::debug!(target: "hub", "refused a `{kind}` of the service: {error}");
        self.net.send(outgoing::refuse(kind, request_id, error));
    }

    /// What the agents have used as far back as it is kept, under the names of the page's sidebar.
    pub(crate) fn usage_totals(&self) -> Value {
        let mut sum = Tokens::default();
        self.store.state().ledger.days.values().for_each(|day| sum.add(day));
        json!({ "requests": sum.turns, "input_tokens": sum.input, "output_tokens": sum.output,
            "cache_tokens": sum.cached, "total_tokens": sum.input + sum.output })
    }

    /// An encrypted message as it was written. What cannot be opened is used as it is.
    pub(crate) fn unseal(&self, message: &Message) -> Option<Message> {
        let key = self.shared.e2e.as_ref().filter(|_| message.encrypted)?;
        let mut opened = message.clone();
        opened.content = key.open(&message.content)?;
        opened.media = attachment::in_text(&opened.content);
        for media in &message.media {
            attachment::add(&mut opened.media, media.clone());
        }
        // a turn that is put off is decoded from this again
        opened.source["content"] = opened.content.as_str().into();
        Some(opened)
    }
}
