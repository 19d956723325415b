//! The HTTP routes of the service: one match over method and path (see HTTP, TOPICS, TASKS, FILES and IDENTITIES in
//! wtt-connect-protocol(7)).

use super::actions::{message_row, page_size};
use super::event_loop::{ServiceLoop, SocketRole};
use super::events::ServiceEvent;
use super::http::{Body, RequestHead, ServiceRequest, ServiceResponse};
use super::state::{ClaimCode, JsonObject, USER_ID, text};
use crate::json;
use crate::sys::id;
use serde_json::{Value, json};
use std::time::Instant;

/// Who sends an HTTP request, by its token.
#[derive(Debug, Clone)]
pub enum HttpCaller {
    /// An agent.
    Agent(String),
    /// The person.
    User,
}

type RouteResult = Result<Value, ServiceResponse>;

impl RequestHead {
    /// The bearer token, or else the agent token (see HTTP in wtt-connect-protocol(7)).
    pub fn token(&self) -> Option<&str> {
        let bearer = self.header("authorization").and_then(|v| v.strip_prefix("Bearer "));
        bearer.or_else(|| self.header("x-agent-token")).map(str::trim).filter(|t| !t.is_empty())
    }
}

fn not_found(what: &str) -> ServiceResponse {
    ServiceResponse::error(404, &format!("{what} not found"))
}

fn missing(field: &str) -> ServiceResponse {
    let detail = json!([{ "loc": ["body", field], "msg": "Field required", "type": "missing" }]);
    ServiceResponse::json(422, &json!({ "detail": detail }))
}

impl ServiceLoop {
    /// Answers one request.
    pub fn route(&mut self, request: &ServiceRequest) -> ServiceResponse {
        let all: Vec<&str> = request.head.path.iter().map(String::as_str).collect();
        let path = match all.as_slice() {
            ["api", "v1", rest @ ..] => rest,
            _ if self.faults.api_v1_only => return not_found("path"),
            ["api", rest @ ..] => rest,
            rest => rest,
        };
        let method = request.head.method.as_str();
        match (method, path) {
            ("GET", ["health"]) => return ServiceResponse::json(200, &json!({ "status": "ok" })),
            ("PUT", ["media", "upload-direct", token]) => return self.store_upload(token, &request.body),
            ("GET", ["media", media_id]) => return self.fetch_media(media_id, &request.head),
            _ => {}
        }
        let body = match json_body(&request.body) {
            Ok(body) => body,
            Err(response) => return response,
        };
        if (method, path) == ("POST", &["agents", "register"]) {
            let (agent_id, token) = self.state.register(text(&body, "display_name"));
            return ServiceResponse::json(200, &json!({ "agent_id": agent_id, "agent_token": token }));
        }
        let Some(caller) = self.caller(&request.head) else {
            return ServiceResponse::error(401, "invalid or missing token");
        };
        let answer = match path.first() {
            Some(&"agents") => self.route_agents(method, &path[1..], &caller, &body),
            Some(&"topics") => self.route_topics(method, &path[1..], &caller, &request.head, &body),
            Some(&"tasks") => self.route_tasks(method, &path[1..], &request.head, &body),
            Some(&"media") => self.route_media(method, &path[1..], &body),
            _ => Err(ServiceResponse::error(404, "Not Found")),
        };
        answer.map_or_else(|refusal| refusal, |value| ServiceResponse::json(200, &value))
    }

    /// The owner of the token of a request.
    pub fn caller(&self, head: &RequestHead) -> Option<HttpCaller> {
        let token = head.token()?;
        if token == self.user_token {
            return Some(HttpCaller::User);
        }
        self.state
            .agent_by_token(token)
            .filter(|_| !self.faults.reject_auth)
            .map(|a| HttpCaller::Agent(a.to_owned()))
    }

