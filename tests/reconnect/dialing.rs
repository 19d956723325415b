//! Getting a connection: refusals, silence, redirects, proxies, TLS, addresses.

use super::rig::{Rig, TOKEN, changing_token, config, ms, timing};
use crate::support::server::{PATIENCE, Server, Visit, fixture};
use crate::support::watch::Watch;
use rustix::net::{AddressFamily, SocketType, bind, listen, socket};
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::{self, cipher_suite};
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use wtt_connect::daemon::connection::{Timing, urls};
use wtt_connect::http::proxy::Proxies;
use wtt_connect::sys::{poll, tcp};

/// A port of this machine where nobody listens, and that nobody else gets as long as this is kept.
pub struct ClosedPort(TcpListener);

impl ClosedPort {
    pub fn new() -> ClosedPort {
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC).unwrap();
        bind(&socket, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        ClosedPort(TcpListener::from(socket))
    }

    pub fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    /// From now on somebody listens.
    fn open(self) -> TcpListener {
        listen(&self.0, 128).unwrap();
        self.0
    }
}

#[test]
fn a_server_that_is_down_at_start_is_retried_until_it_is_up() {
    let closed = ClosedPort::new();
    let rig = Rig::start(config(&[format!("ws://127.0.0.1:{}/ws/a", closed.port())], timing()));
    for _ in 0..10 {
        let lost = rig.down();
        assert!(lost.why.contains("connection refused") && lost.why.contains("127.0.0.1"), "{}", lost.why);
        assert!(!lost.refused && lost.retry_in >= ms(2) && lost.retry_in <= ms(20), "{:?}", lost.retry_in);
    }
    assert!(!rig.net.send("nobody gets this".into()), "frames are refused while there is no connection");
    let _server = Server::on(closed.open(), None, |visit| {
        visit.welcome().stay();
    });
    rig.up_again();
    rig.close();
}

/// The least wait after failure `n` (0, 1, …): a quarter of the bound, which doubles from 4 ms.
fn least(n: u32) -> Duration {
    ms(4) * 2u32.pow(n) / 4
}

fn growing() -> Timing {
    Timing { backoff: ms(4), backoff_max: ms(100_000), ..timing() }
}

#[test]
fn the_backoff_keeps_growing_while_the_server_accepts_and_drops() {
    let server = Server::start(drop);
    let rig = Rig::at(&server, growing());
    for n in 0..7 {
        let lost = rig.down();
        assert!(lost.retry_in >= least(n), "failure {n}: {:?}", lost.retry_in);
    }
    rig.close();
}

#[test]
fn a_short_connection_does_not_reset_the_backoff_and_a_healthy_one_does() {
    let server = Server::start(|visit| {
        visit.welcome().close(1001, "restart");
    });
    let rig = Rig::at(&server, growing());
    for n in 0..7 {
        rig.up();
        let lost = rig.down();
        assert!(lost.retry_in >= least(n), "failure {n}: {:?}", lost.retry_in);
    }
    rig.close();
    let rig = Rig::at(&server, Timing { healthy: Duration::ZERO, ..growing() });
    for _ in 0..7 {
        rig.up();
        assert!(rig.down().retry_in <= ms(4));
    }
    rig.close();
}

#[test]
fn a_silent_server_times_out() {
    fn drips(visit: Visit) {
        let text = b"HTTP/1.1 101 Switching Protocols\r\nX: ".iter().chain(std::iter::repeat(&b'x'));
        for byte in text {
            if (&visit.socket).write_all(&[*byte]).is_err() {
                break;
            }
            std::thread::sleep(ms(10));
        }
    }
    for (script, scheme) in
        [(Visit::swallow as fn(Visit), "ws"), (Visit::swallow, "wss"), (drips, "ws"), (drips, "wss")]
    {
        let server = Server::start(script);
        let url = format!("{scheme}://localhost:{}/ws/a", server.port);
        let took = Watch::start();
        let rig = Rig::start(config(&[url], Timing { dial: ms(200), ..timing() }));
        let lost = rig.down();
        assert!(lost.why.contains("localhost"), "{}", lost.why);
        assert!(took.counted() < ms(1500), "{scheme}: {:?}", took.counted());
        let took = took.passed();
        // A stream of bytes that is no TLS may end earlier.
        assert!(took >= ms(190) || lost.why.contains("TLS"), "{scheme}: {took:?} {}", lost.why);
        rig.close();
    }
}

