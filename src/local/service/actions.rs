//! The frames of sockets: `auth`, `ping`, and the actions that agents send, each with its `action_result` (see FRAMES in
//! wtt-connect-protocol(7)).

use super::event_loop::{ServiceLoop, SocketRole};
use super::events::ServiceEvent;
use super::state::{JsonObject, ServiceState, USER_ID, text};
use crate::json;
use serde_json::{Value, json};
use std::time::Instant;

/// Longest content of one message, in bytes. The real limit is unknown (see LIMITS in wtt-connect-protocol(7)).
const CONTENT_MAX: usize = 256 * 1024;
/// Default and largest page of `history`, `poll` and `list` (see LIMITS in wtt-connect-protocol(7)).
const PAGE: u64 = 100;
const PAGE_MAX: u64 = 500;

/// The data of an answer, or its error.
pub type ActionAnswer = Result<Value, String>;

/// The frame that answers an action.
pub fn action_result(request_id: Option<&Value>, answer: ActionAnswer) -> Value {
    let mut frame = json!({ "type": "action_result", "request_id": request_id, "ok": answer.is_ok() });
    match answer {
        Ok(data) => frame["data"] = data,
        Err(error) => frame["error"] = error.into(),
    }
    frame
}

/// The page size that a request asks for, within the limits.
pub fn page_size(given: Option<&Value>) -> usize {
    let asked = given.and_then(|v| v.as_u64().or_else(|| v.as_str()?.parse().ok())).unwrap_or(PAGE);
    usize::try_from(asked.min(PAGE_MAX)).unwrap_or(0)
}

impl ServiceLoop {
    /// Handles a text frame of a socket. Unknown frames are reported to observers and otherwise ignored.
    pub fn handle_frame(&mut self, socket_id: u64, frame: &str) {
        let Some((agent, role)) =
            self.sockets.get(&socket_id).map(|socket| (socket.agent.clone(), socket.role))
        else {
            return;
        };
        if frame == "ping" {
            if let (Some(SocketRole::Agent), Some(known)) = (role, self.state.agents.get_mut(&agent)) {
                known.heartbeat = Some(Instant::now());
            }
            self.notify_observers(&agent, ServiceEvent::Ping);
            return self.send_text(socket_id, "pong".to_owned());
        }
        let body = match json::parse(frame) {
            Ok(Value::Object(body)) => body,
            _ => return self.notify_observers(&agent, ServiceEvent::Frame(frame.into())),
        };
        match (text(&body, "action"), role) {
            (Some("auth"), _) => self.authenticate(socket_id, &agent, &body),
            (Some(_), None) => self.answer_action(socket_id, &body, Err("not authenticated".to_owned())),
            (Some(action), Some(SocketRole::User)) if action.starts_with("terminal_") => {
                self.relay_terminal_request(socket_id, &agent, action, &body);
            }
            (Some(action), Some(role)) => {
                let answer = self.perform_action(action, &agent, role, &body);
                self.answer_action(socket_id, &body, answer);
            }
            (None, Some(SocketRole::Agent)) => self.relay_agent_frame(&agent, body),
            (None, _) => self.notify_observers(&agent, ServiceEvent::Frame(Value::Object(body))),
        }
    }

