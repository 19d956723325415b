//! The running connector as its owner sees it: the control socket, restarts that cut nothing, the service manager's
//! protocol, an updated program.

mod commands;
mod json;
mod manager;
mod restarts;

use crate::support::daemon::{Connector, Home, TOKEN, Wtt, until};
use serde_json::Value;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use wtt_connect::daemon::control::{ConnectionState, ControlError, Request, SOCKET, ask};

fn status(home: &Home) -> Value {
    ask(&home.state_dir(), &Request::Status).unwrap()
}

/// A connector that is connected and can be asked.
fn start(wtt: &Wtt, home: &Home, env: &[(&str, &str)]) -> Connector {
    let connector = Connector::start(wtt, home, env);
    let folder = env.iter().find(|(name, _)| *name == "WTT_CONNECT_STATE_DIR");
    let folder = folder.map_or_else(|| home.state_dir(), |(_, dir)| dir.into());
    until("the control socket", || ask(&folder, &Request::Status).is_ok());
    connector
}

/// Sends raw bytes to the socket; what comes back.
fn raw(home: &Home, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(home.state_dir().join(SOCKET)).unwrap();
    stream.write_all(bytes).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn a_running_connector_says_how_it_is() {
    let (wtt, home) = (Wtt::start(), Home::new());
    assert_eq!(ask(&home.state_dir(), &Request::Status), Err(ControlError::Absent));
    let topic = wtt.p2p();
    let connector = start(&wtt, &home, &[]);
    until("the connection in the status", || {
        matches!(ConnectionState::of(&status(&home)), ConnectionState::Connected { .. })
    });
    let before = status(&home);
    assert_eq!((&before["last_message"], before["running"].as_array().unwrap().len()), (&Value::Null, 0));
    wtt.say(&topic, "RUN: await go; answer done");
    wtt.say(&topic, "RUN: answer second");
    until("a running and a waiting turn", || {
        let now = status(&home);
        now["running"][0]["session"] == format!("wtt:topic:{topic}") && now["waiting"] == 1
    });
    let now = status(&home);
    assert_eq!(now["last_message"]["topic"], topic);
    assert_eq!((&now["pid"], &now["agent_id"]), (&connector.pid().into(), &"agent-001".into()));
    assert_eq!((&now["restarting"], &now["replaced"]), (&false.into(), &false.into()));
    assert!(!now.to_string().contains(TOKEN), "{now}");
    let mode = std::fs::metadata(home.state_dir().join(SOCKET)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    home.touch("go");
    wtt.answer(&topic, "second");
    assert!(connector.stop().success());
    assert!(!home.state_dir().join(SOCKET).exists());
    assert_eq!(ask(&home.state_dir(), &Request::Status), Err(ControlError::Absent));
}

#[test]
fn a_refused_token_and_an_absent_service_are_told_apart() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = Connector::spawn(&wtt.service.base_url(), &home, &[("WTT_TOKEN", "CANARY-wrong")]);
    until("a refusal", || {
        let answer = ask(&home.state_dir(), &Request::Status);
        answer.is_ok_and(|answer| {
            assert!(!answer.to_string().contains("CANARY"), "{answer}");
            matches!(ConnectionState::of(&answer), ConnectionState::Refused { problem } if problem.contains("refuses the token"))
        })
    });
    let home = Home::new();
    let _connector = Connector::spawn("http://127.0.0.1:9", &home, &[]);
    until("a failed attempt", || {
        let answer = ask(&home.state_dir(), &Request::Status);
        answer.is_ok_and(
            |a| matches!(ConnectionState::of(&a), ConnectionState::Retrying { problem, .. } if problem.contains("127.0.0.1:9")),
        )
    });
}

#[test]
fn odd_requests_get_an_error_and_do_no_harm() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let connector = start(&wtt, &home, &[]);
    for (bytes, sentence) in [
        (&b"{\"request\":\"dance\"}\n"[..], "does not know this request"),
        (b"{}\n", "does not know this request"),
        (b"hello\n", "is not JSON"),
        (b"\xff\xfe\n", "is not JSON"),
        (b"{\"request\":\"status\"}", "did not come as one line"),
        (b"", "did not come as one line"),
    ] {
        let answer = raw(&home, bytes);
        assert!(answer.contains("\"error\"") && answer.contains(sentence), "{answer}");
    }
    // more than a request may have: cut off, whatever the client sends
    let mut stream = UnixStream::connect(home.state_dir().join(SOCKET)).unwrap();
    let _ = stream.write_all(&vec![b'x'; 1 << 20]);
    let mut text = String::new();
    let _ = stream.read_to_string(&mut text);
    // clients that say nothing hold nobody up, and more than eight of them are turned away
    let silent: Vec<UnixStream> =
        (0..7).map(|_| UnixStream::connect(home.state_dir().join(SOCKET)).unwrap()).collect();
    assert_eq!(status(&home)["pid"], connector.pid());
    let over: Vec<UnixStream> =
        (0..7).map(|_| UnixStream::connect(home.state_dir().join(SOCKET)).unwrap()).collect();
    until("a client turned away", || connector.log().contains("turned a client away"));
    drop((silent, over));
    until("an answer again", || ask(&home.state_dir(), &Request::Status).is_ok());
}

#[test]
fn a_socket_left_over_or_with_a_long_path_is_no_obstacle() {
    let (wtt, home) = (Wtt::start(), Home::new());
    start(&wtt, &home, &[]).kill();
    assert!(home.state_dir().join(SOCKET).exists(), "kill -9 leaves it");
    assert_eq!(ask(&home.state_dir(), &Request::Status), Err(ControlError::Absent));
    wtt.forget();
    let long = home.path().join("x".repeat(90)).join("state");
    let runtime = home.path().join("run");
    std::fs::create_dir(&runtime).unwrap();
    for (dir, linked) in [(home.state_dir(), false), (long, true)] {
        let env = [
            ("WTT_CONNECT_STATE_DIR", dir.to_str().unwrap()),
            ("XDG_RUNTIME_DIR", runtime.to_str().unwrap()),
        ];
        let connector = start(&wtt, &home, &env);
        assert_eq!(ask(&dir, &Request::Status).unwrap()["pid"], connector.pid());
        assert_eq!(dir.join(SOCKET).is_symlink(), linked);
        let sockets = || std::fs::read_dir(runtime.join("wtt-connect")).unwrap().map(|e| e.unwrap().path());
        let [there] = &sockets().collect::<Vec<_>>()[..] else { panic!("one in the runtime folder") };
        assert_eq!(there.is_symlink(), !linked);
        assert!(std::os::unix::net::UnixStream::connect(there).is_ok());
        assert!(connector.stop().success());
        assert!(!dir.join(SOCKET).is_symlink());
        assert_eq!(sockets().count(), 0);
        wtt.forget();
    }
}
