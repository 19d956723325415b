//! The chat message, normalized from its many spellings (see MESSAGES in wtt-connect-protocol(7)).
//!
//! Pushes, HTTP rows and history rows of different server versions differ in names, letter case and nesting;
//! [`Message::decode`] hides that. Whether to answer a message is decided in [`crate::wire::intake`].

use crate::json;
use crate::wire::attachment::{self, Media};
use crate::wire::lenient_json::{Object, flag, ids, object, text, word};
use crate::wire::timestamp;
use serde_json::{Map, Value};

/// The kind of a topic, which decides whether a message needs a mention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicKind {
    /// One person (or agent) and this agent.
    P2p,
    /// The topic of a task.
    Task,
    /// A group.
    Discussion,
    /// A group with a shared board.
    Collaborative,
    /// Announcements: never answered.
    Broadcast,
    /// Not stated.
    Unknown,
}

/// Who wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SenderKind {
    /// A person.
    Human,
    /// Another agent (or this one).
    Agent,
    /// The service itself.
    System,
    /// Not stated (legacy pushes).
    Unknown,
}

/// A message in the form that the rest of the program uses.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// `id` or `message_id`.
    pub id: Option<String>,
    /// The topic.
    pub topic_id: String,
    /// Display name of the topic.
    pub topic_name: Option<String>,
    /// Kind of the topic as stated or inferred (see TOPICS in wtt-connect-protocol(7)).
    pub topic_kind: TopicKind,
    /// Agent id, user id, e-mail or name.
    pub sender_id: String,
    /// The kind of sender.
    pub sender_kind: SenderKind,
    /// Display name of the sender.
    pub sender_name: Option<String>,
    /// The text.
    pub content: String,
    /// In lower case; `text` if absent.
    pub content_type: String,
    /// In lower case; `post` if absent.
    pub semantic_type: String,
    /// Milliseconds since the epoch, if it could be parsed (ISO text, seconds or milliseconds; without a zone it is
    /// UTC).
    pub created_at: Option<i64>,
    /// End-to-end encrypted content.
    pub encrypted: bool,
    /// The message that this one replies to.
    pub reply_to: Option<String>,
    /// `metadata`, `msg_metadata` or `meta`, parsed if it was JSON text.
    pub metadata: Map<String, Value>,
    /// Set in task topics.
    pub task_id: Option<String>,
    /// Title of that task.
    pub task_title: Option<String>,
    /// Description of that task, if the row has it.
    pub task_description: Option<String>,
    /// `exec_mode` of that task.
    pub exec_mode: Option<String>,
    /// The target, as resolved by the service.
    pub runner_agent_id: Option<String>,
    /// Its name.
    pub runner_agent_name: Option<String>,
    /// The targets of several mentions, as resolved by the service (top level or metadata; strings or objects).
    pub mention_targets: Vec<String>,
    /// The files of the message.
    pub media: Vec<Media>,
    /// The row as received.
    pub source: Value,
}

/// All keys of a legacy push of a direct chat (confirmed, see MESSAGES in wtt-connect-protocol(7)).
const LEGACY_P2P_KEYS: [&str; 9] =
    ["type", "id", "message_id", "topic_id", "sender_id", "content", "created_at", "timestamp", "encrypted"];

impl TopicKind {
    /// The word for `topic_type`.
    fn word(self) -> &'static str {
        match self {
            TopicKind::P2p => "p2p",
            TopicKind::Task => "task",
            TopicKind::Discussion => "discussion",
            TopicKind::Collaborative => "collaborative",
            TopicKind::Broadcast => "broadcast",
            TopicKind::Unknown => "unknown",
        }
    }
}

impl Message {
    /// Whether a message without files seems to belong to some: the service may push it before it knows the files, and
    /// have them in the history (see FILES in wtt-connect-protocol(7)).
    pub fn seems_to_lack_files(&self) -> bool {
        self.media.is_empty()
            && self.sender_kind != SenderKind::System
            && attachment::announces_files(&self.content_type, &self.content)
    }

    /// The row with the kind of its topic; it decodes to the same message later.
    pub fn to_source(&self) -> Value {
        let mut row = self.source.clone();
        if let Value::Object(row) = &mut row {
            row.entry("topic_type").or_insert_with(|| self.topic_kind.word().into());
            attachment::enclose(row, &self.media);
        }
        row
    }