    fn route_agents(
        &mut self,
        method: &str,
        path: &[&str],
        caller: &HttpCaller,
        body: &JsonObject,
    ) -> RouteResult {
        match (method, path) {
            ("POST", ["claim-code"]) => {
                let agent_id = text(body, "agent_id").ok_or_else(|| missing("agent_id"))?;
                if !matches!(caller, HttpCaller::Agent(own) if own == agent_id) {
                    return Err(ServiceResponse::error(401, "the token is not the one of this agent"));
                }
                let code = format!("WTT-CLAIM-{}", id::hex()[..8].to_ascii_uppercase());
                let claim = ClaimCode { agent_id: agent_id.to_owned(), issued_at: Instant::now() };
                self.state.claims.insert(code.clone(), claim);
                Ok(json!({ "code": code, "expires_in_seconds": super::state::CLAIM_SECONDS }))
            }
            ("POST", ["claim" | "bind"]) => {
                let code = text(body, "code").ok_or_else(|| missing("code"))?;
                let claim = self.state.claims.remove(code).filter(ClaimCode::is_fresh);
                let claim = claim.ok_or_else(|| ServiceResponse::error(404, "invalid or expired code"))?;
                Ok(json!({ "agent_id": claim.agent_id, "bound": true }))
            }
            ("GET", ["my"]) => {
                let mine = self.state.agents.iter().filter(|(agent, _)| match caller {
                    HttpCaller::User => true,
                    HttpCaller::Agent(own) => own == *agent,
                });
                Ok(mine
                    .map(|(agent, a)| json!({ "agent_id": agent, "display_name": a.display_name, "is_primary": true }))
                    .collect())
            }
            ("GET", ["stats"]) => Ok(self.agent_stats()),
            ("POST", [agent, "shell", "jobs"]) if matches!(caller, HttpCaller::User) => {
                self.start_shell_job(agent, body)
            }
            ("GET", [_, "shell", "jobs", job]) => self.shell_job(job).ok_or_else(|| not_found("job")),
            ("GET", [agent, "profile"]) => {
                let known = self.state.agents.get(*agent).ok_or_else(|| not_found("agent"))?;
                Ok(json!({ "agent_id": agent, "display_name": known.display_name }))
            }
            ("POST", [agent, "reset-token"]) => {
                let known = self.state.agents.get_mut(*agent).ok_or_else(|| not_found("agent"))?;
                known.token = format!("wtt-tok-{}", id::hex());
                Ok(json!({ "agent_token": known.token }))
            }
            _ => Err(ServiceResponse::error(404, "Not Found")),
        }
    }

    fn agent_stats(&self) -> Value {
        let mut counts = json!({});
        let mut runtimes = json!({});
        for (agent, known) in self.state.agents.iter() {
            let of = |status: &[&str]| {
                let mine = self.state.tasks.values().filter(|t| text(t, "runner_agent_id") == Some(agent));
                mine.filter(|t| status.is_empty() || status.contains(&text(t, "status").unwrap_or("")))
                    .count()
            };
            counts[agent] = json!({ "total": of(&[]), "active": of(&["doing"]), "done": of(&["done"]),
                "todo": of(&["todo"]) });
            let mut runtime = known.runtime.clone().unwrap_or_else(|| json!({}));
            runtime["last_heartbeat_secs_ago"] = known.heartbeat.map(|at| at.elapsed().as_secs()).into();
            runtimes[agent] = runtime;
        }
        let connected =
            |a: &&String| !self.sockets_of(a, SocketRole::Agent).is_empty() && self.state.is_online(a);
        let online: Vec<&String> = self.state.agents.keys().filter(connected).collect();
        json!({ "max_sub_agents": 8, "agents": counts, "online_agents": online, "runtimes": runtimes })
    }

