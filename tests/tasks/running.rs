//! From a task on the board to its result, against the local service.

use super::patch;
use crate::support::daemon::{AGENT, Connector, Home, Wtt, is_alive, until};
use serde_json::{Map, Value, json};
use wtt_connect::http::{Client, ClientSettings};
use wtt_connect::local::service::{Faults, MessageAuthor, ServiceEvent};
use wtt_connect::secret::Secret;

/// Short pauses, so that a test does not wait for those that people get.
pub(super) const FAST: (&str, &str) =
    ("WTT_CONNECT_TEST_TASK_TIMING", r#"{"hold":300,"recheck":50,"retry":100,"sweep":60000}"#);

/// What a person in front of the board does.
pub(super) struct Person(pub(super) Client);

impl Person {
    pub(super) fn at(wtt: &Wtt) -> Person {
        let token = Secret::new(wtt.service.user_token());
        Person(Client::open(ClientSettings::new(&wtt.service.base_url(), token, None)).unwrap())
    }
    pub(super) fn does(&self, task: &Map<String, Value>, what: &str, body: &Value) {
        self.0.post_json(&format!("/tasks/{}/{what}", id(task)), body).unwrap();
    }
}

pub(super) fn id(task: &Map<String, Value>) -> &str {
    task["id"].as_str().unwrap()
}

pub(super) fn topic(task: &Map<String, Value>) -> &str {
    task["topic_id"].as_str().unwrap()
}

pub(super) fn create(wtt: &Wtt, description: &str, status: &str) -> Map<String, Value> {
    wtt.service.create_task(json!({"title": "Build it", "description": description, "status": status,
        "runner_agent_id": AGENT, "owner_agent_id": AGENT}))
}

fn patches(wtt: &Wtt, count: usize, task: &Map<String, Value>) -> Value {
    (0..count).map(|n| patch(wtt, id(task), n).0).collect()
}

fn golden(name: &str, now: &Value) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tasks").join(name);
    let now = format!("{}\n", serde_json::to_string_pretty(now).unwrap());
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &now).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(&path).unwrap_or_default(),
        now,
        "if meant: UPDATE_EXPECT=1 cargo test tasks::"
    );
}

#[test]
fn from_creation_to_review_reject_and_review() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = Connector::start(&wtt, &home, &[FAST]);
    let task = wtt.service.create_task(json!({"title": "Build it", "description": "RUN: answer first"}));
    let person = Person::at(&wtt);
    person.does(&task, "run", &json!({"runner_agent_id": AGENT}));
    wtt.answer(topic(&task), "first");
    patch(&wtt, id(&task), 0);
    person.does(
        &task,
        "review",
        &json!({"action": "reject", "reviewer": "ana", "comment": "RUN: answer second"}),
    );
    wtt.answer(topic(&task), "second");
    golden("review-cycle.json", &patches(&wtt, 2, &task));
    let runs = home.runs();
    assert_eq!(runs.len(), 2, "{runs:?}");
    let session = |n: usize| runs[n].split('|').next().unwrap().to_owned();
    assert_eq!(session(0), session(1), "the same session");
    until("the task in review", || wtt.service.task(id(&task)).unwrap()["status"] == "review");
    person.does(&task, "review", &json!({"action": "approve"}));
    until("an empty outbox", || home.outbox().is_empty());
    assert_eq!(wtt.posts(topic(&task)).len(), 2);
}

#[test]
fn a_failure_blocks_the_task_with_its_reason() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = Connector::start(&wtt, &home, &[FAST]);
    let task = create(&wtt, "RUN: fail 'no such model'", "doing");
    wtt.answer(topic(&task), "no such model");
    let (body, _) = patch(&wtt, id(&task), 0);
    assert_eq!(body["status"], "blocked");
    assert!(
        body["notes"].as_str().unwrap().contains("no such model") && body.get("output").is_none(),
        "{body}"
    );
}

