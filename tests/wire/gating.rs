//! Which messages are answered (see ADDRESSING in wtt-connect-protocol(7)): one row, one message, one decision.

use super::{ME, job, verdict};
use serde_json::{Value, json};
use wtt_connect::wire::intake::{Scope, Verdict};
use wtt_connect::wire::message::TopicKind;

/// What the row must give: the instruction of the job, or the reason for ignoring it.
type Want = Result<&'static str, &'static str>;

fn check(rows: &[(Value, Want)]) {
    for (i, (patch, want)) in rows.iter().enumerate() {
        let got = verdict(patch);
        let short = match &got {
            Verdict::Run(job) => Ok(job.instruction.as_str()),
            Verdict::Ignore(why) => Err(*why),
        };
        assert_eq!(short, *want, "row {i}: {patch}");
    }
}

#[test]
fn rows_that_nobody_answers() {
    check(&[
        (json!({"sender_id": ME}), Err("own message")),
        (json!({"sender_id": ME, "sender_type": "agent", "content": "@alice_codex"}), Err("own message")),
        (json!({"sender_type": "SYSTEM"}), Err("system message")),
        (json!({"content_type": "System"}), Err("system message")),
        (json!({"semantic_type": "system"}), Err("system message")),
        (json!({"semantic_type": "SYSTEM_NOTICE"}), Err("system message")),
        (json!({"semantic_type": "notification"}), Err("notification")),
        (json!({"semantic_type": "command"}), Err("command of the web")),
        (
            json!({"semantic_type": "command", "content": "/status", "metadata": {"slash_type": "agent_passthrough"}}),
            Ok("/status"),
        ),
        (json!({"semantic_type": "TASK_PROGRESS"}), Err("task notice")),
        (json!({"semantic_type": "task_request"}), Err("task notice")),
        (json!({"semantic_type": "Task_Run"}), Err("task notice")),
        (json!({"semantic_type": "task_status"}), Err("task notice")),
        (json!({"semantic_type": "task_summary"}), Err("task notice")),
        (json!({"semantic_type": "task_blocked"}), Err("task notice")),
        (json!({"semantic_type": "task_review"}), Err("task notice")),
        (json!({"metadata": {"history_import": {"source_format": "x"}}}), Err("imported history")),
        (json!({"metadata": "{\"history_import\":{\"source_format\":\"x\"}}"}), Err("imported history")),
        (json!({"msg_metadata": {"history_import": true}}), Err("imported history")),
        (json!({"metadata": {"history_import": false}}), Ok("hello")),
        (json!({"content": "[system:p2p_init]"}), Err("system text")),
        (json!({"content": "  [System: joined]"}), Err("system text")),
        (json!({"content": ""}), Err("empty")),
        (json!({"content": null}), Err("empty")),
        (json!({"content": " \n\u{200b}\u{feff}"}), Err("empty")),
        (json!({"content": "[Model: gpt-5.5 | Effort: high]\n"}), Err("empty")),
        (json!({"content": "[TASK_STATUS] time=1 status=doing"}), Err("progress text")),
        (json!({"content": "[TASK_RUN] task_id=k"}), Err("progress text")),
        (json!({"content": "Time: 10:11:12\nProgress: 40%"}), Err("progress text")),
        (json!({"content": "[2026-04-01T08:00:00Z] | 状态=doing | 动作=x | 心跳=60s"}), Err("progress text")),
        (
            json!({"content": "Why is this shown?\n[TASK_STATUS] time=1"}),
            Ok("Why is this shown?\n[TASK_STATUS] time=1"),
        ),
        (json!({"sender_type": "agent", "content": "@builder working\nProgress: 40%"}), Err("progress text")),
        (json!({"topic_type": "broadcast", "content": "@all hi"}), Err("broadcast topic")),
        (json!({"topic_type": "BROADCAST", "runner_agent_id": ME}), Err("broadcast topic")),
        (json!({"topic_type": "broadcast", "task_id": "k1"}), Err("broadcast topic")),
    ]);
}

