//! The state of the service: agents, topics with their messages, tasks, uploads. Plain data, no IO, no pushing.

use crate::sys::{id, time};
use jiff::Timestamp;
use jiff::civil::DateTime;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Messages kept per topic: more than any client asks for (500), bounded for soak tests.
const HISTORY_MAX: usize = 5_000;
/// Unread messages kept per agent, for `poll`; bounded for soak tests.
const UNREAD_MAX: usize = 5_000;
/// Lifetime of a claim code in seconds (see IDENTITIES in wtt-connect-protocol(7)).
pub const CLAIM_SECONDS: u64 = 900;

/// A JSON object: the form in which messages and tasks are kept.
pub type JsonObject = Map<String, Value>;

/// User id of the person in front of the local service.
pub const USER_ID: &str = "user-local";

/// An agent identity.
#[derive(Debug, Default)]
pub struct ServiceAgent {
    /// The token that it authenticates with.
    pub token: String,
    /// Its name for people.
    pub display_name: String,
    /// The runtime info that it reported last.
    pub runtime: Option<Value>,
    /// Time of the last `ping` or `auth`.
    pub heartbeat: Option<Instant>,
    /// Messages that could not be pushed: topic id and message id, oldest first.
    pub unread: VecDeque<(String, String)>,
}

/// A topic.
#[derive(Debug, Default)]
pub struct ServiceTopic {
    /// `p2p`, `discussion`, `collaborative`, `broadcast`.
    pub kind: String,
    /// Its name for people.
    pub name: String,
    /// Agent ids; the person is a member of every topic.
    pub members: BTreeSet<String>,
    /// The task, if this is the topic of one.
    pub task_id: Option<String>,
    /// RFC 3339.
    pub created_at: String,
    /// All fields of its messages, oldest first.
    pub messages: VecDeque<JsonObject>,
}

/// What a claim code is for.
#[derive(Debug)]
pub struct ClaimCode {
    /// The agent that asked for it.
    pub agent_id: String,
    /// When it was issued.
    pub issued_at: Instant,
}

impl ClaimCode {
    /// Whether it can still be used.
    pub fn is_fresh(&self) -> bool {
        self.issued_at.elapsed() < Duration::from_secs(CLAIM_SECONDS)
    }
}

/// An upload, from its signing on.
#[derive(Debug, Clone)]
pub struct StoredFile {
    /// The name that the uploader gave it.
    pub filename: String,
    /// MIME type.
    pub mime_type: String,
    /// Path and length in bytes, once it was uploaded.
    pub file: Option<(PathBuf, u64)>,
    /// It was committed, so it can be fetched.
    pub is_public: bool,
}

/// All that the service stores.
#[derive(Debug, Default)]
pub struct ServiceState {
    /// By agent id.
    pub agents: BTreeMap<String, ServiceAgent>,
    /// By topic id.
    pub topics: BTreeMap<String, ServiceTopic>,
    /// By task id.
    pub tasks: BTreeMap<String, JsonObject>,
    /// By upload token, which is also the media id.
    pub media: HashMap<String, StoredFile>,
    /// By code.
    pub claims: HashMap<String, ClaimCode>,
}

/// The present time, as the service writes it.
pub fn now() -> String {
    time::rfc3339_millis(time::now_ms())
}

fn set(members: &[&str]) -> BTreeSet<String> {
    let mut set = BTreeSet::new();
    set.extend(members.iter().map(|m| (*m).to_owned()));
    set
}

/// A text field of a row or body. None if it is missing, empty, or no text.
pub fn text<'a>(row: &'a JsonObject, key: &str) -> Option<&'a str> {
    row.get(key).and_then(Value::as_str).filter(|s| !s.is_empty())
}

impl ServiceState {
    /// Adds an agent, or changes its token and name.
    pub fn add_agent(&mut self, agent_id: &str, token: &str, display_name: &str) {
        let agent = self.agents.entry(agent_id.to_owned()).or_default();
        agent.token = token.to_owned();
        agent.display_name = display_name.to_owned();
    }