#[test]
fn a_panic_in_its_turn_blocks_the_task() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = Connector::start(&wtt, &home, &[FAST, ("WTT_CONNECT_TEST_PANIC", "turn:boom")]);
    let task = create(&wtt, "RUN: text boom; await never", "doing");
    wtt.answer(topic(&task), "An internal error of wtt-connect ended this turn");
    let (body, _) = patch(&wtt, id(&task), 0);
    assert_eq!(body["status"], "blocked");
    assert!(body["notes"].as_str().unwrap().contains("internal error"), "{body}");
    until("an empty outbox", || home.outbox().is_empty());
    assert_eq!(wtt.posts(topic(&task)).len(), 1);
}

#[test]
fn who_ends_a_task_ends_its_run() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = Connector::start(&wtt, &home, &[FAST]);
    let task =
        create(&wtt, "RUN: sh -c 'echo $$ > \"$HOME/pid\"; touch \"$HOME/begun\"; exec sleep 600'", "doing");
    home.wait_for("begun");
    let agent = std::fs::read_to_string(home.path().join("pid")).unwrap();
    Person::at(&wtt).does(&task, "review", &json!({"action": "block", "comment": "not now"}));
    wtt.answer(topic(&task), "Stopped");
    assert!(!is_alive(agent.trim()));
    until("an empty outbox", || home.outbox().is_empty());
    assert_eq!(wtt.service.task(id(&task)).unwrap()["status"], "blocked");
    let said = |o: &wtt_connect::local::service::Observed| matches!(o.event, ServiceEvent::TaskPatch { .. });
    wtt.say(topic(&task), "RUN: answer still");
    wtt.wait("an answer, and no patch before it", |o| {
        assert!(!said(o), "the service is not told what it said itself");
        let ServiceEvent::Message(row) = &o.event else { return None };
        (row["content"] == "still").then_some(())
    });
}

#[test]
fn what_was_left_is_taken_up_on_connect_and_only_once() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let task = create(&wtt, "RUN: answer found", "doing");
    create(&wtt, "RUN: answer not begun", "todo");
    wtt.service.create_task(json!({"title": "Other", "status": "doing", "runner_agent_id": "agent-9"}));
    // the service does not take the end of the run: the task stays as it is
    wtt.service.set_faults(Faults { patch_answers: vec![404], ..Faults::default() });
    let connector = Connector::start(&wtt, &home, &[FAST]);
    wtt.answer(topic(&task), "found");
    patch(&wtt, id(&task), 0);
    until("an empty outbox", || home.outbox().is_empty());
    connector.kill();
    wtt.forget();
    let _connector = Connector::start(&wtt, &home, &[FAST]);
    wtt.wait("the sweep", |o| match &o.event {
        ServiceEvent::HttpRequest { target, .. } => target.contains("status=doing").then_some(()),
        _ => None,
    });
    let chat = wtt.p2p();
    wtt.say(&chat, "RUN: answer ready");
    wtt.answer(&chat, "ready");
    assert_eq!(home.runs().len(), 2, "{:?}", home.runs());
}

#[test]
fn what_nobody_told_of_is_found_by_the_next_sweep_and_odd_news_harms_nothing() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let often = r#"{"hold":50,"recheck":50,"retry":100,"sweep":200}"#;
    let connector = Connector::start(&wtt, &home, &[("WTT_CONNECT_TEST_TASK_TIMING", often)]);
    let task = wtt.service.create_task(
        json!({"title": "x", "description": "RUN: answer swept", "status": "doing", "runner_agent_id": "agent-9"}),
    );
    let long = "x".repeat(100_000);
    for odd in [
        json!({"type": "task_status", "task_id": "../../agents/my", "status": "doing"}),
        json!({"type": "task_status", "task_id": "a?b#c\r\nX: y", "status": "todo", "runner_agent_id": AGENT}),
        json!({"type": "task_status", "task_id": long, "status": "doing", "topic_id": long}),
        json!({"type": "task_status", "task_id": {"a": 1}, "status": ["doing"]}),
        json!({"type": "task_status", "task": [1], "data": null, "id": -1, "status": "doing"}),
        json!({"type": "task_status", "task_id": id(&task), "status": "cancelled"}),
    ] {
        assert!(wtt.service.push_frame(AGENT, odd));
    }
    // the service says nothing of another runner
    let mine = json!({"runner_agent_id": AGENT});
    Person::at(&wtt).0.patch_json(&format!("/tasks/{}", id(&task)), &mine).unwrap();
    assert_eq!(patch(&wtt, id(&task), 1).0["output"], "swept");
    until("an empty outbox", || home.outbox().is_empty());
    assert_eq!(home.runs().len(), 1);
    let log = connector.log();
    assert!(!log.contains("panic"), "{log}");
    assert!(connector.stop().success());
}