#[test]
fn direct_chats() {
    check(&[
        (json!({}), Ok("hello")),
        (json!({"sender_type": "HUMAN", "topic_type": "P2P"}), Ok("hello")),
        (json!({"sender_type": "user"}), Ok("hello")),
        (json!({"content": "请继续"}), Ok("请继续")),
        (json!({"content": "@Alice Codex: go on"}), Ok("go on")),
        (json!({"content": "mail ana@alice_codex.dev"}), Ok("mail ana@alice_codex.dev")),
        (
            json!({"sender_type": "agent", "sender_id": "agent-b"}),
            Err("agent that does not mention this agent"),
        ),
        (json!({"sender_type": "agent", "sender_id": "agent-b", "content": "@builder hi"}), Ok("hi")),
        (
            json!({"sender_type": "agent", "sender_id": "agent-b", "content": "@all hi"}),
            Err("agent that does not mention this agent"),
        ),
        // legacy push: nothing but the basic fields
        (
            json!({"sender_type": null, "sender_display_name": null, "content_type": null, "semantic_type": null, "topic_type": null}),
            Ok("hello"),
        ),
        (json!({"sender_type": null, "sender_id": "agent-b"}), Err("agent that does not mention this agent")),
        (json!({"topic_type": null, "encrypted": true}), Ok("hello")),
        (json!({"topic_type": null, "topic_id": null, "p2p_topic_id": "t9"}), Ok("hello")),
        (json!({"topic_type": null}), Err("not mentioned")),
        (json!({"topic_type": "from_the_future"}), Err("not mentioned")),
        (json!({"topic_type": null, "metadata": {"chat_type": "p2p"}}), Ok("hello")),
        (json!({"content": "/model x"}), Ok("/model x")),
        (
            json!({"content": "/help", "metadata": {"command_target_agent_id": "agent-b"}}),
            Err("command for another agent"),
        ),
    ]);
}

#[test]
fn task_topics() {
    check(&[
        (json!({"topic_type": "discussion", "task_id": "k1"}), Ok("hello")),
        (json!({"topic_type": null, "task_id": "k1"}), Ok("hello")),
        (json!({"topic_type": "discussion", "topic_name": "TASK-0a1B2c3d Fix it"}), Ok("hello")),
        (json!({"topic_type": "discussion", "topic_name": "TASK-0a1B2c3 Fix it"}), Err("not mentioned")),
        (json!({"topic_type": "discussion", "topic_name": "TASK-0a1b2c3d4 Fix it"}), Err("not mentioned")),
        (
            json!({"task_id": "k1", "sender_type": "agent", "content": "@builder hi"}),
            Err("not from a person, in a task topic"),
        ),
        (json!({"task_id": "k1", "runner_agent_id": ME}), Ok("hello")),
        (json!({"task_id": "k1", "runner_agent_id": "agent-b"}), Err("task of another agent")),
        (
            json!({"task_id": "k1", "runnerAgentId": "agent-b", "content": "@builder help out"}),
            Ok("help out"),
        ),
        (json!({"task_id": "k1", "runner_agent_name": "alice-codex"}), Ok("hello")),
        (json!({"task_id": "k1", "runner_agent_name": "Bob"}), Err("task of another agent")),
        (json!({"task_id": "k1", "content": "new task"}), Err("placeholder of a new task")),
        (json!({"task_id": "k1", "content": " 新任务 "}), Err("placeholder of a new task")),
        (json!({"task_id": "k1", "content": "(无描述)"}), Err("placeholder of a new task")),
        (json!({"content": "new task"}), Ok("new task")),
        (json!({"task_id": "k1", "content": "/status"}), Ok("/status")),
    ]);
}

/// Rows of group topics: content, and what comes of it.
fn in_group(topic_type: &str, content: &str) -> Value {
    json!({"topic_type": topic_type, "content": content})
}

