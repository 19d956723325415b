//! The local service as a client sees it: raw WebSocket frames and raw HTTP, without the encoders of `wire`.

use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use tungstenite::{Message, WebSocket};
use wtt_connect::local::service::{Faults, MessageAuthor, Service, ServiceEvent, ServiceOptions};

use crate::support::daemon::PATIENCE;

struct Client(WebSocket<TcpStream>);

impl Client {
    fn open(service: &Service, agent: &str) -> Client {
        let url = service.base_url().replace("http", "ws") + "/ws/" + agent;
        let socket = TcpStream::connect(service.base_url().trim_start_matches("http://")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Client(tungstenite::client::client(url, socket).unwrap().0)
    }

    fn send(&mut self, frame: Value) {
        self.0.send(Message::text(frame.to_string())).unwrap();
    }

    fn text(&mut self) -> String {
        loop {
            match self.0.read() {
                Ok(Message::Text(text)) => return text.to_string(),
                // the process was stopped and continued
                Err(tungstenite::Error::Io(e)) if e.kind() == std::io::ErrorKind::Interrupted => {}
                other => drop(other.unwrap()),
            }
        }
    }

    fn next(&mut self) -> Value {
        serde_json::from_str(&self.text()).unwrap()
    }

    fn authenticated(service: &Service, agent: &str, token: &str) -> Client {
        let mut client = Client::open(service, agent);
        client.send(json!({"action": "auth", "request_id": "a1", "token": token}));
        let reply = client.next();
        assert_eq!((&reply["ok"], &reply["request_id"]), (&json!(true), &json!("a1")), "{reply}");
        assert_eq!(reply["data"]["authenticated"], true);
        client
    }
}

fn http(service: &Service, method: &str, path: &str, token: &str, body: &str) -> (u16, Value) {
    let mut socket = TcpStream::connect(service.base_url().trim_start_matches("http://")).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), serde_json::from_str(body).unwrap_or_else(|_| body.into()))
}

/// Sends these bytes as they are. Returns the status and the body of the answer.
fn raw_http(service: &Service, request: &[u8]) -> (u16, String) {
    let mut socket = TcpStream::connect(service.base_url().trim_start_matches("http://")).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    // the service may have answered before it has read everything
    let _ = socket.write_all(request);
    let mut answer = [0; 4096];
    let mut received = 0;
    while let Ok(n @ 1..) = socket.read(&mut answer[received..]) {
        received += n;
    }
    let answer = String::from_utf8_lossy(&answer[..received]).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), body.to_owned())
}

fn with_alice() -> (Service, String) {
    let service = Service::start(ServiceOptions::default()).unwrap();
    service.add_agent("agent-alice", "tok", "Alice");
    let topic = service.create_topic("p2p", "Alice", &["agent-alice"]);
    (service, topic)
}

#[test]
fn a_message_is_pushed_and_its_answer_reaches_all_sockets() {
    let (service, topic) = with_alice();
    let mut alice = Client::authenticated(&service, "agent-alice", "tok");
    let mut web = Client::authenticated(&service, "agent-alice", service.user_token());
    alice.0.send(Message::text("ping")).unwrap();
    assert_eq!(alice.text(), "pong");

    let asked = service.post_message(&topic, MessageAuthor::Human, "hello", json!({"metadata": {"k": 1}}));
    let push = alice.next();
    assert_eq!(push["type"], "new_message");
    let message = &push["message"];
    assert_eq!((message["id"].as_str(), message["content"].as_str()), (Some(asked.as_str()), Some("hello")));
    assert_eq!((&message["topic_type"], &message["sender_type"]), (&json!("p2p"), &json!("human")));
    assert_eq!(web.next()["message"]["id"], asked.as_str());

    alice.send(json!({"action": "typing", "request_id": "t1", "topic_id": topic, "state": "start", "status_kind": "tool"}));
    assert_eq!(alice.next()["request_id"], "t1");
    let typing = web.next();
    assert_eq!((&typing["type"], &typing["status_kind"]), (&json!("typing"), &json!("tool")));
    assert_eq!(typing["agent_id"], "agent-alice");

    alice.send(json!({"action": "publish", "request_id": "p1", "topic_id": topic, "content": "hi", "reply_to": asked}));
    let (echo, result) = (alice.next(), alice.next());
    assert_eq!((&echo["message"]["sender_id"], &result["request_id"]), (&json!("agent-alice"), &json!("p1")));
    assert_eq!(echo["message"]["id"], result["data"]["id"]);
    assert_eq!(web.next()["message"]["reply_to"], asked.as_str());
    assert_eq!(service.messages(&topic).len(), 2);
    service.stop();
}

