//! Signs of life of a task's run: a hidden line in its topic once in a while (see TASKS in
//! wtt-connect-protocol(7)).

use super::running::{create, id};
use crate::support::daemon::{Connector, Home, Wtt};
use wtt_connect::local::service::ServiceEvent;

#[test]
fn a_run_gives_signs_of_life_and_a_chat_none() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let often = r#"{"hold":50,"recheck":50,"beat":100}"#;
    let _connector = Connector::start(&wtt, &home, &[("WTT_CONNECT_TEST_TASK_TIMING", often)]);
    let chat = wtt.p2p();
    let works = |name: &str| {
        format!("RUN: while [ ! -e \"$HOME/{name}\" ]; do tool 'a | b'; sleep 0.1; done; answer done")
    };
    wtt.say(&chat, &works("chat"));
    wtt.status(&chat, "a | b");
    let task = create(&wtt, &works("task"), "doing");
    let row = wtt.wait("a sign of life", |o| match &o.event {
        ServiceEvent::Message(row) => (row["semantic_type"] == "TASK_PROGRESS").then(|| row.clone()),
        _ => None,
    });
    let line = row["content"].as_str().unwrap();
    assert!(!wtt_connect::wire::inbound_text::hidden_lines(line).is_empty(), "every UI hides it: {line}");
    let parts: Vec<&str> = line.split(" | ").collect();
    assert!(parts[0].starts_with("[20") && parts[0].ends_with("Z]"), "{line}");
    assert_eq!((parts[1], parts[4]), ("状态=doing", "queue_depth=0"), "{line}");
    assert!(parts[2].starts_with("动作=") && parts[6] == format!("session=wtt:task:{}", id(&task)), "{line}");
    assert_eq!((parts[7], parts[8], parts.len()), ("inflight=1", "心跳=0s", 9), "{line}");
    assert_eq!(row["topic_id"], task["topic_id"]);
    home.touch("task");
    home.touch("chat");
    wtt.answer(&chat, "done");
    let rows = wtt.service.messages(&chat);
    assert!(rows.iter().all(|row| row["semantic_type"] != "TASK_PROGRESS"), "{rows:?}");
}