    fn authenticate(&mut self, socket_id: u64, agent: &str, body: &JsonObject) {
        let token = text(body, "token").unwrap_or_default();
        let role = match self.state.agents.get(agent) {
            Some(known) if known.token == token && !token.is_empty() => Some(SocketRole::Agent),
            Some(_) if token == self.user_token => Some(SocketRole::User),
            _ => None,
        };
        let role = role.filter(|_| !self.faults.reject_auth);
        if let Some(socket) = self.sockets.get_mut(&socket_id) {
            socket.role = role;
        }
        if role.is_none() {
            let refusal = Err("invalid token".to_owned());
            self.send(socket_id, &action_result(body.get("request_id"), refusal));
            self.close_socket(socket_id, 4401, "invalid token");
            return self.notify_observers(agent, ServiceEvent::Auth(false));
        }
        let display_name = self.state.agents.get_mut(agent).map(|known| {
            if role == Some(SocketRole::Agent) {
                known.heartbeat = Some(Instant::now());
            }
            known.display_name.clone()
        });
        if role == Some(SocketRole::Agent) {
            // Two sockets of one agent: the newest wins (see RECONNECTION in wtt-connect-protocol(7)).
            for older in self.sockets_of(agent, SocketRole::Agent) {
                if older != socket_id {
                    self.close_socket(older, 4409, "replaced by a newer connection");
                    // what a slow network still delivers from it is ignored
                    if let Some(socket) = self.sockets.get_mut(&older) {
                        socket.role = None;
                    }
                }
            }
        }
        if !self.faults.silent_auth {
            let welcome =
                json!({ "authenticated": true, "agent_id": agent, "agent_display_name": display_name });
            self.send(socket_id, &action_result(body.get("request_id"), Ok(welcome)));
        }
        self.notify_observers(agent, ServiceEvent::Auth(true));
    }

    /// Answers an action. A frame without a request id gets no answer.
    fn answer_action(&mut self, socket_id: u64, body: &JsonObject, answer: ActionAnswer) {
        if text(body, "request_id").is_none() || self.faults.drop_results {
            return;
        }
        let frame = action_result(body.get("request_id"), answer);
        match self.faults.delay_results {
            Some(delay) => self.send_later(socket_id, frame.to_string(), delay),
            None => self.send(socket_id, &frame),
        }
    }

    fn perform_action(
        &mut self,
        action: &str,
        agent: &str,
        role: SocketRole,
        body: &JsonObject,
    ) -> ActionAnswer {
        if action != "typing" {
            self.notify_observers(agent, ServiceEvent::Frame(Value::Object(body.clone())));
        }
        let topic = || text(body, "topic_id").ok_or_else(|| "topic_id is required".to_owned());
        match action {
            "publish" => self.publish(agent, role, topic()?, body),
            "p2p" => {
                let target = text(body, "target_agent_id").ok_or("target_agent_id is required")?;
                if !self.state.agents.contains_key(target) {
                    return Err(format!("agent {target} not found"));
                }
                let topic_id = self.state.p2p_topic(agent, target);
                self.publish(agent, role, &topic_id, body)
            }
            "typing" => self.relay_typing(agent, topic()?, body),
            "poll" => {
                let rows = self.state.take_unread(agent, page_size(body.get("limit")));
                Ok(json!({ "messages": rows, "topics": self.state.topic_rows(Some(agent)) }))
            }
            "history" => {
                let topic_id = self.readable_topic(agent, role, topic()?)?;
                let limit = page_size(body.get("limit"));
                let rows = self.state.history(topic_id, limit, text(body, "before_id"));
                Ok(json!({ "messages": rows.unwrap_or_default() }))
            }
            "subscribed" => Ok(json!(self.state.topic_rows(Some(agent)))),
            "list" => {
                let mut rows = self.state.topic_rows(None);
                rows.truncate(page_size(body.get("limit")));
                Ok(json!(rows))
            }
            "find" => {
                let wanted = text(body, "query").unwrap_or_default().to_lowercase();
                let mut rows = self.state.topic_rows(None);
                rows.retain(|r| r["name"].as_str().is_some_and(|n| n.to_lowercase().contains(&wanted)));
                Ok(json!(rows))
            }
            "join" | "leave" => {
                let topic_id = topic()?;
                let members = &mut self.state.topics.get_mut(topic_id).ok_or("topic not found")?.members;
                let is_join = action == "join";
                if is_join {
                    members.insert(agent.to_owned());
                } else {
                    members.remove(agent);
                }
                Ok(json!({ "message": if is_join { "joined" } else { "left" }, "topic_id": topic_id }))
            }
            "detail" => {
                let topic_id = self.readable_topic(agent, role, topic()?)?;
                self.state.topic_row(topic_id, Some(agent)).ok_or_else(|| "topic not found".to_owned())
            }
            "runtime_info" if !self.faults.unknown_action_errors => {
                if let Some(known) = self.state.agents.get_mut(agent) {
                    known.runtime = body.get("runtime").cloned();
                }
                Ok(json!({}))
            }
            "message_stream" if !self.faults.unknown_action_errors => {
                let mut frame = to_push(body, action, &["action"]);
                frame["sender_id"] = agent.into();
                frame["sender_type"] = "agent".into();
                self.send_to_watchers(|watched| watched == agent, &frame);
                Ok(json!({}))
            }
            unknown => Err(format!("unknown action: {unknown}")),
        }
    }

