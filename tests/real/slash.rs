//! Slash commands for real CLIs: `/compact`, one of its user's own, and one that does not exist.

use super::{adapter, native_ids, start, turn};
use crate::support::daemon::{Home, Wtt};

/// Where a CLI looks for commands of its user's, below its home, and what is in the file.
const OWN: &[(&str, &str)] = &[
    (
        ".gemini/commands/hello.toml",
        "description = \"hello\"\nprompt = \"@@new@@ @@text:custom {{args}}@@\"\n",
    ),
    (
        ".config/opencode/command/hello.md",
        "---\ndescription: hello\n---\n@@new@@ @@text:custom $ARGUMENTS@@\n",
    ),
    (".pi/agent/prompts/hello.md", "@@new@@ @@text:custom $@@@\n"),
    // without a description, what it holds is told to the model each time
    (".claude/commands/hello.md", "---\ndescription: hello\n---\n@@new@@ @@text:custom $ARGUMENTS@@\n"),
    (".qwen/commands/hello.toml", "description = \"hello\"\nprompt = \"@@new@@ @@text:custom {{args}}@@\"\n"),
    (
        ".kimi/skills/hello/SKILL.md",
        "---\nname: hello\ndescription: hello\n---\n@@new@@ @@text:custom world@@\n",
    ),
    (
        ".kimi-code/skills/hello/SKILL.md",
        "---\nname: hello\ndescription: hello\n---\n@@new@@ @@text:custom world@@\n",
    ),
];

#[test]
fn commands() {
    let Some(adapter) = adapter() else { return };
    let cli = std::path::PathBuf::from(std::env::var("WTT_TEST_HOME").unwrap());
    for (path, text) in OWN {
        let path = cli.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let (wtt, home) = (Wtt::start(), Home::new());
    let connector = start(&wtt, &home, &adapter, &[]);
    let topic = wtt.p2p();
    turn(&wtt, &topic, "the bird is a pelican @@text:first answer@@", "first answer");
    let own = if adapter == "kimi" { "/skill:hello" } else { "/hello world" };
    for command in [own, "/zzz now", "/compact"] {
        wtt.forget();
        wtt.say(&topic, command);
        let answer = wtt.answer(&topic, "")["content"].as_str().unwrap().to_owned();
        println!("{command} -> {answer}");
        // codex and codex-acp have no commands of their users' any more, and gemini not over ACP, where it says so
        let takes = command == own && std::env::var("FAKE_API_KEY").is_err();
        let says_no = adapter == "gemini" && answer.contains("This agent has no command");
        assert!(!takes || says_no || answer.contains("custom world"), "{command}: {answer}");
        if command == own {
            turn(&wtt, &topic, "between @@recall:pelican@@", "pelican is known");
        }
    }
    // claude tells the model after a compaction which commands there were, behind the message: it may follow either
    wtt.forget();
    wtt.say(&topic, "after @@text:second answer@@");
    let answer = wtt.answer(&topic, "")["content"].as_str().unwrap().to_owned();
    println!("after -> {answer}");
    assert!(["second answer", "custom world"].contains(&answer.as_str()), "{answer}");
    println!("{}", connector.log());
    assert!(connector.stop().success());
    assert_eq!(native_ids(&home).len(), 1, "one session in whatever form");
    println!("cell slash ok");
}
