//! Real ACP agents through the connector. Skipped unless `WTT_TEST_ACP` is the command of one (`qwen --acp --auth-type openai`).
//!
//! It must be on `WTT_TEST_PATH`, with a login in `WTT_TEST_HOME`, and answer by a scripted model: `WTT_TEST_MODEL` is `at`
//! (`@@sh:COMMAND@@`, `@@text:WORDS@@`, `@@err:400@@`) or `brackets` (`[[cmd:COMMAND]]`, `[[error:400]]`, answers `FINAL …`).

use crate::support::daemon::{Connector, Home, Wtt, until};
use std::time::Instant;

fn start(wtt: &Wtt, home: &Home, command: &str, mode: &str) -> Connector {
    let of = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
    let mut env: Vec<(String, String)> = std::env::vars()
        .filter(|(name, _)| !["WTT_", "CARGO", "HOME", "PATH"].iter().any(|start| name.starts_with(start)))
        .collect();
    for (name, value) in [
        ("PATH", of("WTT_TEST_PATH").as_str()),
        ("HOME", of("WTT_TEST_HOME").as_str()),
        ("WTT_CONNECT_ADAPTER", "acp"),
        ("WTT_CONNECT_ACP_COMMAND", command),
        ("WTT_CONNECT_MODE", mode),
        ("WTT_CONNECT_LOG", "debug"),
    ] {
        env.push((name.to_owned(), value.to_owned()));
    }
    let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    Connector::start(wtt, home, &env)
}

/// Texts for the scripted model.
struct Script {
    brackets: bool,
}

impl Script {
    fn tool(&self, command: &str) -> String {
        if self.brackets {
            format!("x [[cmd:{command}]]")
        } else {
            format!("x @@sh:{command}@@ @@text:FINAL after the tool@@")
        }
    }
    fn text(&self, words: &str) -> String {
        if self.brackets { format!("{words} [[text]]") } else { format!("{words} @@text:FINAL {words}@@") }
    }
    fn error(&self) -> &'static str {
        if self.brackets { "x [[error:400]]" } else { "x @@err:400@@" }
    }
}

#[test]
fn a_real_agent() {
    let Ok(command) = std::env::var("WTT_TEST_ACP") else {
        return println!("skipped: WTT_TEST_ACP names no agent");
    };
    let script = Script { brackets: std::env::var("WTT_TEST_MODEL").is_ok_and(|model| model == "brackets") };
    let show = |what: &str, value: &serde_json::Value| {
        println!("{command} | {what} | {}", value.to_string().chars().take(300).collect::<String>())
    };
    let (wtt, home) = (Wtt::start(), Home::new());
    let connector = start(&wtt, &home, &command, "full-auto");
    let topic = wtt.p2p();
    let at = Instant::now();
    wtt.say(&topic, &script.text("first"));
    show("text", &wtt.answer(&topic, "FINAL")["content"]);
    println!("{command} | first answer after {:.1?}", at.elapsed());
    wtt.forget();
    let at = Instant::now();
    wtt.say(&topic, &script.tool("echo from-the-tool; echo made > made; sleep 1"));
    show("status", &wtt.status(&topic, "from-the-tool")["status_text"]);
    show("tool", &wtt.answer(&topic, "FINAL")["content"]);
    println!("{command} | second answer after {:.1?}", at.elapsed());
    assert!(home.path().join("work/made").exists(), "nothing is asked in full-auto");
    wtt.forget();
    // in a topic of its own: what failed is sent again with the next prompt by some, directives and all
    let other = wtt.p2p();
    wtt.say(&other, script.error());
    show("error", &wtt.answer(&other, "⚠️")["content"]);
    wtt.forget();
    wtt.say(&topic, &script.tool("echo begun > begun; sleep 611"));
    until("the tool", || home.path().join("work/begun").exists());
    let at = Instant::now();
    wtt.say(&topic, "/stop");
    show("stop", &wtt.answer(&topic, "Stopped")["content"]);
    println!("{command} | stopped after {:.1?}", at.elapsed());
    assert!(!running("sleep 611"), "nothing is left");
    wtt.forget();
    assert!(connector.stop().success());
    let connector = start(&wtt, &home, &command, "full-auto");
    wtt.say(&topic, &script.text("after a restart"));
    show("resumed", &wtt.answer(&topic, "FINAL")["content"]);
    wtt.forget();
    let log = connector.log();
    assert!(connector.stop().success());
    println!("{command} | fresh session: {}", log.contains("fresh session"));
    wtt.forget();
    let connector = start(&wtt, &home, &command, "suggest");
    wtt.say(&topic, &script.tool("echo made > not-made"));
    show("suggest", &wtt.answer(&topic, "")["content"]);
    assert!(!home.path().join("work/not-made").exists(), "suggest changes nothing");
    let log = connector.log();
    assert!(connector.stop().success());
    for line in log.lines().filter(|line| line.contains("WARN") || line.contains("tokens in")).take(8) {
        println!("{command} | log | {line}");
    }
}

/// Whether a process with this command line runs.
fn running(command: &str) -> bool {
    std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).replace('\0', " ").trim() == command
    })
}