#[test]
fn a_message_that_sets_a_task_going_is_answered_once() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = Connector::start(&wtt, &home, &[FAST]);
    let task = create(&wtt, "RUN: answer wrong", "review");
    wtt.service.push_frame(AGENT, json!({"type": "task_status"})); // no task: ignored
    Person::at(&wtt).0.patch_json(&format!("/tasks/{}", id(&task)), &json!({"status": "todo"})).unwrap();
    let message = json!({"content": "RUN: answer asked", "auto_run": true, "sender_type": "HUMAN"});
    Person::at(&wtt).does(&task, "chat/send", &message);
    let row = wtt.answer(topic(&task), "asked");
    assert!(row["reply_to"].is_string(), "{row}");
    assert_eq!(patch(&wtt, id(&task), 1).0["output"], "asked");
    until("an empty outbox", || home.outbox().is_empty());
    wtt.say(topic(&task), "RUN: answer more");
    wtt.answer(topic(&task), "more");
    assert_eq!((home.runs().len(), wtt.posts(topic(&task)).len()), (2, 2), "{:?}", home.runs());
}

#[test]
fn a_message_just_before_the_push_carries_the_task_out() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = Connector::start(&wtt, &home, &[FAST]);
    let task = wtt.service.create_task(json!({"title": "x", "owner_agent_id": AGENT}));
    wtt.say(topic(&task), "RUN: touch \"$HOME/begun\"; await go; answer asked");
    home.wait_for("begun");
    Person::at(&wtt).does(&task, "run", &json!({"runner_agent_id": AGENT}));
    until("the promotion on disk", || home.stored().contains("\"task\":\""));
    home.touch("go");
    wtt.answer(topic(&task), "asked");
    assert_eq!(patch(&wtt, id(&task), 0).0["notes"], "asked");
    assert_eq!(home.runs().len(), 1);
}

#[test]
fn a_message_that_was_answered_before_the_push_has_carried_the_task_out() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = Connector::start(&wtt, &home, &[FAST]);
    let task = wtt.service.create_task(
        json!({"title": "x", "status": "blocked", "runner_agent_id": AGENT, "usage_total_tokens": u64::MAX}),
    );
    // by the service's clock; a slow machine has a little longer
    let when = wtt_connect::sys::time::rfc3339(wtt_connect::sys::time::now_ms() + 3_000);
    let row = json!({"created_at": when});
    wtt.service.post_message(topic(&task), MessageAuthor::Human, "RUN: answer asked", row);
    wtt.answer(topic(&task), "asked");
    until("an empty outbox", || home.outbox().is_empty());
    Person::at(&wtt).does(&task, "run", &json!({"runner_agent_id": AGENT}));
    let (body, _) = patch(&wtt, id(&task), 0);
    assert_eq!((&body["status"], &body["output"]), (&json!("review"), &json!("asked")), "{body}");
    assert_eq!((&body["usage_prompt_tokens"], &body["usage_total_tokens"]), (&json!(3), &json!(u64::MAX)));
    until("an empty outbox", || home.outbox().is_empty());
    // a run that a person asks for later is one of its own
    Person::at(&wtt).does(&task, "rerun", &json!({}));
    assert_eq!(patch(&wtt, id(&task), 1).0["output"], "ok");
    until("an empty outbox", || home.outbox().is_empty());
    assert_eq!((home.runs().len(), wtt.posts(topic(&task)).len()), (2, 2), "{:?}", home.runs());
}

