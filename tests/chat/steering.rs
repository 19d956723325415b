//! Messages for a topic whose agent is at work: waiting, merged, added to the running turn, and what a crash makes of it.

use super::text;
use crate::support::daemon::{AGENT, Connector, Home, Wtt, is_alive, until};
use serde_json::json;
use std::path::Path;

const STEER: (&str, &str) = ("WTT_CONNECT_BUSY", "steer");

/// With a fake Claude Code that takes further messages: by its setting, or because they shall go into the running turn.
fn two_way(wtt: &Wtt, home: &Home, env: &[(&str, &str)]) -> Connector {
    let agent = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/agents/two_way.sh");
    let mut all = vec![("WTT_CONNECT_CLAUDE_CODE_COMMAND", agent.to_str().unwrap())];
    all.extend((!env.contains(&STEER)).then_some(("WTT_CONNECT_CLAUDE_CODE_TRANSPORT", "stream")));
    all.extend(env);
    Connector::start(wtt, home, &all)
}

/// The pid that the agent has written down.
fn pid(home: &Home) -> String {
    home.wait_for("pid");
    let read = || std::fs::read_to_string(home.path().join("pid")).unwrap().trim().to_owned();
    until("the pid", || !read().is_empty());
    read()
}

#[test]
fn by_default_it_waits_and_says_so() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = two_way(&wtt, &home, &[]);
    let topic = wtt.p2p();
    wtt.say(&topic, "RUN: text half; await go; answer one");
    wtt.status(&topic, "half");
    wtt.say(&topic, "然后呢？RUN: answer two");
    wtt.status(&topic, "正在等待前面的 1 条消息");
    wtt.say(&topic, "/queue");
    let queue = text(&wtt.answer(&topic, "等待中"));
    assert!(
        queue.contains("RUN: text half") && queue.contains("\n1. ") && queue.contains("然后呢"),
        "{queue}"
    );
    home.touch("go");
    until("all answers", || wtt.posts(&topic).len() == 3);
    assert_eq!(wtt.posts(&topic)[2]["content"], "two");
}

#[test]
fn an_agent_takes_it_into_the_running_turn_and_one_answer_is_for_both() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let connector = two_way(&wtt, &home, &[STEER]);
    let topic = wtt.p2p();
    let first = wtt.say(&topic, "RUN: text half; await go; answer one");
    wtt.status(&topic, "half");
    let further = wtt.say(&topic, "RUN: answer two");
    wtt.status(&topic, "passing it on");
    wtt.status(&topic, "has received it");
    home.touch("go");
    let answer = wtt.answer(&topic, "two");
    assert_eq!((text(&answer).as_str(), &answer["reply_to"]), ("one\n\ntwo", &json!(first)));
    until("an empty outbox", || home.outbox().is_empty());
    assert!(connector.stop().success());
    wtt.forget();
    // neither is answered again
    let _connector = two_way(&wtt, &home, &[STEER]);
    for (id, content) in [(&first, "RUN: answer again"), (&further, "RUN: answer again")] {
        let again = json!({"id": id, "topic_id": topic, "topic_type": "p2p", "sender_id": "user_1", "sender_type": "human", "content": content});
        assert!(wtt.service.push_frame(AGENT, json!({"type": "new_message", "message": again})));
    }
    wtt.say(&topic, "RUN: answer three");
    wtt.answer(&topic, "three");
    assert_eq!(wtt.posts(&topic).len(), 2, "{:?}", wtt.posts(&topic));
}

#[test]
fn an_agent_that_cannot_take_it_is_interrupted_and_goes_on_with_both() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = Connector::start(&wtt, &home, &[]);
    let topic = wtt.p2p();
    let first = wtt.say(&topic, "the plan RUN: echo $$ > \"$HOME/pid\"; text half; await never");
    wtt.status(&topic, "half");
    wtt.say(&topic, "RUN: answer waited");
    wtt.status(&topic, "waiting for 1 earlier message");
    wtt.say(&topic, "/steer look at the other file\nRUN: is_alive=$(kill -0 $(cat \"$HOME/pid\") 2>/dev/null && echo yes); answer \"both $is_alive\"");
    wtt.status(&topic, "interrupting the agent");
    let answer = wtt.answer(&topic, "both");
    assert_eq!((text(&answer).as_str(), &answer["reply_to"]), ("both", &json!(first)));
    assert!(!is_alive(&pid(&home)));
    wtt.answer(&topic, "waited");
    let runs = home.runs();
    assert_eq!(runs.len(), 3, "{runs:?}");
    let id = runs[0].split('|').next().unwrap();
    assert!(runs[1].starts_with(&format!("{id}|1|")), "in the same session: {runs:?}");
    assert_eq!(wtt.posts(&topic).len(), 2);
}

#[test]
fn with_interrupt_it_does_not_wait_for_an_agent_that_could_take_it() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = two_way(&wtt, &home, &[("WTT_CONNECT_BUSY", "interrupt")]);
    let topic = wtt.p2p();
    wtt.say(&topic, "RUN: echo $$ > $HOME/pid; text half; await never");
    wtt.status(&topic, "half");
    wtt.say(&topic, "RUN: answer both");
    wtt.answer(&topic, "both");
    assert!(!is_alive(&pid(&home)));
    assert_eq!(wtt.posts(&topic).len(), 1);
}