#[test]
fn groups_are_gated_by_mention() {
    let rows: &[(&str, Want)] = &[
        ("hello", Err("not mentioned")),
        ("@agent-aaaabbbbcccc run it", Ok("run it")),
        ("@AGENT-AAAABBBBCCCC run it", Ok("run it")),
        ("@agent-aaaabbbbcccd run it", Err("not mentioned")),
        ("@alice_codex run it", Ok("run it")),
        ("@alice-codex, run it", Ok("run it")),
        ("@Alice Codex run it", Ok("run it")),
        ("@alice  codex: run it", Ok("run it")),
        ("@Alice run it", Err("not mentioned")),
        ("@Alice Codexes run it", Err("not mentioned")),
        ("@Alice Codex-2 run it", Err("not mentioned")),
        ("please, @builder.", Ok("please, @builder.")),
        ("@builder.dev look", Err("not mentioned")),
        ("@builders look", Err("not mentioned")),
        ("(@builder) look", Ok("(@builder) look")),
        ("＠ｂｕｉｌｄｅｒ look", Ok("look")),
        ("ana@builder look", Err("not mentioned")),
        ("ana_@builder look", Err("not mentioned")),
        ("write to é@builder", Err("not mentioned")),
        ("https://example.org/@builder", Err("not mentioned")),
        ("@ana/@builder look", Ok("@ana/@builder look")),
        ("builder, look", Err("not mentioned")),
        ("@小明 看一下", Ok("看一下")),
        ("@小明，看一下", Ok("看一下")),
        ("请@小明看一下", Ok("请@小明看一下")),
        ("@小明看一下", Ok("看一下")),
        ("@小红 看一下", Err("not mentioned")),
        ("小明 看一下", Err("not mentioned")),
        ("发到 ana@小明.中国", Err("not mentioned")),
        ("请@builder帮忙", Ok("请@builder帮忙")),
        ("@all run it", Ok("run it")),
        ("@ALL run it", Ok("run it")),
        ("@everyone: run it", Ok("run it")),
        ("@全体 集合", Ok("集合")),
        ("@所有人 集合", Ok("集合")),
        ("@所有人集合", Ok("集合")),
        ("@alliance run it", Err("not mentioned")),
        ("@all-hands run it", Err("not mentioned")),
        ("me@all.org", Err("not mentioned")),
        ("@bob @builder both of you", Ok("@bob @builder both of you")),
        ("@builder @bob both of you", Ok("@bob both of you")),
        ("@builder", Ok("")),
        ("@", Err("not mentioned")),
        ("@@builder look", Ok("@@builder look")),
        ("[回复上下文]\n对象: Bob\n引用: ask @builder\n---\nthanks Bob", Err("not mentioned")),
        ("[回复上下文]\n对象: Bob\n引用: no\n---\n@builder do it", Ok("do it")),
        ("[FILE_CONTENT name=\"a\"]\n@all\n[/FILE_CONTENT]\nsee", Err("not mentioned")),
        ("[Agent Role Template]\nyou are @builder\n[/Agent Role Template]\nhi", Err("not mentioned")),
        ("[Agent Role Template]\nterse\n[/Agent Role Template]\n@builder hi", Ok("hi")),
        ("┌─ 来源标识 ─┐\n│ @builder │\n└─┘\nhi", Err("not mentioned")),
        ("@builder /model x", Ok("/model x")),
        ("/status @builder", Ok("/status")),
        ("/model gpt-5.5 @builder!", Ok("/model gpt-5.5")),
        ("/steer look there, @builder @alice_codex", Ok("/steer look there")),
        ("/steer tell @builder @bob", Ok("/steer tell @builder @bob")),
        ("look, @builder", Ok("look, @builder")),
        ("@builder /stop", Ok("/stop")),
        ("/stop", Err("not mentioned")),
        ("/models", Err("not mentioned")),
        ("@all /model x", Err("command that is not for this agent")),
        ("@所有人 ／stop", Err("command that is not for this agent")),
        ("@all /home/ana is full", Ok("/home/ana is full")),
        ("@all @builder /stop", Ok("/stop")),
    ];
    for topic_type in ["discussion", "Collaborative", "unheard_of"] {
        let rows: Vec<(Value, Want)> =
            rows.iter().map(|(content, want)| (in_group(topic_type, content), *want)).collect();
        check(&rows);
    }
}

