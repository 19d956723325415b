//! Decodes the frames of the service (see FRAMES in wtt-connect-protocol(7)). Decoding never fails: an unknown frame
//! becomes `Other`.

use crate::json;
use crate::text;
use crate::wire::lenient_json::{self, Object};
use crate::wire::message::Message;
use crate::wire::{assumed, host_frames};
use serde_json::Value;

/// Longest error text of the service that is kept, for a log line or a chat message.
const ERROR_CHARS: usize = 300;

/// A frame from the service.
#[derive(Debug, Clone, PartialEq)]
pub enum Frame {
    /// The bare text `pong` (confirmed, see HEARTBEAT in wtt-connect-protocol(7)).
    Pong,
    /// The answer to one of our requests (confirmed).
    Result(ActionResult),
    /// A chat message (confirmed); also a bare message object.
    Message(Box<Message>),
    /// A task changed: the fields, also those that were nested under `task` or `data`, in one flat object
    /// that has `task_id` and usually `status`.
    TaskStatus(Value),
    /// A request of the service, which expects `<kind>_response` with the same id.
    Request {
        /// For example `e2e_key_request`.
        kind: String,
        /// The id for the response.
        request_id: String,
        /// The whole frame.
        body: Value,
    },
    /// The web page requests a terminal, a shell command or the runtime information of this machine.
    Host(Box<host_frames::HostRequest>),
    /// Anything else: ignored, with its kind for the debug log.
    Other(String),
}

/// `action_result`.
#[derive(Debug, Clone, PartialEq)]
pub struct ActionResult {
    /// Correlates with our request; absent in some auth replies.
    pub request_id: Option<String>,
    /// Whether the action was carried out.
    pub ok: bool,
    /// Error text when not ok (from `error`, `detail`, `message`, …; flattened to one line).
    pub error: Option<String>,
    /// Result data, or null.
    pub data: Value,
}

impl ActionResult {
    /// Whether this says that the connection is authenticated (it may carry no request id).
    pub fn is_authenticated(&self) -> bool {
        self.ok
            && self.data.as_object().and_then(|d| lenient_json::flag(d, &["authenticated"])).unwrap_or(false)
    }

    /// The display name of this agent in the auth reply (confirmed); it is a mention alias.
    pub fn display_name(&self) -> Option<String> {
        let data = self.data.as_object().filter(|_| self.is_authenticated())?;
        lenient_json::text(data, &["agent_display_name", "display_name"])
    }

    /// The id of the message that a `publish` created.
    pub fn message_id(&self) -> Option<String> {
        let data = self.data.as_object()?;
        lenient_json::text(data, &["id", "message_id"])
            .or_else(|| lenient_json::text(lenient_json::object(data, &["message"])?, &["id", "message_id"]))
    }
}

/// Decodes one text frame.
pub fn decode(text: &str) -> Frame {
    let text = text.trim();
    if text == "pong" {
        return Frame::Pong;
    }
    let body = match json::parse(text) {
        Ok(Value::Object(body)) => body,
        Ok(_) => return Frame::Other("JSON that is not an object".into()),
        Err(_) => return Frame::Other("text that is not JSON".into()),
    };
    let kind = lenient_json::word(&body, &["type", "action", "event"]).unwrap_or_default();
    match kind.as_str() {
        "pong" => Frame::Pong,
        "action_result" => Frame::Result(result(&body)),
        "new_message" | "message" | "" => message(&kind, body),
        "task_status" | "task_update" | "run_status" | "agent_status" => task_status(&kind, body),
        _ => match host_frames::decode(&kind, &body) {
            Some(call) => Frame::Host(Box::new(call)),
            None => request(kind, body),
        },
    }
}

fn message(kind: &str, body: Object) -> Frame {
    let inner =
        ["message", "data", "payload"].iter().find(|key| body.get(**key).is_some_and(Value::is_object));
    let decoded = match inner {
        Some(key) => Message::decode(&body[*key]),
        None => Message::decode(&Value::Object(body)),
    };
    match decoded {
        Ok(message) => Frame::Message(Box::new(message)),
        Err(why) if kind.is_empty() => Frame::Other(format!("frame without a type, and no message: {why}")),
        Err(why) => Frame::Other(format!("{kind}: {why}")),
    }
}

fn task_status(kind: &str, mut body: Object) -> Frame {
    for key in ["data", "task", "payload"] {
        if let Some(Value::Object(inner)) = body.get(key).cloned() {
            body.remove(key);
            for (name, value) in inner {
                // the `id` of the inner object is that of the task; the `type` of a frame is not a field of the task
                let name = if name == "id" { "task_id".to_owned() } else { name };
                if name != "type" {
                    body.entry(name).or_insert(value);
                }
            }
        }
    }
    match lenient_json::text(&body, &["task_id", "taskId", "id"]) {
        Some(id) => {
            body.insert("task_id".into(), Value::String(id));
            Frame::TaskStatus(Value::Object(body))
        }
        None => Frame::Other(format!("{kind} without a task id")),
    }
}

fn request(kind: String, body: Object) -> Frame {
    let id = lenient_json::text(&body, &["request_id", "requestId", "job_id", "id"]);
    match id {
        Some(request_id) if assumed::expects_answer(&kind) => {
            Frame::Request { kind, request_id, body: Value::Object(body) }
        }
        _ => Frame::Other(text::truncate(&text::one_line(&kind), 60)),
    }
}

