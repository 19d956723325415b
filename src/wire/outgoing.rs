//! Builds the frames that the connector sends (see FRAMES, REPLIES and PROGRESS in wtt-connect-protocol(7)), as JSON
//! text.
//!
//! The spellings are exactly those of public clients. Comments at the fields say what is only assumed.

use crate::text;
use crate::wire::e2e;
use crate::wire::message::Message;
use serde_json::{Map, Value, json};

/// Longest status text; the web page cuts longer ones anyway (see PROGRESS in wtt-connect-protocol(7)).
const STATUS_CHARS: usize = 160;

/// The bare text frame of the heartbeat (confirmed, see HEARTBEAT in wtt-connect-protocol(7)); no JSON.
pub const PING: &str = "ping";

/// First frame of a connection (see AUTHENTICATION in wtt-connect-protocol(7)).
pub fn auth(request_id: &str, token: &str) -> String {
    action("auth", request_id, &[("token", token.into())])
}

/// One of our requests: the action, its id and further fields.
fn action(name: &str, request_id: &str, fields: &[(&str, Value)]) -> String {
    let mut frame = Map::new();
    frame.insert("action".to_owned(), name.into());
    frame.insert("request_id".to_owned(), request_id.into());
    frame.extend(fields.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
    Value::Object(frame).to_string()
}

/// A visible message. `client_id` goes to `metadata.client_id` so that a copy can be recognized in the history.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Publish<'a> {
    /// Request id.
    pub request_id: &'a str,
    /// Topic.
    pub topic_id: &'a str,
    /// Text.
    pub content: &'a str,
    /// `post`, or `TASK_PROGRESS` for `[TASK_STATUS]` lines.
    pub semantic_type: &'a str,
    /// The message that it answers.
    pub reply_to: Option<&'a str>,
    /// Our id of this publication (that agents may send metadata is assumed, see REPLIES in
    /// wtt-connect-protocol(7)).
    pub client_id: Option<&'a str>,
    /// How the turn ended (`metadata.outcome`), for programs that read the reply.
    pub outcome: Option<&'a str>,
}

/// `publish`.
pub fn publish(p: &Publish<'_>) -> String {
    let mut fields = vec![("topic_id", p.topic_id.into()), ("encrypted", e2e::is_sealed(p.content).into())];
    fields.extend(content(p));
    action("publish", p.request_id, &fields)
}

/// A line of a running turn that every UI hides from the feed (confirmed, see PROGRESS in
/// wtt-connect-protocol(7)).
pub fn progress(request_id: &str, topic_id: &str, line: &str) -> String {
    publish(&Publish {
        request_id,
        topic_id,
        content: line,
        semantic_type: "TASK_PROGRESS",
        ..Publish::default()
    })
}

/// The same message as the body of a POST to [`messages_path`], in the form that the web page uses (assumed, see HTTP
/// in wtt-connect-protocol(7)).
pub fn message(p: &Publish<'_>, agent_id: &str) -> Value {
    let mut body = json!({ "sender_id": agent_id, "sender_type": "AGENT" });
    if e2e::is_sealed(p.content) {
        body["encrypted"] = true.into();
    }
    content(p).into_iter().for_each(|(key, value)| body[key] = value);
    body
}

/// The path to which messages of a topic are posted. Ids come from the network, so they are percent-encoded.
pub fn messages_path(topic_id: &str, agent_id: &str) -> String {
    format!("/topics/{}/messages?agent_id={}", text::percent_encode(topic_id), text::percent_encode(agent_id))
}

/// The fields that both forms of a message have.
fn content(p: &Publish<'_>) -> Vec<(&'static str, Value)> {
    let mut fields = vec![
        ("content", p.content.into()),
        ("content_type", "text".into()),
        ("semantic_type", p.semantic_type.into()),
    ];
    fields.extend(p.reply_to.map(|id| ("reply_to", id.into())));
    let mut metadata = Map::new();
    for (key, value) in [("client_id", p.client_id), ("outcome", p.outcome)] {
        metadata.extend(value.map(|value| (key.to_owned(), value.into())));
    }
    if !metadata.is_empty() {
        fields.push(("metadata", metadata.into()));
    }
    fields
}

