//! Rules of the settings in the whole daemon: they answer before people are asked, whatever the mode.

use super::{Stage, agent};
use crate::support::daemon::{Home, Wtt, command};

#[test]
fn rules_answer_before_people_are_asked() {
    let rules = r#"[{"action":"allow","command":"touch a*"},{"action":"deny","command":"touch d*"},
        {"action":"deny","path":"**/.env"},{"action":"ask","command":"touch q*"}]"#;
    // also in the mode that never asks: the agent is started so that it does
    for mode in ["suggest", "full-auto"] {
        let stage = Stage::new(&[("WTT_CONNECT_PERMISSIONS", rules), ("WTT_CONNECT_MODE", mode)]);
        stage.say("RUN:bash 'touch a1'; bash 'touch d1'; bash 'touch a2; touch d2'; write .env x; write sub/../.env x; answer over");
        let answer = stage.answer("over")["content"].as_str().unwrap().to_owned();
        assert!(answer.contains("Not allowed: touch d1 (rule 2 (deny))"), "{answer}");
        assert!(stage.made("a1") && !stage.made("d1") && !stage.made("a2") && !stage.made(".env"));
        stage.say("RUN:bash 'touch q1'; answer asked");
        let id = stage.question();
        stage.say(&format!("/approve {id} always"));
        stage.answer("asked");
        assert!(stage.made("q1"));
        let decisions = stage.decisions();
        assert_eq!(decisions[0], "allowed by rule 1 (allow)");
        assert_eq!(
            decisions[1..5],
            [
                "denied by rule 2 (deny)",
                "denied by rule 2 (deny)",
                "denied by rule 3 (deny)",
                "denied by rule 3 (deny)"
            ]
        );
        let log = stage.connector.as_ref().unwrap().log();
        assert!(log.contains("denied by rule 2 (deny)"), "{log}");
        if mode == "full-auto" {
            stage.say("RUN:bash 'touch other'; write plain x; answer free");
            stage.answer("free");
            assert!(stage.made("other") && stage.made("plain"));
        }
    }
}

#[test]
fn links_do_not_lead_past_a_rule() {
    let rules = r#"[{"action":"deny","path":"secret/**"},{"action":"allow","path":"**"}]"#;
    let stage = Stage::new(&[("WTT_CONNECT_PERMISSIONS", rules)]);
    let work = stage.home.path().join("work");
    std::fs::create_dir(work.join("secret")).unwrap();
    std::os::unix::fs::symlink(work.join("secret"), work.join("open")).unwrap();
    std::os::unix::fs::symlink(stage.home.path(), work.join("out")).unwrap();
    stage.say("RUN:write open/a x; write secret/b x; answer shut");
    stage.answer("shut");
    assert!(!stage.made("secret/a") && !stage.made("secret/b"));
    stage.say("RUN:write out/c x; answer asked");
    let id = stage.question();
    stage.say(&format!("/deny {id}"));
    stage.answer("asked");
    assert!(!stage.home.path().join("c").exists());
    // a repository can hold links to what is not there yet; and agents read `~` and blanks in their own way
    std::os::unix::fs::symlink("notes/../../d", work.join("later")).unwrap();
    std::os::unix::fs::symlink("later", work.join("twice")).unwrap();
    std::os::unix::fs::symlink("secret/e", work.join("e")).unwrap();
    std::fs::create_dir(work.join("notes")).unwrap();
    for path in ["later", "twice", "'~/f'"] {
        stage.say(&format!("RUN:write {path} x; answer over"));
        let id = stage.question();
        stage.say(&format!("/deny {id}"));
        stage.answer("over");
    }
    stage.say("RUN:write e x; answer shut");
    stage.answer("shut");
    assert!(!stage.made("secret/e") && !stage.home.path().join("d").exists());
}

#[test]
fn an_agent_that_cannot_ask_is_not_started_under_rules_that_restrict() {
    let rules = r#"[{"action":"deny","command":"rm *"}]"#;
    let stage = Stage::new(&[
        ("WTT_CONNECT_PERMISSIONS", rules),
        ("WTT_CONNECT_MODE", "full-auto"),
        ("WTT_CONNECT_CLAUDE_CODE_TRANSPORT", "one-shot"),
    ]);
    stage.say("RUN:bash 'touch one'; answer never");
    stage.answer("rules of WTT_CONNECT_PERMISSIONS restrict it, and it cannot ask in this form");
    assert!(!stage.made("one") && !stage.home.path().join("starts").exists());
}

#[test]
fn a_bad_rule_file_is_refused_with_its_place() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let file = home.path().join("rules.json");
    let text = file.display().to_string();
    for (rules, why) in [
        (
            "[\n{\"action\":\"deny\",\"command\":\"rm *\"},\n{\"action\":\"deny\",\"comand\":\"rm *\"}]",
            "rule 2: `comand` is not known",
        ),
        ("[\n{\"action\":\"deny\"\n", "line 3"),
    ] {
        std::fs::write(&file, rules).unwrap();
        let settings = [
            ("WTT_CONNECT_PERMISSIONS", text.as_str()),
            ("WTT_CONNECT_CLAUDE_CODE_COMMAND", &agent("asking.sh")),
        ];
        let output = command(&wtt.service.base_url(), &home, &settings)
            .stderr(std::process::Stdio::piped())
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.code() == Some(78) && said.contains(why) && said.contains("rules.json"),
            "{said}"
        );
    }
    std::fs::remove_file(&file).unwrap();
    let output = command(&wtt.service.base_url(), &home, &[("WTT_CONNECT_PERMISSIONS", text.as_str())])
        .stderr(std::process::Stdio::piped())
        .output()
        .unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains("cannot be read"));
}
