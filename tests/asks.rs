//! The permission broker: agents that ask, people who answer in chat or on the host, rules that answer instead; what then
//! is on disk. With a fake Claude Code that asks before it acts (`tests/agents/asking.sh`) and a fake ACP agent.

mod policy;
mod rules;
mod scope;

use crate::support::daemon::{AGENT, Connector, Home, Wtt, binary, until};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use wtt_connect::local::service::MessageAuthor;

/// A connector whose agent asks.
struct Stage {
    wtt: Wtt,
    home: Home,
    connector: Option<Connector>,
    topic: String,
    settings: Vec<(String, String)>,
}

fn agent(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/agents").join(name).display().to_string()
}

impl Stage {
    fn new(settings: &[(&str, &str)]) -> Stage {
        let (wtt, home) = (Wtt::start(), Home::new());
        std::fs::create_dir(home.path().join("work")).unwrap();
        let topic = wtt.p2p();
        let mut all = vec![
            ("WTT_CONNECT_CLAUDE_CODE_COMMAND".to_owned(), agent("asking.sh")),
            ("WTT_CONNECT_MODE".to_owned(), "suggest".to_owned()),
        ];
        all.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let mut stage = Stage { wtt, home, connector: None, topic, settings: all };
        stage.start();
        stage
    }

    fn start(&mut self) {
        let env: Vec<(&str, &str)> = self.settings.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        self.connector = Some(Connector::start(&self.wtt, &self.home, &env));
    }

    fn say(&self, text: &str) -> String {
        self.wtt.forget();
        self.wtt.say(&self.topic, text)
    }

    /// Waits for a question; its id.
    fn question(&self) -> String {
        let post = self.wtt.answer(&self.topic, "```action");
        assert_eq!(post["metadata"]["outcome"], "question");
        id_of(post["content"].as_str().unwrap())
    }

    fn answer(&self, text: &str) -> Value {
        self.wtt.answer(&self.topic, text)
    }

    fn made(&self, name: &str) -> bool {
        self.home.path().join("work").join(name).exists()
    }

    fn heard(&self) -> String {
        std::fs::read_to_string(self.home.path().join("heard")).unwrap_or_default()
    }

    /// What the state on disk says of decisions: words and by whom.
    fn decisions(&self) -> Vec<String> {
        let state = wtt_connect::store::Store::peek(&self.home.state_dir().join("state.json")).unwrap();
        let row =
            |row: &Value| format!("{} by {}", row["decision"].as_str().unwrap(), row["by"].as_str().unwrap());
        state.permissions.decisions.iter().map(row).collect()
    }

    fn open_on_disk(&self) -> usize {
        wtt_connect::store::Store::peek(&self.home.state_dir().join("state.json"))
            .unwrap()
            .permissions
            .requests
            .len()
    }
}

/// `/approve k7m` in a post.
fn id_of(post: &str) -> String {
    post.split("`/deny ").nth(1).unwrap()[..3].to_owned()
}

#[test]
fn people_allow_once_and_for_the_session() {
    let mut stage = Stage::new(&[]);
    stage.say("RUN:bash 'touch one'; bash 'touch one'; answer finished");
    let id = stage.question();
    let post = stage.answer("```action")["content"].as_str().unwrap().to_owned();
    assert!(
        post.contains("🔐 **Claude Code asks to run a command** (Bash):\n\n```text\ntouch one\n```\n"),
        "{post}"
    );
    assert!(post.contains("after 10 min. (Asked by: the mode suggest)"), "{post}");
    assert!(!stage.made("one"), "nothing is done before the answer");
    assert_eq!(stage.open_on_disk(), 1);
    stage.wtt.status(&stage.topic, "waiting for your answer: touch one");
    let asked = stage.say(&format!("/approve {id}"));
    assert_eq!(stage.answer("allowed by")["reply_to"], asked.as_str());
    until("the first file", || stage.made("one"));
    // once is once
    let second = stage.question();
    assert_ne!(second, id);
    stage.say(&format!("/APPROVE {second} always"));
    stage.answer("allowed for this session by");
    stage.answer("finished");
    // the same again needs nobody, another command does; a restart forgets neither
    for _ in 0..2 {
        stage.say("RUN:bash 'touch one'; answer again");
        stage.answer("again");
        let connector = stage.connector.take().unwrap();
        assert!(connector.stop().success());
        stage.start();
    }
    stage.say("RUN:bash 'touch two'; answer other");
    stage.question();
    stage.say("/approve");
    stage.answer("other");
    assert!(stage.made("two"));
    // a fresh session begins without what was allowed in the old one
    stage.say("/new");
    stage.answer("fresh session");
    stage.say("RUN:bash 'touch one'; answer fresh");
    stage.question();
    stage.say("/deny");
    stage.answer("fresh");
    let decisions = stage.decisions();
    let want = [
        "allowed by",
        "allowed for this session by",
        "allowed by allowed for this session",
        "allowed by allowed for",
        "allowed by",
        "denied by",
    ];
    assert_eq!(decisions.len(), want.len(), "{decisions:?}");
    assert!(decisions.iter().zip(want).all(|(is, want)| is.starts_with(want)), "{decisions:?}");
    assert_eq!(stage.open_on_disk(), 0);
    stage.say("/status");
    let status = stage.answer("wtt-connect")["content"].as_str().unwrap().to_owned();
    assert!(status.contains("- decided: touch one (Bash) denied by"), "{status}");
}