    fn route_topics(
        &mut self,
        method: &str,
        path: &[&str],
        caller: &HttpCaller,
        head: &RequestHead,
        body: &JsonObject,
    ) -> RouteResult {
        let viewer = match caller {
            HttpCaller::Agent(own) => Some(own.as_str()),
            HttpCaller::User => head.query("agent_id"),
        };
        match (method, path) {
            ("GET", ["subscribed"]) => Ok(json!(self.state.topic_rows(viewer))),
            ("GET", []) => Ok(json!(self.state.topic_rows(None))),
            ("POST", []) => {
                let name = text(body, "name").ok_or_else(|| missing("name"))?;
                let members: Vec<&str> = viewer.into_iter().collect();
                let topic_id =
                    self.state.add_topic(text(body, "type").unwrap_or("discussion"), name, &members);
                self.state.topic_row(&topic_id, None).ok_or_else(|| not_found("topic"))
            }
            (_, [topic_id, ..]) => {
                self.check_readable(caller, topic_id)?;
                match (method, &path[1..]) {
                    ("GET", []) => self.state.topic_row(topic_id, viewer).ok_or_else(|| not_found("topic")),
                    ("GET", ["messages"]) => {
                        let limit = page_size(head.query("limit").map(Value::from).as_ref());
                        let rows =
                            self.state.history(topic_id, limit, head.query("before")).unwrap_or_default();
                        Ok(json!({ "messages": rows.into_iter().map(to_http_row).collect::<Vec<_>>() }))
                    }
                    ("POST", ["messages"]) => self.send_message(caller, topic_id, body),
                    ("POST", ["join"]) => {
                        let agent = viewer.ok_or_else(|| missing("agent_id"))?.to_owned();
                        if let Some(topic) = self.state.topics.get_mut(*topic_id) {
                            topic.members.insert(agent);
                        }
                        Ok(json!({ "message": "joined", "topic_id": topic_id }))
                    }
                    _ => Err(ServiceResponse::error(404, "Not Found")),
                }
            }
            _ => Err(ServiceResponse::error(405, "Method Not Allowed")),
        }
    }

    fn check_readable(&self, caller: &HttpCaller, topic_id: &str) -> Result<(), ServiceResponse> {
        let topic = self.state.topics.get(topic_id).ok_or_else(|| not_found("topic"))?;
        match caller {
            HttpCaller::Agent(own) if !topic.members.contains(own) => {
                Err(ServiceResponse::error(403, "not a member"))
            }
            HttpCaller::Agent(_) | HttpCaller::User => Ok(()),
        }
    }

    fn send_message(&mut self, caller: &HttpCaller, topic_id: &str, body: &JsonObject) -> RouteResult {
        let (role, agent) = match caller {
            HttpCaller::Agent(own) => (SocketRole::Agent, own.as_str()),
            HttpCaller::User => (SocketRole::User, USER_ID),
        };
        if self.faults.failing_posts > 0 {
            self.faults.failing_posts -= 1;
            return Err(ServiceResponse::error(500, "Internal Server Error"));
        }
        let row = message_row(body, role, agent).map_err(|why| ServiceResponse::error(422, &why))?;
        let row = self.post_message(topic_id, row).ok_or_else(|| not_found("topic"))?;
        if self.faults.posts_answered_late > 0 {
            self.faults.posts_answered_late -= 1;
            return Err(ServiceResponse::error(504, "Gateway Timeout"));
        }
        Ok(to_http_row(row))
    }

    fn route_tasks(
        &mut self,
        method: &str,
        path: &[&str],
        head: &RequestHead,
        body: &JsonObject,
    ) -> RouteResult {
        match (method, path) {
            ("GET", []) => {
                let wanted = |task: &&JsonObject| {
                    ["status", "owner_agent_id", "runner_agent_id"]
                        .iter()
                        .all(|key| head.query(key).is_none_or(|value| text(task, key) == Some(value)))
                };
                let limit = page_size(head.query("limit").map(Value::from).as_ref());
                Ok(self.state.tasks.values().filter(wanted).take(limit).cloned().map(Value::Object).collect())
            }
            ("POST", []) => {
                text(body, "title").ok_or_else(|| missing("title"))?;
                Ok(Value::Object(self.create_task(body.clone())))
            }
            (_, [task_id, rest @ ..]) => {
                let task = self.state.tasks.get(*task_id).cloned().ok_or_else(|| not_found("task"))?;
                self.route_task(method, rest, &task, body)
            }
            _ => Err(ServiceResponse::error(405, "Method Not Allowed")),
        }
    }

