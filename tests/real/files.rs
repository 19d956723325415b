//! Real CLIs that send files: by a marker in the answer, and by calling `upload-file` in a tool.

use super::{adapter, start};
use crate::support::daemon::{Home, TOKEN, Wtt, binary};
use std::io::Read;
use wtt_connect::http::fetch::Fetcher;
use wtt_connect::secret::Secret;

#[test]
fn files() {
    let Some(adapter) = adapter() else { return };
    let (wtt, home) = (Wtt::start(), Home::new());
    let connector = start(&wtt, &home, &adapter, &[]);
    let topic = wtt.p2p();
    let fetched = |card: &serde_json::Value| {
        let url =
            card["content"].as_str().unwrap().rsplit_once('(').unwrap().1.trim_end_matches(')').to_owned();
        let fetcher = Fetcher::new(&wtt.service.base_url(), Secret::new(TOKEN), None, &[]).unwrap();
        let mut bytes = Vec::new();
        fetcher.open(&url).unwrap().body.read_to_end(&mut bytes).unwrap();
        bytes
    };
    let made = |name: &str| std::fs::read(home.path().join("work").join(name)).unwrap();
    let make = |name: &str| format!("(echo %PDF-1.7; head -c 70000 /dev/urandom) > {name}");

    wtt.say(
        &topic,
        &format!(
            "@@new@@ @@sh:{}@@ @@text:Here it is.\n\n[WTT_ARTIFACT_FILE path=\"one.pdf\" title=\"By marker\"]@@",
            make("one.pdf")
        ),
    );
    let text = wtt.answer(&topic, "Here it is.");
    assert_eq!(text["content"], "Here it is.");
    let card = wtt.answer(&topic, "[file:By marker](");
    assert!(fetched(&card) == made("one.pdf") && made("one.pdf").len() == 70_009);
    println!("{} -> {} bytes, identical", card["content"], made("one.pdf").len());

    let program = binary().display().to_string();
    let call = format!("{}; {program} upload-file --title Called two.pdf", make("two.pdf"));
    wtt.say(&topic, &format!("@@new@@ @@sh:{call}@@ @@text:sent it@@"));
    let card = wtt.answer(&topic, "[file:Called](");
    wtt.answer(&topic, "sent it");
    assert!(fetched(&card) == made("two.pdf"));
    println!("{} -> {} bytes, identical", card["content"], made("two.pdf").len());
    println!("{}", connector.log());
    assert!(connector.stop().success());
    println!("cell files ok");
}
