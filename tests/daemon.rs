//! A message in a topic is answered: the whole daemon, from the socket to the agent's process and back.

use crate::support::daemon::{AGENT, Connector, Home, TOKEN, Wtt, command, is_alive, resources, until};
use crate::support::server::Server;
use serde_json::{Value, json};
use wtt_connect::local::service::{Faults, MessageAuthor, ServiceEvent};

#[test]
fn a_message_is_answered_once_with_progress_and_reply_to() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = Connector::start(&wtt, &home, &[]);
    let topic = wtt.p2p();
    let id = wtt.say(&topic, "please RUN: tool 'cargo test'; await go; answer 'all green'");
    assert_eq!(wtt.status(&topic, "starting")["status_kind"], "running");
    let status = wtt.status(&topic, "cargo test");
    assert_eq!(status["status_kind"], "command");
    assert_eq!(status["adapter"], "claude-code");
    home.touch("go");
    let answer = wtt.answer(&topic, "all green");
    assert_eq!(answer["reply_to"], id.as_str());
    assert_eq!(answer["metadata"]["outcome"], "done");
    wtt.wait("typing stop", |o| match &o.event {
        ServiceEvent::Typing(frame) => (frame["state"] == "stop").then_some(()),
        _ => None,
    });
    assert_eq!(wtt.posts(&topic).len(), 1);
    until("an empty outbox", || home.outbox().is_empty());
}

#[test]
fn the_second_message_resumes_and_so_does_one_after_a_restart() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let connector = Connector::start(&wtt, &home, &[]);
    let topic = wtt.p2p();
    wtt.say(&topic, "RUN: answer one");
    wtt.answer(&topic, "one");
    wtt.say(&topic, "RUN: answer two");
    wtt.answer(&topic, "two");
    assert!(connector.stop().success());
    wtt.forget();
    let _connector = Connector::start(&wtt, &home, &[]);
    wtt.say(&topic, "RUN: answer three");
    wtt.answer(&topic, "three");
    let runs = home.runs();
    let ids: Vec<&str> = runs.iter().map(|r| r.split('|').next().unwrap()).collect();
    assert_eq!(ids[0], ids[1]);
    assert_eq!(ids[0], ids[2]);
    let resumed: Vec<&str> = runs.iter().map(|r| r.split('|').nth(1).unwrap()).collect();
    assert_eq!(resumed, ["fresh", "1", "1"]);
}

#[test]
fn new_starts_a_fresh_session() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = Connector::start(&wtt, &home, &[]);
    let topic = wtt.p2p();
    wtt.say(&topic, "RUN: answer one");
    wtt.answer(&topic, "one");
    wtt.say(&topic, "/new");
    assert_eq!(wtt.answer(&topic, "fresh session")["metadata"]["outcome"], "notice");
    wtt.say(&topic, "RUN: answer two");
    wtt.answer(&topic, "two");
    let runs = home.runs();
    assert_ne!(runs[0].split('|').next(), runs[1].split('|').next());
}

#[test]
fn a_topic_id_may_hold_anything_and_its_session_is_found_again() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let connector = Connector::start(&wtt, &home, &[]);
    let say = |id: &str, text: &str| {
        assert!(wtt.service.push_frame(
            AGENT,
            json!({"type": "new_message", "message": {"id": id, "topic_id": "a:b 100%", "topic_type": "p2p",
                "sender_id": "u", "sender_type": "human", "content": text}})
        ));
    };
    say("m1", "RUN: answer one");
    until("the first run", || connector.log().contains("turn 1 in"));
    assert!(connector.stop().success());
    wtt.forget();
    let connector = Connector::start(&wtt, &home, &[]);
    say("m2", "RUN: answer two");
    until("the second run", || connector.log().contains("turn 1 in"));
    let runs = home.runs();
    assert_eq!(runs[0].split('|').next(), runs[1].split('|').next(), "{runs:?}");
    assert!(runs[1].contains("|1|"), "{runs:?}");
}

#[test]
fn a_model_that_cannot_be_one_is_not_chosen() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = Connector::start(&wtt, &home, &[]);
    let topic = wtt.p2p();
    wtt.say(&topic, "/model --danger");
    wtt.answer(&topic, "cannot be the name of a model");
    wtt.say(&topic, "RUN: answer fine");
    wtt.answer(&topic, "fine");
}