#[test]
fn people_refuse_with_a_reason_or_stop_the_turn() {
    let stage = Stage::new(&[]);
    stage.say("RUN:bash 'touch one'; answer went-on");
    let id = stage.question();
    stage.say(&format!("/deny {id} use the other folder"));
    stage.answer(&format!("⛔ {id}: denied by"));
    stage.answer("went-on");
    assert!(
        stage.heard().contains("The user does not allow this: use the other folder"),
        "{}",
        stage.heard()
    );
    stage.say("RUN:write x y; answer never");
    let id = stage.question();
    stage.say(&format!("/deny {id} stop"));
    stage.answer("denied and stopped");
    stage.answer("⏹ Stopped");
    assert!(!stage.made("one") && !stage.made("x"));
    // a stop while a question is open closes it, and says so
    stage.say("RUN:bash 'touch three'; answer never");
    let id = stage.question();
    stage.say("/stop");
    stage.answer("⏹ Stopped");
    stage.answer(&format!("⏹ {id} is closed, because its turn was stopped"));
    stage.say(&format!("/approve {id}"));
    stage.answer(&format!("⚠️ {id} is closed already: touch three (Bash) closed: its turn was stopped"));
    // and so does an agent that does not want to know any more
    stage.say("RUN:withdrawn=1; bash 'touch four'; answer never");
    stage.answer("is closed, because the agent does not wait for it any more");
    stage.say("/stop");
    stage.answer("⏹ Stopped");
    assert!(!stage.made("three") && !stage.made("four") && stage.open_on_disk() == 0);
}

#[test]
fn nobody_answers_in_time() {
    let stage = Stage::new(&[("WTT_CONNECT_APPROVAL_SECONDS", "1")]);
    stage.say("RUN:bash 'touch one'; answer went-on");
    let id = stage.question();
    stage.answer(&format!("⌛ {id}: denied by nobody within 1 s"));
    stage.answer("went-on");
    assert!(!stage.made("one"));
    stage.say("RUN:question; answer alone");
    stage.question();
    stage.answer("alone");
    assert!(stage.heard().contains("Go on with what seems best to you."));
    assert_eq!(stage.decisions(), ["denied by nobody within 1 s", "denied by nobody within 1 s"]);
}

#[test]
fn who_may_answer() {
    let stage = Stage::new(&[]);
    let other = stage.wtt.p2p();
    stage.say("RUN:bash 'touch one'; answer done-now");
    let id = stage.question();
    // another topic, another agent, an id that is not open
    stage.wtt.say(&other, &format!("/approve {id}"));
    stage.wtt.answer(&other, &format!("No question {id} is open here."));
    stage.wtt.say(&other, "/approve");
    stage.wtt.answer(&other, "Nothing waits for an answer here.");
    stage.wtt.service.add_agent("agent-002", "tok", "Bob");
    let bob = MessageAuthor::Agent("agent-002");
    stage.wtt.service.post_message(&stage.topic, bob, &format!("/approve {id}"), json!({}));
    stage.answer("Only a person of this topic can answer that.");
    stage.say("/approve x2x");
    stage.answer("No question x2x is open here.");
    stage.say(&format!("/approve {id} sometimes"));
    stage.answer("`always` is the only word that can follow");
    assert!(!stage.made("one"));
    // the first answer wins; the agent may be done before the second
    stage.say(&format!("/deny {id}"));
    stage.answer("denied by");
    stage.wtt.say(&stage.topic, &format!("/approve {id}"));
    stage.answer(&format!("{id} is closed already: touch one (Bash) denied by"));
    stage.answer("done-now");
    assert!(!stage.made("one"));
}

