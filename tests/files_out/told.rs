//! What `upload-file` says of its card: taken, refused, or kept for later.

use super::{file, profile, said, upload};
use crate::support::daemon::{Connector, Home, Wtt, binary};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::process::Command;

#[test]
fn a_card_that_the_service_refuses_is_said_and_shown() {
    let (wtt, home) = (Wtt::start(), Home::new());
    file(&home, "a.md", b"# A");
    profile(&wtt, &home);
    let words = ["--profile", "p", "--topic-id", "nowhere", "a.md"];
    let (code, text) = said(&upload(&home, &words, &[]));
    let refused = |code, text: &str| code == Some(1) && text.contains("refuses the card in topic nowhere");
    assert!(refused(code, &text) && !text.contains("http://"), "without a connector: {code:?} {text}");

    let connector = Connector::start(&wtt, &home, &[]);
    let (code, text) = said(&upload(&home, &words, &[]));
    assert!(refused(code, &text) && !text.contains("http://"), "{code:?} {text}");
    assert!(text.contains("topic not found"), "what the service says: {text}");
    let status = || {
        let mut command = Command::new(binary());
        let command = command.args(["status", "p"]).env_clear().env("HOME", home.path());
        said(&command.output().unwrap()).1
    };
    // who asked knows: nothing is kept, and nothing is wrong
    assert!(!status().contains("delivered for good"), "{}", status());
    assert!(!connector.log().contains("outbox/failed"), "{}", connector.log());
    let failed = home.state_dir().join("outbox/failed");
    std::fs::create_dir_all(&failed).unwrap();
    std::fs::write(failed.join("1.json"), "{}").unwrap();
    let shown = status();
    assert!(shown.contains("1 reply could not be delivered"), "{shown}");
    assert!(shown.contains("delete the files there if they are not needed"), "{shown}");
    std::fs::write(failed.join("2.json"), "{}").unwrap();
    assert!(status().contains("2 replies could not"), "{}", status());
    drop(connector);
}

#[test]
fn a_card_that_is_kept_for_later_is_said() {
    let home = Home::new();
    file(&home, "a.md", b"# A");
    let path = home.path().join("c.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let daemon = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = String::new();
        BufReader::new(&stream).read_line(&mut request).unwrap();
        stream.write_all(b"{\"sent\":1,\"of\":3}\n{\"url\":\"http://w/1\",\"pending\":true}\n").unwrap();
        request
    });
    let env = [("WTT_CONNECT_SOCKET", path.to_str().unwrap()), ("WTT_CONNECT_TURN", "current")];
    let (code, text) = said(&upload(&home, &["--topic-id", "t", "a.md"], &env));
    assert_eq!(code, Some(0), "{text}");
    assert!(text.starts_with("http://w/1\n") && text.contains("it is kept, and sent when"), "{text}");
    assert!(daemon.join().unwrap().contains("\"turn\":\"current\""));
}