#[test]
fn a_refused_token_is_retried_slowly_and_at_once_on_request() {
    for status in ["401 Unauthorized", "403 Forbidden"] {
        let server = Server::start(move |visit| match visit.n {
            1 => visit.request().respond(status, "no"),
            _ => {
                let mut peer = visit.request().upgrade();
                assert_eq!(peer.auth()["token"], "new");
                peer.stay();
            }
        });
        let (token, asked) = changing_token("old", "new");
        let mut config = config(&[server.url()], Timing { auth: ms(30), ..timing() });
        config.token = token;
        let rig = Rig::start(config);
        let lost = rig.down();
        assert!(lost.refused && lost.why.contains(&status[..3]), "{lost:?}");
        assert!(lost.retry_in >= ms(60_000));
        server.accepted();
        assert!(server.accepts.recv_timeout(ms(150)).is_err(), "no second attempt by itself");
        rig.net.retry_now();
        assert_eq!(rig.up().0, 1);
        assert_eq!(asked.load(Ordering::SeqCst), 2, "the token is read again before each attempt");
        rig.close();
    }
}

#[test]
fn the_server_may_ask_for_a_pause() {
    for (answer, least, most) in [
        ("503 Service Unavailable\r\nRetry-After: 7", 7, 8),
        ("429 Too Many Requests\r\nRetry-After: 86400", 600, 601),
        ("503 Service Unavailable\r\nRetry-After: later", 0, 1),
    ] {
        let server = Server::start(move |visit| visit.request().respond(answer, ""));
        let rig = Rig::at(&server, timing());
        let lost = rig.down();
        assert!(!lost.refused && lost.why.contains(&answer[..3]), "{lost:?}");
        let (least, most) = (Duration::from_secs(least), Duration::from_secs(most));
        assert!(lost.retry_in >= least && lost.retry_in < most, "{answer}: {:?}", lost.retry_in);
        rig.close();
    }
}

#[test]
fn a_redirect_is_not_followed() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = format!("http://{}/ws/a?token=x", other.local_addr().unwrap());
    let (heads, seen) = crossbeam_channel::unbounded();
    let server = Server::start(move |visit| {
        let request = visit.request();
        heads.send(request.head.clone()).unwrap();
        request.respond(&format!("302 Found\r\nLocation: {target}"), "");
    });
    let rig = Rig::at(&server, timing());
    let lost = rig.down();
    assert!(lost.why.contains("redirects") && lost.why.contains("WTT_BASE_URL"), "{}", lost.why);
    assert!(!seen.recv_timeout(PATIENCE).unwrap().contains(TOKEN), "the upgrade carries no token");
    rig.down();
    other.set_nonblocking(true).unwrap();
    assert!(other.accept().is_err(), "the other host hears nothing");
    rig.close();
}

#[test]
fn closing_does_not_wait_for_a_dial_or_a_pause() {
    let server = Server::start(Visit::swallow);
    let rig = Rig::at(&server, Timing { dial: ms(60_000), ..timing() });
    server.accepted();
    rig.net.close();
    rig.join(ms(1500));

    let closed = ClosedPort::new();
    let port = closed.port();
    let slow = Timing { backoff: ms(60_000), backoff_max: ms(60_000), ..timing() };
    let rig = Rig::start(config(&[format!("ws://127.0.0.1:{port}/ws/a")], slow));
    rig.down();
    rig.net.close();
    rig.join(ms(1500));

    // All handles gone, without a word.
    let rig = Rig::start(config(&[format!("ws://127.0.0.1:{port}/ws/a")], slow));
    rig.down();
    let Rig { net, events, thread } = rig;
    drop(net);
    assert!(events.recv_timeout(ms(1500)).is_err());
    thread.join().unwrap();
}