#[test]
fn a_button_works_in_a_group_where_nobody_is_mentioned() {
    let mut stage = Stage::new(&[]);
    stage.topic = stage.wtt.service.create_topic("collaborative", "group", &[AGENT]);
    stage.say("@Alice_Codex RUN:bash 'touch one'; answer in-the-group");
    let id = stage.question();
    // such a message alone is for nobody here
    stage.say("/approve x2x");
    stage.say(&format!("/approve {id}"));
    stage.answer("allowed by");
    stage.answer("in-the-group");
    assert!(stage.made("one"));
    assert!(
        !stage.wtt.posts(&stage.topic).iter().any(|post| post["content"].as_str().unwrap().contains("x2x"))
    );
}

#[test]
fn choices_are_answered_by_number_word_or_message() {
    let stage = Stage::new(&[("WTT_CONNECT_MODE", "auto-edit")]);
    for (answer, want) in
        [("/approve ID 2", "Blue"), ("/approve Red", "Red"), ("rather green", "rather green"), ("1", "Red")]
    {
        stage.say("RUN:question; answer colored");
        let id = stage.question();
        let post = stage.answer("```action")["content"].as_str().unwrap().to_owned();
        assert!(
            post.contains("❓ **Claude Code asks you**:\n\n```text\nWhich color?\n- Red: r\n- Blue: b\n```"),
            "{post}"
        );
        assert!(post.contains(&format!("\"/approve {id} 2\"")) && post.contains("2. Blue"), "{post}");
        stage.say(&answer.replace("ID", &id));
        stage.answer(&format!("answered with “{want}”"));
        stage.answer("colored");
        let told = stage.heard().lines().last().unwrap().to_owned();
        assert!(told.contains(&format!("\"answers\":{{\"Which color?\":\"{want}\"}}")), "{told}");
    }
    // a plan is approved, not answered
    let strict = Stage::new(&[]);
    strict.say("RUN:plan; answer planned");
    let id = strict.question();
    assert!(
        strict.answer("```action")["content"]
            .as_str()
            .unwrap()
            .contains("asks to begin with its plan** (ExitPlanMode):\n\n```text\n1. do it\n```")
    );
    strict.say(&format!("/approve {id}"));
    strict.answer("planned");
}

#[test]
fn a_crash_closes_what_was_open() {
    let mut stage = Stage::new(&[]);
    stage.say("RUN:bash 'touch one'; answer never");
    let id = stage.question();
    until("the question on disk", || stage.open_on_disk() == 1);
    stage.connector.take().unwrap().kill();
    stage.wtt.forget();
    stage.start();
    stage.answer(&format!(
        "⏹ {id} is closed, because the connector was restarted; nothing was allowed: touch one"
    ));
    stage.answer("The connector was restarted while this was being worked on");
    stage.say(&format!("/approve {id}"));
    stage.answer(&format!("No question {id} is open here."));
    assert!(!stage.made("one") && stage.open_on_disk() == 0);
    // an ordinary end does the same at once
    stage.say("RUN:bash 'touch two'; answer never");
    let id = stage.question();
    assert!(stage.connector.take().unwrap().stop().success());
    stage.answer(&format!("⏹ {id} is closed, because"));
    assert!(!stage.made("two") && stage.open_on_disk() == 0);
}

