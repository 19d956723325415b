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
    start_with(wtt, home, adapter, &[])
}

fn start_with(wtt: &Wtt, home: &Home, adapter: &str, settings: &[(&str, &str)]) -> Connector {
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
    env.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
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
        let id = members
            .find(|(key, _)| ["SessionId", "ThreadId", "ChatId"].iter().any(|end| key.ends_with(end)))?
            .1;
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

/// Adapter, mode, transport; whether it may write in the workspace, and outside.
const TRANSPORTS: &[(&str, &str, &str, bool, bool)] = &[
    ("codex", "full-auto", "app-server", true, true),
    ("codex", "auto-edit", "", true, false),
    ("codex", "suggest", "", false, false),
    ("claude-code", "full-auto", "stream", true, true),
    ("claude-code", "auto-edit", "", true, false),
    ("claude-code", "suggest", "", false, false),
];

#[test]
fn kept_agents_that_ask() {
    let outside = std::env::var("WTT_TEST_HOME").unwrap_or_default() + "/outside.txt";
    for (adapter, mode, transport, inside, beyond) in TRANSPORTS {
        if !adapters().iter().any(|named| named == adapter) {
            println!("skipped: WTT_TEST_REAL does not name {adapter}");
            continue;
        }
        let variable = if *adapter == "codex" {
            "WTT_CONNECT_CODEX_TRANSPORT"
        } else {
            "WTT_CONNECT_CLAUDE_CODE_TRANSPORT"
        };
        let mut settings = vec![("WTT_CONNECT_MODE", *mode), ("WTT_CONNECT_LOG", "debug")];
        settings.extend((!transport.is_empty()).then_some((variable, *transport)));
        let (wtt, home) = (Wtt::start(), Home::new());
        let connector = start_with(&wtt, &home, adapter, &settings);
        let topic = wtt.p2p();
        let name = format!("{adapter} {mode} {transport}");
        let turn = |what: &str, awaited: &str| {
            let at = std::time::Instant::now();
            wtt.say(&topic, what);
            let answer = wtt.answer(&topic, awaited)["content"].to_string();
            println!("{name}: {answer} after {:.2?}", at.elapsed());
            answer
        };
        turn("@@text:first answer@@", "first answer");
        turn("@@text:second answer@@", "second answer");
        let file = home.path().join("work/inside.txt");
        let answer = turn(&format!("@@write:{}:x@@ @@text:third answer@@", file.display()), "third answer");
        assert_eq!(file.exists(), *inside, "{name}");
        assert_eq!(answer.contains("Not allowed in this mode"), !inside, "{name}: {answer}");
        let _ = std::fs::remove_file(&outside);
        let answer = turn(&format!("@@write:{outside}:x@@ @@text:fourth answer@@"), "fourth answer");
        assert_eq!(std::path::Path::new(&outside).exists(), *beyond, "{name}");
        assert_eq!(answer.contains("Not allowed in this mode"), !beyond, "{name}: {answer}");
        assert_eq!(connector.log().matches("going on with process").count(), 3, "one process for four turns");
        assert!(connector.stop().success());
        let before = native_ids(&home);
        wtt.forget();
        let connector = start_with(&wtt, &home, adapter, &settings);
        turn("@@text:after the restart@@", "after the restart");
        let at = std::time::Instant::now();
        // In a mode that asks claude runs no command that lasts.
        if *adapter == "codex" || *beyond {
            wtt.say(&topic, "@@sh:tail -f /dev/null --pid 1 -s 4711@@");
            wtt.status(&topic, "4711");
        } else {
            wtt.say(&topic, "@@slow:100:0.2@@");
            wtt.status(&topic, "w3");
        }
        wtt.say(&topic, "/stop");
        println!("{name}: {} after {:.2?}", wtt.answer(&topic, "Stopped")["content"], at.elapsed());
        let left = std::process::Command::new("ps").args(["-eo", "args"]).output().unwrap();
        let left = String::from_utf8_lossy(&left.stdout).into_owned();
        assert!(!left.contains("-s 4711"), "{left}");
        turn("@@text:after the stop@@", "after the stop");
        let log = connector.log();
        assert!(connector.stop().success());
        assert!(!log.contains("fresh session"), "{log}");
        assert_eq!(native_ids(&home), before, "{name}: one session throughout");
    }
}
