//! Real CLIs in the modes that ask: what they may do, and that a kept one serves several turns.

use super::{adapter, native_ids, start, turn};
use crate::support::daemon::{Home, Wtt};

/// Nobody answers what they ask; that people do is in `asks.rs`.
const NOBODY: (&str, &str) = ("WTT_CONNECT_APPROVAL_SECONDS", "0");

/// In `suggest` nothing is changed. In `auto-edit` files are; claude and codex also run what only writes in the workspace.
#[test]
fn strict_modes() {
    let Some(adapter) = adapter().filter(|name| !["codex", "claude-code"].contains(&name.as_str())) else {
        return;
    };
    let (wtt, home) = (Wtt::start(), Home::new());
    let work = home.path().join("work");
    for mode in ["suggest", "auto-edit"] {
        let connector = start(&wtt, &home, &adapter, &[("WTT_CONNECT_MODE", mode), NOBODY]);
        let topic = wtt.p2p();
        turn(&wtt, &topic, &format!("@@sh:echo made > {mode}-shell@@ @@text:one@@"), "");
        let ran = work.join(format!("{mode}-shell")).exists();
        assert!(mode == "auto-edit" || !ran, "{adapter}: no command in {mode}");
        let file = work.join(format!("{mode}-write"));
        turn(&wtt, &wtt.p2p(), &format!("@@write:{}:made@@ @@text:two@@", file.display()), "");
        assert!(mode == "auto-edit" || !file.exists(), "{adapter}: no file in {mode}");
        println!("{mode}: a command ran: {ran}, a file was written: {}", file.exists());
        assert!(connector.stop().success());
    }
    println!("cell modes ok");
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
    let Some(named) = adapter().filter(|name| ["codex", "claude-code"].contains(&name.as_str())) else {
        return;
    };
    let outside = std::env::var("WTT_TEST_HOME").unwrap_or_default() + "/outside.txt";
    for (adapter, mode, transport, inside, beyond) in TRANSPORTS {
        if named != *adapter {
            continue;
        }
        let variable = if *adapter == "codex" {
            "WTT_CONNECT_CODEX_TRANSPORT"
        } else {
            "WTT_CONNECT_CLAUDE_CODE_TRANSPORT"
        };
        let mut settings = vec![("WTT_CONNECT_MODE", *mode), NOBODY];
        settings.extend((!transport.is_empty()).then_some((variable, *transport)));
        let (wtt, home) = (Wtt::start(), Home::new());
        let connector = start(&wtt, &home, adapter, &settings);
        let topic = wtt.p2p();
        let name = format!("{adapter} {mode} {transport}");
        let say = |what: &str, awaited: &str| turn(&wtt, &topic, what, awaited);
        say("@@text:first answer@@", "first answer");
        say("@@text:second answer@@", "second answer");
        let file = home.path().join("work/inside.txt");
        let answer = say(&format!("@@write:{}:x@@ @@text:third answer@@", file.display()), "third answer");
        assert_eq!(file.exists(), *inside, "{name}");
        assert_eq!(answer.contains("Not allowed:"), !inside, "{name}: {answer}");
        let _ = std::fs::remove_file(&outside);
        let answer = say(&format!("@@write:{outside}:x@@ @@text:fourth answer@@"), "fourth answer");
        assert_eq!(std::path::Path::new(&outside).exists(), *beyond, "{name}");
        assert_eq!(answer.contains("Not allowed:"), !beyond, "{name}: {answer}");
        assert_eq!(
            connector.log().matches("continuing with process").count(),
            3,
            "one process for four turns"
        );
        assert!(connector.stop().success());
        let before = native_ids(&home);
        let connector = start(&wtt, &home, adapter, &settings);
        say("@@text:after the restart@@", "after the restart");
        let at = std::time::Instant::now();
        // In a mode that asks claude runs no command that lasts.
        if *adapter == "codex" || *beyond {
            wtt.say(&topic, "@@new@@ @@sh:tail -f /dev/null --pid 1 -s 4711@@");
            wtt.status(&topic, "4711");
        } else {
            wtt.say(&topic, "@@new@@ @@slow:100:0.2@@");
            wtt.status(&topic, "w3");
        }
        wtt.say(&topic, "/stop");
        println!("{name}: {} after {:.2?}", wtt.answer(&topic, "Stopped")["content"], at.elapsed());
        let left = std::process::Command::new("ps").args(["-eo", "args"]).output().unwrap();
        let left = String::from_utf8_lossy(&left.stdout).into_owned();
        assert!(!left.contains("-s 4711"), "{left}");
        say("@@text:after the stop@@", "after the stop");
        let log = connector.log();
        assert!(connector.stop().success());
        assert!(!log.contains("fresh session"), "{log}");
        assert_eq!(native_ids(&home), before, "{name}: one session throughout");
    }
    println!("cell modes ok");
}