#[test]
fn one_session_is_serial_and_different_sessions_are_parallel() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = Connector::start(&wtt, &home, &[]);
    let (one, two) = (wtt.p2p(), wtt.p2p());
    wtt.say(&one, "RUN: echo > \"$HOME/started\"; await go; answer first");
    home.wait_for("started");
    wtt.say(&one, "RUN: answer second");
    assert_eq!(wtt.status(&one, "waiting for 1 earlier message")["status_kind"], "queued");
    wtt.say(&two, "RUN: answer elsewhere");
    wtt.answer(&two, "elsewhere");
    assert!(wtt.posts(&one).is_empty(), "a busy notice was posted");
    home.touch("go");
    wtt.answer(&one, "second");
    let texts: Vec<String> = wtt.posts(&one).iter().map(|p| p["content"].as_str().unwrap().into()).collect();
    assert_eq!(texts, ["first", "second"]);
    let runs: Vec<String> = home.runs().into_iter().filter(|r| !r.contains("elsewhere")).collect();
    assert_eq!(runs[0].split('|').next(), runs[1].split('|').next(), "the second saw the first's session id");
}

#[test]
fn stop_says_so_only_when_everything_is_gone() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = Connector::start(&wtt, &home, &[]);
    let topic = wtt.p2p();
    // a tool in a session of its own, as Claude's are, that ignores what it can
    wtt.say(
        &topic,
        "RUN: setsid sh -c 'trap \"\" INT TERM HUP; echo $$ > \"$HOME/tool\"; while :; do sleep 1; done' & text half; wait",
    );
    home.wait_for("tool");
    until("the tool's pid", || !std::fs::read_to_string(home.path().join("tool")).unwrap().trim().is_empty());
    let tool = std::fs::read_to_string(home.path().join("tool")).unwrap().trim().to_owned();
    wtt.say(&topic, "/stop");
    let answer = wtt.answer(&topic, "Stopped");
    assert!(!is_alive(&tool), "the tool outlived the answer");
    assert_eq!(answer["metadata"]["outcome"], "cancelled");
    assert!(answer["content"].as_str().unwrap().contains("half"), "what it had said is repeated: {answer}");
    wtt.say(&topic, "/stop");
    wtt.answer(&topic, "Nothing is running");
    wtt.say(&topic, "RUN: answer 'still here'");
    wtt.answer(&topic, "still here");
}

#[test]
fn every_failure_is_one_visible_post_with_its_reason() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = Connector::start(&wtt, &home, &[]);
    for (line, says) in [
        ("exit 3", "3"),
        ("kill -9 $$", "SIGKILL"),
        ("exit 0", "without"),
        ("fail 'Not logged in · Please run /login'", "log"),
        ("fail 'API Error: 529 overloaded'", "529"),
    ] {
        let topic = wtt.p2p();
        wtt.say(&topic, &format!("RUN: {line}"));
        let answer = wtt.answer(&topic, "⚠️");
        assert_eq!(answer["metadata"]["outcome"], "failed", "{line}");
        assert!(answer["content"].as_str().unwrap().contains(says), "{line}: {answer}");
        assert_eq!(wtt.posts(&topic).len(), 1, "{line}");
    }
}

#[test]
fn a_missing_program_is_answered_with_a_remedy() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let env = [
        ("WTT_CONNECT_CLAUDE_CODE_COMMAND", "/nowhere/claude"),
        ("PATH", "/nowhere"),
        ("WTT_CONNECT_CODEX_COMMAND", "/bin/sh"),
    ];
    let _connector = Connector::start(&wtt, &home, &env);
    let topic = wtt.p2p();
    wtt.say(&topic, "hello");
    let answer = wtt.answer(&topic, "⚠️");
    let text = answer["content"].as_str().unwrap();
    assert!(text.contains("Claude Code") && text.contains("/nowhere/claude"), "{text}");
    assert!(text.contains("installed here: codex"), "and who could answer: {text}");
}