    /// Creates an identity. Returns id and token (see IDENTITIES in wtt-connect-protocol(7)).
    pub fn register(&mut self, display_name: Option<&str>) -> (String, String) {
        let agent_id = format!("agent-{}", &id::hex()[..12]);
        let token = format!("wtt-tok-{}", id::hex());
        self.add_agent(&agent_id, &token, display_name.unwrap_or(&agent_id));
        (agent_id, token)
    }

    /// The agent that owns a token.
    pub fn agent_by_token(&self, token: &str) -> Option<&str> {
        let owner = self.agents.iter().find(|(_, a)| a.token == token && !token.is_empty());
        owner.map(|(id, _)| id.as_str())
    }

    /// Creates a topic. Returns its id.
    pub fn add_topic(&mut self, kind: &str, name: &str, members: &[&str]) -> String {
        let topic_id = id::uuid_v4();
        let members = set(members);
        let topic = ServiceTopic {
            kind: kind.to_owned(),
            name: name.to_owned(),
            members,
            created_at: now(),
            ..ServiceTopic::default()
        };
        self.topics.insert(topic_id.clone(), topic);
        topic_id
    }

    /// The id of the p2p topic of two agents, which is created if there is none.
    pub fn p2p_topic(&mut self, a: &str, b: &str) -> String {
        let pair = set(&[a, b]);
        let found = self.topics.iter().find(|(_, t)| t.kind == "p2p" && t.members == pair);
        match found {
            Some((topic_id, _)) => topic_id.clone(),
            None => self.add_topic("p2p", &format!("{a} and {b}"), &[a, b]),
        }
    }

    /// The agents in a topic; none if it does not exist.
    pub fn members(&self, topic_id: &str) -> BTreeSet<String> {
        self.topics.get(topic_id).map(|t| t.members.clone()).unwrap_or_default()
    }

    /// Adds to a row of a topic, or of one of its messages, what clients show of its task.
    fn describe_task(&self, topic: &ServiceTopic, row: &mut Value) {
        if let Some(task) = topic.task_id.as_ref().and_then(|id| self.tasks.get(id)) {
            for (from, to) in [
                ("id", "task_id"),
                ("title", "task_title"),
                ("status", "task_status"),
                ("exec_mode", "exec_mode"),
                ("runner_agent_id", "runner_agent_id"),
            ] {
                row[to] = task.get(from).cloned().unwrap_or_default();
            }
        }
    }

    /// Stores a message. `row` holds the sender, the content and any other fields; missing fields are filled in. Returns
    /// the stored row; None if the topic does not exist.
    pub fn add_message(&mut self, topic_id: &str, mut row: JsonObject) -> Option<JsonObject> {
        let topic = self.topics.get(topic_id)?;
        let source = if topic.kind == "p2p" { "im" } else { "topic" };
        let mut defaults = json!({
            "id": id::uuid_v4(), "topic_id": topic_id, "topic_name": topic.name, "topic_type": topic.kind,
            "content_type": "text", "semantic_type": "post", "created_at": now(), "encrypted": false,
            "reply_to": null, "metadata": {}, "source": source,
        });
        self.describe_task(topic, &mut defaults);
        if let Some(sender) = text(&row, "sender_id") {
            let name = self.agents.get(sender).map_or(sender, |a| a.display_name.as_str());
            defaults["sender_display_name"] = name.into();
        }
        for (key, value) in defaults.as_object().into_iter().flatten() {
            row.entry(key).or_insert_with(|| value.clone());
        }
        let topic = self.topics.get_mut(topic_id)?;
        topic.messages.push_back(row.clone());
        if topic.messages.len() > HISTORY_MAX {
            topic.messages.pop_front();
        }
        Some(row)
    }

    /// Adds a message to those that could not be pushed to an agent.
    pub fn mark_unread(&mut self, agent_id: &str, topic_id: &str, message_id: &str) {
        let Some(agent) = self.agents.get_mut(agent_id) else { return };
        agent.unread.push_back((topic_id.to_owned(), message_id.to_owned()));
        if agent.unread.len() > UNREAD_MAX {
            agent.unread.pop_front();
        }
    }

