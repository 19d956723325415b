//! `smoke-task` and `smoke-chat` against a running connector, and without one.

use super::running::FAST;
use crate::support::daemon::{AGENT, Connector, Home, TOKEN, Wtt, binary};
use std::process::Command;
use wtt_connect::local::service::Faults;

const SENDER: &str = "agent-tester";

/// Runs it with the settings of the connector, and the given ones; exit code, stdout, stderr.
fn smoke(base_url: &str, home: &Home, words: &[&str], env: &[(&str, &str)]) -> (i32, String, String) {
    let output = Command::new(binary())
        .args(words)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", home.path())
        .env("WTT_BASE_URL", base_url)
        .env("WTT_AGENT_ID", AGENT)
        .env("WTT_TOKEN", TOKEN)
        .envs(env.iter().copied())
        .current_dir(home.path())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn smoke_task_tells_what_came() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = Connector::start(&wtt, &home, &[FAST]);
    // the scripted agent says `ok` when it is not told anything else
    let (code, out, err) =
        smoke(&wtt.service.base_url(), &home, &["smoke-task", "--expected", "ok", "--timeout=60"], &[]);
    assert_eq!(code, 0, "{out}{err}");
    for said in ["the service started it", " s  doing", " s  review", "answer: ok", "passed"] {
        assert!(out.contains(said), "{said}: {out}");
    }
    let task = out.split_whitespace().skip_while(|word| *word != "task").nth(1).unwrap();
    assert_eq!(wtt.service.task(task).unwrap()["status"], "done", "the board is tidy");

    wtt.service.set_faults(Faults { no_task_run: true, ..Faults::default() });
    let (code, out, err) = smoke(&wtt.service.base_url(), &home, &["smoke-task", "--timeout=60"], &[]);
    assert_eq!((code, err.contains("does not contain `WTT_CONNECT_TASK_READY`")), (1, true), "{out}{err}");
    assert!(out.contains("no `run`"), "{out}");
}

#[test]
fn two_smoke_tests_at_once_do_not_disturb_each_other() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = Connector::start(&wtt, &home, &[FAST]);
    let (url, home) = (wtt.service.base_url(), &home);
    std::thread::scope(|scope| {
        let both = [0, 1].map(|_| {
            let url = url.clone();
            scope.spawn(move || smoke(&url, home, &["smoke-task", "--expected", "ok", "--timeout=60"], &[]))
        });
        for (code, out, err) in both.map(|one| one.join().unwrap()) {
            assert_eq!(code, 0, "{out}{err}");
        }
    });
}

#[test]
fn smoke_chat_tells_what_came() {
    let (wtt, home) = (Wtt::start(), Home::new());
    wtt.service.add_agent(SENDER, "CANARY-tester", "Tester");
    let _connector = Connector::start(&wtt, &home, &[FAST]);
    let who = [("WTT_SMOKE_SENDER_AGENT_ID", SENDER), ("WTT_SMOKE_SENDER_TOKEN", "CANARY-tester")];
    let (code, out, err) =
        smoke(&wtt.service.base_url(), &home, &["smoke-chat", "--expected=ok", "--timeout=60"], &who);
    assert_eq!(code, 0, "{out}{err}");
    for said in ["connected to", "asked agent-001", "answer: ok", "passed"] {
        assert!(out.contains(said), "{said}: {out}");
    }
    let wrong = [who[0], ("WTT_SMOKE_SENDER_TOKEN", "CANARY-wrong")];
    let (code, out, err) = smoke(&wtt.service.base_url(), &home, &["smoke-chat"], &wrong);
    assert_eq!(code, 78, "{out}{err}");
    assert!(err.contains("WTT_SMOKE_SENDER_TOKEN") && !err.contains("CANARY-wrong"), "{err}");
}

#[test]
fn a_question_is_no_answer() {
    let (wtt, home) = (Wtt::start(), Home::new());
    wtt.service.add_agent(SENDER, "CANARY-tester", "Tester");
    let agent = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/agents/asking.sh");
    let asks = [
        ("WTT_CONNECT_CLAUDE_CODE_COMMAND", agent),
        ("WTT_CONNECT_MODE", "suggest"),
        ("WTT_CONNECT_APPROVAL_SECONDS", "1"),
    ];
    let _connector = Connector::start(&wtt, &home, &asks);
    let who = [("WTT_SMOKE_SENDER_AGENT_ID", SENDER), ("WTT_SMOKE_SENDER_TOKEN", "CANARY-tester")];
    let words = ["smoke-chat", "--expected", "RUN: bash ls; answer over", "--timeout=60"];
    let (code, out, err) = smoke(&wtt.service.base_url(), &home, &words, &who);
    assert!(out.contains("permission request: 🔐") && out.contains("answer: over"), "{out}{err}");
    assert_eq!(code, 1, "another answer: {err}");
}

#[test]
fn smoke_tests_end_where_nothing_can_come() {
    let (wtt, home) = (Wtt::start(), Home::new());
    wtt.service.add_agent(SENDER, "CANARY-tester", "Tester");
    let who = [("WTT_SMOKE_SENDER_AGENT_ID", SENDER), ("WTT_SMOKE_SENDER_TOKEN", "CANARY-tester")];
    let alone = [("WTT_BASE_URL", "http://127.0.0.1:9")];
    let mine = [("WTT_SMOKE_SENDER_AGENT_ID", AGENT), ("WTT_SMOKE_SENDER_TOKEN", TOKEN)];
    let stranger = [("WTT_TOKEN", "CANARY-wrong")];
    let nobody = [("WTT_AGENT_ID", "")];
    for (words, env, code, sentence) in [
        (&["smoke-task", "--timeout", "1"][..], &[][..], 69, "no result within 1 s"),
        (&["smoke-chat", "--timeout", "1"], &who, 69, "there was no answer within 1 s"),
        (&["smoke-task"], &alone, 69, "cannot reach"),
        (&["smoke-task"], &stranger, 78, "refused the token"),
        (&["smoke-task"], &nobody, 78, "WTT_AGENT_ID"),
        (&["smoke-chat"], &[], 78, "needs a second agent"),
        (&["smoke-chat"], &mine, 78, "does not answer its own messages"),
    ] {
        let (is, out, err) = smoke(&wtt.service.base_url(), &home, words, env);
        assert!(is == code && err.contains(sentence), "{words:?} {env:?}: {is} {out}{err}");
    }
}
