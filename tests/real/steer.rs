//! Real CLIs that get a further message while they work: waiting by default, at once with `/steer` and the setting.

use super::{adapter, native_ids, start};
use crate::support::daemon::{Home, Wtt, until};
use std::time::Instant;

/// Transports in which the running turn takes it.
const INTO_THE_TURN: &[&str] = &["rpc", "app-server", "stream"];

#[test]
fn further_messages() {
    let Some(adapter) = adapter() else { return };
    let transport = std::env::vars().find(|(name, _)| name.ends_with("_TRANSPORT")).map(|(_, value)| value);
    let into_the_turn = transport.is_some_and(|value| INTO_THE_TURN.contains(&value.as_str()));
    for busy in ["queue", "steer"] {
        let (wtt, home) = (Wtt::start(), Home::new());
        let connector = start(&wtt, &home, &adapter, &[("WTT_CONNECT_BUSY", busy)]);
        let topic = wtt.p2p();
        let work = home.path().join("work");
        let say = |text: &str| wtt.say(&topic, text);
        say("@@new@@ @@sh:echo begun > begun; sleep 4; echo over > over@@ @@text:first answer@@");
        until("the tool", || work.join("begun").exists());
        if busy == "queue" {
            say("@@new@@ @@text:waited for its turn@@");
            println!("status {}", wtt.status(&topic, "waiting for 1 earlier message")["status_text"]);
        }
        let at = Instant::now();
        let command = if busy == "queue" { "/steer " } else { "" };
        say(&format!("{command}@@new@@ @@text:steered answer@@"));
        let answer = wtt.answer(&topic, "steered answer");
        let (took, finished) = (at.elapsed(), work.join("over").exists());
        println!("{busy}: {} after {took:.1?}; the tool went to its end: {finished}", answer["content"]);
        assert_eq!(finished, into_the_turn || finished, "the running turn was not interrupted");
        if busy == "queue" {
            wtt.answer(&topic, "waited for its turn");
        }
        let log = connector.log();
        assert!(connector.stop().success());
        assert_eq!(native_ids(&home).len(), 1, "one session");
        let posts = wtt.posts(&topic).len();
        assert!(posts == if busy == "queue" { 2 } else { 1 } || !into_the_turn, "{posts} answers\n{log}");
        println!("{log}");
    }
    println!("cell steer ok");
}
