//! Answers that are spoken: by setting, by `/voice`, by a program and by an address; and a round trip through a real engine.

use super::{given, hearing::script, start};
use crate::support::daemon::{Home, Wtt, until};
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
    let left = || std::fs::read_dir(home.state_dir().join("artifacts")).map_or(0, Iterator::count);
    until("the end of the copy: what was sent is not kept twice", || left() == 0);
    // a failure costs nothing but the sound
    home.touch("fail");
    wtt.forget();
    wtt.say(&topic, "once more");
    wtt.answer(&topic, "seen 0");
    until("the warning", || connector.log().contains("could not be spoken"));
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

/// Takes what say(1) of macOS 10.9 to 14 takes, and nothing else:
/// `say [-v voice] [-r rate] [-o outfile [audio format options] | …] [-f file | string …]`; the formats of WAVE are linear PCM.
const SAY: &str = r#"
die() { echo "say: $1" >&2; exit 1; }
out= file= format= data= voice=
while [ $# -gt 0 ]; do
  case $1 in
    -v) voice=$2; shift ;;
    -o) [ -z "$out" ] || die "two outputs"; out=$2; shift ;;
    -f) file=$2; shift ;;
    --file-format=*) [ "$out" ] || die "a format without a file"; format=${1#*=} ;;
    --data-format=*) [ "$out" ] || die "a format without a file"; data=${1#*=} ;;
    *) die "unrecognized option or text: $1" ;;
  esac
  shift
done
case $voice in '' | Samantha) ;; *) die "Voice '$voice' not found." ;; esac
case $format:$out in WAVE:*.wav) ;; *) die "Opening output file failed: fmt?" ;; esac
echo "$data" | grep -Eqx '(BE|LE)?(F|I|UI)(8|16|24|32|64)(@[0-9]+)?' || die "Opening output file failed: $data"
{ printf 'RIFF....WAVE %s ' "$data"; cat "$file"; } > "$out"
"#;

#[test]
fn say_of_macos_gets_the_options_that_it_knows() {
    for voice in [None, Some("Samantha")] {
        let (wtt, home) = (Wtt::start(), Home::new());
        script(&home, "say", SAY);
        let path = format!("{}/bin:/usr/bin:/bin", home.path().display());
        let mut env = vec![("PATH", path.as_str()), ("WTT_CONNECT_TTS_PROVIDER", "macos-say")];
        env.push(("WTT_CONNECT_UPLOAD_ARTIFACTS", "1"));
        env.extend(voice.map(|voice| ("WTT_CONNECT_TTS_VOICE", voice)));
        let _connector = start(&wtt, &home, &env);
        let topic = wtt.p2p();
        wtt.say(&topic, "hello");
        let card = wtt.answer(&topic, "[audio:Spoken answer](");
        assert_eq!(download(&wtt, &url(&card)), b"RIFF....WAVE LEI16@22050 seen 0");
    }
}

#[test]
fn what_is_being_spoken_at_a_stop_comes_once_after_the_next_start() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let body = "echo . >> \"$HOME/begun\"; while [ ! -e \"$HOME/go\" ]; do sleep 0.02; done; { printf 'RIFF1234WAVE'; cat \"$1\"; } > \"$2\"";
    let command = format!("{} {{file}} {{output}}", script(&home, "speak", body));
    let env = [
        ("WTT_CONNECT_TTS_PROVIDER", "command"),
        ("WTT_CONNECT_TTS_COMMAND", &command),
        ("WTT_CONNECT_UPLOAD_ARTIFACTS", "1"),
    ];
    let begun = |times: usize| {
        let text = || std::fs::read_to_string(home.path().join("begun")).unwrap_or_default();
        until("the voice", || text().lines().count() == times);
    };
    let connector = start(&wtt, &home, &env);
    let topic = wtt.p2p();
    wtt.say(&topic, "hello");
    wtt.answer(&topic, "seen 0");
    begun(1);
    assert!(connector.stop().success());
    let connector = start(&wtt, &home, &env);
    begun(2);
    connector.kill();
    let connector = start(&wtt, &home, &env);
    begun(3);
    home.touch("go");
    let card = wtt.answer(&topic, "[audio:Spoken answer](");
    assert_eq!(download(&wtt, &url(&card)), b"RIFF1234WAVEseen 0");
    until("an empty outbox", || home.outbox().is_empty());
    assert_eq!(wtt.posts(&topic).len(), 2);
    let left = std::fs::read_dir(home.state_dir().join("artifacts")).map_or(0, Iterator::count);
    assert_eq!(left, 0);

    // one that ends the connector each time is given up
    std::fs::remove_file(home.path().join("go")).unwrap();
    std::fs::remove_file(home.path().join("begun")).unwrap();
    wtt.say(&topic, "hello");
    let mut connector = connector;
    for times in 1..=3 {
        begun(times);
        connector.kill();
        connector = start(&wtt, &home, &env);
    }
    until("the end of it", || connector.log().contains("was not spoken: it was begun 3 times"));
    until("its answer alone", || home.outbox().is_empty());
    assert_eq!(wtt.posts(&topic).len(), 3);
}