#[test]
fn the_command_line_answers_too() {
    let stage = Stage::new(&[]);
    let home = stage.home.path();
    let folder = home.join(".config/wtt-connect/profiles");
    std::fs::create_dir_all(&folder).unwrap();
    let profile = format!(
        "WTT_AGENT_ID={AGENT}\nWTT_TOKEN=CANARY-x\nWTT_CONNECT_ADAPTER=claude-code\nWTT_CONNECT_STATE_DIR={}\n",
        stage.home.state_dir().display()
    );
    std::fs::write(folder.join("here.env"), profile).unwrap();
    let run = |words: &[&str]| {
        let mut command = Command::new(binary());
        command.args(words).env_clear().env("HOME", home).env("PATH", "/usr/bin:/bin");
        let output = command.stdin(std::process::Stdio::null()).output().unwrap();
        let all = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(all).unwrap())
    };
    assert_eq!(run(&["approve"]), (0, "There are no open permission requests.\n".to_owned()));
    stage.say("RUN:bash 'touch one'; bash 'touch two'; answer from-here");
    let id = stage.question();
    let (code, list) = run(&["approve", "--profile", "here"]);
    assert!(
        code == 0
            && list.starts_with(&format!("{id}  here (Claude Code), "))
            && list.contains("Bash touch one\n"),
        "{list}"
    );
    let status = run(&["status", "here"]).1;
    let row = format!(
        "  request    {id} from Claude Code: touch one; answer with `wtt-connect approve {id}` or `deny {id}`"
    );
    assert!(status.contains(&row), "{status}");
    let asks: Value = serde_json::from_str(&run(&["deny", "--json"]).1).unwrap();
    assert_eq!((&asks["asks"][0]["id"], &asks["asks"][0]["tool"]), (&json!(id), &json!("Bash")));
    assert_eq!(run(&["approve", "x2x"]).0, 1);
    stage.wtt.forget();
    let (code, said) = run(&["approve", &id]);
    assert!(code == 0 && said.contains("allowed by the host: touch one"), "{said}");
    stage.answer("allowed by the host");
    let id = stage.question();
    assert_eq!(run(&["deny", &id, "not", "now"]).0, 0);
    stage.answer("from-here");
    assert!(stage.made("one") && !stage.made("two") && stage.heard().contains("not allow this: not now"));
    let status: Value = serde_json::from_str(&run(&["status", "here", "--json"]).1).unwrap();
    let text = status.to_string();
    assert!(text.contains("\"decisions\"") && text.contains("\"by\":\"the host\""), "{text}");
    drop(stage);
}

#[test]
fn an_acp_agent_asks_in_chat() {
    let stage = acp();
    for (answer, option) in [("/approve", "\"optionId\":\"y\""), ("/deny", "\"optionId\":\"n\"")] {
        stage.say("ask");
        let id = stage.question();
        let post = stage.answer("```action")["content"].as_str().unwrap().to_owned();
        assert!(post.contains("asks to run a command** (execute):\n\n```text\nrm -rf x\n```"), "{post}");
        stage.say(&format!("{answer} {id}"));
        stage.answer("went on");
        let heard = std::fs::read_to_string(stage.home.path().join("work/heard")).unwrap();
        assert!(heard.lines().last().unwrap().contains(option), "{heard}");
    }
}

/// A connector whose agent is the fake one that speaks ACP.
fn acp() -> Stage {
    let command = format!("/bin/sh {}", agent("acp.sh"));
    Stage::new(&[
        ("WTT_CONNECT_ADAPTER", "acp"),
        ("WTT_CONNECT_ADAPTERS", "acp"),
        ("WTT_CONNECT_ACP_COMMAND", command.as_str()),
    ])
}

#[test]
fn an_acp_agent_has_a_form_filled_in() {
    let stage = acp();
    let heard = |want: Value| {
        let last = || {
            let all = std::fs::read_to_string(stage.home.path().join("work/heard")).unwrap_or_default();
            let line = all.lines().rfind(|line| line.contains("\"action\"")).unwrap_or("null").to_owned();
            serde_json::from_str::<Value>(&line).unwrap()["result"].clone()
        };
        until("what the agent hears", || last() == want);
    };
    stage.say("form");
    let id = stage.question();
    let post = stage.answer("```action")["content"].as_str().unwrap().to_owned();
    assert!(post.contains("asks you**:\n\n```text\nWhich size?\n\nSize\n- Small\n- Large\n```"), "{post}");
    assert!(post.contains(&format!("\"/approve {id} 2\"")), "{post}");
    // what does not fit is asked again, with why
    stage.say("gigantic");
    stage.answer("answered with “gigantic”");
    let again = stage.question();
    assert_ne!(again, id);
    let post = stage.answer("```action")["content"].as_str().unwrap().to_owned();
    assert!(post.contains("“gigantic” does not fit size\n\nWhich size?"), "{post}");
    stage.say(&format!("/approve {again} 2"));
    stage.answer("answered with “Large”");
    stage.answer("went on");
    heard(json!({ "action": "accept", "content": { "size": "l" } }));
    stage.say("form");
    let id = stage.question();
    stage.say(&format!("/deny {id}"));
    stage.answer("went on");
    heard(json!({ "action": "decline" }));
    // a stop cancels it
    stage.say("form");
    let id = stage.question();
    stage.say("/stop");
    stage.answer("⏹ Stopped");
    stage.answer(&format!("⏹ {id} is closed, because"));
    heard(json!({ "action": "cancel" }));
}

