//! The connector speaks the language of who asks: failures, statuses, refusals, and what a crash has cut.

use crate::support::daemon::{Connector, Home, Wtt};

/// Of a sentence: no English words outside code and brackets.
fn is_chinese(text: &str) -> bool {
    let own: String = text.split('`').step_by(2).collect();
    let own =
        own.split('（').map(|part| part.split_once('）').map_or(part, |(_, rest)| rest)).collect::<String>();
    let words = own.split(|c: char| !c.is_ascii_lowercase()).filter(|word| word.len() > 2);
    !own.is_ascii() && words.clone().all(|word| ["laude", "ode", "wtt", "connect"].contains(&word))
}

#[test]
fn a_person_who_writes_chinese_reads_chinese() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let connector = Connector::start(&wtt, &home, &[("WTT_CONNECT_MAX_AGENTS", "1")]);
    let topic = wtt.p2p();
    let answer = |said: &str| wtt.answer(&topic, said)["content"].as_str().unwrap().to_owned();
    let ask = |topic: &str, run: &str| {
        wtt.say(topic, &format!("请你认真地看一看这个问题，然后把结果告诉我们\nRUN: {run}"));
    };
    ask(&topic, "fail 'You have hit your limit'");
    let said = answer("用量上限");
    assert!(is_chinese(said.split('\n').next().unwrap()), "{said}");
    ask(&topic, "exit 3");
    let said = answer("退出码 3");
    assert!(is_chinese(&said), "{said}");
    ask(&topic, "answer '[WTT_ARTIFACT_FILE path=\\\"/etc/none.pdf\\\"]'");
    let said = answer("未发送");
    assert!(is_chinese(&said), "{said}");
    // one agent runs, the other waits for a place; both say so
    let other = wtt.p2p();
    ask(&topic, "touch \"$HOME/begun\"; text abc; await never");
    home.wait_for("begun");
    wtt.status(&topic, "正在启动");
    ask(&other, "answer x");
    wtt.status(&other, "正在等待空位");
    wtt.say(&topic, "/stop");
    let said = answer("已停止");
    assert!(is_chinese(said.split('\n').next().unwrap()) && said.contains("此前它已回答：\n\nabc"), "{said}");
    wtt.answer(&other, "x");
    // and after a crash
    ask(&topic, "touch \"$HOME/again\"; await never");
    home.wait_for("again");
    connector.kill();
    let _connector = Connector::start(&wtt, &home, &[]);
    let said = answer("已中断");
    assert!(is_chinese(&said), "{said}");
}