    /// The same message with this agent as a target.
    pub fn aimed_at(&self, agent_id: &str) -> Message {
        let mut aimed = self.clone();
        aimed.mention_targets.push(agent_id.to_owned());
        aimed
    }

    /// Decodes a message object (push, history row or HTTP row); or says why it is not one.
    pub fn decode(row_as_sent: &Value) -> Result<Message, &'static str> {
        let row = row_as_sent.as_object().ok_or("not an object")?;
        let none = Object::new();
        let topic = object(row, &["topic"]).unwrap_or(&none);
        let task = object(row, &["task"]).unwrap_or(&none);
        let sender = object(row, &["sender", "author"]).unwrap_or(&none);
        let metadata = metadata(row);

        let topic_id = text(row, &["topic_id", "topicId", "p2p_topic_id", "p2pTopicId"])
            .or_else(|| text(topic, &["id", "topic_id"]))
            .ok_or("no topic id")?;
        let sender_name = text(row, &["sender_display_name", "senderDisplayName", "sender_name"])
            .or_else(|| text(sender, &["display_name", "name"]));
        let sender_id = text(row, &["sender_id", "senderId", "sender"])
            .or_else(|| text(sender, &["id", "agent_id", "user_id"]))
            .or_else(|| sender_name.clone())
            .ok_or("no sender")?;
        let content = match row.get("content") {
            Some(Value::String(s)) => s.clone(),
            None | Some(Value::Null) => String::new(),
            Some(_) => return Err("content is not text"),
        };
        let topic_name = text(row, &["topic_name", "topicName"]).or_else(|| text(topic, &["name"]));
        let task_id = text(row, &["task_id", "taskId"])
            .or_else(|| text(task, &["id", "task_id"]))
            .or_else(|| text(topic, &["task_id"]))
            .or_else(|| text(&metadata, &["task_id"]));
        let encrypted = flag(row, &["encrypted"]).unwrap_or(false);
        let topic_kind = stated_kind(row, topic, &metadata).unwrap_or_else(|| inferred_kind(row, encrypted));
        let mut mention_targets = ids(row, &["mention_target_agent_ids", "mentionTargetAgentIds"]);
        mention_targets.extend(ids(&metadata, &["mention_target_agent_ids", "mentionTargetAgentIds"]));

