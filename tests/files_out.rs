//! Files out: markers in answers, the command `upload-file`, the ledger, long answers; a service that misbehaves; and
//! what may never leave.

mod again;
mod killing;
mod media;
mod task;
mod told;

use crate::support::daemon::{AGENT, Connector, Home, TOKEN, Wtt, binary, command, until};
use media::{Hit, Media};
use serde_json::{Value, json};
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use wtt_connect::http::fetch::Fetcher;
use wtt_connect::local::service::Faults;
use wtt_connect::secret::Secret;

/// Bytes that no text handling would survive.
fn noise(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// A file in the workspace.
fn file(home: &Home, name: &str, bytes: &[u8]) {
    let path = home.path().join("work").join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

fn marker(path: &str, title: &str) -> String {
    format!("[WTT_ARTIFACT_FILE path='{path}' title='{title}']")
}

/// What lies behind a card.
fn fetch(wtt: &Wtt, card: &str) -> Vec<u8> {
    let url = card.rsplit_once('(').unwrap().1.trim_end_matches(')');
    let fetcher = Fetcher::new(&wtt.service.base_url(), Secret::new(TOKEN), None, &[]).unwrap();
    let mut bytes = Vec::new();
    fetcher.open(url).unwrap().body.read_to_end(&mut bytes).unwrap();
    bytes
}

fn content(row: &Value) -> &str {
    row["content"].as_str().unwrap()
}

fn ledger(home: &Home) -> Vec<Value> {
    let Ok(text) = std::fs::read_to_string(home.state_dir().join("artifacts.json")) else { return vec![] };
    serde_json::from_str::<Value>(&text).unwrap()["sent"].as_array().unwrap().clone()
}

/// Copies that wait.
fn copies(home: &Home) -> usize {
    std::fs::read_dir(home.state_dir().join("uploads")).map_or(0, Iterator::count)
}

#[test]
fn a_marked_file_becomes_a_card_and_its_bytes_arrive() {
    let (wtt, home) = (Wtt::start(), Home::new());
    wtt.service.set_faults(Faults { late_uploads: 2, absolute_upload_url: true, ..Faults::default() });
    file(&home, "out/report.pdf", &noise(200_000));
    file(&home, "chart.png", b"\x89PNG not really");
    let _connector = Connector::start(&wtt, &home, &[]);
    let topic = wtt.p2p();
    let said = format!(
        "Two files.\\n\\n{}\\n{}\\n{}\\n{}\\n{}",
        marker("out/report.pdf", "The Report"),
        marker("chart.png", ""),
        marker("../state/state.json", "x"),
        marker("/etc/passwd", "x"),
        marker("gone.pdf", "x"),
    );
    let id = wtt.say(&topic, &format!("RUN: answer \"{said}\""));
    let text = wtt.answer(&topic, "Two files.");
    assert_eq!(text["reply_to"], id.as_str());
    let lines: Vec<&str> = content(&text).lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert!(lines[1].contains("state.json") && lines[1].contains("files of this kind"), "{lines:?}");
    assert!(lines[2].contains("passwd") && lines[2].contains("not sent"), "{lines:?}");
    assert!(lines[3].contains("gone.pdf") && lines[3].contains("no such file"), "{lines:?}");
    assert_eq!(wtt.status(&topic, "sending report.pdf")["status_kind"], "artifact_upload");
    let card = wtt.answer(&topic, "[file:The Report](http://");
    assert_eq!(fetch(&wtt, content(&card)), noise(200_000));
    let picture = wtt.answer(&topic, "![chart.png](http://");
    assert_eq!(fetch(&wtt, content(&picture)), b"\x89PNG not really");
    until("an empty outbox", || home.outbox().is_empty() && copies(&home) == 0);
    assert_eq!(wtt.posts(&topic).len(), 3);
    let rows = ledger(&home);
    assert_eq!(rows.len(), 2);
    assert!(rows[0]["from"].as_str().unwrap().ends_with("work/out/report.pdf"), "{rows:?}");
    assert_eq!((&rows[0]["size"], &rows[0]["topic_id"]), (&json!(200_000), &json!(topic)));

    // the same bytes again: the card comes, the upload does not
    wtt.say(&topic, &format!("RUN: answer \"Again.\\n{}\"", marker("out/report.pdf", "Second")));
    let again = wtt.answer(&topic, "[file:Second](");
    let address = |row: &Value| content(row).rsplit_once('(').unwrap().1.to_owned();
    assert_eq!(address(&again), address(&card));
    file(&home, "out/report.pdf", b"changed");
    wtt.say(&topic, &format!("RUN: answer \"{}\"", marker("out/report.pdf", "Third")));
    let third = wtt.answer(&topic, "[file:Third](");
    assert_eq!(fetch(&wtt, content(&third)), b"changed");
    assert!(third["reply_to"].is_string(), "a card alone is the answer");
}

#[test]
fn agents_are_told_once_how_files_go_and_can_send_them_themselves() {
    let (wtt, home) = (Wtt::start(), Home::new());
    file(&home, "a.md", b"# A");
    file(&home, "sub/a.md", &noise(300_000));
    file(&home, "..\\..\\x\u{202e}\n.txt", b"slips out of its folder where a backslash is a slash");
    let _connector = Connector::start(&wtt, &home, &[]);
    let topic = wtt.p2p();
    let program = binary().display().to_string();
    wtt.say(&topic, "RUN: printf '%s' \"$prompt\" > \"$HOME/first\"; answer one");
    wtt.answer(&topic, "one");
    let run = format!(
        "RUN: printf '%s' \"$prompt\" > \"$HOME/second\"; env > \"$HOME/env\"; cd \"$HOME/work\"; \
         '{program}' upload-file --title 'Design Pack' a.md sub/a.md ..*.txt > \"$HOME/said\" 2>&1; answer \"code $?\""
    );
    wtt.say(&topic, &run);
    let card = wtt.answer(&topic, "[file:Design Pack](");
    wtt.answer(&topic, "code 0");
    let read = |name: &str| std::fs::read_to_string(home.path().join(name)).unwrap();
    let hint = format!("upload-file --topic-id {topic}");
    assert!(read("first").contains(&hint) && read("first").contains("[WTT_ARTIFACT_FILE path="));
    assert!(!read("second").contains("upload-file --topic-id"), "once in a session");
    assert!(read("env").contains("WTT_CONNECT_SOCKET=") && !read("env").contains(TOKEN));
    let env = read("env");
    let turn = env.lines().find_map(|line| line.strip_prefix("WTT_CONNECT_TURN=")).unwrap();
    assert!(turn.ends_with("-2"), "the second turn: {turn}");
    assert!(content(&card).contains(read("said").trim()), "{} {}", content(&card), read("said"));
    let bytes = fetch(&wtt, content(&card));
    assert!(bytes.starts_with(b"PK\x03\x04"));
    let names = String::from_utf8_lossy(&bytes).into_owned();
    assert!(names.contains("a.md") && names.contains("a-2.md") && names.contains("_.._x.txt"));
    assert!(!names.contains("..\\"));
    until("nothing left over", || home.outbox().is_empty() && copies(&home) == 0);
}

/// `upload-file` with what an agent has in its environment.
fn upload(home: &Home, words: &[&str], env: &[(&str, &str)]) -> Output {
    Command::new(binary())
        .arg("upload-file")
        .args(words)
        .env_clear()
        .env("HOME", home.path())
        .envs(env.iter().copied())
        .current_dir(home.path().join("work"))
        .output()
        .unwrap()
}

fn said(output: &Output) -> (Option<i32>, String) {
    let text: Vec<u8> = [&output.stdout[..], &output.stderr[..]].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn what_the_command_may_not_send_is_refused_by_the_daemon() {
    let (wtt, home) = (Wtt::start(), Home::new());
    file(&home, "a.md", b"# A");
    file(&home, "key.pem", b"# A");
    std::fs::write(home.path().join("outside.md"), "secret").unwrap();
    std::os::unix::fs::symlink(home.path().join("outside.md"), home.path().join("work/link.md")).unwrap();
    let connector = Connector::start(&wtt, &home, &[]);
    let socket = home.state_dir().join("control.sock").display().to_string();
    let topic = wtt.p2p();
    let env = [("WTT_CONNECT_SOCKET", socket.as_str())];
    let to = ["--topic-id", topic.as_str()];
    for (files, why) in [
        (&["../outside.md"][..], "outside the folders"),
        (&["link.md"], "outside the folders"),
        (&["a.md", "link.md"], "outside the folders"),
        (&["../state/state.json"], "only doc"),
        (&["a.md", "../state/state.json"], "outside the folders"),
        (&["key.pem"], "only doc"),
        (&["none.md"], "no such file"),
    ] {
        let (code, text) = said(&upload(&home, &[&to[..], files].concat(), &env));
        assert!(code == Some(1) && text.contains(why), "{files:?}: {code:?} {text}");
    }
    let (code, text) = said(&upload(&home, &["a.md"], &env));
    assert!(code == Some(2) && text.contains("--topic-id"), "{text}");
    let odd = [env[0], ("WTT_CONNECT_TOPIC_ID", "a b")];
    let (code, text) = said(&upload(&home, &["a.md"], &odd));
    assert!(code == Some(1) && text.contains("not the id of a topic"), "{text}");
    let json = upload(&home, &[&to[..], &["--json", "a.md"]].concat(), &env);
    let answer: Value = serde_json::from_slice(&json.stdout).unwrap();
    wtt.answer(&topic, answer["card"].as_str().unwrap());
    assert_eq!(wtt.posts(&topic).len(), 1);
    assert!(!connector.log().contains("panicked"));
    drop(connector);
    let (code, text) = said(&upload(&home, &[&to[..], &["a.md"]].concat(), &env));
    assert!(code == Some(69) && text.contains("is no longer running"), "{code:?} {text}");
}

/// A profile `p` of this home.
fn profile(wtt: &Wtt, home: &Home) {
    let profiles = home.path().join(".config/wtt-connect/profiles");
    std::fs::create_dir_all(&profiles).unwrap();
    let profile = format!(
        "WTT_BASE_URL={}\nWTT_AGENT_ID={AGENT}\nWTT_TOKEN={TOKEN}\nWTT_CONNECT_WORKDIR={}\nWTT_CONNECT_STATE_DIR={}\n",
        wtt.service.base_url(),
        home.path().join("work").display(),
        home.state_dir().display()
    );
    std::fs::write(profiles.join("p.env"), profile).unwrap();
}

#[test]
fn without_a_connector_a_profile_is_enough() {
    let (wtt, home) = (Wtt::start(), Home::new());
    file(&home, "a.md", b"# A");
    profile(&wtt, &home);
    let topic = wtt.p2p();
    let words = ["--topic-id", &topic, "--title", "T", "--profile", "p", "a.md"];
    let (code, text) = said(&upload(&home, &words, &[]));
    assert_eq!(code, Some(0), "{text}");
    let card = wtt.answer(&topic, "[file:T](");
    assert!(content(&card).contains(text.trim()));
    assert_eq!(fetch(&wtt, content(&card)), b"# A");
    let list = |words: &[&str]| {
        let output =
            Command::new(binary()).args(words).env_clear().env("HOME", home.path()).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let table = list(&["artifacts"]);
    assert!(table.contains(text.trim()), "{table}");
    let rows: Value = serde_json::from_str(&list(&["artifacts", "p", "--json"])).unwrap();
    assert!(rows["artifacts"][0]["from"].as_str().unwrap().ends_with("work/a.md"), "{rows}");
    assert_eq!((&rows["artifacts"][0]["profile"], &rows["artifacts"][0]["size"]), (&json!("p"), &json!(3)));
    let words = ["--topic-id", &topic, "--profile", "p", "../.config/wtt-connect/profiles/p.env", "a.md"];
    let (code, text) = said(&upload(&home, &words, &[]));
    assert!(code == Some(1) && text.contains("outside"), "{text}");
}

#[test]
fn a_long_answer_becomes_a_file() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = Connector::start(&wtt, &home, &[]);
    let topic = wtt.p2p();
    wtt.say(
        &topic,
        "RUN: long=$(yes 'a line of this answer' | head -n 4000 | tr '\\n' ' '); answer \"$long\"",
    );
    let text = wtt.answer(&topic, "the file below");
    assert!(content(&text).len() < 4_000);
    let card = wtt.answer(&topic, "[file:The whole answer](");
    let whole = String::from_utf8(fetch(&wtt, content(&card))).unwrap();
    assert_eq!(whole.trim(), "a line of this answer ".repeat(4000).trim());
    assert_eq!(wtt.posts(&topic).len(), 2);
}

/// The connector with uploads at `media` and everything else at the local service.
fn beside(wtt: &Wtt, media: &Media, home: &Home) -> Connector {
    beside_with(wtt, media, home, &[])
}

/// The socket of the service, where the rest of it is another's.
fn socket_url(wtt: &Wtt) -> String {
    format!("{}/ws/{AGENT}", wtt.service.base_url().replace("http://", "ws://"))
}

/// A connector that is killed at this storage step.
fn doomed(wtt: &Wtt, media: &Media, home: &Home, point: usize) -> Child {
    let (ws, at) = (socket_url(wtt), point.to_string());
    let env = [("WTT_WS_URL", ws.as_str()), ("WTT_CONNECT_TEST_KILL_AT", at.as_str())];
    command(&media.url(), home, &env).stderr(Stdio::null()).spawn().unwrap()
}

fn beside_with(wtt: &Wtt, media: &Media, home: &Home, more: &[(&str, &str)]) -> Connector {
    let ws = socket_url(wtt);
    let env = [&[("WTT_WS_URL", ws.as_str())], more].concat();
    let connector = Connector::spawn(&media.url(), home, &env);
    wtt.connected();
    connector
}

#[test]
fn a_service_that_errs_refuses_and_lies() {
    /// What comes for one answer with `a.md`: first posts, then what is said.
    fn outcome(
        script: impl Fn(&Hit, usize) -> Option<(u16, Value)> + Send + Sync + 'static,
        says: &str,
    ) -> Media {
        let (wtt, home, media) = (Wtt::start(), Home::new(), Media::start(script));
        file(&home, "a.md", b"# A");
        let _connector = beside(&wtt, &media, &home);
        let topic = wtt.p2p();
        wtt.say(&topic, &format!("RUN: answer \"Here.\\n{}\"", marker("a.md", "T")));
        wtt.answer(&topic, "Here.");
        wtt.answer(&topic, says);
        until("an empty outbox", || home.outbox().is_empty());
        assert_eq!(wtt.posts(&topic).len(), 2);
        assert!(
            !media
                .hits("PUT")
                .iter()
                .any(|hit| hit.head.contains("authorization") || hit.head.contains("canary"))
        );
        media
    }
    let once = |line: &'static str, status: u16, body: Value| {
        move |hit: &Hit, before: usize| {
            (hit.line.starts_with(line) && before == 0).then(|| (status, body.clone()))
        }
    };
    // trouble that passes
    let media = outcome(once("POST /media/sign", 503, json!({})), "[file:T](http://127.0.0.1");
    assert_eq!((media.hits("POST /media/sign").len(), media.hits("PUT").len()), (2, 1));
    let media =
        outcome(once("POST /media/commit", 400, json!({"detail": "File not uploaded yet"})), "[file:T](");
    assert_eq!((media.hits("POST /media/commit").len(), media.hits("PUT").len()), (2, 1));
    // a commit that speaks of other bytes, or of none
    outcome(once("POST /media/commit", 200, json!({"url": "/media/1", "size": 7})), "[file:T](");
    outcome(once("POST /media/commit", 200, json!({})), "[file:T](");
    outcome(once("POST /media/sign", 200, json!({"upload_token": "t"})), "[file:T](");
    outcome(
        once("POST /media/commit", 200, json!({"url": "javascript://x/%0aalert(1)"})),
        "not an http or https URL",
    );
    // refusals
    let media =
        outcome(once("POST /media/sign", 413, json!({"detail": "too large for you"})), "too large for you");
    assert_eq!(media.hits("POST /media/sign").len(), 1);
    let media =
        outcome(|hit, _| hit.line.starts_with("PUT").then(|| (307, json!({}))), "`a.md` was not sent");
    assert_eq!(media.hits("PUT").len(), 1, "no redirect is followed");
}

#[test]
fn an_upload_goes_neither_to_a_private_address_nor_with_the_token() {
    let trap = Media::start(|_, _| Some((200, json!({}))));
    let to = format!("{}/up/x", trap.url());
    let script = move |hit: &Hit, _: usize| {
        (hit.line == "POST /media/sign").then(|| (200, json!({"upload_token": "t", "upload_url": to})))
    };
    let (wtt, home, media) = (Wtt::start(), Home::new(), Media::start(script));
    file(&home, "a.md", b"# A");
    let connector = beside(&wtt, &media, &home);
    let topic = wtt.p2p();
    wtt.say(&topic, &format!("RUN: answer \"Here.\\n{}\"", marker("a.md", "T")));
    wtt.answer(&topic, "Here.");
    assert!(content(&wtt.answer(&topic, "`a.md` was not sent")).contains("private network"));
    drop(connector);
    assert!(trap.hits("").is_empty());

    // an address that the user trusts is used, and still without the token
    wtt.forget();
    let hosts = trap.url().replace("http://", "");
    let _connector = beside_with(&wtt, &media, &home, &[("WTT_CONNECT_MEDIA_HOSTS", &hosts)]);
    wtt.say(&topic, &format!("RUN: answer \"There.\\n{}\"", marker("a.md", "U")));
    wtt.answer(&topic, "[file:U](");
    let put = trap.hits("PUT");
    assert!(put.len() == 1 && put[0].body == b"# A", "{put:?}");
    assert!(!put[0].head.contains("authorization") && !put[0].head.contains("canary"), "{put:?}");
}

#[test]
fn a_kill_in_any_step_leaves_one_card_and_one_upload() {
    for line in ["POST /media/sign", "PUT", "POST /media/commit"] {
        let (gate, opened) = crossbeam_channel::bounded::<()>(0);
        let script = move |hit: &Hit, before: usize| {
            if hit.line.starts_with(line) && before == 0 {
                // until the test drops its end
                let _ = opened.recv();
            }
            None
        };
        let (wtt, home, media) = (Wtt::start(), Home::new(), Media::start(script));
        file(&home, "a.md", b"# A");
        let connector = beside(&wtt, &media, &home);
        let topic = wtt.p2p();
        wtt.say(&topic, &format!("RUN: answer \"Here.\\n{}\"", marker("a.md", "T")));
        wtt.answer(&topic, "Here.");
        until(line, || !media.hits(line).is_empty());
        connector.kill();
        drop(gate);
        // what the agent named is what goes out, also when it has changed since
        file(&home, "a.md", b"other");
        let _connector = beside(&wtt, &media, &home);
        wtt.answer(&topic, "[file:T](");
        until("an empty outbox", || home.outbox().is_empty() && copies(&home) == 0);
        assert_eq!(wtt.posts(&topic).len(), 2, "{line}");
        assert!(media.hits("PUT").iter().all(|hit| hit.body == b"# A"));
        assert_eq!(ledger(&home).len(), 1);
    }
}

#[test]
fn a_hundred_megabytes_need_no_memory() {
    if !Path::new("/proc/self/status").exists() {
        return eprintln!("skipped: no /proc here");
    }
    let (wtt, home) = (Wtt::start(), Home::new());
    let connector = Connector::start(&wtt, &home, &[]);
    let topic = wtt.p2p();
    file(&home, "small.zip", b"x");
    std::fs::File::create(home.path().join("work/big.zip")).unwrap().set_len(100 << 20).unwrap();
    let send = |name: &str| {
        wtt.say(&topic, &format!("RUN: answer \"{}\"", marker(name, name)));
        wtt.answer(&topic, &format!("[file:{name}]("))
    };
    send("small.zip");
    let peak = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", connector.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap().to_owned();
        line.split_whitespace().next().unwrap().parse::<usize>().unwrap()
    };
    let before = peak();
    send("big.zip");
    let grown = peak() - before;
    eprintln!("100 MiB up: the daemon's peak grew by {grown} KiB");
    assert!(grown < 16 * 1024, "{grown} KiB");
    assert_eq!(ledger(&home).last().unwrap()["size"], json!(100 << 20));
}
