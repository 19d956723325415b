//! Terminals and shell jobs: relays the requests of browsers to the agent under new request ids, and the agent's answers
//! back to the browser that asked (see TERMINAL and SHELL in wtt-connect-protocol(7)).

use super::actions::{action_result, to_push};
use super::event_loop::ServiceLoop;
use super::events::ServiceEvent;
use super::http::ServiceResponse;
use super::relay_state::Requester;
use super::state::{JsonObject, text};
use crate::sys::id;
use serde_json::{Value, json};

/// Longest shell command, in bytes.
const COMMAND_MAX: usize = 64 * 1024;

impl ServiceLoop {
    /// Relays `terminal_open` and the like from a browser to an agent.
    pub fn relay_terminal_request(&mut self, socket_id: u64, agent: &str, action: &str, body: &JsonObject) {
        let request_id = body.get("request_id").cloned().unwrap_or_default();
        if text(body, "token").is_some_and(|token| token != self.user_token) {
            return self.send(socket_id, &action_result(Some(&request_id), Err("invalid token".to_owned())));
        }
        let mut frame = to_push(body, action, &["action", "token"]);
        if action == "terminal_open" {
            let session = id::hex();
            self.relay.terminals.insert(session.clone(), socket_id);
            frame["session_id"] = session.into();
        }
        if !request_id.is_null() {
            let new_id = id::hex();
            frame["request_id"] = new_id.as_str().into();
            self.relay.requesters.insert(new_id, Requester::Browser(socket_id, request_id.clone()));
        }
        if !self.send_to_agent(agent, &frame) {
            let offline = Err(format!("agent {agent} is offline"));
            self.send(socket_id, &action_result(Some(&request_id), offline));
        }
    }

    /// Relays a frame of an agent that is no action: an answer, or an event of a terminal.
    pub fn relay_agent_frame(&mut self, agent: &str, body: JsonObject) {
        let kind = text(&body, "type").unwrap_or_default().to_owned();
        if kind.starts_with("terminal_") && !kind.ends_with("_response") {
            let session = text(&body, "session_id").unwrap_or_default().to_owned();
            if let Some(socket_id) = self.relay.terminals.get(&session).copied() {
                if kind == "terminal_exit" {
                    self.relay.terminals.remove(&session);
                }
                return self.send(socket_id, &Value::Object(body));
            }
        }
        let requester = text(&body, "request_id").and_then(|new_id| self.relay.requesters.remove(new_id));
        let ok = body.get("ok").and_then(Value::as_bool).unwrap_or(true);
        let error = text(&body, "error").unwrap_or("refused").to_owned();
        match requester {
            Some(Requester::Browser(socket_id, request_id)) => {
                let data = body.get("data").cloned().unwrap_or_else(|| json!({}));
                let answer = if ok { Ok(data) } else { Err(error) };
                self.send(socket_id, &action_result(Some(&request_id), answer));
            }
            Some(Requester::ShellJob(job)) => {
                let status = text(&body, "status").unwrap_or(if ok { "done" } else { "error" });
                let row = json!({ "job_id": job, "status": status, "result": body.get("result"),
                    "error": (!ok).then_some(error) });
                self.relay.jobs.insert(job, row);
            }
            None => {}
        }
        self.notify_observers(agent, ServiceEvent::Frame(Value::Object(body)));
    }

    /// Closes the terminals of a browser that has disconnected.
    pub fn close_terminals_of(&mut self, socket_id: u64, agent: &str) {
        let mut mine = Vec::new();
        mine.extend(
            self.relay.terminals.iter().filter(|(_, of)| **of == socket_id).map(|(name, _)| name.clone()),
        );
        for session in mine {
            self.relay.terminals.remove(&session);
            self.send_to_agent(agent, &json!({ "type": "terminal_close", "session_id": session }));
        }
    }

    /// `POST /agents/{id}/shell/jobs`
    pub fn start_shell_job(&mut self, agent: &str, body: &JsonObject) -> Result<Value, ServiceResponse> {
        let command = text(body, "command").filter(|command| command.len() <= COMMAND_MAX);
        let command = command.ok_or_else(|| ServiceResponse::error(422, "command is missing or too long"))?;
        let (job, new_id) = (id::hex(), id::hex());
        let frame = json!({ "type": "shell_exec", "request_id": new_id, "command": command,
            "timeout_seconds": body.get("timeout_seconds") });
        let row = json!({ "job_id": job, "status": "running" });
        self.relay.requesters.insert(new_id, Requester::ShellJob(job.clone()));
        self.relay.jobs.insert(job, row.clone());
        if self.send_to_agent(agent, &frame) {
            Ok(row)
        } else {
            Err(ServiceResponse::error(409, "the agent is offline"))
        }
    }

    /// `GET /agents/{id}/shell/jobs/{job}`
    pub fn shell_job(&self, job: &str) -> Option<Value> {
        self.relay.jobs.get(job).cloned()
    }
}