#[test]
fn a_duplicate_message_is_run_once() {
    let (wtt, home) = (Wtt::start(), Home::new());
    wtt.service.set_faults(Faults { duplicate_pushes: true, ..Faults::default() });
    let connector = Connector::start(&wtt, &home, &[]);
    let topic = wtt.p2p();
    let id = wtt.say(&topic, "RUN: answer once");
    wtt.answer(&topic, "once");
    connector.kill();
    wtt.forget();
    let _connector = Connector::start(&wtt, &home, &[]);
    let again = json!({"type":"new_message","message":{"id": id, "topic_id": topic, "topic_type":"p2p", "sender_id":"user_1",
        "sender_type":"human","content":"RUN: answer once"}});
    assert!(wtt.service.push_frame(AGENT, again));
    wtt.say(&topic, "RUN: answer twice");
    wtt.answer(&topic, "twice");
    assert_eq!(home.runs().len(), 2, "{:?}", home.runs());
}

#[test]
fn tolerant_of_every_spelling_of_the_service() {
    for faults in [
        Faults {
            metadata_as_string: true,
            upper_case_sender: true,
            push_message_id: true,
            ..Faults::default()
        },
        Faults { no_echo: true, metadata_as_string: true, ..Faults::default() },
        Faults { silent_auth: true, ..Faults::default() },
    ] {
        let (wtt, home) = (Wtt::start(), Home::new());
        wtt.service.set_faults(faults.clone());
        let timing = ("WTT_CONNECT_TEST_TIMING", "{\"auth\":200}");
        let _connector = Connector::start(&wtt, &home, &[timing]);
        let topic = wtt.p2p();
        wtt.say(&topic, "RUN: answer fine");
        wtt.answer(&topic, "fine");
    }
}

#[test]
fn groups_are_answered_only_when_addressed() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = Connector::start(&wtt, &home, &[("WTT_CONNECT_AGENT_ALIASES", "小明")]);
    let group = wtt.service.create_topic("discussion", "group", &[AGENT, "agent-002"]);
    wtt.say(&group, "RUN: answer nobody");
    wtt.say(&group, "mail agent-001@example.com RUN: answer mail");
    wtt.service.post_message(
        &group,
        MessageAuthor::Human,
        "RUN: answer system",
        json!({"semantic_type":"notification"}),
    );
    wtt.say(&group, "@agent-001 RUN: answer id");
    wtt.answer(&group, "id");
    wtt.say(&group, "@小明 RUN: answer alias");
    wtt.answer(&group, "alias");
    wtt.say(&group, "@Alice Codex RUN: answer name");
    wtt.answer(&group, "name");
    wtt.say(&group, "@all RUN: answer all");
    wtt.answer(&group, "all");
    assert_eq!(wtt.posts(&group).len(), 4);
    assert_eq!(home.runs().len(), 4);
}

#[test]
fn a_full_queue_is_reported_as_a_status_and_never_as_a_post() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = Connector::start(&wtt, &home, &[]);
    let topic = wtt.p2p();
    wtt.say(&topic, "RUN: echo > \"$HOME/started\"; await go; answer m0");
    home.wait_for("started");
    for n in 1..33 {
        wtt.say(&topic, &format!("RUN: answer m{n}"));
    }
    assert_eq!(wtt.status(&topic, "queue is full")["status_kind"], "error");
    assert!(wtt.posts(&topic).is_empty());
    home.touch("go");
    for n in 0..32 {
        wtt.answer(&topic, &format!("m{n}"));
    }
    assert_eq!(wtt.posts(&topic).len(), 32);
}

#[test]
fn a_long_answer_comes_in_parts_and_hidden_lines_are_defused() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = Connector::start(&wtt, &home, &[]);
    let topic = wtt.p2p();
    let id = wtt.say(
        &topic,
        "RUN: i=0; long=; while [ $i -lt 3000 ]; do long=\"$long word$i\\\\n\\\\n\"; i=$((i+1)); done; answer \"${long}[TASK_STATUS] x\\\\nthe end\"",
    );
    wtt.answer(&topic, "the end");
    let posts = wtt.posts(&topic);
    assert!(posts.len() > 1);
    assert_eq!(posts[0]["reply_to"], id.as_str());
    assert!(posts[1]["reply_to"].is_null());
    let whole: String = posts.iter().map(|p| p["content"].as_str().unwrap()).collect();
    assert!(!whole.lines().any(|l| l.starts_with("[TASK_STATUS]")));
    assert!((0..3000).all(|n| whole.contains(&format!("word{n}"))));
}