    /// The topic's id if this agent may read it. The error is for the answer.
    fn readable_topic<'a>(
        &self,
        agent: &str,
        role: SocketRole,
        topic_id: &'a str,
    ) -> Result<&'a str, String> {
        let topic = self.state.topics.get(topic_id).ok_or("topic not found")?;
        let may_read = role == SocketRole::User || topic.members.contains(agent);
        if may_read { Ok(topic_id) } else { Err("not a member".to_owned()) }
    }

    fn publish(&mut self, agent: &str, role: SocketRole, topic_id: &str, body: &JsonObject) -> ActionAnswer {
        if let Some(refusal) = &self.faults.refuse_publish {
            return Err(refusal.clone());
        }
        let topic_id = self.readable_topic(agent, role, topic_id)?;
        let row = message_row(body, role, agent)?;
        self.post_message(topic_id, row).map(Value::Object).ok_or_else(|| "topic not found".to_owned())
    }

    fn relay_typing(&mut self, agent: &str, topic_id: &str, body: &JsonObject) -> ActionAnswer {
        let members = self.state.topics.get(topic_id).map(|t| t.members.clone()).ok_or("topic not found")?;
        let mut frame = to_push(body, "typing", &["action", "request_id"]);
        frame["agent_id"] = agent.into();
        frame["agent_display_name"] = self.state.agents.get(agent).map(|a| a.display_name.as_str()).into();
        frame["ts"] = super::state::now().into();
        for member in members.iter().filter(|m| *m != agent) {
            self.send_to_agent(member, &frame);
        }
        self.send_to_watchers(|watched| members.contains(watched), &frame);
        self.notify_observers(agent, ServiceEvent::Typing(Value::Object(body.clone())));
        Ok(json!({}))
    }
}

/// A request as it is passed on: with a type, and without these fields.
pub fn to_push(body: &JsonObject, kind: &str, without: &[&str]) -> Value {
    let mut frame = body.clone();
    frame.retain(|key, _| !without.contains(&key.as_str()));
    frame.insert("type".into(), kind.into());
    Value::Object(frame)
}

/// The fields of a message, sent by a socket or over HTTP, that are stored. The error is for the answer.
pub fn message_row(body: &JsonObject, role: SocketRole, agent: &str) -> Result<JsonObject, String> {
    let content = text(body, "content").or_else(|| text(body, "message")).ok_or("content is required")?;
    if content.len() > CONTENT_MAX {
        return Err("content is too long".to_owned());
    }
    let mut row = JsonObject::new();
    row.insert("content".into(), content.into());
    let kept =
        ["content_type", "semantic_type", "reply_to", "encrypted", "metadata", "mention_target_agent_ids"];
    for key in kept.iter().filter(|k| body.get(**k).is_some_and(|v| !v.is_null())) {
        row.insert((*key).to_owned(), body[*key].clone());
    }
    let (sender, kind) = match role {
        SocketRole::Agent => (agent, "agent"),
        SocketRole::User => (text(body, "sender_id").unwrap_or(USER_ID), "human"),
    };
    row.insert("sender_id".into(), sender.into());
    row.insert("sender_type".into(), kind.into());
    Ok(row)
}

impl ServiceState {
    /// Whether the web shows an agent as online: it was heard from within 90 seconds (see HEARTBEAT in
    /// wtt-connect-protocol(7)).
    pub fn is_online(&self, agent: &str) -> bool {
        let heard = self.agents.get(agent).and_then(|a| a.heartbeat);
        heard.is_some_and(|at| at.elapsed().as_secs() <= 90)
    }
}
