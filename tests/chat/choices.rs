//! What people choose for a topic: odd words behind a command, and which session is in use after it.

use super::text;
use crate::support::daemon::{Connector, Home, Wtt};

#[test]
fn an_effort_alone_a_question_in_chinese_and_the_session_that_is_in_use() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = Connector::start(&wtt, &home, &[]);
    let topic = wtt.p2p();
    let says = |command: &str, answer: &str| {
        wtt.forget();
        wtt.say(&topic, command);
        text(&wtt.answer(&topic, answer))
    };
    says("hello RUN: answer one", "one");
    assert_eq!(says("/sessions", "Sessions of").matches("(in use)").count(), 1);
    says("/model default high", "default model again, with effort high");
    says("/model", "effort: high");
    assert!(!says("/sessions", "Sessions of").contains("(in use)"), "the next message starts another one");
    says("/model default", "default model again.");
    assert_eq!(says("/sessions", "Sessions of").matches("(in use)").count(), 1);
    // without blanks it looks like one argument
    says("/model 用的是哪个", "ok");
    assert_eq!(home.runs().len(), 2, "{:?}", home.runs());
    says("/model", "模型：智能体自己的默认值");
}

#[test]
fn a_model_of_another_maker_is_said_at_once() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let claude = ("WTT_CONNECT_CLAUDE_CODE_COMMAND", "/bin/false");
    let settings =
        |adapters| [("WTT_CONNECT_ADAPTER", "claude-code"), ("WTT_CONNECT_ADAPTERS", adapters), claude];
    let topic = wtt.p2p();
    for (adapters, how) in [
        ("claude-code", "The adapter that has it, codex, is not enabled on this host"),
        ("claude-code,opencode", "`/adapter opencode`, then `/model gpt-5.5`"),
    ] {
        wtt.forget();
        let connector = Connector::start(&wtt, &home, &settings(adapters));
        wtt.say(&topic, "/model gpt-5.5 high");
        let said = text(&wtt.answer(&topic, "gpt-5.5 is not a model for Claude Code"));
        assert!(said.contains("uses its usual model") && said.contains(how), "{said}");
        wtt.say(&topic, "/model claude-opus-4.7");
        wtt.answer(&topic, "This topic uses claude-opus-4.7 from");
        assert!(connector.stop().success());
    }
}