#[test]
fn a_request_of_the_service_that_we_cannot_serve_is_refused_at_once() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = Connector::start(&wtt, &home, &[]);
    for (kind, error) in [
        ("e2e_key_request", "e2e_not_configured"),
        ("shell_exec_request", "shell_disabled"),
        ("workspace_list_request", "not_supported"),
    ] {
        assert!(
            wtt.service
                .push_frame(AGENT, json!({"type": kind, "request_id": format!("r-{kind}"), "command": "id"}))
        );
        let refusal = wtt.wait("a refusal", |o| match &o.event {
            ServiceEvent::Frame(frame) if frame["request_id"] == format!("r-{kind}") => Some(frame.clone()),
            _ => None,
        });
        assert_eq!(refusal["ok"], false);
        assert_eq!(refusal["error"], error);
    }
}

#[test]
fn a_second_instance_is_refused_with_the_pid_of_the_first() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let connector = Connector::start(&wtt, &home, &[]);
    let second = command(&wtt.service.base_url(), &home, &[]).output().unwrap();
    assert_eq!(second.status.code(), Some(75));
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(said.contains(&format!("pid {}", connector.pid())), "{said}");
    let topic = wtt.p2p();
    wtt.say(&topic, "RUN: answer unharmed");
    wtt.answer(&topic, "unharmed");
}

#[test]
fn the_daemon_listens_on_no_port() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let connector = Connector::start(&wtt, &home, &[]);
    let Ok(files) = std::fs::read_dir(format!("/proc/{}/fd", connector.pid())) else {
        eprintln!("skipped: the connector's open files are shown to nobody but root");
        return;
    };
    let mine: Vec<String> = files
        .filter_map(|fd| std::fs::read_link(fd.unwrap().path()).ok())
        .filter_map(|link| link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']').map(str::to_owned))
        .collect();
    assert!(!mine.is_empty(), "it has its connection");
    for table in ["tcp", "tcp6", "udp", "udp6"] {
        // there may be no IPv6
        let listening = std::fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
        for line in listening.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let listening = fields[3] == "0A" || table.starts_with("udp");
            assert!(!(listening && mine.iter().any(|inode| inode == fields[9])), "listens: {line}");
        }
    }
}

#[test]
fn the_token_is_in_no_log_no_file_and_no_child() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let env = [("WTT_CONNECT_LOG", "trace"), ("NOTIFY_SOCKET", "/nowhere"), ("RUST_LOG", "trace")];
    let connector = Connector::start(&wtt, &home, &env);
    let topic = wtt.p2p();
    wtt.say(&topic, "RUN: env > \"$HOME/env\"; answer done");
    wtt.answer(&topic, "done");
    let child = std::fs::read_to_string(home.path().join("env")).unwrap();
    for name in ["WTT_TOKEN", "NOTIFY_SOCKET", "RUST_LOG", TOKEN] {
        assert!(!child.contains(name), "{name} reached the agent");
    }
    let cmdline = std::fs::read(format!("/proc/{}/cmdline", connector.pid())).unwrap();
    assert!(!String::from_utf8_lossy(&cmdline).contains(TOKEN));
    let log = connector.log();
    assert!(!log.contains(TOKEN), "the token is in the log");
    assert!(!log.contains("RUN: env"), "a payload is in the log");
    connector.stop();
    for file in std::fs::read_dir(home.state_dir()).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            assert!(!String::from_utf8_lossy(&std::fs::read(&path).unwrap()).contains(TOKEN), "{path:?}");
        }
    }
}

