//! The model switcher before real turns: what it gets, what its failures do, that switching and running is one turn's
//! at a time, and that a stop does not wait for it.

use crate::support::daemon::{Connector, Home, TOKEN, Wtt, until};
use serde_json::json;
use wtt_connect::local::service::MessageAuthor;

/// A switcher that writes down how it was started, a line for each argument, and then does what `body` says.
fn recorder(home: &Home, body: &str) -> String {
    let file = home.path().join("switcher");
    let text = format!(
        "#!/bin/sh\nfor word; do printf '%s\\n' \"$word\"; done >\"$HOME/argv\"\nenv >\"$HOME/environment\"\ncat >\"$HOME/stdin\"\nprintf '%s\\n' \"$*\" >>\"$HOME/switched\"\n{body}\n"
    );
    crate::support::program::program(&file, text);
    file.to_str().unwrap().to_owned()
}

fn lines(home: &Home, name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(home.path().join(name)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn ask(wtt: &Wtt, topic: &str, text: &str, model: &str, provider: &str) {
    let config = json!({ "metadata": { "model_config": { "model": model, "provider": provider } } });
    wtt.service.post_message(topic, MessageAuthor::Human, text, config);
}

#[test]
fn the_text_of_a_message_stays_one_argument() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let template =
        format!("{} use {{app}} {{provider}} '--model={{model}} in {{adapter}}'", recorder(&home, ""));
    let env = [
        ("WTT_CONNECT_MODEL_SWITCH_MODE", "custom"),
        ("WTT_CONNECT_MODEL_SWITCH_TEMPLATE", &template),
        ("WTT_CONNECT_MODEL_SWITCH_STRICT", "1"),
    ];
    let _connector = Connector::start(&wtt, &home, &env);
    let topic = wtt.p2p();
    ask(&wtt, &topic, "RUN: answer one", "claude-x;rm$(id)", "; rm -rf \"$HOME\" --dangerous");
    wtt.answer(&topic, "one");
    let want = ["use", "claude", "; rm -rf \"$HOME\" --dangerous", "--model=claude-x;rm$(id) in claude-code"];
    assert_eq!(lines(&home, "argv"), want);
    assert!(lines(&home, "stdin").is_empty());
    let environment = lines(&home, "environment").join("\n");
    assert!(environment.contains("HOME=") && !environment.contains(TOKEN), "{environment}");
    assert!(home.runs()[0].contains("|claude-x;rm$(id)|"), "the agent gets the model too: {:?}", home.runs());

    // what could be taken for an option is refused, and in strict mode so is the run
    let odd = wtt.p2p();
    ask(&wtt, &odd, "RUN: answer two", "claude-x", "--dangerous");
    wtt.answer(&odd, "The model switcher failed");
    assert_eq!((home.runs().len(), lines(&home, "switched").len()), (1, 1));
    // neither model nor provider: nothing to switch to
    let plain = wtt.p2p();
    wtt.say(&plain, "RUN: answer three");
    wtt.answer(&plain, "three");
    assert_eq!(lines(&home, "switched").len(), 1);
}

#[test]
fn the_map_gives_adapter_and_provider_and_a_failure_is_only_logged() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let command = recorder(&home, "echo \"Error: Provider 'mine' not found\" >&2; exit 1");
    let env = [
        ("WTT_CONNECT_ADAPTER", "codex"),
        ("WTT_CONNECT_MODEL_SWITCH_MODE", "cc-switch"),
        ("WTT_CONNECT_MODEL_SWITCH_COMMAND", &command),
        (
            "WTT_CONNECT_MODEL_PROVIDER_MAP",
            r#"{"qwen/*":{"adapter":"claude-code","provider":"mine"},"*":{"provider":"any"}}"#,
        ),
    ];
    let connector = Connector::start(&wtt, &home, &env);
    let topic = wtt.p2p();
    ask(&wtt, &topic, "RUN: answer mapped", "qwen/qwen3-coder", "");
    wtt.answer(&topic, "mapped");
    assert_eq!(lines(&home, "argv"), ["--app", "claude", "use", "mine"]);
    assert!(home.runs()[0].contains("|qwen3-coder|"), "{:?}", home.runs());
    let log = connector.log();
    assert!(log.contains("Provider 'mine' not found") && log.contains("runs as it is set up"), "{log}");
    let why = "claude-code qwen3-coder of mine (model of the message, by WTT_CONNECT_MODEL_PROVIDER_MAP)";
    assert!(log.contains(why), "{log}");
    wtt.say(&topic, "/status");
    wtt.answer(&topic, "- adapter: codex (default; enabled: claude-code, codex)");
}