#[test]
fn to_steer_without_a_turn_is_to_ask() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = Connector::start(&wtt, &home, &[]);
    let topic = wtt.p2p();
    wtt.say(&topic, "/steer");
    wtt.answer(&topic, "`/steer TEXT`");
    wtt.say(&topic, "/steer RUN: answer fine");
    wtt.answer(&topic, "fine");
    assert!(!home.runs()[0].contains("/steer"));
}

#[test]
fn after_a_kill_between_steer_and_answer_both_are_told_of_once() {
    for kind in ["two-way", "one-shot"] {
        let (wtt, home) = (Wtt::start(), Home::new());
        let start = || match kind {
            "two-way" => two_way(&wtt, &home, &[STEER]),
            _ => {
                let one_shot = ("WTT_CONNECT_CLAUDE_CODE_TRANSPORT", "one-shot");
                Connector::start(&wtt, &home, &[STEER, one_shot])
            }
        };
        let connector = start();
        let topic = wtt.p2p();
        let first = wtt.say(&topic, "RUN: echo $$ > $HOME/pid; text half; await never; answer one");
        wtt.status(&topic, "half");
        let further = wtt.say(&topic, "RUN: text later; await never; answer two");
        wtt.status(&topic, if kind == "two-way" { "has received it" } else { "later" });
        connector.kill();
        wtt.forget();
        let _connector = start();
        let notice = wtt.answer(&topic, "work was interrupted");
        assert_eq!(notice["reply_to"], json!(first), "{kind}");
        assert!(text(&notice).contains("So were the further messages"), "{kind}: {notice}");
        let again = json!({"id": further, "topic_id": topic, "topic_type": "p2p", "sender_id": "user_1", "sender_type": "human", "content": "RUN: answer two"});
        assert!(wtt.service.push_frame(AGENT, json!({"type": "new_message", "message": again})));
        wtt.say(&topic, "RUN: answer three");
        wtt.answer(&topic, "three");
        assert_eq!(wtt.posts(&topic).len(), 2, "{kind}: {:?}", wtt.posts(&topic));
    }
}

#[test]
fn waiting_messages_of_one_sender_become_one_turn() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let connector = Connector::start(&wtt, &home, &[("WTT_CONNECT_MERGE_WAITING", "1")]);
    let topic = wtt.p2p();
    wtt.say(&topic, "RUN: text half; await go; answer one");
    wtt.status(&topic, "half");
    let second = wtt.say(&topic, "RUN: answer second");
    wtt.status(&topic, "waiting for 1 earlier message");
    wtt.say(&topic, "RUN: answer third");
    wtt.status(&topic, "together with an earlier message");
    wtt.service.post_message(
        &topic,
        wtt_connect::local::service::MessageAuthor::Person("user_9"),
        "RUN: answer fourth",
        json!({}),
    );
    wtt.status(&topic, "waiting for 2 earlier messages");
    home.touch("go");
    assert_eq!(wtt.answer(&topic, "third")["reply_to"], json!(second));
    wtt.answer(&topic, "fourth");
    assert_eq!((wtt.posts(&topic).len(), home.runs().len()), (3, 3));
    until("an empty outbox", || home.outbox().is_empty());
    // what waits is not yet begun: after a kill each is told of
    std::fs::remove_file(home.path().join("go")).unwrap();
    wtt.forget();
    wtt.say(&topic, "RUN: text half; await go; answer one");
    wtt.status(&topic, "half");
    wtt.say(&topic, "RUN: answer second");
    wtt.status(&topic, "waiting for 1 earlier message");
    wtt.say(&topic, "RUN: answer third");
    wtt.status(&topic, "together with an earlier message");
    connector.kill();
    wtt.forget();
    let _connector = Connector::start(&wtt, &home, &[]);
    until("three notices", || wtt.posts(&topic).len() == 6);
}

#[test]
fn a_usage_limit_puts_off_all_messages_of_the_turn() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = Connector::start(&wtt, &home, &[("WTT_CONNECT_MERGE_WAITING", "1")]);
    let topic = wtt.p2p();
    wtt.say(&topic, "RUN: text half; await go; answer one");
    wtt.status(&topic, "half");
    for further in ["RUN: answer second", "RUN: answer a", "RUN: answer b"] {
        wtt.say(&topic, further);
        wtt.status(&topic, "earlier message");
        wtt.forget();
    }
    wtt.say(
        &topic,
        "RUN: mkdir \"$HOME/limited\" && fail \"Claude AI usage limit reached|$(( $(date +%s) + 2 ))\"; answer third",
    );
    wtt.status(&topic, "together with an earlier message");
    home.touch("go");
    wtt.answer(&topic, "usage limit");
    // the last one is the last one again, whatever their ids
    wtt.answer(&topic, "third");
    assert!(wtt.posts(&topic).len() >= 2);
}
