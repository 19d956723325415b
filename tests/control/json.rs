//! `--json` and the promise of the manual about it: each field that is printed is documented, and none that is not there.

use super::commands::User;
use crate::support::daemon::{AGENT, Wtt, until};
use serde_json::Value;
use std::collections::BTreeSet;

/// Names of all fields, however deep.
fn fields(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => object.iter().for_each(|(name, value)| {
            names.insert(name.clone());
            fields(value, names);
        }),
        Value::Array(items) => items.iter().for_each(|item| fields(item, names)),
        _ => {}
    }
}

#[test]
fn every_field_is_in_the_manual_and_the_other_way_round() {
    let (wtt, user) = (Wtt::start(), User::new());
    let agent = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/agents/asking.sh");
    let more = format!("WTT_CONNECT_MODE=suggest\nWTT_CONNECT_CLAUDE_CODE_COMMAND={}", agent.display());
    user.profile("one", AGENT, &wtt.service.base_url(), &more);
    user.profile("two", "agent-002", &wtt.service.base_url(), "");
    let running = user.start("one", &[]);
    user.wait_connected("one");
    let topic = wtt.p2p();
    wtt.say(&topic, "RUN:bash 'true'; bash 'true'; answer done");
    let asked = || user.run(&["approve", "--json"]).json()["asks"][0]["id"].as_str().map(str::to_owned);
    let mut id = None;
    until("a question", || {
        id = asked();
        id.is_some()
    });
    let mut said = vec![user.run(&["approve", id.as_deref().unwrap(), "--json"]).check(0, &[]).json()];
    until("the next question", || asked().is_some_and(|next| Some(&next) != id.as_ref()));
    // what a person reads while it waits
    user.run(&["status", "one"])
        .check(0, &["request ", &format!("in topic {topic}"), "An agent is waiting for permission"]);
    let texts = user.run(&["status", "two"]).check(69, &["start --profile two` in the foreground."]);
    assert!(!texts.out.contains("why it ended"), "{}", texts.out);
    for words in [&["approve"][..], &["status"], &["list"], &["doctor", "--profile", "one"], &["artifacts"]] {
        said.push(user.run(&[words, &["--json"]].concat()).json());
    }
    drop(running);
    said.push(user.run(&["status", "--json"]).json());
    let mut printed = BTreeSet::new();
    said.iter().for_each(|value| fields(value, &mut printed));
    // as `artifacts` and `upload-file` print them, and a link that is down
    let elsewhere = "from size sha256 mime_type url topic_id task_id card problem title";
    printed.extend(elsewhere.split(' ').map(str::to_owned));

    let page = crate::cli::manual::manual(1);
    let section = page.split(".SH JSON").nth(1).unwrap().split(".SH").next().unwrap();
    let bold = section.split("\\fB").skip(1).filter_map(|rest| rest.split("\\fR").next());
    // the commands themselves
    let is_command =
        |word: &String| word.contains([' ', '-']) || ["status", "list", "doctor"].contains(&&**word);
    let documented: BTreeSet<String> =
        bold.map(|word| word.replace('\\', "")).filter(|word| !is_command(word)).collect();
    assert_eq!(printed, documented);
}
