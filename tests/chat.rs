//! Chat commands through the local service: what a person types, what is answered, what the next turn is run with.

mod choices;
mod slash;
mod steering;
mod stops;
mod tongues;

use crate::support::daemon::{AGENT, Connector, Home, Wtt};
use serde_json::json;
use wtt_connect::local::service::MessageAuthor;

/// What was answered, as text.
fn text(row: &serde_json::Value) -> String {
    row["content"].as_str().unwrap().to_owned()
}

#[test]
fn answers_come_in_the_language_of_the_asker() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = Connector::start(&wtt, &home, &[]);
    let (english, chinese) = (wtt.p2p(), wtt.p2p());
    wtt.say(&english, "/help");
    wtt.answer(&english, "give the running agent a further message");
    wtt.say(&chinese, "请看一下。RUN: answer ok");
    wtt.answer(&chinese, "ok");
    wtt.say(&chinese, "/help");
    assert!(
        text(&wtt.answer(&chinese, "`/stop`")).contains("停止当前任务"),
        "the last thing that was said there"
    );
    wtt.say(&chinese, "/status");
    wtt.answer(&chinese, "本话题：空闲");
    wtt.say(&chinese, "please speak English RUN: answer fine");
    wtt.answer(&chinese, "fine");
    wtt.say(&chinese, "/stop");
    wtt.answer(&chinese, "Nothing is running");
    wtt.say(&chinese, "／stop");
    wtt.answer(&chinese, "本话题没有正在运行的任务");
    // an agent's words say nothing of the people
    wtt.service.post_message(
        &english,
        MessageAuthor::Agent("agent-002"),
        "@agent-001 你好，请看一下。RUN: answer seen",
        json!({}),
    );
    wtt.answer(&english, "seen");
    wtt.say(&english, "/queue");
    wtt.answer(&english, "Nothing waits");
}

#[test]
fn a_mode_can_be_stricter_than_the_host_and_never_looser() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let connector = Connector::start(&wtt, &home, &[("WTT_CONNECT_MODE", "auto-edit")]);
    let topic = wtt.p2p();
    wtt.say(&topic, "/mode");
    assert!(text(&wtt.answer(&topic, "Mode: auto-edit")).contains("may use auto-edit, suggest:"));
    wtt.say(&topic, "/mode full-auto");
    wtt.answer(&topic, "full-auto is looser than this host allows in chat (auto-edit)");
    wtt.say(&topic, "/mode loose");
    wtt.answer(&topic, "`loose` is no mode");
    wtt.service.post_message(
        &topic,
        MessageAuthor::Agent("agent-002"),
        "@agent-001 /mode suggest",
        json!({}),
    );
    wtt.answer(&topic, "Only a person");
    wtt.say(&topic, "/mode suggest");
    wtt.answer(&topic, "uses the mode suggest");
    assert!(connector.stop().success());
    wtt.forget();
    // the choice survives a restart, and an owner who allows less
    let connector = Connector::start(&wtt, &home, &[("WTT_CONNECT_MODE", "full-auto")]);
    wtt.say(&topic, "/status");
    wtt.answer(&topic, "- mode: suggest");
    wtt.say(&topic, "/mode full-auto");
    wtt.answer(&topic, "uses the mode full-auto");
    assert!(connector.stop().success());
    wtt.forget();
    let connector = Connector::start(&wtt, &home, &[("WTT_CONNECT_MODE", "suggest")]);
    wtt.say(&topic, "/status");
    wtt.answer(&topic, "- mode: suggest");
    assert!(connector.stop().success());
    wtt.forget();
    let yolo = [("WTT_CONNECT_MODE", "suggest"), ("WTT_CONNECT_ALLOW_YOLO", "1")];
    let _connector = Connector::start(&wtt, &home, &yolo);
    wtt.say(&topic, "/mode yolo");
    wtt.answer(&topic, "uses the mode yolo");
    wtt.say(&topic, "/mode default");
    wtt.answer(&topic, "uses the mode suggest");
}

#[test]
fn the_mode_of_a_topic_is_what_its_agent_is_started_with() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let env = [("WTT_CONNECT_CLAUDE_CODE_TRANSPORT", "one-shot")];
    let _connector = Connector::start(&wtt, &home, &env);
    let (strict, other) = (wtt.p2p(), wtt.p2p());
    let arguments =
        "RUN: answer \"mode $(tr '\\0' ' ' < /proc/$$/cmdline | grep -o 'permission-mode=[a-zA-Z]*')\"";
    wtt.say(&strict, "/mode suggest");
    wtt.answer(&strict, "suggest");
    wtt.say(&strict, arguments);
    wtt.answer(&strict, "permission-mode=plan");
    wtt.say(&other, arguments);
    wtt.answer(&other, "permission-mode=bypassPermissions");
}