    fn route_task(
        &mut self,
        method: &str,
        path: &[&str],
        task: &JsonObject,
        body: &JsonObject,
    ) -> RouteResult {
        match (method, path) {
            ("GET", []) => Ok(Value::Object(task.clone())),
            ("PATCH", []) => {
                let refusal = self.patch_fault(body);
                let task_id = text(task, "id").unwrap_or_default().to_owned();
                let status = refusal.unwrap_or(200);
                self.notify_observers(
                    "",
                    ServiceEvent::TaskPatch { task_id, body: Value::Object(body.clone()), status },
                );
                match refusal {
                    Some(status) => Err(ServiceResponse::error(status, "not this patch")),
                    None => self.change_task(task, &Value::Object(body.clone())),
                }
            }
            ("POST", ["run"]) if self.faults.no_task_run => Err(ServiceResponse::error(404, "Not Found")),
            ("POST", ["run" | "rerun"]) => {
                let mut fields = json!({ "status": "doing", "review_comment": null });
                if let Some(runner) = text(body, "runner_agent_id") {
                    fields["runner_agent_id"] = runner.into();
                }
                self.change_task(task, &fields)
            }
            ("POST", ["review"]) => {
                let status = match text(body, "action") {
                    Some("approve") => "done",
                    Some("reject") => "doing",
                    Some("block") => "blocked",
                    _ => return Err(ServiceResponse::error(422, "action must be approve, reject or block")),
                };
                self.change_task(task, &json!({ "status": status, "review_comment": body.get("comment") }))
            }
            ("POST", ["chat", "send"]) => {
                let topic_id = text(task, "topic_id").unwrap_or_default().to_owned();
                let run = body.get("auto_run").and_then(Value::as_bool).unwrap_or(false);
                if run && text(task, "status") == Some("todo") {
                    self.change_task(task, &json!({ "status": "doing" }))?;
                }
                self.send_message(&HttpCaller::User, &topic_id, body)
            }
            _ => Err(ServiceResponse::error(404, "Not Found")),
        }
    }

    /// The status with which the faults refuse a patch of a task, if they do.
    fn patch_fault(&mut self, body: &JsonObject) -> Option<u16> {
        if !self.faults.patch_answers.is_empty() {
            return Some(self.faults.patch_answers.remove(0)).filter(|status| *status != 200);
        }
        self.faults.unknown_task_fields.iter().any(|field| body.contains_key(field)).then_some(422)
    }

    /// Creates a task and pushes it to its runner, if it has one.
    pub fn create_task(&mut self, fields: JsonObject) -> JsonObject {
        let task = self.state.add_task(fields);
        self.push_task(&task);
        task
    }

    fn change_task(&mut self, task: &JsonObject, fields: &Value) -> RouteResult {
        let task_id = text(task, "id").unwrap_or_default();
        let (row, changed) = self.state.patch_task(task_id, fields).ok_or_else(|| not_found("task"))?;
        if changed {
            self.push_task(&row);
        }
        Ok(Value::Object(row))
    }
}

/// The body as an object. An empty body counts as an empty object.
fn json_body(body: &Body) -> Result<JsonObject, ServiceResponse> {
    let bytes = match body {
        Body::Bytes(bytes) if !bytes.is_empty() => bytes,
        Body::Bytes(_) | Body::File(..) => return Ok(JsonObject::new()),
    };
    match json::parse(bytes) {
        Ok(Value::Object(row)) => Ok(row),
        _ => Err(ServiceResponse::error(422, "the body is not a JSON object")),
    }
}

/// A message as HTTP responses show it: the id is named `message_id` (see MESSAGES in wtt-connect-protocol(7)).
fn to_http_row(mut row: JsonObject) -> Value {
    if let Some(message_id) = row.remove("id") {
        row.insert("message_id".into(), message_id);
    }
    Value::Object(row)
}
