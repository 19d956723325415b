//! Where files are not fetched from, and servers that do not keep to the rules.

use super::{given, inbox, start, trusted, upload};
use crate::support::daemon::{Home, TOKEN, Wtt, until};
use crate::support::server::Server;
use crossbeam_channel::unbounded;
use std::io::{Read, Write};
use wtt_connect::http::fetch::Fetcher;
use wtt_connect::secret::Secret;

/// A server that must never be reached.
fn silent() -> Server {
    Server::start(|visit| visit.request().respond("200 OK", "secret"))
}

#[test]
fn private_addresses_are_refused_also_behind_names_and_redirects() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let (private, port) = {
        let s = silent();
        let port = s.port;
        (s, port)
    };
    let redirects = Server::start(move |visit| {
        let request = visit.request();
        let to = match request.line() {
            "GET /loop" => "/loop".to_owned(),
            "GET /file" => "file:///etc/passwd".to_owned(),
            "GET /name" => format!("http://localhost:{port}/x"),
            _ => format!("http://127.0.0.1:{port}/x"),
        };
        request.respond(&format!("302 Found\r\nLocation: {to}"), "");
    });
    let connector = start(&wtt, &home, &[("WTT_CONNECT_MEDIA_HOSTS", &trusted(&redirects))]);
    let topic = wtt.p2p();
    let r = redirects.port;
    let urls = [
        format!("http://127.0.0.1:{port}/a.png"),
        format!("http://localhost:{port}/a.png"),
        format!("http://[::ffff:127.0.0.1]:{port}/a.png"),
        format!("http://0x7f.1:{port}/a.png"),
        format!("http://2130706433:{port}/a.png"),
        "http://169.254.169.254/latest/meta-data/a.png".to_owned(),
        format!("http://user:pass@127.0.0.1:{port}/a.png"),
        format!("http://127.0.0.1:{r}/a.png"),
        format!("http://127.0.0.1:{r}/name"),
        format!("http://127.0.0.1:{r}/file"),
        format!("http://127.0.0.1:{r}/loop"),
    ];
    let text: Vec<String> = urls.iter().map(|url| format!("![x]({url})")).collect();
    wtt.say(&topic, &text.join("\n\n"));
    let answer = wtt.answer(&topic, "seen 0")["content"].as_str().unwrap().to_owned();
    assert!(answer.contains("private network") && answer.contains("And 6 more."), "{answer}");
    let prompt = given(&home);
    assert_eq!(prompt.matches("could not be fetched").count(), urls.len(), "{prompt}");
    assert!(prompt.matches("private network").count() >= 7, "{prompt}");
    assert!(prompt.contains("redirects more than 3 times") && prompt.contains("holds a login"), "{prompt}");
    assert!(private.accepts.try_recv().is_err(), "nothing was asked");
    assert!(inbox(&home).is_empty());
    assert!(!connector.log().contains(TOKEN));
}

#[test]
fn the_token_goes_to_the_service_alone() {
    let (heads, seen) = unbounded();
    let other_heads = heads.clone();
    let other = Server::start(move |visit| {
        let request = visit.request();
        other_heads.send(("other", request.head.clone())).unwrap();
        request.respond("200 OK\r\nContent-Type: image/png; x=y", "bytes");
    });
    let port = other.port;
    let service = Server::start(move |visit| {
        let request = visit.request();
        heads.send(("service", request.head.clone())).unwrap();
        let has_token = request.header("x-agent-token").is_some();
        match request.line() {
            "GET /media/redirected" => {
                request.respond(&format!("307 Moved\r\nLocation: http://127.0.0.1:{port}/signed"), "")
            }
            "GET /media/signed" if has_token => request.respond("400 Bad", "only one way to authenticate"),
            _ => request.respond("200 OK", "bytes"),
        }
    });
    let base = format!("http://127.0.0.1:{}/api/v1", service.port);
    let trusted = [format!("127.0.0.1:{port}")];
    let fetcher = Fetcher::new(&base, Secret::new(TOKEN), None, &trusted).unwrap();
    let fetch = |url: &str| {
        let mut incoming = fetcher.open(url).unwrap();
        let mut text = String::new();
        incoming.body.read_to_string(&mut text).unwrap();
        assert_eq!(text, "bytes", "{url}");
        let heads: Vec<(&str, String)> = seen.try_iter().collect();
        heads.into_iter().map(|(who, head)| (who, head.contains(TOKEN))).collect::<Vec<_>>()
    };
    assert_eq!(fetch("/media/0123"), [("service", true)]);
    assert_eq!(fetch("/media/signed"), [("service", true), ("service", false)]);
    assert_eq!(fetch("/topics/1/messages"), [("service", false)], "not what else the service shows us");
    assert_eq!(fetch("/media/redirected"), [("service", true), ("other", false)]);
    assert_eq!(fetch(&format!("http://127.0.0.1:{port}/media/x")), [("other", false)]);
}