#[test]
fn variables_of_an_env_file_reach_the_agent_and_the_token_does_not() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let file = home.path().join("my.env");
    std::fs::write(&file, format!("WTT_TOKEN='{TOKEN}'\nMY_API_KEY='key with blanks'\n")).unwrap();
    let mut command = command(&wtt.service.base_url(), &home, &[]);
    command.env_remove("WTT_TOKEN").arg("--env-file").arg(&file).stderr(std::process::Stdio::null());
    let mut child = command.spawn().unwrap();
    wtt.connected();
    let topic = wtt.p2p();
    wtt.say(&topic, "RUN: answer \"$MY_API_KEY ${WTT_TOKEN:-none}\"");
    wtt.answer(&topic, "key with blanks none");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn only_so_many_agents_run_at_once_and_the_others_are_told() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = Connector::start(&wtt, &home, &[("WTT_CONNECT_MAX_AGENTS", "2")]);
    let topics: Vec<String> = (0..4).map(|_| wtt.p2p()).collect();
    for (n, topic) in topics.iter().enumerate() {
        wtt.say(topic, &format!("RUN: echo > \"$HOME/started{n}\"; await go; answer done{n}"));
        wtt.status(topic, if n < 2 { "starting" } else { "waiting for a free place" });
    }
    home.wait_for("started0");
    home.wait_for("started1");
    assert!(!home.path().join("started2").exists());
    // one that only waits can be stopped, and /status answers at once
    wtt.say(&topics[3], "/status");
    wtt.answer(&topics[3], "this topic: idle");
    home.touch("go");
    for (n, topic) in topics.iter().enumerate() {
        wtt.answer(topic, &format!("done{n}"));
    }
    assert_eq!(home.runs().len(), 4);
}

#[test]
fn a_later_message_of_a_topic_says_too_that_it_waits_for_a_place() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = Connector::start(&wtt, &home, &[("WTT_CONNECT_MAX_AGENTS", "1")]);
    let [first, other] = [wtt.p2p(), wtt.p2p()];
    wtt.say(&first, "RUN: echo > \"$HOME/started\"; await go; answer one");
    home.wait_for("started");
    wtt.say(&other, "RUN: echo > \"$HOME/other\"; await go2; answer two");
    wtt.status(&other, "waiting for a free place");
    wtt.say(&first, "RUN: answer three");
    wtt.status(&first, "waiting for 1 earlier message");
    home.touch("go");
    home.wait_for("other");
    wtt.status(&first, "waiting for a free place");
    home.touch("go2");
    wtt.answer(&other, "two");
    wtt.answer(&first, "three");
}

#[test]
fn what_needs_no_agent_does_not_wait_for_a_place() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = Connector::start(&wtt, &home, &[("WTT_CONNECT_MAX_AGENTS", "1")]);
    let [busy, waits, new] = [wtt.p2p(), wtt.p2p(), wtt.p2p()];
    wtt.say(&busy, "RUN: echo > \"$HOME/started\"; await go; answer done");
    home.wait_for("started");
    wtt.say(&waits, "RUN: answer never");
    wtt.status(&waits, "waiting for a free place");
    wtt.say(&waits, "/stop");
    assert_eq!(wtt.answer(&waits, "Stopped before it began")["metadata"]["outcome"], "cancelled");
    wtt.say(&new, "/new");
    wtt.answer(&new, "fresh session");
    wtt.say(&new, "RUN: answer later");
    wtt.status(&new, "waiting for a free place");
    assert!(wtt.posts(&busy).is_empty(), "the place was never free");
    home.touch("go");
    wtt.answer(&busy, "done");
    wtt.answer(&new, "later");
    assert_eq!(home.runs().len(), 2, "{:?}", home.runs());
}

#[test]
fn typing_stops_once_and_only_when_nothing_is_at_work_in_the_topic() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = Connector::start(&wtt, &home, &[]);
    let topic = wtt.p2p();
    wtt.say(&topic, "RUN: echo > \"$HOME/started\"; await go; answer done");
    home.wait_for("started");
    wtt.say(&topic, "/status");
    wtt.answer(&topic, "this topic: claude-code (default) running");
    until("its acknowledgement", || home.outbox().is_empty());
    home.touch("go");
    wtt.answer(&topic, "done");
    let mut after_the_answer = false;
    let stop = wtt.wait("typing stop", |o| match &o.event {
        ServiceEvent::Message(row) if row["content"] == "done" => {
            after_the_answer = true;
            None
        }
        ServiceEvent::Typing(frame) if frame["state"] == "stop" => Some(after_the_answer),
        _ => None,
    });
    assert!(stop, "the answer to /status stopped the status of the running turn");
}