    /// Removes up to `limit` unread messages of an agent, the oldest first, and returns them.
    pub fn take_unread(&mut self, agent_id: &str, limit: usize) -> Vec<JsonObject> {
        let Some(agent) = self.agents.get_mut(agent_id) else { return Vec::new() };
        let count = limit.min(agent.unread.len());
        let keys: Vec<_> = agent.unread.drain(..count).collect();
        let find = |(topic_id, message_id): &(String, String)| {
            let rows = &self.topics.get(topic_id)?.messages;
            rows.iter().rev().find(|r| text(r, "id") == Some(message_id)).cloned()
        };
        keys.iter().filter_map(find).collect()
    }

    /// The last `limit` messages of a topic, or of those before `before` (an id or a time), oldest first. None if the
    /// topic does not exist.
    pub fn history(&self, topic_id: &str, limit: usize, before: Option<&str>) -> Option<Vec<JsonObject>> {
        let all = &self.topics.get(topic_id)?.messages;
        let cut = before.map_or(all.len(), |mark| {
            let by_id = all.iter().position(|r| text(r, "id") == Some(mark));
            let is_time = mark.parse::<Timestamp>().is_ok() || mark.parse::<DateTime>().is_ok();
            let by_time =
                || all.iter().position(|r| is_time && text(r, "created_at").is_some_and(|t| t >= mark));
            by_id.or_else(by_time).unwrap_or(all.len())
        });
        Some(all.range(cut.saturating_sub(limit)..cut).cloned().collect())
    }

    /// A topic as clients see it; `viewer` is the agent whose unread messages are counted. None if it does not exist.
    pub fn topic_row(&self, topic_id: &str, viewer: Option<&str>) -> Option<Value> {
        let topic = self.topics.get(topic_id)?;
        let unread = viewer
            .and_then(|v| self.agents.get(v))
            .map_or(0, |a| a.unread.iter().filter(|(t, _)| t == topic_id).count());
        let last = topic.messages.back().and_then(|r| r.get("created_at")).cloned();
        let mut row = json!({
            "id": topic_id, "name": topic.name, "description": "", "type": topic.kind, "visibility": "private",
            "join_method": "open", "creator_agent_id": USER_ID, "created_at": topic.created_at, "is_active": true,
            "member_count": topic.members.len() + 1, "member_agent_ids": topic.members, "unread_count": unread,
            "my_role": "member", "last_message_at": last, "last_activity_at": last,
        });
        self.describe_task(topic, &mut row);
        Some(row)
    }

    /// The topics of an agent, or all topics.
    pub fn topic_rows(&self, of: Option<&str>) -> Vec<Value> {
        let mine = |t: &ServiceTopic| of.is_none_or(|agent| t.members.contains(agent));
        let ids = self.topics.iter().filter(|(_, t)| mine(t)).map(|(id, _)| id);
        ids.filter_map(|id| self.topic_row(id, of)).collect()
    }

    /// Creates a task from the given fields, and its topic (see TASKS in wtt-connect-protocol(7)). Returns all its fields.
    pub fn add_task(&mut self, given: JsonObject) -> JsonObject {
        let task_id = id::uuid_v4();
        let title = text(&given, "title").unwrap_or("Untitled").to_owned();
        let members: Vec<&str> =
            ["runner_agent_id", "owner_agent_id"].iter().filter_map(|k| text(&given, k)).collect();
        let topic_id = self.add_topic("discussion", &format!("TASK-{} {title}", &task_id[..8]), &members);
        if let Some(topic) = self.topics.get_mut(&topic_id) {
            topic.task_id = Some(task_id.clone());
        }
        let mut task = json!({
            "title": title, "description": "", "task_type": "general", "task_mode": "single",
            "exec_mode": "reasoning", "priority": "P1", "status": "todo", "owner_agent_id": null,
            "runner_agent_id": null, "created_by": USER_ID, "pipeline_id": null, "notes": null, "output": null,
            "created_at": now(), "started_at": null, "completed_at": null, "usage_prompt_tokens": 0,
            "usage_completion_tokens": 0, "usage_cache_read_tokens": 0, "usage_cache_write_tokens": 0,
            "usage_total_tokens": 0, "usage_source": null,
        })
        .as_object()
        .cloned()
        .unwrap_or_default();
        task.extend(given);
        task.insert("id".into(), task_id.clone().into());
        task.insert("topic_id".into(), topic_id.into());
        task.insert("updated_at".into(), now().into());
        self.tasks.insert(task_id, task.clone());
        task
    }