#[test]
fn a_secure_service_leads_to_no_open_address() {
    let fetcher =
        Fetcher::new("https://wtt.example", Secret::default(), None, &["127.0.0.1".to_owned()]).unwrap();
    let why = fetcher.open("http://127.0.0.1:9/x").err().unwrap().to_string();
    assert!(why.contains("not an https URL"), "{why}");
}

/// Peak memory in KiB.
#[cfg(target_os = "linux")]
fn peak(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_too_large_is_cut_and_memory_does_not_grow() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let server = Server::start(|visit| {
        let mut request = visit.request();
        let head = match request.line() {
            "GET /full" => "Content-Length: 104857600\r\n",
            "GET /lie" => "Content-Length: 104857601\r\n",
            _ => "",
        };
        let piece = vec![b'x'; 1 << 20];
        let _ =
            request.pipe.write_all(format!("HTTP/1.1 200 OK\r\n{head}Connection: close\r\n\r\n").as_bytes());
        let endless = request.line() == "GET /endless";
        for _ in 0..if endless { usize::MAX } else { 100 } {
            if request.pipe.write_all(&piece).is_err() {
                break;
            }
        }
    });
    let connector = start(&wtt, &home, &[("WTT_CONNECT_MEDIA_HOSTS", &trusted(&server))]);
    let topic = wtt.p2p();
    let at = |path: &str| format!("[file:{path}](http://127.0.0.1:{}/{path})", server.port);
    let small = upload(&wtt, "s.txt", b"small");
    wtt.say(&topic, &format!("[file:s.txt]({small})"));
    wtt.answer(&topic, "seen 0");
    let before = peak(connector.pid());
    wtt.forget();
    wtt.say(&topic, &at("full"));
    wtt.answer(&topic, "seen 0");
    let full = inbox(&home).into_iter().find(|path| path.ends_with("full")).unwrap();
    assert_eq!(std::fs::metadata(&full).unwrap().len(), 100 << 20);
    wtt.forget();
    wtt.say(&topic, &format!("{}\n\n{}", at("endless"), at("lie")));
    let answer = wtt.answer(&topic, "seen 0")["content"].as_str().unwrap().to_owned();
    assert_eq!(answer.matches("larger than 100 MiB").count(), 2, "{answer}");
    let after = peak(connector.pid());
    println!(
        "peak memory: {before} KiB before, {after} KiB after 100 MiB down and 100 MiB of an endless one"
    );
    assert!(after < before + 16 * 1024, "{before} KiB, then {after} KiB");
    until("no partial file", || inbox(&home).len() == 2);
}

#[test]
fn what_is_incomplete_or_packed_is_not_kept() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let server = Server::start(|visit| {
        let mut request = visit.request();
        let answer: &[u8] = match request.line() {
            "GET /short" => b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\nhello",
            "GET /packed" => b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello",
            "GET /chunk" => b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\nhello",
            _ => b"\x16\x03 this is not HTTP\r\n\r\n",
        };
        let _ = request.pipe.write_all(answer);
    });
    let _connector = start(&wtt, &home, &[("WTT_CONNECT_MEDIA_HOSTS", &trusted(&server))]);
    let topic = wtt.p2p();
    let tokens = ["short", "packed", "chunk", "noise"]
        .map(|path| format!("[file:{path}](http://127.0.0.1:{}/{path})", server.port));
    wtt.say(&topic, &tokens.join("\n"));
    wtt.answer(&topic, "was not received");
    let prompt = given(&home);
    assert_eq!(prompt.matches("could not be fetched").count(), 4, "{prompt}");
    assert!(prompt.contains("packed") && prompt.contains("broke off"), "{prompt}");
    assert!(inbox(&home).is_empty());
}
