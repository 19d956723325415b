//! Voice messages: a command, an address, and curl make text of them.

use super::{given, inbox, start, upload};
use crate::support::daemon::{Home, Wtt};
use crate::support::server::Server;
use crossbeam_channel::unbounded;

const KEY: &str = "CANARY-stt-key";

pub fn script(home: &Home, name: &str, body: &str) -> String {
    let folder = home.path().join("bin");
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join(name);
    crate::support::program::program(&file, format!("#!/bin/sh\n{body}\n"));
    file.to_str().unwrap().to_owned()
}

#[test]
fn a_command_hears_and_its_failure_loses_nothing() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let url = upload(&wtt, "memo.ogg", b"OggS sound");
    let hear = script(
        &home,
        "hear",
        "[ -e \"$HOME/fail\" ] && { echo 'Error: no model' >&2; exit 3; }\nwhile [ ! -e \"$HOME/go\" ]; do sleep 0.02; done\necho \"$# $1 $(cat \"$2\")\"",
    );
    let command = format!("{hear} --lang={{language}} {{file}}");
    let env = [
        ("WTT_CONNECT_STT_PROVIDER", "command"),
        ("WTT_CONNECT_STT_COMMAND", &command),
        ("WTT_CONNECT_STT_LANGUAGE", "d e"),
    ];
    let _connector = start(&wtt, &home, &env);
    let topic = wtt.p2p();
    wtt.say(&topic, &format!("[audio:memo; rm -rf.ogg]({url})"));
    wtt.status(&topic, "listening to the recording");
    home.touch("go");
    wtt.answer(&topic, "seen 0");
    let prompt = given(&home);
    assert!(prompt.contains("transcript by a machine:]\n2 --lang=d e OggS sound\n[end"), "{prompt}");
    assert!(!prompt.contains("no other text"), "the words are the message: {prompt}");
    home.touch("fail");
    wtt.forget();
    wtt.say(&topic, &format!("[audio:memo.ogg]({url})"));
    let answer = wtt.answer(&topic, "seen 0")["content"].as_str().unwrap().to_owned();
    assert!(
        answer.contains("could not be transcribed") && answer.contains("exit code 3: Error: no model"),
        "{answer}"
    );
    assert!(given(&home).contains(inbox(&home)[0].parent().unwrap().parent().unwrap().to_str().unwrap()));
}

#[test]
fn an_address_hears_and_gets_the_form() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let (requests, seen) = unbounded();
    let server = Server::start(move |visit| {
        let request = visit.request();
        requests.send((request.head.clone(), request.body.clone())).unwrap();
        if request.body.contains("broken") {
            return request.respond("401 No", &format!("{{\"error\":{{\"message\":\"bad key {KEY}\"}}}}"));
        }
        request.respond("200 OK\r\nContent-Type: application/json", "{\"text\":\"buy milk\"}");
    });
    let base = format!("http://127.0.0.1:{}/v1", server.port);
    let env = [
        ("WTT_CONNECT_STT_PROVIDER", "openai"),
        ("WTT_CONNECT_STT_OPENAI_BASE_URL", &base),
        ("WTT_CONNECT_STT_OPENAI_API_KEY", KEY),
        ("WTT_CONNECT_STT_OPENAI_MODEL", "tiny"),
    ];
    let connector = start(&wtt, &home, &env);
    let topic = wtt.p2p();
    let good = upload(&wtt, "memo.mp3", b"sound of words");
    wtt.say(&topic, &format!("please note [audio:memo.mp3]({good})"));
    wtt.answer(&topic, "seen 0");
    assert!(given(&home).contains("\nbuy milk\n"), "{}", given(&home));
    let (head, body) = seen.recv().unwrap();
    assert!(head.starts_with("POST /v1/audio/transcriptions HTTP/1.1\r\n"), "{head}");
    assert!(head.contains(&format!("Bearer {KEY}")), "{head}");
    for part in ["name=\"model\"\r\n\r\ntiny\r\n", "filename=\"memo.mp3\"", "\r\n\r\nsound of words\r\n--"] {
        assert!(body.contains(part), "{part:?} in {body}");
    }
    wtt.forget();
    let bad = upload(&wtt, "b.mp3", b"broken");
    wtt.say(&topic, &format!("[audio:b.mp3]({bad})"));
    let answer = wtt.answer(&topic, "seen 0")["content"].as_str().unwrap().to_owned();
    assert!(answer.contains("HTTP 401: bad key ***"), "{answer}");
    assert!(!connector.log().contains(KEY));
}

#[test]
fn curl_gets_the_key_on_its_standard_input() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let url = upload(&wtt, "memo.mp3", b"sound");
    script(
        &home,
        "curl",
        "echo \"$*\" > \"$HOME/argv\"; env > \"$HOME/env\"; cat > \"$HOME/config\"; echo '{\"text\":\"by curl\"}'",
    );
    let path = format!("{}/bin:/usr/bin:/bin", home.path().display());
    // nothing listens there: with `auto` curl may know a way
    let env = [
        ("PATH", path.as_str()),
        ("WTT_CONNECT_STT_PROVIDER", "whisper"),
        ("WTT_CONNECT_STT_OPENAI_BASE_URL", "http://127.0.0.1:1/v1"),
        ("WTT_CONNECT_STT_OPENAI_API_KEY", KEY),
    ];
    let _connector = start(&wtt, &home, &env);
    let topic = wtt.p2p();
    wtt.say(&topic, &format!("[audio:memo.mp3]({url})"));
    wtt.answer(&topic, "seen 0");
    assert!(given(&home).contains("\nby curl\n"), "{}", given(&home));
    let read = |name: &str| std::fs::read_to_string(home.path().join(name)).unwrap();
    assert_eq!(read("argv"), "--config -\n");
    assert!(!read("env").contains(KEY));
    assert!(read("config").contains(&format!("header = \"Authorization: Bearer {KEY}\"")));
    assert!(
        read("config").contains(&format!("file=@\\\"{}\\\"", inbox(&home)[0].display())),
        "{}",
        read("config")
    );
}

#[test]
fn a_real_recogniser_understands_what_a_real_voice_says() {
    use std::process::Command;
    // both end with an error of their own without arguments; what counts is that they are there
    for program in ["espeak-ng", "pocketsphinx_continuous"] {
        if Command::new(program).stdin(std::process::Stdio::null()).output().is_err() {
            return println!("skipped: {program} is not installed");
        }
    }
    let (wtt, home) = (Wtt::start(), Home::new());
    let grammar = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/speech.jsgf");
    let command = format!(
        "pocketsphinx_continuous -samprate 22050 -nfft 1024 -logfn /dev/null -jsgf {grammar} -infile {{file}}"
    );
    let env = [("WTT_CONNECT_STT_PROVIDER", "command"), ("WTT_CONNECT_STT_COMMAND", &command)];
    let _connector = start(&wtt, &home, &env);
    let topic = wtt.p2p();
    for words in ["please check the report", "please open the window"] {
        let sound = home.path().join("said.wav");
        let spoken = Command::new("espeak-ng").arg("-w").arg(&sound).arg(words).status().unwrap();
        assert!(spoken.success());
        let url = upload(&wtt, "said.wav", &std::fs::read(&sound).unwrap());
        wtt.forget();
        wtt.say(&topic, &format!("[audio:said.wav]({url})"));
        wtt.answer(&topic, "seen 0");
        let want = format!("transcript by a machine:]\n{words}\n[end of the transcript]");
        assert!(given(&home).contains(&want), "{}", given(&home));
    }
}
