//! Real CLIs that ask, and people who answer in chat: allow, deny, always, time-out, stop, each with what then is on disk.

use super::{adapter, start};
use crate::support::daemon::{AGENT, Home, Wtt, until};
use std::time::Instant;
use wtt_connect::local::service::ServiceEvent;

/// What is asked for, the answer, and whether the file is there afterwards.
const ROUNDS: &[(&str, &str, bool)] = &[
    ("allowed", "/approve ID", true),
    ("denied", "/deny ID not now", false),
    ("stopped", "/deny ID stop", false),
    ("always", "/approve ID always", true),
];

/// How a turn in which something was refused ends: with the agent's words, or because it does not go on without that.
fn end(wtt: &Wtt, topic: &str, word: &str) -> String {
    wtt.wait(&format!("the end of the turn, {word:?}"), |seen| {
        let ServiceEvent::Message(row) = &seen.event else { return None };
        let text = row["content"].as_str().unwrap_or_default();
        let ours = row["sender_id"] == AGENT && row["semantic_type"] == "post" && row["topic_id"] == topic;
        (ours && (text.contains(word) || text.contains("without this"))).then(|| text.to_owned())
    })
}

#[test]
fn people_decide() {
    let can_ask = |name: &String| ["codex", "claude-code", "acp"].contains(&name.as_str());
    let Some(adapter) = adapter().filter(can_ask) else { return };
    let (wtt, home) = (Wtt::start(), Home::new());
    let settings = [("WTT_CONNECT_MODE", "suggest")];
    let connector = start(&wtt, &home, &adapter, &settings);
    let topic = wtt.p2p();
    let work = home.path().join("work");
    let ask = |what: &str| {
        wtt.forget();
        wtt.say(&topic, &format!("@@new@@ @@write:{}:made@@ @@text:over@@", work.join(what).display()));
        let post = wtt.answer(&topic, "```action")["content"].as_str().unwrap().to_owned();
        println!("--- {what}\n{post}");
        assert!(!work.join(what).exists(), "nothing is done before the answer");
        post.split("`/deny ").nth(1).unwrap()[..3].to_owned()
    };
    for (what, answer, made) in ROUNDS {
        let id = ask(what);
        let at = Instant::now();
        wtt.forget();
        wtt.say(&topic, &answer.replace("ID", &id));
        println!("> {answer}\n< {}", wtt.answer(&topic, &id)["content"]);
        let word = if *what == "stopped" { "Stopped" } else { "over" };
        println!(
            "< {} after {:.1?}; {what}: {}",
            end(&wtt, &topic, word),
            at.elapsed(),
            work.join(what).exists()
        );
        assert_eq!(work.join(what).exists(), *made, "{what}");
    }
    // what was allowed for the session needs nobody
    wtt.forget();
    wtt.say(&topic, &format!("@@new@@ @@write:{}:made@@ @@text:again@@", work.join("second").display()));
    println!("< {}; second: {}", wtt.answer(&topic, "again")["content"], work.join("second").exists());
    assert!(work.join("second").exists());
    assert!(connector.stop().success());
    let (home, limit) =
        (Home::new(), [("WTT_CONNECT_MODE", "suggest"), ("WTT_CONNECT_APPROVAL_SECONDS", "2")]);
    let connector = start(&wtt, &home, &adapter, &limit);
    let late = home.path().join("work/late");
    wtt.forget();
    wtt.say(&topic, &format!("@@new@@ @@write:{}:made@@ @@text:alone@@", late.display()));
    println!("< {}", wtt.answer(&topic, "⌛")["content"]);
    println!("< {}; late: {}", end(&wtt, &topic, "alone"), late.exists());
    assert!(!late.exists());
    // a rule decides before anybody is asked, also in the mode that never asks
    assert!(connector.stop().success());
    let rules = r#"[{"action":"deny","path":"secret*"}]"#;
    let home = Home::new();
    let ruled = [("WTT_CONNECT_MODE", "full-auto"), ("WTT_CONNECT_PERMISSIONS", rules)];
    let connector = start(&wtt, &home, &adapter, &ruled);
    let work = home.path().join("work");
    for (what, made) in [("secret", false), ("plain", true)] {
        wtt.forget();
        wtt.say(&topic, &format!("@@new@@ @@write:{}:made@@ @@text:ruled@@", work.join(what).display()));
        println!("< {}; {what}: {}", end(&wtt, &topic, "ruled"), work.join(what).exists());
        assert_eq!(work.join(what).exists(), made, "{what}");
    }
    until("the decisions", || connector.log().contains("denied by rule 1 (deny)"));
    for line in connector.log().lines().filter(|line| line.contains("asks: ") || line.contains("asks]")) {
        println!("{line}");
    }
    assert!(connector.stop().success());
    println!("cell asks ok");
}
