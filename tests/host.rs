//! This machine as seen from the web: the real binary, the local service, a browser's socket, real terminals.

#[path = "host/e2e.rs"]
mod e2e;
#[path = "host/shell.rs"]
mod shell;
#[path = "host/slow.rs"]
mod slow;
#[path = "host/terminal.rs"]
mod terminal;

use crate::support::daemon::{AGENT, Connector, Home, Wtt};
use serde_json::json;

/// Terminals and shell are on; bash is the login shell.
const ON: &[(&str, &str)] = &[("WTT_CONNECT_ENABLE_SHELL", "1"), ("SHELL", "/bin/bash"), ("LANG", "C.UTF-8")];

/// A connector that lets the web in.
fn open_house(more: &[(&str, &str)]) -> (Wtt, Home, Connector) {
    let (wtt, home) = (Wtt::start(), Home::new());
    let connector = Connector::start(&wtt, &home, &[ON, more].concat());
    (wtt, home, connector)
}

/// The answer to a request of the service, by its id.
fn answer(wtt: &Wtt, frame: serde_json::Value) -> serde_json::Value {
    use wtt_connect::local::service::ServiceEvent;
    let id = frame["request_id"].clone();
    assert!(wtt.service.push_frame(AGENT, frame));
    wtt.wait("an answer", |seen| match &seen.event {
        ServiceEvent::Frame(answer) if answer["request_id"] == id && answer.get("ok").is_some() => {
            Some(answer.clone())
        }
        _ => None,
    })
}

#[test]
fn by_default_nothing_is_open_and_each_request_is_refused_at_once() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let connector = Connector::start(&wtt, &home, &[]);
    for (kind, fields) in [
        ("terminal_open", json!({"session_id":"s","cols":80,"rows":24,"token":"CANARY-user"})),
        ("terminal_resize", json!({"session_id":"s","cols":80,"rows":24})),
        ("shell_exec", json!({"command":"touch was-here"})),
        ("shell_job", json!({"command":"touch was-here"})),
    ] {
        let mut frame = fields.clone();
        (frame["type"], frame["request_id"]) = (kind.into(), format!("r-{kind}").into());
        let refusal = answer(&wtt, frame);
        assert_eq!(refusal["type"], format!("{kind}_response"), "{refusal}");
        assert_eq!(
            (&refusal["ok"], &refusal["error"]),
            (&json!(false), &json!("shell_disabled")),
            "{refusal}"
        );
        assert!(refusal["message"].as_str().unwrap().contains("WTT_CONNECT_ENABLE_SHELL=1"), "{refusal}");
    }
    wtt.service
        .push_frame(AGENT, json!({"type":"terminal_input","session_id":"s","data":"touch was-here\r"}));
    let error = wtt.wait("the page's error", |seen| match &seen.event {
        wtt_connect::local::service::ServiceEvent::Frame(frame) if frame["type"] == "terminal_error" => {
            Some(frame.clone())
        }
        _ => None,
    });
    assert_eq!((&error["session_id"], &error["error"]), (&json!("s"), &json!("shell_disabled")));
    assert!(!home.path().join("work/was-here").exists());
    let log = connector.log();
    assert!(log.contains("WTT_CONNECT_ENABLE_SHELL is off") && !log.contains("CANARY"), "{log}");
}