#[test]
fn the_next_url_is_tried() {
    // A listener whose queue is full drops further SYNs: a black hole on loopback.
    let hole = ClosedPort::new().0;
    listen(&hole, 0).unwrap();
    let hole_address = hole.local_addr().unwrap();
    let fill: Vec<_> = (0..4).map(|_| TcpStream::connect_timeout(&hole_address, ms(50))).collect();
    assert!(fill.iter().any(Result::is_err), "the queue is full");

    let good = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = ClosedPort::new();
    let addresses =
        [SocketAddr::from(([127, 0, 0, 1], closed.port())), hole_address, good.local_addr().unwrap()];
    let (_waker, mut wake) = poll::waker_pair().unwrap();
    let took = Watch::start();
    let socket = tcp::connect(&addresses, Instant::now() + ms(800), &mut wake, &|| false).unwrap();
    assert_eq!(socket.peer_addr().unwrap(), addresses[2]);
    assert!(took.counted() < ms(800), "the hole got no more than its share");

    // And another thread can cut the wait short.
    let (waker, mut wake) = poll::waker_pair().unwrap();
    let asked = std::cell::Cell::new(0);
    let give_up = || {
        waker.wake(); // as the other thread would, once the wait has begun
        asked.replace(asked.get() + 1) > 0
    };
    let error = tcp::connect(&addresses[1..2], Instant::now() + PATIENCE, &mut wake, &give_up).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::Interrupted);
}

#[test]
fn the_next_address_of_a_host_name_is_tried() {
    let server = Server::start(|visit| {
        visit.welcome().stay();
    });
    let rig = Rig::start(config(&[format!("ws://localhost:{}/ws/a", server.port)], timing()));
    rig.up();
    rig.close();
}

#[test]
fn the_second_url_is_tried_after_the_first_and_kept_while_it_works() {
    let wrong = Server::start(|visit| visit.request().respond("404 Not Found", ""));
    let right = Server::start(|visit| match visit.n {
        1 => drop(visit.welcome()),
        _ => drop(visit.welcome().stay()),
    });
    let rig = Rig::start(config(&[wrong.url(), right.url()], timing()));
    assert!(rig.down().why.contains("404"));
    rig.up();
    rig.down();
    rig.up();
    wrong.accepted();
    assert!(
        wrong.accepts.try_recv().is_err(),
        "a URL that has worked is not given up for one lost connection"
    );
    rig.close();
}

#[test]
fn tls_with_an_extra_ca_and_without() {
    let server = Server::start_tls(|visit| {
        let mut peer = visit.welcome();
        while let Some(text) = peer.text() {
            peer.send(&text);
        }
    });
    let url = format!("wss://localhost:{}/ws/a", server.port);
    let mut trusting = config(std::slice::from_ref(&url), timing());
    trusting.ca_file = Some(fixture("tls/ca.pem"));
    let rig = Rig::start(trusting);
    rig.up();
    let big = "x".repeat(3 << 20);
    for text in ["one", &big, "three"] {
        assert!(rig.net.send(text.to_owned()));
        assert!(rig.frame() == text);
    }
    rig.close();

    let rig = Rig::start(config(std::slice::from_ref(&url), timing()));
    let lost = rig.down();
    assert!(lost.why.contains("UnknownIssuer") && lost.why.contains("WTT_CONNECT_CA_FILE"), "{}", lost.why);
    rig.close();

    let mut missing = config(&[url], timing());
    missing.ca_file = Some("/nonexistent/ca.pem".into());
    let rig = Rig::start(missing);
    assert!(rig.down().why.contains("/nonexistent/ca.pem"));
    rig.close();
}

