//! Files that come with messages: the whole daemon against the local service, and against servers that lie, delay, redirect
//! and point into private networks.

mod guarded;
mod hearing;
mod speaking;

use crate::support::daemon::{AGENT, Connector, Home, Wtt, until};
use crate::support::server::Server;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use wtt_connect::http::Client;
use wtt_connect::local::service::{Faults, MessageAuthor, ServiceEvent};
use wtt_connect::secret::Secret;
use wtt_connect::wire::attachment;
use wtt_connect::wire::attachment::MediaKind;
use wtt_connect::wire::message::Message;

/// The smallest PNG that decoders take.
pub const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\rIDATx\x9cc\xf8\xcf\xc0\xf0\x1f\0\x05\0\x01\xff\x89\x99=\x1d\0\0\0\0IEND\xaeB`\x82";

/// The fake agent that keeps what it is given.
fn looks() -> String {
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/agents/looks.sh").to_owned()
}

fn start(wtt: &Wtt, home: &Home, env: &[(&str, &str)]) -> Connector {
    let looks = looks();
    let mut all = vec![("WTT_CONNECT_CLAUDE_CODE_COMMAND", looks.as_str())];
    all.extend(env);
    Connector::start(wtt, home, &all)
}

/// What the agent was given for the last turn.
fn given(home: &Home) -> String {
    std::fs::read_to_string(home.path().join("given")).unwrap()
}

/// The files of the inbox.
fn inbox(home: &Home) -> Vec<PathBuf> {
    let Ok(folders) = std::fs::read_dir(home.state_dir().join("inbox")) else { return Vec::new() };
    folders
        .flat_map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap())
        .map(|e| e.unwrap().path())
        .collect()
}

/// Stores a file as a person's browser does; its relative URL.
pub fn upload(wtt: &Wtt, name: &str, bytes: &[u8]) -> String {
    let client = Client::new(&wtt.service.base_url(), Secret::new(wtt.service.user_token()), None).unwrap();
    let body = json!({"filename": name, "mime_type": "application/octet-stream", "size": bytes.len()});
    let sign = client.post_json("/media/sign", &body).unwrap().1;
    let url = sign["upload_url"].as_str().unwrap();
    let host = wtt.service.base_url().replace("http://", "");
    let mut socket = std::net::TcpStream::connect(&host).unwrap();
    let head = format!(
        "PUT {url} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        bytes.len()
    );
    socket.write_all(head.as_bytes()).unwrap();
    socket.write_all(bytes).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let done = client.post_json("/media/commit", &json!({"upload_token": sign["upload_token"]})).unwrap().1;
    done["url"].as_str().unwrap().to_owned()
}

/// A server whose address is trusted as a media host; the setting for it.
fn trusted(server: &Server) -> String {
    format!("127.0.0.1:{}", server.port)
}

#[test]
fn a_picture_reaches_the_agent_as_a_picture() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let url = upload(&wtt, "a.png", PNG);
    let _connector = start(&wtt, &home, &[]);
    let topic = wtt.p2p();
    wtt.say(&topic, &format!("What is this?\n\n![a b.png]({url})\n\nthank you"));
    wtt.answer(&topic, "seen 1");
    let line: serde_json::Value = serde_json::from_str(&given(&home)).unwrap();
    let content = line["message"]["content"].as_array().unwrap();
    use base64::Engine as _;
    let encoded = base64::prelude::BASE64_STANDARD.encode(PNG);
    let image = content.iter().find(|block| block["type"] == "image").unwrap();
    assert_eq!(
        (&image["source"]["data"], &image["source"]["media_type"]),
        (&json!(encoded), &json!("image/png"))
    );
    let text = content.iter().find(|block| block["type"] == "text").unwrap()["text"].as_str().unwrap();
    let files = inbox(&home);
    let path = files[0].to_str().unwrap();
    assert!(path.ends_with("/a b.png"), "{path}");
    let want = format!("What is this?\n\n[image “a b.png”: {path}]\n\nthank you");
    assert!(text.ends_with(&want), "{text}");
    assert_eq!((files.len(), std::fs::read(path).unwrap()), (1, PNG.to_vec()));
    assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);

    // alone, and named by the metadata only
    wtt.forget();
    let extra = json!({"metadata": json!({"attachments": [{"url": url, "name": "b.png", "mime_type": "image/png"}]}).to_string()});
    wtt.service.post_message(&topic, MessageAuthor::Human, "", extra);
    wtt.answer(&topic, "seen 1");
    assert!(given(&home).contains("b.png") && given(&home).contains("has no other text"), "{}", given(&home));
}

#[test]
fn other_files_go_by_their_path_and_what_is_missing_is_said() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let url = upload(&wtt, "notes.txt", b"hello");
    let _connector = start(&wtt, &home, &[]);
    let topic = wtt.p2p();
    let text = format!(
        "Compare [file:../../.bashrc]({url}) with [file:gone.pdf](/media/0123456789abcdef0123) and [file:no.pdf](ftp://x/y)\n\
         [FILE_CONTENT name=\"x\"]\n![not this]({url})\n[/FILE_CONTENT]\n```\n![nor this]({url})\n```"
    );
    wtt.say(&topic, &text);
    let answer = wtt.answer(&topic, "seen 0")["content"].as_str().unwrap().to_owned();
    assert!(answer.contains("(The file “gone.pdf” was not received: HTTP 404"), "{answer}");
    let files = inbox(&home);
    assert_eq!(files.iter().map(|p| p.file_name().unwrap()).collect::<Vec<_>>(), ["bashrc"]);
    let prompt = given(&home);
    assert!(
        prompt.contains(&format!("Compare [file “../../.bashrc”: {}] with", files[0].display())),
        "{prompt}"
    );
    assert!(prompt.contains("[file “gone.pdf” could not be fetched: HTTP 404"), "{prompt}");
    assert!(
        prompt.contains("![not this]") && prompt.contains("![nor this]"),
        "blocks and code stay: {prompt}"
    );
}

#[test]
fn a_push_without_its_files_is_looked_up_once() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let url = upload(&wtt, "a.png", PNG);
    wtt.service.set_faults(Faults { omit_metadata: true, ..Faults::default() });
    let _connector = start(&wtt, &home, &[]);
    let topic = wtt.p2p();
    let extra = json!({"metadata": {"attachments": [{"url": url, "filename": "late.png"}]}});
    wtt.service.post_message(&topic, MessageAuthor::Human, "看图", extra.clone());
    wtt.answer(&topic, "seen 1");
    wtt.forget();
    wtt.service.post_message(&topic, MessageAuthor::Human, "", extra);
    wtt.answer(&topic, "seen 1");
    assert_eq!(wtt.posts(&topic).len(), 2);
}

#[test]
fn a_picture_and_then_a_mention_belong_together_in_a_group() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let url = upload(&wtt, "a.png", PNG);
    let connector = start(&wtt, &home, &[]);
    let group = wtt.service.create_topic("discussion", "group", &[AGENT]);
    let picture = wtt.service.post_message(
        &group,
        MessageAuthor::Person("ana"),
        &format!("![a.png]({url})"),
        json!({}),
    );
    wtt.service.post_message(&group, MessageAuthor::Person("bob"), &format!("@{AGENT} and mine?"), json!({}));
    wtt.answer(&group, "seen 0");
    wtt.forget();
    wtt.service.post_message(
        &group,
        MessageAuthor::Person("ana"),
        &format!("@{AGENT} what is it?"),
        json!({}),
    );
    wtt.answer(&group, "seen 1");
    assert!(given(&home).contains("Sent along, with this message or just before it"), "{}", given(&home));
    wtt.forget();
    wtt.service.post_message(&group, MessageAuthor::Person("ana"), &format!("@{AGENT} and now?"), json!({}));
    wtt.answer(&group, "seen 0");

    // after a restart the memory is gone: the history has it, also for somebody who quotes it
    assert!(connector.stop().success());
    wtt.forget();
    wtt.service.post_message(&group, MessageAuthor::Person("eve"), &format!("![e.png]({url})"), json!({}));
    let _connector = start(&wtt, &home, &[("WTT_CONNECT_CATCH_UP_MINUTES", "0")]);
    // the list of what was missed has been asked for: the question is not in it
    wtt.wait("the catch-up", |o| match &o.event {
        ServiceEvent::Frame(frame) if frame["action"] == "subscribed" => Some(()),
        _ => None,
    });
    wtt.service.post_message(
        &group,
        MessageAuthor::Person("eve"),
        &format!("@{AGENT} what is in this picture?"),
        json!({}),
    );
    wtt.answer(&group, "seen 1");
    assert!(!picture.is_empty());
}

#[test]
fn a_question_that_was_missed_gets_the_picture_before_it() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let url = upload(&wtt, "a.png", PNG);
    let group = wtt.service.create_topic("discussion", "group", &[AGENT]);
    let connector = start(&wtt, &home, &[]);
    wtt.service.post_message(&group, MessageAuthor::Person("dan"), &format!("@{AGENT} hello"), json!({}));
    wtt.answer(&group, "seen 0");
    until("its acknowledgement", || home.outbox().is_empty());
    assert!(connector.stop().success());
    let say = |who: &str, minutes: i64, text: &str| {
        let at = wtt_connect::sys::time::rfc3339(wtt_connect::sys::time::now_ms() - minutes * 60_000);
        wtt.service.post_message(&group, MessageAuthor::Person(who), text, json!({"created_at": at}))
    };
    let picture = format!("![a.png]({url})");
    // eve's is older than what is answered; bob's belongs to nothing that he asks now; dan has asked since
    say("bob", 12, &picture);
    say("eve", 5, &picture);
    say("dan", 5, &picture);
    for (who, seen) in [("bob", "seen 0"), ("dan", "seen 0"), ("eve", "seen 1")] {
        let asked = say(who, 0, &format!("@{AGENT} what is it?"));
        wtt.forget();
        let connector = start(&wtt, &home, &[("WTT_CONNECT_CATCH_UP_MINUTES", "1")]);
        assert_eq!(wtt.answer(&group, seen)["reply_to"], asked.as_str(), "{who}");
        until("its acknowledgement", || home.outbox().is_empty());
        assert!(connector.stop().success());
    }
}

#[test]
fn a_picture_that_a_question_has_had_is_not_handed_over_after_a_reconnect() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let url = upload(&wtt, "a.png", PNG);
    let group = wtt.service.create_topic("discussion", "group", &[AGENT]);
    let connector = start(&wtt, &home, &[]);
    wtt.connected();
    let ask = |seen: &str, more: Value| {
        wtt.forget();
        let asked = wtt.service.post_message(
            &group,
            MessageAuthor::Person("dan"),
            &format!("@{AGENT} what is it?"),
            more,
        );
        assert_eq!(wtt.answer(&group, seen)["reply_to"], asked.as_str());
        until("its acknowledgement", || home.outbox().is_empty());
    };
    let picture = wtt.service.post_message(
        &group,
        MessageAuthor::Person("dan"),
        &format!("![a.png]({url})"),
        json!({}),
    );
    ask("seen 1", json!({}));
    wtt.forget();
    wtt.service.cut_sockets(AGENT);
    wtt.connected();
    ask("seen 0", json!({}));
    assert!(connector.stop().success());
    let _connector = start(&wtt, &home, &[]);
    ask("seen 0", json!({}));
    // who points at it means it
    ask("seen 1", json!({"reply_to": picture}));
}

#[test]
fn a_stop_does_not_wait_for_a_server() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let (_hold, held) = crossbeam_channel::bounded::<()>(0);
    let server = Server::start(move |visit| {
        let _request = visit.request();
        let _ = held.recv();
    });
    let _connector = start(&wtt, &home, &[("WTT_CONNECT_MEDIA_HOSTS", &trusted(&server))]);
    let topic = wtt.p2p();
    wtt.say(&topic, &format!("![a.png](http://127.0.0.1:{}/a.png)", server.port));
    server.accepted();
    wtt.status(&topic, "receiving image “a.png” (1 of 1");
    let took = crate::support::watch::Watch::start();
    wtt.say(&topic, "/stop");
    wtt.answer(&topic, "Stopped");
    assert!(took.counted().as_secs() < 10, "{:?}", took.counted());
    assert!(!home.path().join("given").exists(), "no agent was started");
    until("an empty inbox", || inbox(&home).is_empty());
}

#[test]
fn names_are_safe_whatever_was_sent() {
    for (name, want) in [
        ("a.png", "a.png"),
        ("../../.bashrc", "bashrc"),
        ("..\\..\\evil.bat", "evil.bat"),
        ("a\0b", "a_b"),
        ("CON", "CON"),
        ("\u{202e}gnp.exe", "gnp.exe"),
        ("...", "file"),
        ("-rf", "rf"),
        ("~", "file"),
        ("a/..", "file"),
        (".png", "png"),
        ("报告 最终.pdf", "报告 最终.pdf"),
        ("", "x.bin"),
        (" \n ", "x.bin"),
    ] {
        assert_eq!(attachment::safe_name(name, "https://h/p/x.bin?y=/z"), want, "{name:?}");
    }
    assert_eq!(attachment::safe_name("", "https://h/"), "file");
    let parts = [
        "..", "/", "\\", "\0", ".", "-", "测试", "a", " ", "\u{202e}", "\n", ":", "%2e", "png", "~",
        "\u{feff}",
    ];
    let mut seed = 7_u64;
    for _ in 0..20_000 {
        let mut name = String::new();
        for _ in 0..seed % 60 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            name.push_str(parts[(seed >> 33) as usize % parts.len()]);
        }
        seed = seed.wrapping_add(1);
        let safe = attachment::safe_name(&name, "");
        let components: Vec<_> = std::path::Path::new(&safe).components().collect();
        assert!(matches!(components[..], [std::path::Component::Normal(_)]), "{name:?}: {safe:?}");
        assert!(
            safe.len() <= 120 && !safe.starts_with(['.', '-']) && !safe.chars().any(char::is_control),
            "{safe:?}"
        );
    }
    assert!(attachment::safe_name(&format!("{}.pdf", "长".repeat(2000)), "").ends_with("长.pdf"));
}

#[test]
fn files_are_found_in_texts_and_rows() {
    let found = |row: serde_json::Value| {
        let mut row = row;
        row["topic_id"] = json!("t");
        row["sender_id"] = json!("u");
        Message::decode(&row).unwrap().media.into_iter().map(|m| (m.kind, m.name, m.url)).collect::<Vec<_>>()
    };
    let one = |kind, name: &str, url: &str| vec![(kind, name.to_owned(), url.to_owned())];
    let id = "/media/0123456789abcdef0123";
    for (content, want) in [
        ("![a](/media/1)", one(MediaKind::Image, "a", "/media/1")),
        ("x [audio:memo](https://h/m.ogg) y", one(MediaKind::Audio, "memo", "https://h/m.ogg")),
        ("[file:memo.mp3](https://h/1)", one(MediaKind::Audio, "memo.mp3", "https://h/1")),
        ("[file](https://h/1.pdf)", one(MediaKind::File, "", "https://h/1.pdf")),
        ("[video:v](media/1)", one(MediaKind::Video, "v", "media/1")),
        ("[回复上下文]\n引用: ![a](/media/1)\n---\nwhy?", one(MediaKind::Image, "a", "/media/1")),
        ("[a] ![b](/media/1)", one(MediaKind::Image, "b", "/media/1")),
        ("[text](https://h/a.png)", vec![]),
        ("[link](https://h/a.png)", vec![]),
        ("![a](javascript:x)", vec![]),
        ("![a](https://h/a b.png)", vec![]),
        ("![a\n](https://h/a.png)", vec![]),
    ] {
        assert_eq!(found(json!({"content": content})), want, "{content}");
    }
    for (row, want) in [
        (
            json!({"content": "", "image_url": "https://h/a.png"}),
            one(MediaKind::Image, "", "https://h/a.png"),
        ),
        (json!({"content": "", "metadata": {"x": [id]}}), one(MediaKind::File, "", id)),
        (
            json!({"content": "", "attachments": [{"name": "n", "type": "audio/ogg", "url": "https://h/1"}]}),
            one(MediaKind::Audio, "n", "https://h/1"),
        ),
        (json!({"content": "", "sender_avatar_url": "https://h/a.png", "topic": {"icon": id}}), vec![]),
        (json!({"content": "", "metadata": {"note": "https://h/a.png"}}), vec![]),
        (json!({"content": "{\"c\":\"AAAA\",\"ctx\":\"x\"}", "encrypted": true}), vec![]),
        (json!({"content": format!("![a]({id})"), "media": [{"url": id}]}), one(MediaKind::Image, "a", id)),
    ] {
        assert_eq!(found(row.clone()), want, "{row}");
    }
    // what waits on disk is found again
    let mut row = json!({"content": "", "topic_id": "t", "sender_id": "u"});
    let media =
        vec![attachment::Media { kind: MediaKind::Audio, name: "x".into(), url: "https://h/1".into() }];
    attachment::enclose(row.as_object_mut().unwrap(), &media);
    assert_eq!(Message::decode(&row).unwrap().media, media);
    let bomb = "[".repeat(200_000) + &"![](".repeat(100_000);
    assert_eq!(attachment::tokens(&bomb).len(), 0);
}
