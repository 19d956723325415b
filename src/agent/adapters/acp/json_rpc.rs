//! JSON-RPC 2.0 as ACP uses it: messages to the agent's stdin, responses to its requests. Pure.

use crate::agent::dialect::DialectEffects;
use serde_json::{Value, json};

/// Queues one message, which is one line, for the agent's stdin.
pub(super) fn write(message: Value, effects: &mut DialectEffects) {
    effects.stdin.push(format!("{message}\n"));
}

/// The response to a request of the agent; `member` is `result` or `error`.
pub(super) fn response(id: &Value, member: &str, value: Value) -> Value {
    let mut reply = json!({ "jsonrpc": "2.0", "id": id });
    if let Some(object) = reply.as_object_mut() {
        object.insert(member.to_owned(), value);
    }
    reply
}

/// Removes a member of an object and returns it; null if there is none, or if the value is no object.
pub(super) fn take_member(value: &mut Value, name: &str) -> Value {
    value.get_mut(name).map(Value::take).unwrap_or_default()
}