/// Our id of a publication, in a message that the service has sent back.
pub fn client_id(message: &Message) -> Option<&str> {
    message.metadata.get("client_id").and_then(Value::as_str)
}

/// The status of a `typing` frame (see PROGRESS in wtt-connect-protocol(7)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypingStatus {
    /// Short, one line; it is cut to 160 characters.
    pub text: String,
    /// One of the kinds for which the web page has a label.
    pub kind: StatusKind,
    /// Adapter name.
    pub adapter: String,
    /// Model, if known.
    pub model: Option<String>,
}

/// Kinds with a label of their own on the web page (confirmed, see PROGRESS in wtt-connect-protocol(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusKind {
    /// `queued`
    Queued,
    /// `running`
    Running,
    /// `command`
    Command,
    /// `tool`
    Tool,
    /// `web_search`
    WebSearch,
    /// `response`
    Response,
    /// `session`
    Session,
    /// `error`
    Error,
    /// `artifact_upload`
    ArtifactUpload,
}

impl StatusKind {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            StatusKind::Queued => "queued",
            StatusKind::Running => "running",
            StatusKind::Command => "command",
            StatusKind::Tool => "tool",
            StatusKind::WebSearch => "web_search",
            StatusKind::Response => "response",
            StatusKind::Session => "session",
            StatusKind::Error => "error",
            StatusKind::ArtifactUpload => "artifact_upload",
        }
    }
}

/// `typing` with state `start`. The status fields are confirmed for the web page and inferred for the agent.
pub fn typing_start(request_id: &str, topic_id: &str, ttl_ms: u32, status: &TypingStatus) -> String {
    let mut fields = vec![
        ("topic_id", topic_id.into()),
        ("state", "start".into()),
        ("ttl_ms", ttl_ms.into()),
        ("status_text", text::truncate(&text::one_line(&status.text), STATUS_CHARS).into()),
        ("status_kind", status.kind.as_str().into()),
        ("adapter", status.adapter.as_str().into()),
    ];
    fields.extend(status.model.as_deref().map(|model| ("model", model.into())));
    action("typing", request_id, &fields)
}

/// `typing` with state `stop`.
pub fn typing_stop(request_id: &str, topic_id: &str) -> String {
    action(
        "typing",
        request_id,
        &[("topic_id", topic_id.into()), ("state", "stop".into()), ("ttl_ms", 6000.into())],
    )
}

/// `p2p`: a message to another agent.
pub fn p2p(request_id: &str, target_agent_id: &str, content: &str) -> String {
    action(
        "p2p",
        request_id,
        &[
            ("target_agent_id", target_agent_id.into()),
            ("content", content.into()),
            ("encrypted", false.into()),
        ],
    )
}

/// `poll` for missed messages.
pub fn poll(request_id: &str, limit: u32) -> String {
    action("poll", request_id, &[("limit", limit.into())])
}

/// `subscribed`: the topics of this agent.
pub fn subscribed(request_id: &str) -> String {
    action("subscribed", request_id, &[])
}

/// `history` of a topic.
pub fn history(request_id: &str, topic_id: &str, limit: u32) -> String {
    action("history", request_id, &[("topic_id", topic_id.into()), ("limit", limit.into())])
}

/// `<kind>_response` with `ok:false` for a request of the service that cannot be served.
pub fn refuse(request_kind: &str, request_id: &str, error: &str) -> String {
    let mut fields = Map::new();
    fields.insert("error".to_owned(), error.into());
    respond(request_kind, request_id, false, fields)
}