#[test]
fn another_agent_for_the_topic() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let agent = |name: &str| format!("sh {}/tests/agents/{name}.sh", env!("CARGO_MANIFEST_DIR"));
    let _connector = Connector::start(&wtt, &home, &[("WTT_CONNECT_CODEX_COMMAND", &agent("ok"))]);
    let topic = wtt.p2p();
    wtt.say(&topic, "/adapter");
    wtt.answer(&topic, "Agent: claude-code. Enabled here: claude-code, codex.");
    wtt.say(&topic, "/adapter gemini");
    wtt.answer(&topic, "`gemini` is not enabled");
    wtt.say(&topic, "/model claude-opus-4.7");
    wtt.answer(&topic, "uses claude-opus-4.7");
    wtt.say(&topic, "/adapter codex");
    wtt.answer(&topic, "answered by Codex");
    wtt.say(&topic, "hello");
    wtt.answer(&topic, "bytes");
    wtt.say(&topic, "/status");
    let status = text(&wtt.answer(&topic, "chosen for this topic"));
    assert!(
        status.contains("- session: codex 01a201fc-49a6\n")
            || status.ends_with("- session: codex 01a201fc-49a6"),
        "{status}"
    );
    assert!(!status.contains("wtt:topic") && !status.contains("codexThreadId"), "{status}");
    wtt.say(&topic, "/adapter default");
    wtt.answer(&topic, "default agent again (claude-code)");
    wtt.say(&topic, "RUN: answer back");
    wtt.answer(&topic, "back");
}

#[test]
fn earlier_sessions_are_listed_and_gone_back_to() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let connector = Connector::start(&wtt, &home, &[]);
    let topic = wtt.p2p();
    wtt.say(&topic, "/sessions");
    wtt.answer(&topic, "no session yet");
    wtt.say(&topic, "the first plan RUN: answer one");
    wtt.answer(&topic, "one");
    wtt.say(&topic, "/new");
    wtt.answer(&topic, "fresh session");
    wtt.say(&topic, "another plan RUN: answer two");
    wtt.answer(&topic, "two");
    assert!(connector.stop().success());
    wtt.forget();
    let _connector = Connector::start(&wtt, &home, &[]);
    wtt.say(&topic, "/sessions");
    let list = text(&wtt.answer(&topic, "Sessions of this topic"));
    let lines: Vec<&str> = list.lines().collect();
    assert!(
        lines[1].starts_with("1. claude-code `")
            && lines[1].contains("another plan")
            && lines[1].ends_with("(in use)"),
        "{list}"
    );
    assert!(lines[2].starts_with("2. claude-code `") && lines[2].contains("the first plan"), "{list}");
    wtt.say(&topic, "/switch 7");
    wtt.answer(&topic, "There is no session `7`");
    wtt.say(&topic, "/switch 2");
    wtt.answer(&topic, "continues the session claude-code");
    wtt.say(&topic, "RUN: answer three");
    wtt.answer(&topic, "three");
    let runs = home.runs();
    let ids: Vec<&str> = runs.iter().map(|run| run.split('|').next().unwrap()).collect();
    assert!(ids[0] != ids[1] && ids[0] == ids[2], "{runs:?}");
    // the one that was left can be gone back to as well, by its id
    wtt.say(&topic, &format!("/switch {}", &ids[1][..8]));
    wtt.answer(&topic, &format!("claude-code `{}`", &ids[1][..13]));
    wtt.say(&topic, "RUN: answer four");
    wtt.answer(&topic, "four");
    assert!(home.runs()[3].starts_with(ids[1]), "{:?}", home.runs());
}

#[test]
fn tokens_are_counted_by_topic_and_day_and_kept() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let connector = Connector::start(&wtt, &home, &[]);
    let (one, two) = (wtt.p2p(), wtt.p2p());
    wtt.say(&one, "/usage");
    wtt.answer(&one, "No tokens have been counted yet.");
    for topic in [&one, &one, &two] {
        wtt.say(topic, "RUN: answer ok");
        wtt.answer(topic, "ok");
        wtt.forget();
    }
    wtt.say(&one, "RUN: exit 3");
    wtt.answer(&one, "⚠️");
    assert!(connector.stop().success());
    wtt.forget();
    let _connector = Connector::start(&wtt, &home, &[]);
    wtt.say(&one, "/usage");
    let usage = text(&wtt.answer(&one, "**This topic**"));
    let rows: Vec<&str> = usage.lines().filter(|line| line.starts_with("- ")).collect();
    assert_eq!(rows[0], "- claude-code: 6 tokens in (0 cached), 4 out, 3 turn(s)", "{usage}");
    assert_eq!(rows[1], "- claude-code: 1 turn(s) of it without a count", "{usage}");
    assert_eq!(rows[2], "- claude-code: 9 tokens in (0 cached), 6 out, 4 turn(s)", "{usage}");
    assert!(usage.contains("The last 31 days"), "{usage}");
}

#[test]
fn a_command_in_a_group_is_for_the_one_that_it_is_aimed_at() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = Connector::start(&wtt, &home, &[]);
    let group = wtt.service.create_topic("discussion", "group", &[AGENT]);
    let aimed = |agent: &str| json!({"metadata": {"slash_type": "agent_passthrough", "command_target_agent_id": agent}});
    wtt.say(&group, "/usage");
    wtt.say(&group, "@all /usage");
    wtt.service.post_message(&group, MessageAuthor::Human, "/usage", aimed("agent-002"));
    wtt.service.post_message(&group, MessageAuthor::Human, "/queue", aimed(AGENT));
    wtt.answer(&group, "Nothing waits");
    wtt.say(&group, "@agent-001 /sessions");
    wtt.answer(&group, "no session yet");
    assert_eq!(wtt.posts(&group).len(), 2, "{:?}", wtt.posts(&group));
}