#[test]
fn groups_are_gated_by_the_targets_of_the_service() {
    let d = "discussion";
    check(&[
        (json!({"topic_type": d, "runner_agent_id": ME}), Ok("hello")),
        (json!({"topic_type": d, "runner_agent_id": "agent-b"}), Err("for another agent")),
        (
            json!({"topic_type": d, "runner_agent_id": "agent-b", "content": "@builder you too"}),
            Ok("you too"),
        ),
        (json!({"topic_type": d, "runner_agent_id": "agent-b", "content": "@all hi"}), Ok("hi")),
        (json!({"topic_type": d, "mention_target_agent_ids": ["agent-b", ME]}), Ok("hello")),
        (json!({"topic_type": d, "mention_target_agent_ids": [{"agent_id": ME}]}), Ok("hello")),
        (json!({"topic_type": d, "mention_target_agent_ids": ["agent-b"]}), Err("not mentioned")),
        (json!({"topic_type": d, "metadata": {"mention_target_agent_ids": [ME]}}), Ok("hello")),
        (
            json!({"topic_type": d, "metadata": format!("{{\"mention_target_agent_ids\":[{{\"id\":\"{ME}\"}}]}}")}),
            Ok("hello"),
        ),
        (
            json!({"topic_type": d, "mention_target_agent_ids": [], "metadata": {"mention_target_agent_ids": [ME]}}),
            Ok("hello"),
        ),
        (
            json!({"topic_type": d, "runner_agent_id": "agent-b", "mention_target_agent_ids": [ME]}),
            Ok("hello"),
        ),
        // 小明二号 is somebody else when the service says so
        (
            json!({"topic_type": d, "content": "@小明二号 好", "mention_target_agent_ids": ["agent-b"]}),
            Err("not mentioned"),
        ),
        (
            json!({"topic_type": d, "content": "@小明二号 好", "runner_agent_id": "agent-b"}),
            Err("for another agent"),
        ),
        (json!({"topic_type": d, "content": "/status", "runner_agent_id": ME}), Ok("/status")),
        (
            json!({"topic_type": d, "content": "/status", "metadata": {"command_target_agent_id": ME}}),
            Ok("/status"),
        ),
        (
            json!({"topic_type": d, "content": "@builder /status", "metadata": {"command_target_agent_id": "agent-b"}}),
            Err("command for another agent"),
        ),
        (
            json!({"topic_type": d, "sender_type": "agent", "sender_id": "agent-b", "content": "@builder next"}),
            Ok("next"),
        ),
        (json!({"topic_type": d, "sender_type": "agent", "sender_id": "agent-b"}), Err("not mentioned")),
    ]);
}

#[test]
fn a_job_carries_what_the_turn_needs() {
    let job = job(&json!({
        "topic_type": "discussion", "topic_name": "Build chat", "content": "[Model: x]\n[WTT Agent Soul]kind[/WTT Agent Soul]\n@Alice Codex ask @codex and @Bob",
        "task_title": "Fix it", "exec_mode": "Gemini", "runner_agent_id": ME, "created_at": 1775030400,
        "task_id": "k1",
        "metadata": {"model_config": {"model": "openai-codex/gpt-5.5", "reasoning_effort": "High", "adapter": "", "provider": null},
            "worker_persona": {"persona_md": "Be brief."}, "worker_context": {"worker_md": "You build."}}}));
    assert_eq!(job.text, "[WTT Agent Soul]kind[/WTT Agent Soul]\n@Alice Codex ask @codex and @Bob");
    assert_eq!(job.instruction, "ask @codex and @Bob");
    assert_eq!(job.mentions, ["codex", "bob"]);
    assert_eq!(job.scope, Scope::Task("k1".into()));
    assert_eq!(job.scope.to_string(), "wtt:task:k1");
    assert_eq!(job.kind, TopicKind::Task);
    assert_eq!(
        (job.key.as_str(), job.message_id.as_deref(), job.topic_id.as_str()),
        ("m1", Some("m1"), "t1")
    );
    assert_eq!(job.model.model.as_deref(), Some("openai-codex/gpt-5.5"));
    assert_eq!((job.model.effort.as_deref(), job.model.adapter.as_deref()), (Some("high"), None));
    assert_eq!((job.exec_mode.as_deref(), job.task_title.as_deref()), (Some("gemini"), Some("Fix it")));
    assert_eq!(job.personas, ["Be brief.", "You build."]);
    assert_eq!(job.sent_at, Some(1_775_030_400_000));
}

#[test]
fn without_an_id_the_signature_tells_messages_apart() {
    let key = |patch: Value| job(&patch).key;
    let base = key(json!({"id": null}));
    assert_eq!(base, key(json!({"id": null})), "the same push twice is one message");
    assert_eq!(key(json!({"id": null, "message_id": 42})), "42");
    for other in [
        json!({"id": null, "content": "hello "}),
        json!({"id": null, "topic_id": "t2"}),
        json!({"id": null, "sender_id": "user_8"}),
        json!({"id": null, "created_at": "2026-04-01T08:00:01Z"}),
    ] {
        assert_ne!(base, key(other.clone()), "{other}");
    }
}

#[test]
fn an_encrypted_message_gets_an_answer_that_says_what_to_do() {
    let job = job(&json!({"encrypted": true, "content": "{\"c\":\"AAAA\",\"ctx\":\"web-p2p-1-x\"}"}));
    assert!(job.text.contains("encrypted") && !job.text.contains("AAAA"));
}