/// `<kind>_response` to a server request; `fields` are added flat (confirmed for `e2e_key_request` only, see FRAMES
/// in wtt-connect-protocol(7)).
pub fn respond(request_kind: &str, request_id: &str, ok: bool, fields: Map<String, Value>) -> String {
    let mut frame = fields;
    let stem = request_kind.strip_suffix("_request").unwrap_or(request_kind);
    frame.insert("type".into(), format!("{stem}_response").into());
    frame.insert("request_id".into(), request_id.into());
    frame.insert("ok".into(), ok.into());
    Value::Object(frame).to_string()
}

/// The message rows of a `poll` or `history` result, in any of its forms: an array, or an object with the array
/// under `messages`, `items`, `data` or `results`, possibly nested once more.
pub fn rows(data: &Value) -> Vec<&Value> {
    let mut at = data;
    for _ in 0..3 {
        match at {
            Value::Array(rows) => return rows.iter().filter(|row| row.is_object()).collect(),
            Value::Object(o) => {
                match ["messages", "items", "data", "results"].iter().find_map(|k| o.get(*k)) {
                    Some(inner) => at = inner,
                    None => return Vec::new(),
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return Vec::new(),
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parsed(frame: &str) -> Value {
        serde_json::from_str(frame).unwrap()
    }

    #[test]
    fn frames_have_the_confirmed_spellings() {
        assert_eq!(parsed(&auth("a1", "tok")), json!({"action":"auth","request_id":"a1","token":"tok"}));
        let full = Publish {
            request_id: "p1",
            topic_id: "t",
            content: "你好 \"x\"\n",
            semantic_type: "post",
            reply_to: Some("m"),
            client_id: Some("c"),
            outcome: Some("done"),
        };
        assert_eq!(
            parsed(&publish(&full)),
            json!({"action":"publish","request_id":"p1","topic_id":"t","content":"你好 \"x\"\n","content_type":"text",
                   "semantic_type":"post","encrypted":false,"reply_to":"m","metadata":{"client_id":"c","outcome":"done"}})
        );
        let bare = parsed(&publish(&Publish { reply_to: None, client_id: None, outcome: None, ..full }));
        assert!(bare.get("reply_to").is_none() && bare.get("metadata").is_none());
        assert_eq!(parsed(&poll("q", 50)), json!({"action":"poll","request_id":"q","limit":50}));
        assert_eq!(
            parsed(&history("h", "t", 9)),
            json!({"action":"history","request_id":"h","topic_id":"t","limit":9})
        );
        assert_eq!(parsed(&typing_stop("s", "t"))["state"], "stop");
    }

    #[test]
    fn status_is_one_short_line() {
        let status = TypingStatus {
            text: format!("cargo\ttest\n{}", "测".repeat(300)),
            kind: StatusKind::WebSearch,
            adapter: "codex".into(),
            model: None,
        };
        let frame = parsed(&typing_start("r", "t", 60_000, &status));
        let text = frame["status_text"].as_str().unwrap();
        assert!(text.starts_with("cargo test 测") && text.chars().count() == STATUS_CHARS);
        assert_eq!(
            (&frame["status_kind"], &frame["ttl_ms"], frame.get("model")),
            (&json!("web_search"), &json!(60_000), None)
        );
    }

    #[test]
    fn refusals_name_the_response() {
        let want =
            json!({"type":"e2e_key_response","request_id":"k1","ok":false,"error":"e2e_not_configured"});
        assert_eq!(parsed(&refuse("e2e_key_request", "k1", "e2e_not_configured")), want);
        assert_eq!(parsed(&refuse("shell_exec", "s", "shell_disabled"))["type"], "shell_exec_response");
    }

    #[test]
    fn rows_of_every_shape() {
        let row = json!({"id":"m"});
        for data in [
            json!([row]),
            json!({"messages":[row],"topics":[]}),
            json!({"items":[row]}),
            json!({"data":{"messages":[row, 5, null]}}),
        ] {
            assert_eq!(rows(&data), vec![&row], "{data}");
        }
        for data in [json!(null), json!("x"), json!({}), json!({"messages":{"data":{"items":{}}}})] {
            assert!(rows(&data).is_empty(), "{data}");
        }
    }
}