#[test]
fn who_writes_chinese_is_asked_in_chinese() {
    let mut stage = Stage::new(&[]);
    stage.say("请运行这个命令 RUN:bash 'touch one'; answer finished");
    let id = stage.question();
    let post = stage.answer("```action")["content"].as_str().unwrap().to_owned();
    for part in [
        "🔐 **Claude Code 请求运行命令** (Bash)",
        "10 分钟内无人回答即视为拒绝",
        "（依据：权限模式 suggest）",
        "\"允许一次\"",
    ] {
        assert!(post.contains(part), "{post}");
    }
    stage.wtt.status(&stage.topic, "正在等待你的回答：touch one");
    stage.say("/approve x2x");
    stage.answer("这里没有待回答的问题 x2x。");
    stage.say(&format!("/approve {id} sometimes"));
    stage.answer("后面只能跟 `always`");
    stage.say("/status");
    stage.answer(&format!("- 等待回答：{id}（touch one）"));
    stage.say(&format!("/deny {id}"));
    stage.answer(&format!("⛔ {id}：已拒绝（"));
    stage.answer("finished");
    stage.say(&format!("/approve {id}"));
    stage.answer(&format!("⚠️ {id} 已经关闭：touch one（Bash）已拒绝（"));
    // also after a crash, when nobody has written yet
    stage.say("请再来一次运行这个命令 RUN:bash 'touch one'; answer never");
    let id = stage.question();
    until("the question on disk", || stage.open_on_disk() == 1);
    stage.connector.take().unwrap().kill();
    stage.wtt.forget();
    stage.start();
    stage.answer(&format!("⏹ {id} 已关闭：连接器已重启，未作任何允许：touch one"));
    assert!(!stage.made("one"));
}

#[test]
fn several_answers_have_a_line_each() {
    let stage = Stage::new(&[]);
    for (answer, want) in [
        ("2\nsoon", ["Blue", "soon"]),
        ("/approve ID 1\n\nlater on", ["Red", "later on"]),
        ("/approve red; 2", ["red", "2"]),
        ("as you like", ["as you like", "as you like"]),
    ] {
        stage.say("RUN:questions; answer colored");
        let id = stage.question();
        let post = stage.answer("```action")["content"].as_str().unwrap().to_owned();
        assert!(post.contains("It wants 2 answers: a line for each"), "{post}");
        stage.say(&answer.replace("ID", &id));
        stage.answer("colored");
        let told = stage.heard().lines().last().unwrap().to_owned();
        let told: Value = serde_json::from_str(&told).unwrap();
        let answers = &told["response"]["response"]["updatedInput"]["answers"];
        assert_eq!(answers, &json!({ "Which color?": want[0], "When?": want[1] }), "{told}");
    }
}

#[test]
fn a_reminder_comes_at_half_time() {
    // the time after it is for a machine that is busy: when all is over there is nothing to be reminded of
    let stage = Stage::new(&[("WTT_CONNECT_APPROVAL_SECONDS", "6")]);
    stage.say("RUN:bash 'touch one'; answer went-on");
    let id = stage.question();
    stage.answer(&format!("⏳ {id} still waits for an answer: touch one. It is refused in "));
    stage.answer(&format!("⌛ {id}: denied by nobody within 6 s"));
    stage.answer("went-on");
    let said = stage.wtt.posts(&stage.topic);
    let reminders = said.iter().filter(|post| post["content"].as_str().unwrap().contains("⏳"));
    assert_eq!(reminders.count(), 1);
}