fn result(body: &Object) -> ActionResult {
    let error = error_text(body);
    let ok = lenient_json::flag(body, &["ok", "success"]).unwrap_or(error.is_none());
    let data = body.get("data").or_else(|| body.get("result")).cloned().unwrap_or(Value::Null);
    ActionResult {
        request_id: lenient_json::text(body, &["request_id", "requestId"]),
        ok,
        error: if ok { None } else { error.or_else(|| error_text(data.as_object()?)) },
        data,
    }
}

/// The error of an answer in any of the forms that clients look for (see FRAMES in wtt-connect-protocol(7)), as one
/// short line.
pub fn error_text(body: &Object) -> Option<String> {
    ["error", "detail", "message", "msg", "reason"].iter().find_map(|key| {
        let said = match body.get(*key)? {
            Value::Object(inner) => {
                lenient_json::text(inner, &["message", "msg", "detail", "error", "code"])?
            }
            Value::Array(items) => {
                let each: Vec<String> = items
                    .iter()
                    .take(5)
                    .filter_map(|item| match item {
                        Value::Object(o) => lenient_json::text(o, &["msg", "message"]),
                        other => lenient_json::as_text(other),
                    })
                    .collect();
                (!each.is_empty()).then(|| each.join("; "))?
            }
            other => lenient_json::as_text(other)?,
        };
        Some(text::truncate(&text::one_line(&said), ERROR_CHARS))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn decoded(value: Value) -> Frame {
        decode(&value.to_string())
    }

    #[test]
    fn results_in_every_shape() {
        for (frame, ok, error) in [
            (json!({"type":"action_result","request_id":"a","ok":true,"data":{"id":"m1"}}), true, None),
            (
                json!({"type":"ACTION_RESULT","request_id":"a","ok":false,"error":"not a\nmember"}),
                false,
                Some("not a member"),
            ),
            (
                json!({"type":"action_result","request_id":"a","ok":false,"detail":{"message":"no"}}),
                false,
                Some("no"),
            ),
            (
                json!({"type":"action_result","request_id":"a","detail":[{"loc":["x"],"msg":"bad"},{"msg":"worse"}]}),
                false,
                Some("bad; worse"),
            ),
            (
                json!({"type":"action_result","request_id":"a","ok":false,"data":{"reason":"late"}}),
                false,
                Some("late"),
            ),
            (json!({"type":"action_result","request_id":"a","ok":false}), false, None),
            (json!({"type":"action_result","request_id":"a"}), true, None),
        ] {
            let Frame::Result(result) = decoded(frame.clone()) else { panic!("{frame}") };
            assert_eq!(result.request_id.as_deref(), Some("a"), "{frame}");
            assert_eq!((result.ok, result.error.as_deref()), (ok, error), "{frame}");
        }
    }

    #[test]
    fn auth_reply_tells_the_display_name() {
        let Frame::Result(result) = decoded(json!({"type":"action_result","ok":true,
            "data":{"authenticated":true,"agent_display_name":"Alice Codex"}}))
        else {
            panic!()
        };
        assert!(result.is_authenticated());
        assert_eq!(result.display_name().as_deref(), Some("Alice Codex"));
        assert_eq!(result.request_id, None);
    }

    #[test]
    fn messages_wrapped_or_bare() {
        let row = json!({"id":"m","topic_id":"t","sender_id":"u","content":"hi"});
        for frame in [
            json!({"type":"new_message","message":row}),
            json!({"type":"new_message","data":row}),
            json!({"message":row}),
            row.clone(),
        ] {
            let Frame::Message(message) = decoded(frame.clone()) else { panic!("{frame}") };
            assert_eq!((message.id.as_deref(), message.content.as_str()), (Some("m"), "hi"));
        }
    }

    #[test]
    fn task_changes_are_flattened() {
        for frame in [
            json!({"type":"task_status","task_id":"k","status":"doing"}),
            json!({"type":"task_status","task":{"id":"k","status":"doing"}}),
            json!({"type":"task_update","data":{"task_id":"k","status":"doing","type":"code"}}),
        ] {
            let Frame::TaskStatus(body) = decoded(frame.clone()) else { panic!("{frame}") };
            assert_eq!((&body["task_id"], &body["status"]), (&json!("k"), &json!("doing")), "{frame}");
        }
    }

    #[test]
    fn server_requests_need_an_id() {
        let Frame::Request { kind, request_id, .. } =
            decoded(json!({"type":"e2e_key_request","request_id":"k1"}))
        else {
            panic!()
        };
        assert_eq!((kind.as_str(), request_id.as_str()), ("e2e_key_request", "k1"));
        assert_eq!(decoded(json!({"type":"e2e_key_request"})), Frame::Other("e2e_key_request".into()));
    }

    #[test]
    fn anything_else_is_named_and_harmless() {
        for text in
            ["", "ping", "null", "[]", "{", "{}", "{\"type\":\"typing\",\"topic_id\":\"t\"}", "\u{0}\u{0}"]
        {
            assert!(matches!(decode(text), Frame::Other(_)), "{text:?}");
        }
        assert_eq!(decode(" pong\n"), Frame::Pong);
        assert!(matches!(decode(&"[".repeat(100_000)), Frame::Other(_)));
    }
}
