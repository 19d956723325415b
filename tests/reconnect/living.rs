//! Having a connection: authentication, silence, closes, broken frames, back-pressure, shutdown.

use super::rig::{Rig, TOKEN, config, ms, timing};
use crate::support::proxy::Proxy;
use crate::support::server::{PATIENCE, Peer, Server};
use crate::support::watch::Watch;
use crossbeam_channel::unbounded;
use serde_json::json;
use std::io::Write;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tungstenite::Message;
use wtt_connect::daemon::connection::{self, NetEvent, Timing};

/// Welcomes everybody and stays.
fn friendly() -> Server {
    Server::start(|visit| {
        visit.welcome().stay();
    })
}

#[test]
fn a_connection_that_died_silently_is_noticed() {
    let (pings, pinged) = unbounded();
    let server = Server::start(move |visit| {
        let mut peer = visit.welcome();
        while let Some(message) = peer.next() {
            if message == Message::text("ping") {
                pings.send(()).unwrap();
                peer.send("pong");
            }
        }
    });
    let proxy = Proxy::start(server.port);
    let url = format!("ws://127.0.0.1:{}/ws/a", proxy.port);
    let rig = Rig::start(config(&[url], Timing { ping: ms(100), dead: ms(1000), ..timing() }));
    let (mut last, _) = rig.up();
    let took = Watch::start();
    for _ in 0..15 {
        pinged.recv_timeout(PATIENCE).expect("a text ping");
    }
    if let Ok(event) = rig.events.try_recv() {
        // a machine that has stood still for so long has heard nothing, either
        let stood_still = took.passed().saturating_sub(took.counted());
        assert!(stood_still > ms(500), "pongs keep the connection alive and are not passed on: {event:?}");
        last = rig.up_again();
    }
    let frozen = Watch::start();
    proxy.freeze();
    let lost = rig.down();
    assert!(lost.why.contains("nothing heard for 1s"), "{}", lost.why);
    assert!(frozen.counted() < ms(4500));
    proxy.thaw();
    assert_eq!(rig.up().0, last + 1);
    rig.close();
}

#[test]
fn every_sudden_end_is_followed_by_a_new_connection() {
    type Fault = fn(Peer);
    let faults: [(&str, Fault); 4] = [
        ("reset", Peer::reset),
        ("end of file", drop),
        ("half a frame", |peer| {
            let _ = (&peer.raw).write_all(&[0x81, 0x7e, 0x01]);
        }),
        ("half a payload", |peer| {
            let _ = (&peer.raw).write_all(b"\x81\x10half");
        }),
    ];
    for (name, fault) in faults {
        let server = Server::start(move |visit| match visit.n {
            1 => fault(visit.welcome()),
            _ => drop(visit.welcome().stay()),
        });
        let rig = Rig::at(&server, timing());
        rig.up();
        let lost = rig.down();
        assert!(!lost.refused && lost.why.contains("lost"), "{name}: {}", lost.why);
        assert_eq!(rig.up().0, 2, "{name}");
        rig.close();
    }
}

#[test]
fn an_end_without_close_notify_is_an_ordinary_loss() {
    let server = Server::start_tls(|visit| {
        let peer = visit.welcome();
        if peer.n > 1 {
            peer.stay();
        }
    });
    let mut config = config(&[format!("wss://localhost:{}/ws/a", server.port)], timing());
    config.ca_file = Some(crate::support::server::fixture("tls/ca.pem"));
    let rig = Rig::start(config);
    rig.up();
    assert!(!rig.down().refused);
    rig.up();
    rig.close();
}

#[test]
fn a_close_is_answered_and_its_code_decides() {
    for code in [1000, 1001, 1012, 1013, 1008, 4000, 4401] {
        let (replies, replied) = unbounded();
        let server = Server::start(move |visit| match visit.n {
            1 => {
                let mut peer = visit.welcome();
                peer.text();
                replies.send(peer.close(code, "because").map(|f| u16::from(f.code))).unwrap();
            }
            _ => drop(visit.welcome().stay()),
        });
        // The connection has outlived the time in which a close is meant for the token.
        let rig = Rig::at(&server, Timing { auth: Duration::ZERO, ..timing() });
        rig.up();
        rig.net.send("now".into());
        let lost = loop {
            match rig.next() {
                NetEvent::Down { why, refused, .. } => break (why, refused),
                NetEvent::Frame(_) => {} // the auth reply, late because there was no time for it
                other => panic!("{other:?}"),
            }
        };
        assert!(lost.0.contains(&code.to_string()) && lost.0.contains("because"), "{}", lost.0);
        assert!(!lost.1, "{code}");
        assert_eq!(replied.recv_timeout(PATIENCE).unwrap(), Some(code));
        rig.up_again();
        rig.close();
    }
}