#[test]
fn messages_that_arrived_while_an_agent_was_offline_are_polled_once() {
    let (service, topic) = with_alice();
    service.post_message(&topic, MessageAuthor::Human, "missed", Value::Null);
    let mut alice = Client::authenticated(&service, "agent-alice", "tok");
    let mut poll = |id: &str| {
        alice.send(json!({"action": "poll", "request_id": id, "limit": 10}));
        alice.next()["data"]["messages"].as_array().unwrap().len()
    };
    assert_eq!((poll("1"), poll("2")), (1, 0));
    alice.send(json!({"action": "history", "request_id": "3", "topic_id": topic}));
    assert_eq!(alice.next()["data"]["messages"][0]["content"], "missed");
}

#[test]
fn a_bad_token_is_refused_and_the_socket_closed() {
    let (service, _) = with_alice();
    let mut alice = Client::open(&service, "agent-alice");
    alice.send(json!({"action": "list", "request_id": "early"}));
    assert_eq!(alice.next()["error"], "not authenticated");
    alice.send(json!({"action": "auth", "token": "wrong"}));
    assert_eq!(alice.next()["ok"], false);
    match alice.0.read().unwrap() {
        Message::Close(Some(frame)) => assert_eq!(u16::from(frame.code), 4401),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_newer_connection_replaces_the_older_one() {
    let (service, _) = with_alice();
    let mut older = Client::authenticated(&service, "agent-alice", "tok");
    let _newer = Client::authenticated(&service, "agent-alice", "tok");
    assert!(matches!(older.0.read().unwrap(), Message::Close(Some(_))));
}

#[test]
fn unknown_actions_and_foreign_topics_get_an_error() {
    let (service, _) = with_alice();
    let other = service.create_topic("discussion", "Others", &[]);
    let mut alice = Client::authenticated(&service, "agent-alice", "tok");
    for (action, error) in
        [("fly", "unknown action: fly"), ("publish", "not a member"), ("history", "not a member")]
    {
        alice.send(json!({"action": action, "request_id": "x", "topic_id": other, "content": "c"}));
        assert_eq!(alice.next()["error"], error);
    }
    alice.send(json!({"action": "join", "request_id": "x", "topic_id": other}));
    assert_eq!(alice.next()["data"]["message"], "joined");
}

#[test]
fn faults_change_what_is_pushed() {
    let (service, topic) = with_alice();
    let mut alice = Client::authenticated(&service, "agent-alice", "tok");
    service.set_faults(Faults {
        duplicate_pushes: true,
        metadata_as_string: true,
        upper_case_sender: true,
        omit_topic_type: true,
        push_message_id: true,
        ..Faults::default()
    });
    service.post_message(&topic, MessageAuthor::Human, "x", json!({"metadata": {"k": 1}}));
    let (first, second) = (alice.next(), alice.next());
    assert_eq!(first, second);
    let message = &first["message"];
    assert_eq!(message["metadata"], r#"{"k":1}"#);
    assert_eq!(message["sender_type"], "HUMAN");
    assert!(message["message_id"].is_string() && message["id"].is_null() && message["topic_type"].is_null());
}

#[test]
fn results_can_be_late_lost_or_errors() {
    let (service, topic) = with_alice();
    let mut alice = Client::authenticated(&service, "agent-alice", "tok");
    let publish = |id: &str| json!({"action": "publish", "request_id": id, "topic_id": topic, "content": id});
    service.set_faults(Faults {
        // the pong must not be later, even on a busy machine
        delay_results: Some(std::time::Duration::from_secs(1)),
        no_echo: true,
        ..Faults::default()
    });
    alice.send(publish("late"));
    alice.0.send(Message::text("ping")).unwrap();
    assert_eq!(alice.text(), "pong");
    assert_eq!(alice.next()["request_id"], "late");
    service.set_faults(Faults { drop_results: true, no_echo: true, ..Faults::default() });
    alice.send(publish("lost"));
    alice.0.send(Message::text("ping")).unwrap();
    assert_eq!(alice.text(), "pong");
    assert_eq!(service.messages(&topic).len(), 2);
    service.set_faults(Faults { refuse_publish: Some("no".into()), ..Faults::default() });
    alice.send(publish("refused"));
    assert_eq!(alice.next()["error"], "no");
}

#[test]
fn observers_see_sockets_open_and_close() {
    let (service, _) = with_alice();
    let seen = service.observe();
    let alice = Client::authenticated(&service, "agent-alice", "tok");
    assert_eq!(service.cut_sockets("agent-alice"), 1);
    drop(alice);
    let mut kinds = Vec::new();
    while !matches!(kinds.last(), Some(ServiceEvent::SocketClosed(_))) {
        kinds.push(seen.recv_timeout(PATIENCE).unwrap().event);
    }
    assert_eq!(kinds[..2], [ServiceEvent::SocketOpened, ServiceEvent::Auth(true)]);
}

#[test]
fn http_routes_answer_like_the_real_service() {
    let (service, topic) = with_alice();
    assert_eq!(http(&service, "GET", "/health", "", "").0, 200);
    let (status, body) = http(&service, "GET", "/agents/my", "bad", "");
    assert_eq!((status, body["detail"].is_string()), (401, true));
    assert_eq!(http(&service, "GET", "/nothing", "tok", "").0, 404);
    assert_eq!(http(&service, "POST", "/tasks", "tok", "{}").1["detail"][0]["type"], "missing");
    let (_, new) =
        http(&service, "POST", "/agents/register", "", r#"{"display_name":"Bo","platform":"linux"}"#);
    let (bo, token) = (new["agent_id"].as_str().unwrap(), new["agent_token"].as_str().unwrap());
    let claim = json!({ "agent_id": bo }).to_string();
    assert_eq!(http(&service, "POST", "/agents/claim-code", "tok", &claim).0, 401);
    let (_, code) = http(&service, "POST", "/api/v1/agents/claim-code", token, &claim);
    assert!(code["code"].as_str().unwrap().starts_with("WTT-CLAIM-") && code["expires_in_seconds"] == 900);
    assert_eq!(http(&service, "GET", &format!("/agents/{bo}/profile"), token, "").1["display_name"], "Bo");
    let path = format!("/topics/{topic}/messages");
    assert_eq!(http(&service, "POST", &path, token, r#"{"content":"x"}"#).0, 403);
    let (_, sent) = http(&service, "POST", &path, service.user_token(), r#"{"content":"from the web"}"#);
    assert!(sent["message_id"].is_string(), "{sent}");
    let (_, rows) = http(&service, "GET", &(path + "?limit=5"), "tok", "");
    assert_eq!(rows["messages"][0]["content"], "from the web");
    let _alice = Client::authenticated(&service, "agent-alice", "tok");
    let (_, stats) = http(&service, "GET", "/agents/stats", service.user_token(), "");
    assert_eq!(stats["online_agents"], json!(["agent-alice"]));
}

#[test]
fn a_task_runs_from_todo_to_review() {
    let (service, _) = with_alice();
    let mut alice = Client::authenticated(&service, "agent-alice", "tok");
    let task = service.create_task(json!({"title": "Build", "runner_agent_id": "agent-alice"}));
    let id = task["id"].as_str().unwrap();
    let push = alice.next();
    assert_eq!(
        (&push["type"], &push["status"], &push["task_id"]),
        (&json!("task_status"), &json!("todo"), &task["id"])
    );
    assert_eq!(http(&service, "POST", &format!("/tasks/{id}/run"), "tok", "{}").1["status"], "doing");
    assert_eq!(alice.next()["status"], "doing");
    let patch = r#"{"status":"review","notes":"done"}"#;
    assert_eq!(http(&service, "PATCH", &format!("/tasks/{id}"), "tok", patch).1["notes"], "done");
    assert_eq!(alice.next()["status"], "review");
    let (_, back) = http(
        &service,
        "POST",
        &format!("/tasks/{id}/review"),
        service.user_token(),
        r#"{"action":"reject"}"#,
    );
    assert_eq!(back["status"], "doing");
    assert_eq!(service.task(id).unwrap()["status"], "doing");
    assert_eq!(http(&service, "GET", "/tasks?status=doing", "tok", "").1.as_array().unwrap().len(), 1);
    service.set_faults(Faults { no_task_run: true, ..Faults::default() });
    assert_eq!(http(&service, "POST", &format!("/tasks/{id}/run"), "tok", "{}").0, 404);
}

#[test]
fn a_file_is_signed_put_committed_and_fetched() {
    let (service, _) = with_alice();
    service.set_faults(Faults { late_uploads: 1, ..Faults::default() });
    let body = r#"{"filename":"a.txt","mime_type":"text/plain","size":5}"#;
    let (_, signed) = http(&service, "POST", "/media/sign", "tok", body);
    let commit = json!({"upload_token": signed["upload_token"]}).to_string();
    assert_eq!(http(&service, "PUT", signed["upload_url"].as_str().unwrap(), "", "hello").0, 200);
    let (status, late) = http(&service, "POST", "/media/commit", "tok", &commit);
    assert_eq!((status, &late["detail"]), (400, &json!("File not uploaded yet")));
    let (_, done) = http(&service, "POST", "/media/commit", "tok", &commit);
    let url = done["url"].as_str().unwrap();
    assert_eq!(http(&service, "GET", url, "wrong", "").0, 401);
    assert_eq!(http(&service, "GET", url, "tok", ""), (200, json!("hello")));
    assert_eq!(http(&service, "GET", &format!("{url}?access={}", service.user_token()), "", "").0, 200);
}

#[test]
fn malformed_and_too_large_requests_are_refused() {
    let (service, _) = with_alice();
    let long_path = format!("GET /{} HTTP/1.1\r\n", "x".repeat(70_000));
    let many_headers = format!("GET /health HTTP/1.1\r\n{}\r\n", "X-Header: x\r\n".repeat(101));
    let large_body = "POST /tasks HTTP/1.1\r\nContent-Length: 1048577\r\n\r\n";
    let large_upload = "PUT /media/upload-direct/x HTTP/1.1\r\nContent-Length: 104857601\r\n\r\n";
    let large_chunk =
        "POST /tasks HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\nffffffffffffffff\r\n";
    for (request, status) in [
        ("GET /health HTTP/1.1\r\n\r\n", 200),
        ("GET http://127.0.0.1/health HTTP/1.1\r\n\r\n", 400),
        ("GET /health HTTP/9.9\r\n\r\n", 400),
        ("GET /health HTTP/1.1\r\nno header\r\n\r\n", 400),
        (&*long_path, 400),
        (&*many_headers, 400),
        (large_body, 413),
        (large_upload, 413),
        (large_chunk, 413),
    ] {
        let (answered, body) = raw_http(&service, request.as_bytes());
        assert_eq!(answered, status, "{:.80?} {body}", request);
    }
}

#[test]
fn a_body_in_chunks_is_read_whole() {
    let (service, _) = with_alice();
    let request = "POST /tasks HTTP/1.1\r\nAuthorization: Bearer tok\r\nTransfer-Encoding: chunked\r\n\r\n\
                   9\r\n{\"title\":\r\n7;x=y\r\n\"Build\"\r\n1\r\n}\r\n0\r\n\r\n";
    let (status, body) = raw_http(&service, request.as_bytes());
    assert_eq!(status, 200, "{body}");
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["title"], "Build");
}