#[test]
fn a_message_long_before_the_run_is_no_run() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = Connector::start(&wtt, &home, &[FAST]);
    let task = create(&wtt, "", "blocked");
    let when = wtt_connect::sys::time::rfc3339(wtt_connect::sys::time::now_ms() - 8_000);
    wtt.service.post_message(
        topic(&task),
        MessageAuthor::Human,
        "RUN: answer hello",
        json!({"created_at": when}),
    );
    wtt.answer(topic(&task), "hello");
    until("an empty outbox", || home.outbox().is_empty());
    Person::at(&wtt).does(&task, "run", &json!({"runner_agent_id": AGENT}));
    assert_eq!(patch(&wtt, id(&task), 0).0["output"], "ok");
}

#[test]
fn a_run_that_meets_a_usage_limit_ends_in_review_after_the_reset_also_across_a_crash() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let connector = Connector::start(&wtt, &home, &[FAST]);
    let soon = wtt_connect::sys::time::now_ms() / 1000 + 4;
    let limited = |dir: &str| {
        format!(
            "RUN: mkdir \"$HOME/{dir}\" && fail 'Claude AI usage limit reached|{soon}'; answer 'after the reset'"
        )
    };
    // by the task alone, and by a message that is put off before the task is being done
    let (run, chat) = (create(&wtt, &limited("run"), "doing"), create(&wtt, "RUN: answer wrong", "blocked"));
    wtt.say(topic(&chat), &limited("chat"));
    wtt.answer(topic(&chat), "usage limit");
    Person::at(&wtt).does(&chat, "run", &json!({}));
    wtt.answer(topic(&run), "usage limit");
    let put_off = || home.stored().matches("task_run").count() >= 2;
    until("the runs put off on disk", put_off);
    until("an empty outbox", || home.outbox().is_empty());
    connector.kill();
    wtt.forget();
    let tasks = [run, chat];
    for task in &tasks {
        assert_eq!(wtt.service.task(id(task)).unwrap()["status"], "doing", "nobody is told of an end");
    }
    let _connector = Connector::start(&wtt, &home, &[FAST]);
    for task in &tasks {
        let (body, _) = patch(&wtt, id(task), 0);
        assert_eq!((&body["status"], &body["output"]), (&json!("review"), &json!("after the reset")));
        assert_eq!(wtt.posts(topic(task)).len(), 2);
    }
    assert_eq!(home.runs().len(), 4, "{:?}", home.runs());
}

#[test]
fn a_task_that_is_only_to_be_done_is_claimed_also_without_run_and_behind_a_prefix() {
    for (faults, first) in [
        (Faults::default(), json!("review")),
        (Faults { no_task_run: true, ..Faults::default() }, json!("doing")),
        (Faults { api_v1_only: true, ..Faults::default() }, json!("review")),
    ] {
        let (wtt, home) = (Wtt::start(), Home::new());
        wtt.service.set_faults(faults);
        let _connector = Connector::start(&wtt, &home, &[FAST]);
        let task = create(&wtt, "RUN: answer claimed", "todo");
        wtt.answer(topic(&task), "claimed");
        assert_eq!(patch(&wtt, id(&task), 0).0["status"], first);
        until("the task in review", || wtt.service.task(id(&task)).unwrap()["status"] == "review");
        assert_eq!(home.runs().len(), 1);
    }
}

#[test]
fn a_run_that_was_cut_is_said_and_not_repeated() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let connector = Connector::start(&wtt, &home, &[FAST]);
    let task = create(&wtt, "RUN: touch \"$HOME/begun\"; await never", "doing");
    home.wait_for("begun");
    connector.kill();
    wtt.forget();
    let connector = Connector::start(&wtt, &home, &[FAST]);
    wtt.answer(topic(&task), "interrupted");
    let (body, _) = patch(&wtt, id(&task), 0);
    assert_eq!(body["status"], "blocked");
    assert!(body["notes"].as_str().unwrap().contains("interrupted"), "{body}");
    until("the task blocked", || wtt.service.task(id(&task)).unwrap()["status"] == "blocked");
    until("an empty outbox", || home.outbox().is_empty());
    assert_eq!(home.runs().len(), 1);
    // an orderly end says the same
    home.touch("other");
    Person::at(&wtt).does(&task, "rerun", &json!({}));
    until("the second run", || home.runs().len() == 2);
    assert!(connector.stop().success());
    let (body, status) = patch(&wtt, id(&task), 1);
    assert_eq!((&body["status"], status), (&json!("blocked"), 200));
}