#[test]
fn a_close_during_authentication_is_a_refusal() {
    for (code, accepted) in [
        (1008, false),
        (4001, false),
        (4003, false),
        (4401, false),
        (4403, false),
        (4401, true),
        (1008, true),
    ] {
        let server = Server::start(move |visit| {
            let mut peer = visit.request().upgrade();
            if accepted {
                peer.accept_auth();
            }
            peer.close(code, "");
        });
        let rig = Rig::at(&server, timing());
        if accepted {
            rig.up();
        }
        let lost = rig.down();
        assert!(lost.refused && lost.why.contains(&code.to_string()), "{lost:?}");
        assert!(lost.retry_in >= ms(60_000));
        rig.close();
    }
}

#[test]
fn a_peer_that_stops_reading_is_still_read_and_gets_everything_later() {
    const FRAMES: usize = 256;
    let (go, gone) = unbounded::<()>();
    let (done, counted) = unbounded();
    let server = Server::start(move |visit| {
        let mut peer = visit.welcome();
        for i in 0..40 {
            peer.send(&format!("tick {i}"));
        }
        gone.recv_timeout(PATIENCE).unwrap();
        for i in 0..FRAMES {
            let text = peer.text().unwrap();
            assert!(text.starts_with(&format!("{i} ")), "frames arrive in order");
        }
        done.send(()).unwrap();
        peer.stay();
    });
    let rig = Rig::at(&server, timing());
    rig.up();
    for i in 0..FRAMES {
        assert!(rig.net.send(format!("{i} {}", "x".repeat(64 * 1024))));
    }
    for i in 0..40 {
        assert_eq!(rig.frame(), format!("tick {i}"));
    }
    assert!(rig.net.backlog_bytes() > 4 << 20, "what the peer does not read is counted");
    go.send(()).unwrap();
    counted.recv_timeout(PATIENCE).expect("all frames arrive");
    // The last bytes are counted off after the flush that the peer has just seen.
    let until = Instant::now() + PATIENCE;
    while rig.net.backlog_bytes() > 0 {
        assert!(Instant::now() < until);
        std::thread::yield_now();
    }
    rig.close();
}

#[test]
fn broken_frames_end_the_connection_and_nothing_else() {
    let long = |bytes: u64| [&[0x81, 127], &bytes.to_be_bytes()[..]].concat();
    let faults = [
        ("17 MiB", long(17 << 20)),
        ("2^63 bytes", long(1 << 63)),
        ("bad UTF-8", vec![0x81, 2, 0xc3, 0x28]),
        ("masked", vec![0x81, 0x81, 1, 2, 3, 4, 5]),
        ("reserved bit", vec![0xc1, 1, b'x']),
        ("reserved opcode", vec![0x83, 0]),
        ("long control frame", [&[0x89, 126, 0, 200], &[0; 200][..]].concat()),
        ("continuation of nothing", vec![0x80, 1, b'x']),
    ];
    for (name, bytes) in faults {
        let server = Server::start(move |visit| {
            let peer = visit.welcome();
            if peer.n == 1 {
                (&peer.raw).write_all(&bytes).unwrap();
            }
            peer.stay();
        });
        let rig = Rig::at(&server, timing());
        rig.up();
        let lost = rig.down();
        assert!(lost.why.contains("dropped") && !lost.refused, "{name}: {}", lost.why);
        assert_eq!(rig.up().0, 2, "{name}");
        rig.close();
    }
}

