//! JSON-RPC 2.0 messages, for the agents that speak it: ACP and the Codex app-server. Pure.

use serde_json::{Value, json};

/// A request of ours.
pub(super) fn request(id: Value, method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

/// The response to a request of the agent; `member` is `result` or `error`.
pub(super) fn response(id: &Value, member: &str, value: Value) -> Value {
    let mut reply = json!({ "jsonrpc": "2.0", "id": id });
    reply[member] = value;
    reply
}

/// Removes a member of an object and returns it; null if there is none, or if the value is no object.
pub(super) fn take_member(value: &mut Value, name: &str) -> Value {
    value.get_mut(name).map(Value::take).unwrap_or_default()
}