    /// Changes fields of a task. Returns all its fields, and whether its status has changed; None if there is no such task.
    pub fn patch_task(&mut self, task_id: &str, fields: &Value) -> Option<(JsonObject, bool)> {
        let task = self.tasks.get_mut(task_id)?;
        let before = task.get("status").cloned();
        for (key, value) in
            fields.as_object().into_iter().flatten().filter(|(k, _)| *k != "id" && *k != "topic_id")
        {
            task.insert(key.clone(), value.clone());
        }
        let changed = task.get("status") != before.as_ref();
        let stamp = match text(task, "status") {
            Some("doing") => Some("started_at"),
            Some("review" | "done") => Some("completed_at"),
            _ => None,
        };
        if let (true, Some(stamp)) = (changed, stamp) {
            task.insert(stamp.into(), now().into());
        }
        task.insert("updated_at".into(), now().into());
        let row = task.clone();
        if let Some(runner) = text(&row, "runner_agent_id")
            && let Some(topic) = text(&row, "topic_id").and_then(|id| self.topics.get_mut(id))
        {
            topic.members.insert(runner.to_owned());
        }
        Some((row, changed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(content: &str) -> JsonObject {
        json!({"sender_id": "a", "content": content}).as_object().cloned().expect("an object")
    }

    #[test]
    fn history_is_the_last_page_before_a_mark() {
        let mut state = ServiceState::default();
        let topic = state.add_topic("p2p", "x", &["a"]);
        let ids: Vec<String> = (0..5)
            .filter_map(|i| state.add_message(&topic, row(&i.to_string())))
            .map(|r| text(&r, "id").expect("an id").to_owned())
            .collect();
        let page = |limit, before: Option<&str>| -> Vec<String> {
            let rows = state.history(&topic, limit, before).expect("the topic");
            rows.iter().map(|r| text(r, "content").expect("content").to_owned()).collect()
        };
        assert_eq!(page(2, None), ["3", "4"]);
        assert_eq!(page(2, Some(&ids[3])), ["1", "2"]);
        assert!(state.history("nowhere", 1, None).is_none());
    }

    #[test]
    fn unread_messages_are_taken_once() {
        let mut state = ServiceState::default();
        state.add_agent("a", "t", "A");
        let topic = state.add_topic("p2p", "x", &["a"]);
        let message = state.add_message(&topic, row("hi")).expect("the topic");
        state.mark_unread("a", &topic, text(&message, "id").expect("an id"));
        assert_eq!(state.topic_row(&topic, Some("a")).expect("a row")["unread_count"], 1);
        assert_eq!(state.take_unread("a", 10), [message]);
        assert!(state.take_unread("a", 10).is_empty());
    }

    #[test]
    fn a_task_has_a_topic_and_its_runner_is_a_member() {
        let mut state = ServiceState::default();
        let task = state.add_task(json!({"title": "T"}).as_object().cloned().expect("an object"));
        let patch = json!({"status": "doing", "runner_agent_id": "a", "id": "other"});
        let (after, changed) = state.patch_task(text(&task, "id").expect("id"), &patch).expect("a task");
        assert!(changed && after["id"] == task["id"] && after["started_at"].is_string());
        let topic = &state.topics[text(&task, "topic_id").expect("topic")];
        assert!(topic.name.starts_with("TASK-") && topic.members.contains("a"));
        let message = state.add_message(text(&task, "topic_id").expect("topic"), row("go")).expect("stored");
        assert_eq!(message["task_status"], "doing");
    }
}
