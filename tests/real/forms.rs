//! Real CLIs that want a form filled in: by a tool server's wish (elicitation of MCP), and by a question of their own.

use super::{adapter, start};
use crate::support::daemon::{Home, Wtt};

/// Tells the CLIs of the tool server `mcp.py`, each in its own file.
fn tell_of_server() {
    let home = std::path::PathBuf::from(std::env::var("WTT_TEST_HOME").unwrap());
    let file = format!("{}/tests/real/mcp.py", env!("CARGO_MANIFEST_DIR"));
    let plain = serde_json::json!({ "command": "python3", "args": [file] });
    let add = |path: &str, value: serde_json::Value| {
        let path = home.join(path);
        if path.parent().is_some_and(std::path::Path::exists) {
            let read = std::fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
            let mut all: serde_json::Value = read.unwrap_or_else(|| serde_json::json!({}));
            for (key, value) in value.as_object().unwrap() {
                all[key] = value.clone();
            }
            std::fs::write(path, all.to_string()).unwrap();
        }
    };
    let servers = serde_json::json!({ "mcpServers": { "probe": plain } });
    for path in [".claude.json", ".gemini/settings.json", ".kimi-code/mcp.json", ".qwen/settings.json"] {
        add(path, servers.clone());
    }
    let local = serde_json::json!({ "type": "local", "command": ["python3", file] });
    add(".config/opencode/opencode.json", serde_json::json!({ "mcp": { "probe": local } }));
    let codex = home.join(".codex/config.toml");
    if let Ok(text) = std::fs::read_to_string(&codex) {
        let server = format!("\n[mcp_servers.probe]\ncommand = \"python3\"\nargs = [\"{file}\"]\n");
        std::fs::write(codex, text + &server).unwrap();
    }
}

#[test]
fn people_fill_forms_in() {
    let Some(adapter) = adapter() else { return };
    tell_of_server();
    let (wtt, home) = (Wtt::start(), Home::new());
    let connector = start(&wtt, &home, &adapter, &[("WTT_CONNECT_MODE", "suggest")]);
    let topic = wtt.p2p();
    let question = r#"{"questions":[{"question":"Which bird?","header":"Bird","multiSelect":false,"options":[{"label":"Pelican","description":"big"},{"label":"Wren","description":"small"}]}]}"#;
    let rounds = [
        ("pick_paint:{}".to_owned(), "Which paint?", "green; 3", r#""count": 3"#),
        (format!("AskUserQuestion:{question}"), "Which bird?", "2", "Wren"),
    ];
    let mut shown = 0;
    for (call, asked, words, want) in rounds {
        wtt.forget();
        wtt.say(&topic, &format!("@@new@@ @@tool:{call}@@"));
        let end = loop {
            let post = wtt.answer(&topic, "")["content"].as_str().unwrap().to_owned();
            println!("< {post}");
            wtt.forget();
            let Some(id) = post.split("`/deny ").nth(1).map(|rest| rest[..3].to_owned()) else { break post };
            let words = if post.contains(asked) { words } else { "" };
            println!("> /approve {id} {words}");
            wtt.say(&topic, &format!("/approve {id} {words}"));
            println!("< {}", wtt.answer(&topic, &id)["content"]);
            wtt.forget();
            shown += usize::from(!words.is_empty());
        };
        let filled = end.contains(want);
        println!("{asked} filled in: {filled}");
        assert!(shown == 0 || filled || !end.contains("PAINT"), "{end}");
        if filled {
            println!("cell forms ok");
        }
    }
    println!("{}", connector.log());
    assert!(connector.stop().success());
}
