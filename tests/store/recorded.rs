//! A state folder that an earlier version left behind (`tests/fixtures/state-0.1.0-dev`), opened through the public API of
//! the store and by the real binary.

use crate::store::folder;
use crate::support::daemon::{AGENT, Connector, Home, Wtt, until};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use wtt_connect::store::Store;
use wtt_connect::store::outbox::Outbox;
use wtt_connect::store::sent_files::SentFiles;
use wtt_connect::store::state::Record;

const RECORDED: &str = "tests/fixtures/state-0.1.0-dev";
/// What the version that wrote the folder made of its snapshot and journal.
const FOLDED: &str = "tests/fixtures/state-0.1.0-dev.folded.json";

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// Copies the recorded folder, with `edit` applied to the text of each file.
fn restore(to: &Path, edit: &dyn Fn(&str) -> String) {
    for file in files(Path::new(RECORDED)) {
        let target = to.join(file.strip_prefix(RECORDED).unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::write(target, edit(&std::fs::read_to_string(file).unwrap())).unwrap();
    }
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn snapshot_and_journal_of_an_earlier_version_give_the_same_state() {
    let dir = folder();
    restore(dir.path(), &str::to_owned);
    let path = dir.path().join("state.json");
    let store = Store::open(&path).unwrap();
    assert!(store.repairs().is_empty(), "{:?}", store.repairs());
    assert_eq!(read(&path), read(Path::new(FOLDED)));
    assert_eq!(std::fs::metadata(dir.path().join("state.json.journal")).unwrap().len(), 0);
    assert!(store.state().has_seen("8ea10d73-62ed-47d2-9af1-cf46041f7528"));
}

#[test]
fn outbox_and_sent_files_of_an_earlier_version_are_read_whole() {
    let dir = folder();
    restore(dir.path(), &str::to_owned);
    let (outbox, entries, unreadable) = Outbox::open(&dir.path().join("outbox")).unwrap();
    assert_eq!((entries.len(), unreadable), (7, 0));
    assert_eq!(Outbox::summary(&dir.path().join("outbox")).2, 1, "the one that the service has refused");
    let before: BTreeMap<PathBuf, Value> =
        files(&dir.path().join("outbox")).into_iter().map(|file| (file.clone(), read(&file))).collect();
    for entry in &entries {
        outbox.put(entry).unwrap();
    }
    for (file, value) in before {
        assert_eq!(read(&file), value, "{}", file.display());
    }
    let sent = SentFiles::new(dir.path()).rows().unwrap();
    assert_eq!(serde_json::to_value(&sent).unwrap(), read(&dir.path().join("artifacts.json"))["sent"]);
    assert_eq!(sent.len(), 2);
}

/// Adds a field that this version does not know to an object.
fn add_unknown(object: &mut Value) {
    object["fromTomorrow"] = json!({"deep": [1, 18_446_744_073_709_551_615_u64, -3, 0.5, null, "text"]});
}

#[test]
fn unknown_fields_beside_recorded_ones_are_kept() {
    let dir = folder();
    restore(dir.path(), &str::to_owned);
    let path = dir.path().join("state.json");
    let mut newer = read(Path::new(FOLDED));
    add_unknown(&mut newer);
    add_unknown(&mut newer["ledger"]);
    add_unknown(&mut newer["permits"]);
    for table in ["/sessions", "/choices", "/open", "/parked", "/answers", "/ledger/shelf", "/permits/asks"] {
        let rows = newer.pointer_mut(table).unwrap().as_object_mut().unwrap();
        assert!(!rows.is_empty(), "{table}");
        rows.values_mut().for_each(add_unknown);
    }
    std::fs::write(&path, newer.to_string()).unwrap();
    let mut store = Store::open(&path).unwrap();
    assert!(store.repairs().is_empty(), "{:?}", store.repairs());
    assert_eq!(read(&path), newer);
    store.record(Record::Seen { key: "another".into() });
    store.snapshot().unwrap();
    for key in ["fromTomorrow", "sessions", "choices", "open", "parked", "answers", "ledger", "permits"] {
        assert_eq!(read(&path)[key], newer[key]);
    }
    // the same in the outbox, whose entries are rewritten when a part of their work is done
    for file in
        files(&dir.path().join("outbox")).iter().filter(|file| !file.to_string_lossy().contains("failed"))
    {
        let mut newer = read(file);
        add_unknown(&mut newer);
        std::fs::write(file, newer.to_string()).unwrap();
    }
    let (outbox, entries, _) = Outbox::open(&dir.path().join("outbox")).unwrap();
    assert_eq!(entries.len(), 7);
    for entry in &entries {
        outbox.put(entry).unwrap();
    }
    for file in
        files(&dir.path().join("outbox")).iter().filter(|file| !file.to_string_lossy().contains("failed"))
    {
        assert_eq!(read(file)["fromTomorrow"], newer["fromTomorrow"], "{}", file.display());
    }
}

/// The names that stand in the recorded files for topics and tasks, with those of this service.
fn names(wtt: &Wtt, home: &Home) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for topic in
        ["SESSIONS", "CODEX", "DEFERRED", "ASKS", "ZH", "FORGOTTEN", "OPEN", "VOICE", "FILES", "WAITING"]
    {
        names.insert(format!("TOPIC-{topic}"), wtt.p2p());
    }
    for task in ["DONE", "REFUSED", "UNPATCHED", "CHAT"] {
        let status = if task == "UNPATCHED" { "doing" } else { "blocked" };
        let row = wtt.service.create_task(json!({"title": task, "status": status, "runner_agent_id": AGENT}));
        names.insert(format!("TASK-{task}"), row["id"].as_str().unwrap().to_owned());
        names.insert(format!("TOPIC-TASK-{task}"), row["topic_id"].as_str().unwrap().to_owned());
    }
    names.insert("HOME".into(), home.path().to_str().unwrap().to_owned());
    names.insert("SERVICE".into(), wtt.service.base_url());
    names
}

#[test]
fn the_connector_goes_on_with_the_folder_of_an_earlier_version() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let names = names(&wtt, &home);
    let name = |name: &str| names[name].as_str();
    // the limit of the turn that is put off must not have reset by now
    let later = (wtt_connect::sys::time::now_ms() + 3 * 24 * 3600 * 1000).to_string();
    restore(&home.state_dir(), &|text| {
        let text =
            names.iter().fold(text.to_owned(), |text, (name, is)| text.replace(&format!("@{name}@"), is));
        text.replace("1796601141000", &later).replacen(
            "{\"version\":1",
            "{\"fromTomorrow\":[1],\"version\":1",
            1,
        )
    });
    let speak = home.path().join("speak");
    crate::support::program::program(&speak, "#!/bin/sh\nprintf 'RIFF1234WAVEsound' > \"$1\"\n");
    let speak = format!("{} {{output}}", speak.display());
    let env = [("WTT_CONNECT_TTS_PROVIDER", "command"), ("WTT_CONNECT_TTS_COMMAND", speak.as_str())];
    let connector = Connector::start(&wtt, &home, &env);

    // the outbox: replies, cards, a task's result, a spoken answer
    wtt.answer(name("TOPIC-WAITING"), "one reply for all");
    wtt.answer(name("TOPIC-WAITING"), "merged");
    wtt.answer(name("TOPIC-FILES"), "[file:c.md](");
    wtt.answer(name("TOPIC-FILES"), "[file:Alpha](");
    wtt.answer(name("TOPIC-TASK-UNPATCHED"), "[file:Beta](");
    wtt.answer(name("TOPIC-VOICE"), "[audio:");
    let task = || wtt.service.task(name("TASK-UNPATCHED")).unwrap();
    until("the task's result", || task()["status"] == "review");
    assert_eq!(task()["output"], "Result of it.");
    // open turns: the one at work, the one that waited with another merged into it; and a question
    wtt.answer(name("TOPIC-OPEN"), "interrupted");
    wtt.answer(name("TOPIC-OPEN"), "send it again");
    wtt.answer(name("TOPIC-ASKS"), "e5s is closed, because the connector was restarted");
    until("an empty outbox", || home.outbox().is_empty());
    assert_eq!(std::fs::read_dir(home.state_dir().join("uploads")).unwrap().count(), 0);
    assert_eq!(std::fs::read_dir(home.state_dir().join("outbox/failed")).unwrap().count(), 1);

    // what people see of the rest
    let ask = |topic: &str, text: &str, answer: &str| {
        wtt.forget();
        wtt.say(name(topic), text);
        wtt.answer(name(topic), answer)["content"].as_str().unwrap().to_owned()
    };
    let status = ask("TOPIC-DEFERRED", "/status", "kept until the usage limit resets");
    assert!(status.contains("opus"), "{status}");
    let status = ask("TOPIC-ASKS", "/status", "allowed for this session: 2");
    assert!(status.contains("touch three (Bash) allowed for this session by user-local"), "{status}");
    assert!(ask("TOPIC-SESSIONS", "/status", "wtt-connect").contains("suggest"));
    let usage = ask("TOPIC-CODEX", "/usage", "320");
    assert!(usage.contains("60"), "{usage}");
    let sessions = ask("TOPIC-SESSIONS", "/sessions", "the first session");
    assert!(sessions.contains("the second session") && sessions.contains("the third session"), "{sessions}");
    // a native session is resumed, and what people chose for the topic still counts
    wtt.say(name("TOPIC-ZH"), "RUN: answer 'still here'");
    wtt.answer(name("TOPIC-ZH"), "still here");
    assert!(home.runs()[0].starts_with("694e90b8-16dc-44c6-a357-bb37f043ce2c|1|opus|"), "{:?}", home.runs());
    assert_eq!(home.runs().len(), 1, "nothing was run again");

    assert!(connector.stop().success());
    let state = read(&home.state_dir().join("state.json"));
    assert_eq!(state["fromTomorrow"], json!([1]));
    assert_eq!(state["parked"].as_object().unwrap().len(), 1);
    assert_eq!((state["open"].clone(), state["permits"]["asks"].clone()), (json!({}), json!({})));
    let sent = read(&home.state_dir().join("artifacts.json"))["sent"].as_array().unwrap().clone();
    let titles: Vec<&str> = sent.iter().map(|row| row["title"].as_str().unwrap()).collect();
    assert_eq!(titles[..2], ["Plan", "c.md"]);
    assert!(titles.contains(&"Alpha") && titles.contains(&"Beta"), "{titles:?}");
}
