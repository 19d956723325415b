//! End-to-end encrypted direct chats: the page and the connector share a password, the service sees neither.

use super::answer;
use crate::support::daemon::{Connector, Home, Wtt, binary, until};
use serde_json::json;
use wtt_connect::local::service::{MessageAuthor, ServiceEvent};
use wtt_connect::wire::e2e::{E2eKey, is_sealed};

#[test]
fn encrypted_messages_are_read_and_answered_encrypted() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let spoke = home.path().join("spoke");
    let env = [
        ("WTT_E2E_PASSWORD", "CANARY correct horse"),
        ("WTT_CONNECT_UPLOAD_ARTIFACTS", "1"),
        ("WTT_CONNECT_TTS_PROVIDER", "command"),
        ("WTT_CONNECT_TTS_COMMAND", &format!("touch {{output}} {}", spoke.display())),
    ];
    let connector = Connector::start(&wtt, &home, &env);
    let key = E2eKey::derive("CANARY correct horse");
    let asked = answer(&wtt, json!({"type":"e2e_key_request","request_id":"k1"}));
    assert_eq!(
        asked,
        json!({"type":"e2e_key_response","request_id":"k1","ok":true,"key_b64":key.to_base64()})
    );
    let topic = wtt.p2p();
    let notes = crate::incoming::upload(&wtt, "n.txt", b"some notes");
    let post = |text: &str| {
        let text = text.replace("NOTES", &notes).replace("$BINARY", binary().to_str().unwrap());
        let content = key.seal(&text, &format!("web-p2p-{text}"));
        wtt.service.post_message(&topic, MessageAuthor::Human, &content, json!({"encrypted": true}))
    };
    // a command, which the connector answers, and a message, which an agent answers
    for (text, wanted) in [("/help", "/status"), ("RUN: answer 漢字-read", "漢字-read")] {
        let id = post(text);
        let row = wtt.wait("a sealed answer", |o| match &o.event {
            ServiceEvent::Message(row) if row["reply_to"] == id.as_str() => Some(row.clone()),
            _ => None,
        });
        let content = row["content"].as_str().unwrap();
        assert!(row["encrypted"] == true && is_sealed(content), "{row}");
        let opened = key.open(content).unwrap();
        assert!(opened.contains(wanted), "{opened}");
    }
    // what would be a file elsewhere comes in sealed pieces: the service shall not read it
    let before = wtt.posts(&topic).len();
    post("RUN: long=$(yes 'a long line of this answer' | head -n 4000 | tr '\\n' ' '); answer \"$long\"");
    until("all pieces", || {
        let rows = wtt.posts(&topic).split_off(before);
        let mut pieces = String::new();
        rows.iter().for_each(|row| {
            pieces.push_str(&key.open(row["content"].as_str().unwrap()).expect("a sealed piece"));
        });
        pieces.matches("answer").count() == 4000
    });
    // a file that a sealed text names is fetched, and what goes up in the clear is said
    let id = post(&format!(
        "RUN: echo \"$prompt\" | grep -o '/[^ ]*n.txt' > \"$HOME/saw\"; echo x > \"$HOME/work/a.md\"; cd \"$HOME/work\"; \"$BINARY\" upload-file --title Called a.md; answer \"See.\\n[WTT_ARTIFACT_FILE path='a.md' title='Marked']\" # {}\n\n[file:n.txt](NOTES)",
        "把这个文件发给我看看".repeat(6)
    ));
    let sealed = wtt.wait("a sealed answer", |o| match &o.event {
        ServiceEvent::Message(row) if row["reply_to"] == id.as_str() => Some(row.clone()),
        _ => None,
    });
    let opened = key.open(sealed["content"].as_str().unwrap()).unwrap();
    // in the language of the asker
    assert!(opened.starts_with("See.") && opened.contains("没有加密，服务端可以读取"), "{opened}");
    let called = wtt.answer(&topic, "[file:Called](")["content"].to_string();
    assert!(called.contains("没有加密，服务端可以读取"), "{called}");
    wtt.answer(&topic, "[file:Marked](");
    let saw = std::fs::read_to_string(home.path().join("saw")).unwrap();
    assert_eq!(std::fs::read(saw.lines().last().unwrap()).unwrap(), b"some notes");
    // nor is anything of it spoken, whose sound would be in the clear
    assert!(!spoke.exists());
    // an open message in the same chat gets an open answer
    let id = wtt.say(&topic, "/help");
    let row = wtt.wait("an open answer", |o| match &o.event {
        ServiceEvent::Message(row) if row["reply_to"] == id.as_str() => Some(row.clone()),
        _ => None,
    });
    assert!(row["encrypted"] == false && row["content"].as_str().unwrap().contains("/status"), "{row}");
    assert!(!connector.log().contains("CANARY") && !connector.log().contains(&key.to_base64()));
}