/// Servers on machines without AES instructions may offer ChaCha20 alone.
#[test]
fn tls_with_a_server_that_speaks_only_chacha20() {
    for suite in [
        cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ] {
        let provider = CryptoProvider { cipher_suites: vec![suite], ..ring::default_provider() };
        let server = Server::start_tls_with(provider, |visit| {
            let mut peer = visit.welcome();
            while let Some(text) = peer.text() {
                peer.send(&text);
            }
        });
        let mut config = config(&[format!("wss://localhost:{}/ws/a", server.port)], timing());
        config.ca_file = Some(fixture("tls/ca.pem"));
        let rig = Rig::start(config);
        rig.up();
        assert!(rig.net.send("hello".to_owned()));
        assert_eq!(rig.frame(), "hello", "{suite:?}");
        rig.close();
    }
}

/// A proxy that wants a login and knows one name.
pub fn connect_proxy(to: u16) -> Server {
    Server::start(move |visit| {
        let mut request = visit.request();
        if request.header("proxy-authorization") != Some("Basic YWw6cDp3") {
            return request.respond("407 Proxy Authentication Required", "");
        }
        assert!(request.line().starts_with("CONNECT wtt.test:"), "{}", request.line());
        let target = TcpStream::connect(("127.0.0.1", to)).unwrap();
        request.pipe.write_all(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n").unwrap();
        let (mut up, mut down) = (request.raw.try_clone().unwrap(), target.try_clone().unwrap());
        std::thread::spawn(move || std::io::copy(&mut up, &mut down));
        let _ = std::io::copy(&mut &target, &mut &request.raw);
    })
}

#[test]
fn a_proxy_leads_to_plain_and_tls_servers() {
    let plain = Server::start(|visit| {
        visit.welcome().stay();
    });
    let secure = Server::start_tls(|visit| {
        visit.welcome().stay();
    });
    for (scheme, target) in [("ws", &plain), ("wss", &secure)] {
        let proxy = connect_proxy(target.port);
        let with = |login: &str| {
            let value = format!("http://{login}127.0.0.1:{}", proxy.port);
            let mut config = config(&[format!("{scheme}://wtt.test:{}/ws/a", target.port)], timing());
            config.ca_file = Some(fixture("tls/ca.pem"));
            config.proxies = Proxies::from_lookup(|name| (name == "ALL_PROXY").then(|| value.clone()));
            Rig::start(config)
        };
        let rig = with("al:p%3Aw@");
        rig.up();
        rig.close();
        let rig = with("");
        let lost = rig.down();
        assert!(lost.why.contains("proxy http://127.0.0.1") && lost.why.contains("password"), "{}", lost.why);
        assert!(!lost.refused, "a proxy's refusal says nothing about the token");
        rig.close();
    }
}

#[test]
fn urls_of_every_configuration() {
    #[rustfmt::skip]
    let rows: &[(&str, Option<&str>, &[&str])] = &[
        ("https://h", None, &["wss://h/ws/a"]),
        ("https://h/", None, &["wss://h/ws/a"]),
        ("http://h:8000", None, &["ws://h:8000/ws/a"]),
        ("https://h/api/v1", None, &["wss://h/ws/a", "wss://h/api/v1/ws/a"]),
        ("HTTPS://h/x/", None, &["wss://h/x/ws/a"]),
        ("h", None, &["wss://h/ws/a"]),
        ("https://h", Some("wss://w/ws"), &["wss://w/ws/a"]),
        ("https://h", Some("wss://w/ws/"), &["wss://w/ws/a"]),
        ("https://h", Some("ws://w:1/ws/a"), &["ws://w:1/ws/a"]),
        ("https://h", Some("wss://w"), &["wss://w/ws/a"]),
        ("https://h", Some("https://w/socket"), &["wss://w/socket/a", "wss://w/socket/ws/a"]),
        ("https://h", Some(" "), &["wss://h/ws/a"]),
    ];
    for (base, ws, expect) in rows {
        assert_eq!(urls(base, *ws, "a"), *expect, "{base} {ws:?}");
    }
    assert_eq!(urls("https://h", None, "a b/ü"), ["wss://h/ws/a%20b%2F%C3%BC"]);
}
