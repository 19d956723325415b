//! Answers that are spoken: by setting, by `/voice`, by a program and by an address; and a round trip through a real engine.

use super::{given, hearing::script, start};
use crate::support::daemon::{Home, Wtt};
use crate::support::server::Server;
use crossbeam_channel::unbounded;
use serde_json::Value;
use wtt_connect::http::fetch::Fetcher;
use wtt_connect::secret::Secret;

/// The URL of an audio card.
fn url(card: &Value) -> String {
    let content = card["content"].as_str().unwrap();
    content.split_once("](").unwrap().1.trim_end_matches(')').to_owned()
}

fn download(wtt: &Wtt, url: &str) -> Vec<u8> {
    let token = Secret::new(wtt.service.user_token());
    let fetcher = Fetcher::new(&wtt.service.base_url(), token, None, &[]).unwrap();
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut fetcher.open(url).unwrap().body, &mut bytes).unwrap();
    bytes
}

#[test]
fn voice_on_adds_sound_after_the_text_and_off_ends_it() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let body = "cat > \"$HOME/heard\"; [ -e \"$HOME/fail\" ] && exit 1; { printf 'RIFF1234WAVE'; cat \"$1\"; } > \"$2\"";
    let command = format!("{} {{file}} {{output}}", script(&home, "speak", body));
    let env = [("WTT_CONNECT_TTS_PROVIDER", "command"), ("WTT_CONNECT_TTS_COMMAND", &command)];
    let connector = start(&wtt, &home, &env);
    let topic = wtt.p2p();
    wtt.say(&topic, "/voice");
    wtt.answer(&topic, "are not spoken");
    wtt.say(&topic, "hello");
    wtt.answer(&topic, "seen 0");
    wtt.say(&topic, "/voice on");
    wtt.answer(&topic, "are spoken as well");
    wtt.forget();
    wtt.say(&topic, "hello again");
    let card = wtt.answer(&topic, "[audio:Spoken answer](");
    assert_eq!(download(&wtt, &url(&card)), b"RIFF1234WAVEseen 0");
    let posts: Vec<String> =
        wtt.posts(&topic).iter().map(|m| m["content"].as_str().unwrap().to_owned()).collect();
    assert_eq!(posts.len(), 5, "{posts:?}");
    assert!(posts[3] == "seen 0" && posts[4].starts_with("[audio:"), "the text first: {posts:?}");
    let left = std::fs::read_dir(home.state_dir().join("artifacts")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "what was sent is not kept twice");
    // a failure costs nothing but the sound
    home.touch("fail");
    wtt.forget();
    wtt.say(&topic, "once more");
    wtt.answer(&topic, "seen 0");
    crate::support::daemon::until("the warning", || connector.log().contains("could not be spoken"));
    wtt.say(&topic, "/voice off");
    wtt.answer(&topic, "are not spoken");
    assert!(connector.stop().success());
}

#[test]
fn an_address_speaks_where_the_setting_says_so() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let (requests, seen) = unbounded();
    let server = Server::start(move |visit| {
        let request = visit.request();
        requests.send((request.head.clone(), request.body.clone())).unwrap();
        request.respond("200 OK\r\nContent-Type: audio/mpeg", "ID3 sound");
    });
    let base = format!("http://127.0.0.1:{}/v1", server.port);
    let env = [
        ("WTT_CONNECT_TTS_PROVIDER", "openai"),
        ("WTT_CONNECT_TTS_OPENAI_BASE_URL", &base),
        ("WTT_CONNECT_TTS_VOICE", "nova"),
        ("WTT_CONNECT_UPLOAD_ARTIFACTS", "1"),
    ];
    let _connector = start(&wtt, &home, &env);
    let topic = wtt.p2p();
    wtt.say(&topic, "hello");
    let card = wtt.answer(&topic, "[audio:");
    assert_eq!(download(&wtt, &url(&card)), b"ID3 sound");
    let (head, body) = seen.recv().unwrap();
    assert!(head.starts_with("POST /v1/audio/speech ") && !head.contains("uthorization"), "{head}");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (&body["input"], &body["voice"], &body["model"]),
        (&"seen 0".into(), &"nova".into(), &"tts-1".into())
    );
}

#[test]
fn a_real_engine_speaks_and_its_sound_is_heard() {
    if std::process::Command::new("espeak-ng").arg("--version").output().is_err() {
        return println!("skipped: espeak-ng is not installed");
    }
    let (wtt, home) = (Wtt::start(), Home::new());
    // stands for a recogniser: it says what kind of sound it got
    let hear = script(&home, "hear", "echo \"$(head -c 4 \"$1\") of $(wc -c < \"$1\") bytes\"");
    let env = [
        ("WTT_CONNECT_TTS_PROVIDER", "command"),
        ("WTT_CONNECT_TTS_COMMAND", "espeak-ng -f {file} -w {output}"),
        ("WTT_CONNECT_UPLOAD_ARTIFACTS", "1"),
        ("WTT_CONNECT_STT_PROVIDER", "command"),
        ("WTT_CONNECT_STT_COMMAND", &hear),
    ];
    let _connector = start(&wtt, &home, &env);
    let topic = wtt.p2p();
    wtt.say(&topic, "hello");
    let card = wtt.answer(&topic, "[audio:");
    let sound = download(&wtt, &url(&card));
    assert!(sound.starts_with(b"RIFF") && sound.len() > 5_000, "{} bytes", sound.len());
    wtt.forget();
    wtt.say(&topic, card["content"].as_str().unwrap());
    wtt.answer(&topic, "[audio:");
    assert!(given(&home).contains(&format!("\nRIFF of {} bytes\n", sound.len())), "{}", given(&home));
}
