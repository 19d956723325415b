//! Real CLIs through the connector. Skipped unless `WTT_TEST_REAL` names adapters (`codex,claude-code`): they must be on
//! `WTT_TEST_PATH`, and answer by a model that understands `@@sh:COMMAND@@`, `@@text:WORDS@@` and `@@slow:N:SECONDS@@`.
//! The environment is passed on, so that logins and base URLs reach them.

use crate::support::daemon::{Connector, Home, Wtt, until};

fn adapters() -> Vec<String> {
    let named = std::env::var("WTT_TEST_REAL").unwrap_or_default();
    named.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

fn start(wtt: &Wtt, home: &Home, adapter: &str) -> Connector {
    let path = std::env::var("WTT_TEST_PATH").unwrap();
    let agent_home = std::env::var("WTT_TEST_HOME").unwrap();
    let mut env: Vec<(String, String)> = std::env::vars()
        .filter(|(name, _)| {
            !name.starts_with("WTT_") && !name.starts_with("CARGO") && name != "HOME" && name != "PATH"
        })
        .collect();
    for (name, value) in
        [("PATH", path.as_str()), ("HOME", agent_home.as_str()), ("WTT_CONNECT_ADAPTER", adapter)]
    {
        env.push((name.to_owned(), value.to_owned()));
    }
    env.push(("WTT_CONNECT_CLAUDE_CODE_COMMAND".to_owned(), "claude".to_owned()));
    let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    Connector::start(wtt, home, &env)
}

fn native_ids(home: &Home) -> Vec<String> {
    let text = std::fs::read(home.state_dir().join("state.json")).unwrap();
    let state: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let rows = state["sessions"].as_object().unwrap().values();
    rows.filter_map(|row| {
        row["codexThreadId"].as_str().or(row["claudeSessionId"].as_str()).map(str::to_owned)
    })
    .collect()
}

#[test]
fn a_conversation_with_a_tool_a_restart_and_a_stop() {
    if adapters().is_empty() {
        println!("skipped: WTT_TEST_REAL names no adapter");
    }
    for adapter in adapters() {
        let (wtt, home) = (Wtt::start(), Home::new());
        let connector = start(&wtt, &home, &adapter);
        let topic = wtt.p2p();
        wtt.say(&topic, "first @@sh:echo from-the-tool; sleep 2@@ @@text:The tool has run.@@");
        let tool = wtt.status(&topic, "from-the-tool");
        println!("{adapter}: status {} {}", tool["status_kind"], tool["status_text"]);
        println!("{adapter}: answer {}", wtt.answer(&topic, "The tool has run.")["content"]);
        wtt.say(&topic, "second turn");
        println!("{adapter}: answer {}", wtt.answer(&topic, "second turn")["content"]);
        assert!(connector.stop().success());
        let before = native_ids(&home);
        assert_eq!(before.len(), 1, "one session for both turns");
        wtt.forget();
        let connector = start(&wtt, &home, &adapter);
        wtt.say(&topic, "third turn, after a restart");
        println!("{adapter}: answer {}", wtt.answer(&topic, "after a restart")["content"]);
        wtt.say(&topic, "slow @@sh:echo begun > begun; sleep 600@@");
        until("the tool", || home.path().join("work/begun").exists());
        let at = std::time::Instant::now();
        wtt.say(&topic, "/stop");
        println!("{adapter}: answer {}", wtt.answer(&topic, "Stopped")["content"]);
        println!("{adapter}: stopped after {:.1?}", at.elapsed());
        let log = connector.log();
        assert!(connector.stop().success());
        assert_eq!(native_ids(&home), before, "the session was resumed across the restart");
        assert!(!log.contains("fresh session"), "{log}");
        println!("{adapter}: native session {} throughout", before[0]);
    }
}
