//! The HTTP client against the scripted server.

use super::dialing::{ClosedPort, connect_proxy};
use super::rig::{TOKEN, ms};
use crate::support::server::{Request, Server, Visit, fixture};
use crate::support::watch::Watch;
use crossbeam_channel::unbounded;
use serde_json::{Value, json};
use wtt_connect::http::proxy::Proxies;
use wtt_connect::http::{Client, ClientSettings, HttpError};
use wtt_connect::secret::Secret;

fn settings(url: String) -> ClientSettings {
    ClientSettings {
        base_url: url,
        token: Secret::new(TOKEN),
        ca_file: Some(fixture("tls/ca.pem")),
        proxies: Proxies::default(),
        total: ms(5_000),
    }
}

fn client(server: &Server) -> Client {
    Client::open(settings(format!("http://127.0.0.1:{}/", server.port))).unwrap()
}

/// A server that answers each request line by a table; anything else is 404.
fn table(
    rows: &'static [(&'static str, &'static str, &'static str)],
) -> (Server, crossbeam_channel::Receiver<String>) {
    let (lines, seen) = unbounded();
    let server = Server::start(move |visit| {
        let request: Request = visit.request();
        lines.send(request.line().to_owned()).unwrap();
        match rows.iter().find(|row| row.0 == request.line()) {
            Some((_, head, body)) => request.respond(head, body),
            None => request.respond("404 Not Found", r#"{"detail":"Not Found"}"#),
        }
    });
    (server, seen)
}

#[test]
fn both_headers_go_with_every_call_and_json_comes_back() {
    let (requests, seen) = unbounded();
    let server = Server::start(move |visit| {
        let request = visit.request();
        requests.send((request.head.clone(), request.body.clone())).unwrap();
        request.respond("200 OK\r\nContent-Type: application/json", r#"{"a":[1,"é"]}"#);
    });
    let client = client(&server);
    let body = json!({"status": "done", "text": "日本"});
    assert_eq!(client.get_json("/agents/my"), Ok((200, json!({"a": [1, "é"]}))));
    assert_eq!(client.post_json("/tasks", &body).unwrap().0, 200);
    assert_eq!(client.patch_json("/tasks/1", &body).unwrap().0, 200);
    for (line, sent) in
        [("GET /agents/my", None), ("POST /tasks", Some(&body)), ("PATCH /tasks/1", Some(&body))]
    {
        let (head, got) = seen.recv().unwrap();
        let lower = head.to_lowercase();
        assert!(head.starts_with(line), "{head}");
        assert!(lower.contains(&format!("authorization: bearer {}", TOKEN.to_lowercase())), "{head}");
        assert!(lower.contains(&format!("x-agent-token: {}", TOKEN.to_lowercase())), "{head}");
        assert_eq!(lower.contains("content-type: application/json"), sent.is_some(), "{head}");
        assert_eq!(serde_json::from_str::<Value>(&got).ok().as_ref(), sent);
    }
}

#[test]
fn the_prefix_is_found_once_and_remembered() {
    let (server, seen) = table(&[
        ("GET /health", "200 OK\r\nContent-Type: text/html; charset=utf-8", "<html>front end</html>"),
        ("GET /api/v1/health", "200 OK", "ok"),
        ("GET /api/v1/agents/my", "200 OK", "[]"),
    ]);
    let client = client(&server);
    assert_eq!(client.get_json("/health"), Ok((200, json!("ok"))));
    assert_eq!(client.get_json("/agents/my"), Ok((200, json!([]))));
    assert_eq!(client.get_json("/nothing"), Err(HttpError::Status(404, "Not Found".into())));
    let lines: Vec<_> = seen.try_iter().collect();
    let expect = [
        "GET /health",
        "GET /api/health",
        "GET /api/v1/health",
        "GET /api/v1/agents/my",
        "GET /api/v1/nothing",
        // whether the API has moved
        "GET /api/v1/agents/my",
    ];
    assert_eq!(lines, expect);
}

#[test]
fn a_refusal_is_final_and_nothing_anywhere_is_the_first_answer() {
    let (server, seen) = table(&[("GET /agents/my", "401 Unauthorized", r#"{"detail":"bad token"}"#)]);
    assert_eq!(client(&server).get_json("/agents/my"), Err(HttpError::Status(401, "bad token".into())));
    assert_eq!(seen.try_iter().count(), 1, "other prefixes are not tried with a refused token");
    assert_eq!(client(&server).get_json("/x"), Err(HttpError::Status(404, "Not Found".into())));
    assert_eq!(seen.try_iter().count(), 3);
}

#[test]
fn a_refusal_or_trouble_behind_a_wrong_prefix_does_not_hide_the_right_one() {
    let (server, _seen) = table(&[
        ("GET /api/a", "403 Forbidden", r#"{"detail":"not for you"}"#),
        ("GET /api/v1/a", "200 OK", "1"),
        ("GET /api/b", "403 Forbidden", r#"{"detail":"not for you"}"#),
        ("GET /c", "502 Bad Gateway", ""),
    ]);
    assert_eq!(client(&server).get_json("/a"), Ok((200, json!(1))));
    let second = client(&server);
    assert_eq!(second.get_json("/b"), Err(HttpError::Status(403, "not for you".into())));
    assert!(second.get_json("/c").is_err(), "trouble is told as it is");
    assert_eq!(second.get_json("/a"), Ok((200, json!(1))), "and neither has fixed the prefix");
}

#[test]
fn error_texts_of_every_shape_are_one_line_without_the_token() {
    #[rustfmt::skip]
    let rows = [
        ("500 Oops", "plain\ntext", "plain text"),
        ("500 Oops", r#"{"detail":{"message":"inner"}}"#, "inner"),
        ("422 Unprocessable", r#"{"detail":[{"loc":["a"],"msg":"field required"}]}"#, "field required"),
        ("500 Oops", r#"{"error":"token CANARY-token is wrong"}"#, "token *** is wrong"),
        ("500 Oops", "", ""),
        ("302 Found\r\nLocation: http://127.0.0.1:1/", "", ""),
    ];
    for (head, body, expect) in rows {
        let server = Server::start(move |visit| visit.request().respond(head, body));
        match client(&server).get_json("/x") {
            Err(HttpError::Status(status, text)) => {
                assert_eq!((status.to_string().as_str(), text.as_str()), (&head[..3], expect));
            }
            other => panic!("{head}: {other:?}"),
        }
    }
}

#[test]
fn an_unreachable_or_silent_service_is_offline() {
    let closed = ClosedPort::new();
    let url = format!("http://127.0.0.1:{}", closed.port());
    let error = Client::open(settings(url)).unwrap().get_json("/health").unwrap_err().to_string();
    assert!(error.contains("127.0.0.1") && error.to_lowercase().contains("refused"), "{error}");

    let silent = Server::start(Visit::swallow);
    let took = Watch::start();
    let url = format!("http://127.0.0.1:{}", silent.port);
    let error = Client::open(ClientSettings { total: ms(200), ..settings(url) })
        .unwrap()
        .get_json("/health")
        .unwrap_err();
    assert!(matches!(&error, HttpError::Offline(why) if why.contains("timeout")), "{error:?}");
    assert!(took.counted() < ms(1500));
}

#[test]
fn tls_and_proxy_as_for_the_websocket() {
    let secure = Server::start_tls(|visit| visit.request().respond("200 OK", "1"));
    let url = format!("https://localhost:{}", secure.port);
    assert_eq!(Client::open(settings(url.clone())).unwrap().get_json("/x"), Ok((200, json!(1))));
    let stranger = Client::open(ClientSettings { ca_file: None, ..settings(url) }).unwrap();
    let error = stranger.get_json("/x").unwrap_err().to_string();
    assert!(error.contains("WTT_CONNECT_CA_FILE"), "{error}");

    let plain = Server::start(|visit| visit.request().respond("200 OK", "2"));
    for (scheme, port, expect) in [("https", secure.port, 1), ("http", plain.port, 2)] {
        let proxy = connect_proxy(port);
        let value = format!("http://al:p%3Aw@127.0.0.1:{}", proxy.port);
        let proxies = Proxies::from_lookup(|name| (name == "ALL_PROXY").then(|| value.clone()));
        let through = ClientSettings { proxies, ..settings(format!("{scheme}://wtt.test:{port}")) };
        assert_eq!(Client::open(through).unwrap().get_json("/x"), Ok((200, json!(expect))), "{scheme}");
    }
}

#[test]
fn what_cannot_work_is_said_when_the_client_is_made() {
    let missing = ClientSettings { ca_file: Some("/nonexistent.pem".into()), ..settings("http://h".into()) };
    assert!(Client::open(missing).unwrap_err().to_string().contains("/nonexistent.pem"));
    let socks = Proxies::from_lookup(|name| (name == "all_proxy").then(|| "socks5://p:1".to_owned()));
    let error = Client::open(ClientSettings { proxies: socks, ..settings("http://h".into()) }).unwrap_err();
    assert!(error.to_string().contains("socks5"), "{error}");
}