#[test]
fn an_equal_answer_to_another_message_is_not_mistaken_for_a_lost_one() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let fast = ("WTT_CONNECT_TEST_TIMING", "{\"backoff\":20}");
    let _connector = Connector::start(&wtt, &home, &[fast]);
    let topic = wtt.p2p();
    // as a service that keeps no metadata shows an earlier answer of ours
    wtt.service.post_message(
        &topic,
        MessageAuthor::Agent(AGENT),
        "yes",
        json!({"semantic_type": "post", "reply_to": "m-1"}),
    );
    let lossy = Faults { drop_results: true, refuse_publish: Some("lost".into()), ..Faults::default() };
    wtt.service.set_faults(lossy);
    let id = wtt.say(&topic, "RUN: answer yes");
    wtt.wait("the publication that gets lost", |o| match &o.event {
        ServiceEvent::Frame(frame) => (frame["action"] == "publish").then_some(()),
        _ => None,
    });
    wtt.service.set_faults(Faults::default());
    wtt.service.cut_sockets(AGENT);
    wtt.wait("the answer", |o| match &o.event {
        ServiceEvent::Message(row) => (row["reply_to"] == id.as_str()).then_some(()),
        _ => None,
    });
}

#[test]
fn what_was_missed_too_long_ago_is_not_run() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let topic = wtt.p2p();
    let old = json!({"created_at": "2026-01-01T00:00:00Z"});
    wtt.service.post_message(&topic, MessageAuthor::Human, "RUN: answer old", old);
    let _connector = Connector::start(&wtt, &home, &[]);
    wtt.say(&topic, "RUN: answer new");
    wtt.answer(&topic, "new");
    wtt.say(&topic, "RUN: answer newer");
    wtt.answer(&topic, "newer");
    assert_eq!(home.runs().len(), 2, "{:?}", home.runs());
}

#[test]
fn a_message_that_was_refused_is_not_run_after_a_reconnect() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let fast = ("WTT_CONNECT_TEST_TIMING", "{\"backoff\":20}");
    let _connector = Connector::start(&wtt, &home, &[fast]);
    let [topic, other] = [wtt.p2p(), wtt.p2p()];
    wtt.say(&topic, "RUN: echo > \"$HOME/started\"; await go; answer m0");
    home.wait_for("started");
    for n in 1..32 {
        wtt.say(&topic, &format!("RUN: answer m{n}"));
    }
    wtt.say(&topic, "RUN: answer refused");
    wtt.status(&topic, "send it again later");
    wtt.say(&topic, "/new");
    home.touch("go");
    for n in 0..32 {
        wtt.answer(&topic, &format!("m{n}"));
    }
    wtt.forget();
    wtt.service.cut_sockets(AGENT);
    wtt.connected();
    wtt.say(&other, "RUN: answer other");
    wtt.answer(&other, "other");
    wtt.say(&topic, "RUN: answer last");
    wtt.answer(&topic, "last");
    assert!(!home.runs().iter().any(|run| run.contains("refused")), "{:?}", home.runs());
    assert!(!wtt.posts(&topic).iter().any(|p| p["content"].as_str().unwrap().contains("fresh session")));
}

/// The session ids of all runs so far, and whether each was resumed.
fn sessions(home: &Home) -> Vec<(String, bool)> {
    let runs = home.runs();
    let split = |run: &String| {
        let mut parts = run.split('|').map(str::to_owned);
        (parts.next().unwrap(), parts.next().unwrap() == "1")
    };
    runs.iter().map(split).collect()
}

#[test]
fn a_forgotten_session_is_replaced_once_and_the_user_is_told() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = Connector::start(&wtt, &home, &[]);
    let topic = wtt.p2p();
    wtt.say(&topic, "RUN: answer one");
    wtt.answer(&topic, "one");
    home.touch("forgotten");
    wtt.say(&topic, "RUN: answer two");
    let answer = wtt.answer(&topic, "two");
    assert!(answer["content"].as_str().unwrap().contains("fresh session"), "{answer}");
    std::fs::remove_file(home.path().join("forgotten")).unwrap();
    wtt.say(&topic, "RUN: answer three");
    let answer = wtt.answer(&topic, "three");
    assert!(!answer["content"].as_str().unwrap().contains("fresh session"), "{answer}");
    let ids = sessions(&home);
    assert_eq!(ids.iter().map(|i| i.1).collect::<Vec<_>>(), [false, true, false, true]);
    assert_eq!(ids[3].0, ids[2].0);
    assert_eq!(wtt.posts(&topic).len(), 3);
}