        let mut message = Message {
            media: Vec::new(),
            source: row_as_sent.clone(),
            id: text(row, &["id", "message_id", "messageId"]),
            topic_kind: with_task(topic_kind, task_id.is_some(), topic_name.as_deref()),
            topic_id,
            topic_name,
            sender_id,
            sender_kind: sender_kind(row, sender),
            sender_name,
            content,
            content_type: word(row, &["content_type", "contentType"]).unwrap_or_else(|| "text".into()),
            semantic_type: word(row, &["semantic_type", "semanticType"]).unwrap_or_else(|| "post".into()),
            created_at: ["created_at", "createdAt", "timestamp", "ts"]
                .iter()
                .find_map(|key| row.get(*key).and_then(timestamp::millis)),
            encrypted,
            reply_to: text(row, &["reply_to", "replyTo", "reply_to_id"]),
            task_title: text(row, &["task_title", "taskTitle", "title"])
                .or_else(|| text(task, &["title"]))
                .or_else(|| text(topic, &["task_title"])),
            task_description: text(row, &["task_description", "taskDescription"])
                .or_else(|| text(task, &["description"])),
            exec_mode: word(row, &["exec_mode", "execMode"])
                .or_else(|| word(task, &["exec_mode"]))
                .or_else(|| word(topic, &["exec_mode"]))
                .or_else(|| word(&metadata, &["exec_mode"])),
            task_id,
            runner_agent_id: text(row, &["runner_agent_id", "runnerAgentId"])
                .or_else(|| text(&metadata, &["runner_agent_id"])),
            runner_agent_name: text(row, &["runner_agent_name", "runnerAgentName"]),
            mention_targets,
            metadata,
        };
        message.media = attachment::find(&message.content, &message.source, &message.metadata);
        Ok(message)
    }

    /// The key for deduplication: the id, or else a signature of topic, sender, time and content.
    ///
    /// The signature is stable across versions and restarts (FNV-1a), because the keys are kept on disk.
    pub fn dedupe_key(&self) -> String {
        if let Some(id) = &self.id {
            return id.clone();
        }
        let at = self.created_at.map(|t| t.to_string()).unwrap_or_default();
        let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
        for part in [&self.topic_id, &self.sender_id, &at, &self.content] {
            for byte in part.bytes().chain([0xff]) {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        format!("sig-{hash:016x}-{}", self.content.len())
    }
}

fn metadata(row: &Object) -> Object {
    ["metadata", "msg_metadata", "meta"]
        .iter()
        .find_map(|key| match row.get(*key)? {
            Value::Object(o) if !o.is_empty() => Some(o.clone()),
            Value::String(s) => match json::parse(s) {
                Ok(Value::Object(o)) if !o.is_empty() => Some(o),
                _ => None,
            },
            _ => None,
        })
        .unwrap_or_default()
}

fn sender_kind(row: &Object, sender: &Object) -> SenderKind {
    let said = word(row, &["sender_type", "senderType"]).or_else(|| word(sender, &["type"]));
    match said.as_deref() {
        Some("human" | "user" | "person" | "member") => SenderKind::Human,
        Some("agent" | "bot" | "assistant" | "ai") => SenderKind::Agent,
        Some("system" | "service" | "server") => SenderKind::System,
        _ => SenderKind::Unknown,
    }
}

fn stated_kind(row: &Object, topic: &Object, metadata: &Object) -> Option<TopicKind> {
    let said = word(row, &["topic_type", "topicType"])
        .or_else(|| word(topic, &["type", "topic_type"]))
        .or_else(|| word(metadata, &["topic_type", "chat_type"]))?;
    match said.as_str() {
        "p2p" | "direct" | "dm" => Some(TopicKind::P2p),
        "task" => Some(TopicKind::Task),
        "discussion" | "group" => Some(TopicKind::Discussion),
        "collaborative" | "collaboration" => Some(TopicKind::Collaborative),
        "broadcast" => Some(TopicKind::Broadcast),
        // an unknown kind is treated like a group: a message needs a mention
        _ => Some(TopicKind::Unknown),
    }
}

/// The kind of a topic, from its own row.
pub(crate) fn kind_of_topic(topic: &Object) -> TopicKind {
    let none = Object::new();
    let stated = stated_kind(&none, topic, &none).unwrap_or(TopicKind::Unknown);
    let name = text(topic, &["name"]);
    with_task(stated, text(topic, &["task_id"]).is_some(), name.as_deref())
}

/// The kind of a topic without a stated type.
fn inferred_kind(row: &Object, encrypted: bool) -> TopicKind {
    let p2p_key = row.contains_key("p2p_topic_id") || row.contains_key("p2pTopicId");
    let legacy = row.iter().all(|(key, v)| v.is_null() || LEGACY_P2P_KEYS.contains(&key.as_str()));
    if encrypted || p2p_key || legacy { TopicKind::P2p } else { TopicKind::Unknown }
}

/// A topic that belongs to a task, by id or by name, is a task topic, unless it is a broadcast.
fn with_task(kind: TopicKind, has_task: bool, name: Option<&str>) -> TopicKind {
    match kind {
        TopicKind::Broadcast => TopicKind::Broadcast,
        _ if has_task => TopicKind::Task,
        TopicKind::P2p => TopicKind::P2p,
        TopicKind::Task | TopicKind::Discussion | TopicKind::Collaborative | TopicKind::Unknown => {
            if name.is_some_and(is_task_name) { TopicKind::Task } else { kind }
        }
    }
}

/// Whether a name begins with `TASK-<8 hex>` followed by a blank or the end (confirmed, see TOPICS in
/// wtt-connect-protocol(7)).
fn is_task_name(name: &str) -> bool {
    let Some(rest) = name.trim_start().strip_prefix("TASK-") else { return false };
    let hex = rest.bytes().take_while(u8::is_ascii_hexdigit).count();
    hex == 8 && rest[hex..].chars().next().is_none_or(char::is_whitespace)
}