#[test]
fn the_exec_mode_names_the_adapter() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = Connector::start(&wtt, &home, &[FAST]);
    let task = |mode: &str| {
        wtt.service.create_task(json!({"title": "x", "description": "RUN: answer done", "status": "doing",
            "runner_agent_id": AGENT, "exec_mode": mode}))
    };
    let (refused, plain) = (task("gemini"), task("plan"));
    wtt.answer(topic(&refused), "adapter `gemini` is not enabled");
    let (body, _) = patch(&wtt, id(&refused), 0);
    assert!(body["status"] == "blocked" && body["notes"].as_str().unwrap().contains("gemini"), "{body}");
    wtt.answer(topic(&plain), "done");
    let missing = task("codex");
    wtt.answer(topic(&missing), "Codex");
    assert_eq!(patch(&wtt, id(&missing), 0).0["status"], "blocked");
}

#[test]
fn progress_lines_name_the_task() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = Connector::start(&wtt, &home, &[FAST, ("WTT_CONNECT_PUBLISH_PROGRESS", "1")]);
    let task = create(&wtt, "RUN: answer done", "doing");
    let row = wtt.wait("a progress line", |o| match &o.event {
        ServiceEvent::Message(row) => (row["semantic_type"] == "TASK_PROGRESS").then(|| row.clone()),
        _ => None,
    });
    assert!(row["content"].as_str().unwrap().contains(&format!(" task_id={} ", id(&task))), "{row}");
}

#[test]
fn a_comment_of_an_earlier_review_is_not_said_again() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = Connector::start(&wtt, &home, &[FAST]);
    let task = create(&wtt, "RUN: answer plain", "blocked");
    let person = Person::at(&wtt);
    // a service that keeps the comment of the last review, whatever comes after it
    let again = |n: usize, comment: &str, expected: &str| {
        let body = json!({"status": "doing", "review_comment": comment});
        person.0.patch_json(&format!("/tasks/{}", id(&task)), &body).unwrap();
        let outputs = || wtt.posts(topic(&task)).len() == n && home.outbox().is_empty();
        until(&format!("answer {n}"), outputs);
        assert_eq!(wtt.service.task(id(&task)).unwrap()["output"], expected, "{n}");
    };
    again(1, "RUN: answer better", "better");
    again(2, "RUN: answer better", "plain");
    again(3, "RUN: answer best", "best");
    again(4, "RUN: answer best", "plain");
    // a person who says the same once more means it
    let text = format!("[TASK_REVIEW] action=reject task_id={} by=ana comment=RUN: answer best", id(&task));
    wtt.service.post_message(
        topic(&task),
        MessageAuthor::Human,
        &text,
        json!({"semantic_type": "task_review"}),
    );
    until("the review", || wtt.posts(topic(&task)).len() == 5 && home.outbox().is_empty());
    assert_eq!(wtt.service.task(id(&task)).unwrap()["output"], "best");
}

#[test]
fn a_review_that_comes_as_a_message_runs_the_task_again() {
    let (wtt, home) = (Wtt::start(), Home::new());
    let _connector = Connector::start(&wtt, &home, &[FAST]);
    let task = create(&wtt, "the description", "review");
    let review = |action: &str| {
        let text = format!(
            "[TASK_REVIEW] action={action} task_id={} by=ana title=Build it comment=RUN: answer again",
            id(&task)
        );
        let meta = json!({"semantic_type": "task_review"});
        wtt.service.post_message(topic(&task), MessageAuthor::Human, &text, meta);
    };
    review("approve");
    review("reject");
    wtt.answer(topic(&task), "again");
    assert_eq!(patch(&wtt, id(&task), 0).0["status"], "review");
    assert_eq!(home.runs().len(), 1);
}