#[test]
fn a_session_is_kept_over_a_stop_and_a_failure_but_not_when_it_is_full() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = Connector::start(&wtt, &home, &[]);
    let topic = wtt.p2p();
    wtt.say(&topic, "RUN: echo > \"$HOME/begun\"; sleep 600");
    home.wait_for("begun");
    wtt.say(&topic, "/stop");
    wtt.answer(&topic, "Stopped");
    wtt.say(&topic, "RUN: fail 'API Error: 529 overloaded'");
    wtt.answer(&topic, "529");
    wtt.say(&topic, "RUN: fail 'API Error: 400 prompt is too long: 220000 tokens > 200000 maximum'");
    let answer = wtt.answer(&topic, "too long");
    assert!(answer["content"].as_str().unwrap().contains("fresh"), "it says what follows: {answer}");
    wtt.say(&topic, "RUN: answer anew");
    wtt.answer(&topic, "anew");
    let ids = sessions(&home);
    assert_eq!(ids.iter().map(|i| i.1).collect::<Vec<_>>(), [false, true, true, false]);
    assert_eq!(ids[0].0, ids[2].0);
}

#[test]
fn a_wrapper_with_leading_arguments_is_started_as_given() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let agent = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/agents/scripted.sh");
    let command = format!("env 'WRAPPED=with blanks' '{agent}'");
    let _connector = Connector::start(&wtt, &home, &[("WTT_CONNECT_CLAUDE_CODE_COMMAND", &command)]);
    let topic = wtt.p2p();
    wtt.say(&topic, "RUN: answer \"wrapped $WRAPPED\"");
    wtt.answer(&topic, "wrapped with blanks");
}

#[test]
fn an_agent_that_is_slow_to_start_holds_nobody_up() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let slow = home.path().join("slow.sh");
    let agent = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/agents/scripted.sh");
    let script = format!(
        "#!/bin/sh\nmkdir \"$HOME/first\" 2>/dev/null && while [ ! -e \"$HOME/go\" ]; do sleep 0.02; done\nexec '{agent}' \"$@\"\n"
    );
    crate::support::program::program(&slow, script);
    let _connector =
        Connector::start(&wtt, &home, &[("WTT_CONNECT_CLAUDE_CODE_COMMAND", slow.to_str().unwrap())]);
    let (one, two) = (wtt.p2p(), wtt.p2p());
    wtt.say(&one, "RUN: answer first");
    home.wait_for("first");
    wtt.say(&two, "RUN: answer second");
    wtt.answer(&two, "second");
    wtt.say(&one, "/status");
    wtt.answer(&one, "this topic:");
    home.touch("go");
    wtt.answer(&one, "first");
}

#[test]
fn everything_that_was_missed_is_fetched_however_many_topics_it_is_in() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let topics: Vec<String> = (0..120).map(|_| wtt.p2p()).collect();
    for topic in &topics {
        wtt.say(topic, "/help");
    }
    let _connector = Connector::start(&wtt, &home, &[]);
    for topic in &topics {
        wtt.answer(topic, "Commands of the connector");
    }
}

#[test]
fn an_answer_is_found_in_a_history_whose_rows_do_not_name_the_topic() {
    let home = Home::new();
    let published = std::sync::Arc::new(std::sync::Mutex::new(Vec::<Value>::new()));
    let theirs = published.clone();
    let server = Server::start(move |visit| {
        let mut peer = visit.welcome();
        while let Some(text) = peer.text() {
            let Ok(frame) = serde_json::from_str::<Value>(&text) else { continue };
            let sent = theirs.lock().unwrap().clone();
            let data = match frame["action"].as_str().unwrap() {
                "history" => json!({"messages": sent.iter().map(|f| json!({"id": "own", "sender_id": AGENT,
                    "content": f["content"], "metadata": f["metadata"]})).collect::<Vec<_>>()}),
                "publish" => {
                    theirs.lock().unwrap().push(frame);
                    // taken, and lost before it could say so
                    return if sent.is_empty() { peer.reset() } else { drop(peer.stay()) };
                }
                _ => json!([]),
            };
            peer.send(&json!({"type": "action_result", "request_id": frame["request_id"], "ok": true, "data": data}).to_string());
            if frame["action"] == "poll" && sent.is_empty() {
                peer.send(&json!({"type": "new_message", "message": {"id": "m", "topic_id": "t", "topic_type": "p2p",
                    "sender_id": "u", "sender_type": "human", "content": "RUN: answer yes"}}).to_string());
            }
        }
    });
    let base = format!("http://127.0.0.1:{}", server.port);
    let _connector = Connector::spawn(&base, &home, &[("WTT_CONNECT_TEST_TIMING", "{\"backoff\":20}")]);
    until("the publication", || !published.lock().unwrap().is_empty());
    until("an empty outbox", || home.outbox().is_empty() || published.lock().unwrap().len() > 1);
    assert_eq!(published.lock().unwrap().len(), 1);
}