#[test]
fn a_strict_failure_or_a_slow_switcher_is_the_answer() {
    for (body, limit, says) in [
        ("echo no such provider; exit 4", "30000", "ended with exit code 4: no such provider"),
        // within it the switcher starts and writes down its arguments
        ("sleep 60", "1000", "did not answer within 1s"),
    ] {
        let (wtt, home) = (Wtt::start(), Home::new());
        let command = recorder(&home, body);
        let env = [
            ("WTT_CONNECT_MODEL", "claude-x"),
            ("WTT_CONNECT_MODEL_SWITCH_MODE", "command"),
            ("WTT_CONNECT_MODEL_SWITCH_COMMAND", &command),
            ("WTT_CONNECT_MODEL_SWITCH_ARGS", r#"["{adapter}","{model}"]"#),
            ("WTT_CONNECT_MODEL_SWITCH_STRICT", "1"),
            ("WTT_CONNECT_MODEL_SWITCH_TIMEOUT_MS", limit),
        ];
        let _connector = Connector::start(&wtt, &home, &env);
        let topic = wtt.p2p();
        wtt.say(&topic, "RUN: answer never");
        let answer = wtt.answer(&topic, "The model switcher failed");
        assert!(answer["content"].as_str().unwrap().contains(says), "{answer}");
        assert_eq!(answer["metadata"]["outcome"], "failed");
        assert!(home.runs().is_empty(), "nothing was run");
        assert_eq!(lines(&home, "argv"), ["claude-code", "claude-x"]);
    }
}

#[test]
fn only_one_turn_switches_and_runs_at_a_time_and_a_stop_does_not_wait() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let command =
        recorder(&home, "case $1 in slow) echo $$ >\"$HOME/slow\"; while :; do sleep 1; done ;; esac");
    let env = [
        ("WTT_CONNECT_MODEL_SWITCH_MODE", "command"),
        ("WTT_CONNECT_MODEL_SWITCH_COMMAND", command.as_str()),
        ("WTT_CONNECT_MODEL_SWITCH_ARGS", r#"["{provider}"]"#),
    ];
    let _connector = Connector::start(&wtt, &home, &env);
    let topics: Vec<String> = (0..4).map(|_| wtt.p2p()).collect();
    ask(&wtt, &topics[0], "RUN: echo > \"$HOME/started\"; await go; answer first", "claude-a", "one");
    home.wait_for("started");
    ask(&wtt, &topics[1], "RUN: answer second", "claude-b", "two");
    ask(&wtt, &topics[2], "RUN: answer third", "claude-c", "three");
    for topic in &topics[1..3] {
        assert_eq!(wtt.status(topic, "waiting: with a model switcher")["status_kind"], "queued");
    }
    assert_eq!(lines(&home, "switched"), ["one"], "nobody switches while an agent runs");
    wtt.say(&topics[1], "/stop");
    assert_eq!(wtt.answer(&topics[1], "Stopped")["metadata"]["outcome"], "cancelled");
    home.touch("go");
    wtt.answer(&topics[0], "first");
    wtt.answer(&topics[2], "third");
    assert_eq!(lines(&home, "switched"), ["one", "three"]);

    // a switcher that hangs is stopped with its turn, and the next one is not held up
    ask(&wtt, &topics[3], "RUN: answer fourth", "claude-d", "slow");
    home.wait_for("slow");
    until("the pid", || !lines(&home, "slow").is_empty());
    wtt.say(&topics[3], "/stop");
    wtt.answer(&topics[3], "Stopped");
    assert!(!crate::support::daemon::is_alive(&lines(&home, "slow")[0]));
    ask(&wtt, &topics[0], "RUN: answer fifth", "claude-a", "one");
    wtt.answer(&topics[0], "fifth");
    assert!(
        !home.runs().iter().any(|run| run.contains("second") || run.contains("fourth")),
        "{:?}",
        home.runs()
    );
}