#[test]
fn two_processes_with_one_identity_slow_each_other_down() {
    let newest = Mutex::new(None::<std::net::TcpStream>);
    let server = Server::start(move |visit| {
        let peer = visit.welcome();
        if let Some(older) = newest.lock().unwrap().replace(peer.raw.try_clone().unwrap()) {
            let _ = older.shutdown(std::net::Shutdown::Both);
        }
        peer.stay();
    });
    let growing = Timing { backoff: ms(4), backoff_max: ms(100_000), ..timing() };
    let (one, two) = (Rig::at(&server, growing), Rig::at(&server, growing));
    let mut waits = Vec::new();
    while waits.len() < 7 {
        if let NetEvent::Down { retry_in, .. } = one.next() {
            waits.push(retry_in);
        }
    }
    for (n, waited) in waits.iter().enumerate() {
        assert!(*waited >= ms(1) * 2u32.pow(n as u32), "failure {n}: {waited:?}");
    }
    one.close();
    two.close();
}

#[test]
fn frames_before_the_auth_reply_are_delivered_after_it_in_order() {
    let server = Server::start(|visit| {
        let mut peer = visit.request().upgrade();
        let auth = peer.auth();
        assert_eq!(auth["token"], TOKEN);
        peer.send("early 1");
        peer.send(r#"{"type":"action_result","request_id":"someone-else","ok":true}"#);
        // The reply may come without the id.
        let data = json!({"authenticated": true, "agent_display_name": "Alice Codex"});
        peer.send(&json!({"type": "action_result", "ok": true, "data": data}).to_string());
        peer.send("late 1");
        peer.stay();
    });
    let rig = Rig::at(&server, timing());
    assert_eq!(rig.up(), (1, Some("Alice Codex".to_owned())));
    assert_eq!(rig.frame(), "early 1");
    assert!(rig.frame().contains("someone-else"));
    assert_eq!(rig.frame(), "late 1");
    rig.close();
}

#[test]
fn a_missing_auth_reply_is_tolerated_and_a_late_one_is_used() {
    let (go, gone) = unbounded::<&str>();
    let server = Server::start(move |visit| {
        let mut peer = visit.request().upgrade();
        let id = peer.auth()["request_id"].clone();
        let ok = gone.recv_timeout(PATIENCE).unwrap() == "yes";
        let data = json!({"authenticated": ok, "agent_display_name": "Late"});
        let reply =
            json!({"type": "action_result", "request_id": id, "ok": ok, "error": "expired", "data": data});
        peer.send(&reply.to_string());
        peer.stay();
    });
    let rig = Rig::at(&server, Timing { auth: ms(50), ..timing() });
    assert_eq!(rig.up(), (1, None));
    assert!(rig.net.send("sent without an answer".into()));
    go.send("yes").unwrap();
    assert!(rig.frame().contains("Late"));
    rig.close();

    let rig = Rig::at(&server, Timing { auth: ms(50), ..timing() });
    rig.up();
    go.send("no").unwrap();
    let lost = rig.down();
    assert!(lost.refused && lost.why.contains("expired"), "{lost:?}");
    rig.close();
}

#[test]
fn a_refused_token_is_reported_without_showing_it() {
    let (byes, bye) = unbounded();
    let server = Server::start(move |visit| {
        let mut peer = visit.request().upgrade();
        let auth = peer.auth();
        let error = format!("token {} is\nrevoked", auth["token"].as_str().unwrap());
        let reply =
            json!({"type": "action_result", "request_id": auth["request_id"], "ok": false, "error": error});
        peer.send(&reply.to_string());
        byes.send(peer.stay().map(|f| u16::from(f.code))).unwrap();
    });
    let rig = Rig::at(&server, timing());
    let lost = rig.down();
    assert!(lost.refused && lost.why.contains("token *** is revoked"), "{lost:?}");
    assert_eq!(bye.recv_timeout(PATIENCE).unwrap(), Some(1000), "parts politely");
    rig.close();
}

#[test]
fn an_empty_token_is_refused_without_a_connection() {
    let server = friendly();
    let mut config = config(&[server.url()], timing());
    config.token = Box::new(wtt_connect::secret::Secret::default);
    let rig = Rig::start(config);
    assert!(rig.down().refused);
    assert!(server.accepts.try_recv().is_err());
    rig.close();
}

#[test]
fn closing_sends_what_is_queued_and_says_why() {
    let (out, seen) = unbounded();
    let server = Server::start(move |visit| {
        let mut peer = visit.welcome();
        while let Some(message) = peer.next() {
            out.send(message).unwrap();
        }
    });
    let rig = Rig::at(&server, timing());
    rig.up();
    for i in 0..50 {
        assert!(rig.net.send(i.to_string()));
    }
    rig.close();
    for i in 0..50 {
        assert_eq!(seen.recv_timeout(PATIENCE).unwrap(), Message::text(i.to_string()));
    }
    match seen.recv_timeout(PATIENCE).unwrap() {
        Message::Close(Some(frame)) => {
            assert_eq!((u16::from(frame.code), frame.reason.as_str()), (1000, "client disconnect"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn closing_does_not_wait_for_a_peer_that_reads_nothing() {
    let (hold, held) = unbounded::<()>();
    let server = Server::start(move |visit| {
        let _peer = visit.welcome();
        let _ = held.recv_timeout(PATIENCE);
    });
    let rig = Rig::at(&server, timing());
    rig.up();
    for _ in 0..256 {
        assert!(rig.net.send("x".repeat(64 * 1024)));
    }
    rig.net.close();
    rig.join(ms(4500));
    drop(hold);
}

#[test]
fn frames_of_a_lost_connection_are_not_sent_on_the_next() {
    let (out, seen) = unbounded();
    let (hold, held) = unbounded::<()>();
    let server = Server::start(move |visit| {
        let mut peer = visit.welcome();
        if peer.n == 1 {
            let _ = held.recv_timeout(PATIENCE);
            return peer.reset();
        }
        while let Some(text) = peer.text() {
            out.send(text).unwrap();
        }
    });
    let rig = Rig::at(&server, timing());
    rig.up();
    for i in 0..200 {
        assert!(rig.net.send(format!("old {i} {}", "x".repeat(64 * 1024))));
    }
    drop(hold);
    rig.down();
    rig.up();
    assert_eq!(rig.net.backlog_bytes(), 0);
    assert!(rig.net.send("new".into()));
    assert_eq!(seen.recv_timeout(PATIENCE).unwrap(), "new");
    rig.close();
}

#[test]
fn the_thread_ends_when_nobody_listens_to_it() {
    let server = Server::start(|visit| {
        let mut peer = visit.welcome();
        while let Some(text) = peer.text() {
            peer.send(&text);
        }
    });
    let rig = Rig::at(&server, timing());
    rig.up();
    drop(rig.events);
    rig.net.send("echo".into());
    rig.thread.join().unwrap();
    assert!(!rig.net.send("too late".into()));
}

/// How often a thread has gone to sleep by itself.
fn sleeps(task: &std::path::Path) -> u64 {
    let status = std::fs::read_to_string(task.join("status")).unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("voluntary_ctxt_switches:")).unwrap();
    line.trim().parse().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn an_idle_connection_wakes_only_to_ping() {
    let (pings, pinged) = unbounded();
    let server = Server::start(move |visit| {
        let mut peer = visit.welcome();
        while peer.next().is_some() {
            let _ = pings.send(());
        }
    });
    let (tx, events) = unbounded();
    // Events are wrapped on the network thread, so this is where its id can be had.
    let wrap =
        |_: NetEvent| std::path::Path::new("/proc").join(std::fs::read_link("/proc/thread-self").unwrap());
    let (net, thread) =
        connection::start(config(&[server.url()], Timing { ping: ms(300), ..timing() }), tx, wrap).unwrap();
    let task = events.recv_timeout(PATIENCE).unwrap();
    pinged.recv_timeout(PATIENCE).unwrap();
    let woken = || {
        let before = sleeps(&task);
        for _ in 0..3 {
            pinged.recv_timeout(PATIENCE).unwrap();
        }
        sleeps(&task) - before
    };
    // The least of some: a process that is stopped and goes on counts as woken. One sleep per ping; one more where the count
    // was read before the thread had gone back to sleep.
    let mut counts = Vec::new();
    while counts.len() < 5 && counts.last().is_none_or(|last| *last > 4) {
        counts.push(woken());
    }
    assert!(counts.last().is_some_and(|last| *last <= 4), "{counts:?} sleeps for three pings each");
    net.close();
    thread.join().unwrap();
}
