//! Terminals: real pseudo-terminals, driven through a browser's socket.

use super::{ON, answer, open_house};
use crate::support::browser::{Browser, Tab};
use crate::support::daemon::{AGENT, Connector, Home, Wtt, is_alive, resources, until};
use serde_json::json;
use std::path::Path;

pub(super) const BASH: &str = "/bin/bash";

pub(super) fn missing(program: &str) -> bool {
    let absent = !Path::new(program).exists();
    if absent {
        eprintln!("skipped: {program} is not installed here");
    }
    absent
}

pub(super) fn shell(browser: &mut Browser) -> Tab {
    let mut tab = browser.terminal(100, 30);
    browser
        .keys(&tab, "PS1='> '; unset PROMPT_COMMAND; bind 'set enable-bracketed-paste off'; echo rea''dy\r");
    browser.see(&mut tab, "ready\r\n");
    tab
}

/// Ends what a test has left running on purpose.
fn end(pid: &str) {
    let pid = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

/// What a command line writes, which is one line.
fn line(browser: &mut Browser, tab: &mut Tab, command: &str) -> String {
    browser.keys(tab, &format!("{command}; echo '' e'n'd\r"));
    let shown = browser.see(tab, " end\r\n");
    let lines: Vec<&str> = shown.lines().collect();
    lines[lines.len().saturating_sub(2)..]
        .join("\n")
        .rsplit('\n')
        .find(|l| !l.is_empty())
        .unwrap_or("")
        .to_owned()
}

#[test]
fn a_login_shell_in_the_workdir_that_knows_its_size_and_nothing_of_ours() {
    if missing(BASH) {
        return;
    }
    let (wtt, home, _connector) = open_house(&[("WTT_E2E_PASSWORD", "CANARY-e2e"), ("MY_OWN", "kept")]);
    let mut browser = Browser::open(&wtt.service);
    let mut tab = shell(&mut browser);
    let work = home.path().join("work").canonicalize().unwrap();
    assert_eq!(line(&mut browser, &mut tab, "pwd -P"), work.display().to_string());
    assert_eq!(line(&mut browser, &mut tab, "stty size"), "30 100");
    assert_eq!(
        line(&mut browser, &mut tab, "shopt -q login_shell && echo \"login $TERM $MY_OWN\""),
        "login xterm-256color kept"
    );
    let resized = browser.ask("terminal_resize", json!({"session_id": tab.session, "cols": 61, "rows": 7}));
    assert_eq!(resized["ok"], true, "{resized}");
    assert_eq!(line(&mut browser, &mut tab, "stty size"), "7 61");
    assert_eq!(line(&mut browser, &mut tab, "env | grep -c CANARY"), "0");
    assert_eq!(line(&mut browser, &mut tab, "env | grep -o '^WTT_[A-Z_]*'"), "WTT_BASE_URL");
    // Ctrl-C ends what runs in front, and not the shell
    browser.keys(&tab, "sleep 1000\r");
    browser.see(&mut tab, "sleep 1000\r\n");
    browser.keys(&tab, "\u{3}");
    // what is typed while bash still sets up its terminal may end it
    browser.see(&mut tab, "> ");
    assert_eq!(line(&mut browser, &mut tab, "echo $?"), "130");
    browser.keys(&tab, "exit 7\r");
    assert_eq!(browser.exit(&mut tab), 7);
    let gone =
        json!({"type":"terminal_resize","request_id":"gone","session_id":tab.session,"cols":80,"rows":24});
    assert_eq!(answer(&wtt, gone)["error"], "no_such_terminal");
}

#[test]
fn characters_are_never_cut() {
    if missing(BASH) {
        return;
    }
    let (wtt, _home, _connector) = open_house(&[]);
    let mut browser = Browser::open(&wtt.service);
    let mut tab = shell(&mut browser);
    // each byte in a write of its own, with a pause in which the earlier ones are sent
    browser
        .keys(&tab, "for b in f0 9f a6 80; do printf \"\\\\x$b\"; sleep 0.05; done; echo; echo '' e'n'd\r");
    assert!(browser.see(&mut tab, " end\r\n").contains('🦀'), "{:?}", tab.all);
    // and many, in pieces of any length
    browser.keys(&tab, "for i in {1..3000}; do printf '🦀漢é'; done; echo '' e'n'd\r");
    let shown = browser.see(&mut tab, " end\r\n");
    assert!(shown.contains(&"🦀漢é".repeat(3000)) && !tab.all.contains('\u{fffd}'));
    // a byte that belongs to no character holds up nothing
    browser.keys(&tab, "printf '\\xff'; echo ok''ay\r");
    browser.see(&mut tab, "\u{fffd}okay");
}

#[test]
fn programs_that_draw_on_the_whole_screen_are_drawn_and_quit() {
    if missing(BASH) {
        return;
    }
    let (wtt, home, _connector) = open_house(&[]);
    let text: String = (1..=200).map(|n| format!("line number {n}\n")).collect();
    std::fs::write(home.path().join("work/text"), text).unwrap();
    let mut browser = Browser::open(&wtt.service);
    let mut tab = shell(&mut browser);
    if !missing("/usr/bin/less") {
        browser.keys(&tab, "LESS= less text\r");
        browser.see(&mut tab, "line number 29");
        browser.keys(&tab, "G");
        browser.see(&mut tab, "line number 200");
        browser.keys(&tab, "q");
        browser.see(&mut tab, "> ");
        assert_eq!(line(&mut browser, &mut tab, "echo $?"), "0");
    }
    if !missing("/usr/bin/vi") {
        browser.keys(&tab, "vi -u NONE text\r");
        browser.see(&mut tab, "line number 29");
        browser.keys(&tab, "ddO🦀 first\u{1b}");
        browser.see(&mut tab, "🦀");
        browser.keys(&tab, ":wq\r");
        browser.see(&mut tab, "> ");
        assert_eq!(line(&mut browser, &mut tab, "head -n 1 text"), "🦀 first");
    }
}

#[test]
fn a_shell_that_dies_is_reported_and_one_that_never_lived_as_well() {
    let (wtt, _home, _connector) = open_house(&[]);
    let mut browser = Browser::open(&wtt.service);
    if !missing(BASH) {
        let mut tab = shell(&mut browser);
        // what it leaves running keeps the terminal open, and nobody waiting
        browser.keys(&tab, "(trap '' HUP; exec sleep 1000) & echo le''ft$!''over; kill -9 $$\r");
        browser.see(&mut tab, "left");
        let pid = browser.see(&mut tab, "over\r\n");
        assert_eq!(browser.exit(&mut tab), 137);
        assert!(is_alive(&pid), "what ignores the hang-up stays");
        end(&pid);
    }
    let home = Home::new();
    let broken = home.path().join("broken");
    crate::support::program::program(&broken, "#!/no/such/interpreter\n");
    let wtt = Wtt::start();
    let _other = Connector::start(
        &wtt,
        &home,
        &[("WTT_CONNECT_ENABLE_SHELL", "1"), ("SHELL", broken.to_str().unwrap())],
    );
    let mut browser = Browser::open(&wtt.service);
    let tab = browser.terminal(80, 24);
    let error = browser
        .wait("an error", |f| f["type"] == "terminal_error" && f["session_id"] == tab.session.as_str());
    assert_eq!(error["error"], "cannot_open", "{error}");
}

#[test]
fn ten_terminals_no_more_and_none_outlives_the_connector() {
    if missing(BASH) {
        return;
    }
    let (wtt, _home, connector) = open_house(&[]);
    let mut browser = Browser::open(&wtt.service);
    // what is started late has been started
    let mut tab = shell(&mut browser);
    browser.keys(&tab, "exit\r");
    browser.exit(&mut tab);
    let before = resources(connector.pid());
    let mut tabs: Vec<Tab> = (0..10).map(|_| shell(&mut browser)).collect();
    let refusal = browser.ask("terminal_open", json!({"cols": 80, "rows": 24}));
    assert_eq!(
        (&refusal["ok"], &refusal["error"]),
        (&json!(false), &json!("too_many_terminals")),
        "{refusal}"
    );
    for (n, tab) in tabs.iter_mut().enumerate() {
        browser.keys(tab, &format!("sleep 1000 & echo me$((1))=$$ job=$! {n}; sleep 1001\r"));
    }
    let mut pids = Vec::new();
    for (n, tab) in tabs.iter_mut().enumerate() {
        browser.see(tab, "me1=");
        pids.push(browser.see(tab, " job="));
        pids.push(browser.see(tab, &format!(" {n}\r\n")));
    }
    // half are closed by the page, half by the end of the connector
    for tab in tabs.iter_mut().take(5) {
        browser.send("terminal_close", json!({"session_id": tab.session}));
        browser.exit(tab);
    }
    for pid in &pids[..10] {
        until("the end of a closed terminal", || !is_alive(pid));
    }
    assert!(pids[10..].iter().all(|pid| is_alive(pid)));
    let mut tab = shell(&mut browser);
    browser.keys(&tab, "exit\r");
    browser.exit(&mut tab);
    for tab in tabs.iter_mut().skip(5) {
        browser.send("terminal_close", json!({"session_id": tab.session}));
        browser.exit(tab);
    }
    until("descriptors and threads to be given back", || {
        let now = resources(connector.pid());
        now.0 <= before.0 && now.1 <= before.1
    });
    let mut last = shell(&mut browser);
    browser.keys(&last, "trap '' HUP TERM; echo me$((1))=$$,; sleep 1000\r");
    browser.see(&mut last, "me1=");
    let stubborn = browser.see(&mut last, ",");
    assert!(connector.stop().success());
    assert!(!is_alive(&stubborn), "a shell that ignores the hang-up is killed");
}

#[test]
fn the_jobs_of_a_shell_that_had_to_be_killed_are_hung_up() {
    if missing(BASH) || !Path::new("/proc/self/stat").exists() {
        return;
    }
    let (wtt, _home, _connector) = open_house(&[]);
    let mut browser = Browser::open(&wtt.service);
    let mut tab = shell(&mut browser);
    browser.keys(
        &tab,
        "sleep 1000 & (trap '' HUP; exec sleep 1001) & trap '' HUP; echo me$((1))=$! job=$(jobs -p %1),\r",
    );
    browser.see(&mut tab, "me1=");
    let stubborn = browser.see(&mut tab, " job=");
    let job = browser.see(&mut tab, ",");
    browser.send("terminal_close", json!({"session_id": tab.session}));
    assert_eq!(browser.exit(&mut tab), 137);
    until("the end of its job", || !is_alive(&job));
    assert!(is_alive(&stubborn), "what ignores the hang-up stays");
    end(&stubborn);
}

#[test]
fn a_terminal_survives_a_cut_and_is_ended_when_nobody_comes_back() {
    if missing(BASH) {
        return;
    }
    let quick = ("WTT_CONNECT_TEST_TIMING", r#"{"backoff":20,"backoff_max":50,"healthy":0}"#);
    let (wtt, _home, _connector) = open_house(&[quick]);
    let mut browser = Browser::open(&wtt.service);
    let mut tab = shell(&mut browser);
    browser.keys(
        &tab,
        "awk 'BEGIN { while (1) { print \"n\" ++i; fflush(); for (j = 0; j < 100000; j++); } }'\r",
    );
    browser.see(&mut tab, "n5\r\n");
    wtt.forget();
    assert!(wtt.service.cut_sockets(AGENT) > 0);
    wtt.connected();
    browser.see(&mut tab, "\r\nn");
    browser.keys(&tab, "\u{3}");
    browser.see(&mut tab, "> ");
    assert_eq!(line(&mut browser, &mut tab, "echo $?"), "130", "the same shell goes on");

    let grace = ("WTT_CONNECT_TEST_HOST_TIMES", r#"{"grace":100}"#);
    let never = ("WTT_CONNECT_TEST_TIMING", r#"{"backoff":60000,"backoff_max":60000,"refused":60000}"#);
    let (wtt, home) = (Wtt::start(), Home::new());
    let _other = Connector::start(&wtt, &home, &[ON, &[grace, never]].concat());
    let mut browser = Browser::open(&wtt.service);
    let mut tab = shell(&mut browser);
    browser.keys(&tab, "echo me$((1))=$$,; yes\r");
    browser.see(&mut tab, "me1=");
    let pid = browser.see(&mut tab, ",");
    wtt.service.set_faults(wtt_connect::local::service::Faults { reject_auth: true, ..Default::default() });
    assert!(wtt.service.cut_sockets(AGENT) > 0);
    until("the end of a terminal that nobody can see", || !is_alive(&pid));
}

#[test]
fn a_forgotten_terminal_is_closed() {
    if missing(BASH) {
        return;
    }
    let (wtt, _home, _connector) = open_house(&[("WTT_CONNECT_TEST_HOST_TIMES", r#"{"idle":1500}"#)]);
    let mut browser = Browser::open(&wtt.service);
    let mut tab = shell(&mut browser);
    browser.see(&mut tab, "was not used for long");
    browser.exit(&mut tab);
}

/// What a flood of so many bytes does: everything arrives, the memory stays, a reply comes in between.
fn flood(bytes: usize, slack_kib: usize) {
    let (wtt, _home, connector) = open_house(&[]);
    let topic = wtt.p2p();
    let mut browser = Browser::open(&wtt.service);
    let tab = shell(&mut browser);
    let before = resources(connector.pid()).2;
    let started = std::time::Instant::now();
    browser.keys(
        &tab,
        &format!("stty -opost; yes 0123456789abcde | head -c {bytes}; stty opost; echo '' e'n'd\r"),
    );
    let (mut came, mut tail, mut most, mut asked, mut late) = (0, String::new(), 0, None, None);
    while !tail.contains(" end\r\n") {
        let frame = browser.event(&tab);
        let data = frame["data"].as_str().unwrap();
        came += data.len();
        tail = data.chars().rev().take(40).collect::<Vec<_>>().into_iter().rev().collect();
        most = most.max(resources(connector.pid()).2);
        if came > bytes / 4 && asked.is_none() {
            asked = Some(std::time::Instant::now());
            wtt.say(&topic, "/help");
        }
        if asked.is_some() && late.is_none() && !wtt.posts(&topic).is_empty() {
            late = asked.map(|at| at.elapsed());
        }
    }
    let took = started.elapsed();
    let rate = bytes as f64 / 1e6 / took.as_secs_f64();
    eprintln!(
        "flood: {bytes} bytes in {took:.1?} ({rate:.1} MB/s), {before} to {most} KiB, a reply within {late:?}"
    );
    assert!(came >= bytes, "{came} of {bytes} bytes came");
    assert!(most < before + slack_kib, "from {before} to {most} KiB");
    assert!(late.is_some(), "a reply waits for the end of the flood");
}

#[test]
fn a_flood_makes_its_program_wait_and_nobody_else() {
    if missing(BASH) || missing("/usr/bin/yes") {
        return;
    }
    flood(4_000_000, 12 * 1024);
}

/// The same with 100 MB: `cargo test -- --ignored flood`.
#[test]
#[ignore = "takes a while"]
fn a_great_flood() {
    flood(100_000_000, 12 * 1024);
}
