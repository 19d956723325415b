//! Real CLIs through the connector. Skipped unless `WTT_TEST_REAL` names adapters (`codex,claude-code`): they must be on
//! `WTT_TEST_PATH`, and answer by a model that is scripted by the prompt: `@@sh:COMMAND@@`, `@@text:WORDS@@` and
//! `@@err:STATUS@@`, or, for those that speak chat completions, `[[cmd:COMMAND]]` and `[[error:STATUS]]`.
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

/// What people say to have a command run, to be answered by words, and to meet an error of the provider.
struct Script {
    run: fn(&str) -> String,
    error: &'static str,
}

fn script(adapter: &str) -> Script {
    match adapter {
        "codex" | "claude-code" | "gemini" => {
            Script { run: |command| format!("@@sh:{command}@@"), error: "@@err:401@@" }
        }
        // What was said before `[[text]]` is passed over: CLIs glue a prompt that failed to the next one.
        _ => Script { run: |command| format!("[[text]] [[cmd:{command}]]"), error: "[[error:401]]" },
    }
}

fn native_ids(home: &Home) -> Vec<String> {
    let text = std::fs::read(home.state_dir().join("state.json")).unwrap();
    let state: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let rows = state["sessions"].as_object().unwrap().values();
    let ids = rows.filter_map(|row| {
        let mut members = row.as_object()?.iter();
        let id = members.find(|(key, _)| key.ends_with("SessionId") || key.ends_with("ThreadId"))?.1;
        Some(id.as_str()?.to_owned())
    });
    ids.collect()
}

/// Processes with these words in their command line.
fn running(words: &str) -> Vec<String> {
    let proc = std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok());
    let lines = proc.filter_map(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        Some(String::from_utf8_lossy(&line).replace('\0', " "))
    });
    lines.filter(|line| line.contains(words)).collect()
}

#[test]
fn a_conversation_with_a_tool_a_restart_an_error_and_a_stop() {
    if adapters().is_empty() {
        println!("skipped: WTT_TEST_REAL names no adapter");
    }
    for adapter in adapters() {
        let (wtt, home) = (Wtt::start(), Home::new());
        let Script { run, error } = script(&adapter);
        let connector = start(&wtt, &home, &adapter);
        let topic = wtt.p2p();
        let at = std::time::Instant::now();
        wtt.say(&topic, &format!("first {}", run("echo turn-one; sleep 2")));
        let tool = wtt.status(&topic, "turn-one");
        println!("{adapter}: status {} {}", tool["status_kind"], tool["status_text"]);
        println!("{adapter}: answer {} ({:.1?})", wtt.answer(&topic, "turn-one")["content"], at.elapsed());
        wtt.say(&topic, &format!("second {}", run("echo turn-two")));
        println!("{adapter}: answer {}", wtt.answer(&topic, "turn-two")["content"]);
        assert!(connector.stop().success());
        let before = native_ids(&home);
        assert_eq!(before.len(), 1, "one session for both turns");
        wtt.forget();
        let connector = start(&wtt, &home, &adapter);
        wtt.say(&topic, &format!("third {}", run("echo turn-three")));
        println!("{adapter}: answer {}", wtt.answer(&topic, "turn-three")["content"]);
        wtt.say(&topic, error);
        println!("{adapter}: answer {}", wtt.answer(&topic, "rejected its login")["content"]);
        let asleep = format!("sleep 600.{}", std::process::id());
        wtt.say(&topic, &format!("slow {}", run(&format!("echo begun > begun; {asleep}"))));
        until("the tool", || home.path().join("work/begun").exists());
        let at = std::time::Instant::now();
        wtt.say(&topic, "/stop");
        println!("{adapter}: answer {}", wtt.answer(&topic, "Stopped")["content"]);
        println!("{adapter}: stopped after {:.1?}", at.elapsed());
        assert_eq!(running(&asleep), Vec::<String>::new(), "nothing of it is left");
        wtt.say(&topic, &format!("fifth {}", run("echo turn-five")));
        println!("{adapter}: answer {}", wtt.answer(&topic, "turn-five")["content"]);
        let log = connector.log();
        assert!(connector.stop().success());
        assert_eq!(native_ids(&home), before, "the session was resumed across restart, error and stop");
        assert!(!log.contains("fresh session"), "{log}");
        println!("{adapter}: native session {} throughout", before[0]);
    }
}