#[test]
fn nothing_is_run_again_after_the_state_file_was_damaged() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let connector = Connector::start(&wtt, &home, &[]);
    let topic = wtt.p2p();
    wtt.say(&topic, "RUN: answer one");
    wtt.answer(&topic, "one");
    until("an empty outbox", || home.outbox().is_empty());
    assert!(connector.stop().success());
    std::fs::write(home.state_dir().join("state.json"), "{ half").unwrap();
    wtt.forget();
    let _connector = Connector::start(&wtt, &home, &[]);
    wtt.say(&topic, "RUN: answer two");
    wtt.answer(&topic, "two");
    wtt.say(&topic, "RUN: answer three");
    wtt.answer(&topic, "three");
    let texts: Vec<_> = wtt.posts(&topic).iter().map(|p| p["content"].as_str().unwrap().to_owned()).collect();
    assert_eq!(texts, ["one", "two", "three"]);
}

#[test]
fn a_command_whose_answer_is_in_the_outbox_is_not_answered_again_after_kill_9() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let connector = Connector::start(&wtt, &home, &[]);
    let topic = wtt.p2p();
    wtt.say(&topic, "RUN: answer first");
    wtt.answer(&topic, "first");
    wtt.service.set_faults(Faults { drop_results: true, no_echo: true, ..Faults::default() });
    wtt.say(&topic, "/help");
    wtt.answer(&topic, "Commands of the connector");
    connector.kill();
    wtt.service.set_faults(Faults::default());
    wtt.forget();
    let _connector = Connector::start(&wtt, &home, &[]);
    wtt.say(&topic, "RUN: answer last");
    wtt.answer(&topic, "last");
    assert_eq!(wtt.posts(&topic).len(), 3);
}

#[test]
fn many_turns_leak_no_descriptor_thread_or_memory() {
    let turns: usize = std::env::var("WTT_TEST_TURNS").ok().and_then(|n| n.parse().ok()).unwrap_or(120);
    let (wtt, home) = (Wtt::start(), Home::new());
    let env = [("WTT_CONNECT_SESSION_IDLE_SECONDS", "1"), ("WTT_CONNECT_LOG", "info")];
    let connector = Connector::start(&wtt, &home, &env);
    let topics: Vec<String> = (0..6).map(|_| wtt.p2p()).collect();
    let idle = wtt.idle_threads(connector.pid());
    let round = |from: usize, to: usize| {
        for n in from..to {
            let topic = &topics[n % topics.len()];
            let line = if n % 5 == 4 { "exit 3".to_owned() } else { format!("tool ls; answer 'done {n}.'") };
            wtt.say(topic, &format!("RUN: {line}"));
            if n % topics.len() == topics.len() - 1 {
                until("a quiet moment", || home.outbox().is_empty() && home.runs().len() > n);
                wtt.forget();
            }
        }
        until("all turns", || home.runs().len() >= to && home.outbox().is_empty());
    };
    round(0, 60);
    until("the workers to end", || resources(connector.pid()).1 <= idle);
    let before = resources(connector.pid());
    round(60, 60 + turns);
    // a thread that looks at something now and then may be there at any one look
    until("no more descriptors and threads than before", || {
        let now = resources(connector.pid());
        now.0 <= before.0 && now.1 <= idle
    });
    let after = resources(connector.pid());
    println!("{turns} turns: descriptors, threads, KiB {before:?} -> {after:?}");
    assert!(after.2 < before.2 + 2048, "memory grew: {before:?} -> {after:?}");
    assert_eq!(home.runs().len(), 60 + turns);
}
