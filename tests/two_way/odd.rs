//! What the recorded conversations do not hold: questions of servers that have not been met, strangers, late messages.

use serde_json::{Value, json};
use wtt_connect::agent::adapters;
use wtt_connect::agent::dialect::{Dialect, DialectEffects, Exit};
use wtt_connect::agent::outcome::{AgentOutcome, Reason};
use wtt_connect::agent::permission::{Decision, PermissionKind};
use wtt_connect::agent::{AgentEvent, TurnRequest};
use wtt_connect::config::Mode;

pub(super) const THREAD: &str = "01a201fc-49a6-73b2-93a6-9a4fe7056111";

pub(super) struct Rig(pub(super) Box<dyn Dialect>);

impl Rig {
    fn request(mode: Mode, prompt: &str, resume: Option<&str>) -> TurnRequest {
        TurnRequest {
            prompt: prompt.to_owned(),
            workdir: "/w".into(),
            model: Some("m".to_owned()),
            effort: Some("off".to_owned()),
            mode,
            resume: resume.map(str::to_owned),
            fresh_prompt: None,
            images: Vec::new(),
            transport: None,
            is_slash_command: false,
        }
    }

    pub(super) fn start(adapter: &str, prompt: &str, resume: Option<&str>) -> (Rig, Vec<Value>) {
        let mut rig =
            Rig((adapters::find(adapter).unwrap().dialect)(&Rig::request(Mode::Suggest, prompt, resume)));
        let mut effects = DialectEffects::default();
        rig.0.start(&mut effects);
        (rig, written(&effects))
    }

    pub(super) fn hear(&mut self, line: Value) -> DialectEffects {
        let mut effects = DialectEffects::default();
        self.0.on_line(&line.to_string(), &mut effects);
        effects
    }

    pub(super) fn answer(&mut self, id: &str, decision: &Decision) -> Vec<Value> {
        let mut effects = DialectEffects::default();
        self.0.answer(id, decision, &mut effects);
        written(&effects)
    }

    pub(super) fn steer(&mut self, text: &str) -> Option<Vec<Value>> {
        let mut effects = DialectEffects::default();
        self.0.steer(text, &mut effects).then(|| written(&effects))
    }

    /// A codex whose turn runs, with what was written last.
    pub(super) fn codex() -> (Rig, Value) {
        let (mut rig, _) = Rig::start("codex", "go", None);
        rig.hear(json!({ "id": 1, "result": {} }));
        let turn = rig.hear(json!({ "id": 2, "result": { "thread": { "id": THREAD } } }));
        rig.hear(json!({ "id": 3, "result": { "turn": { "id": "t1" } } }));
        (rig, written(&turn).remove(0))
    }
}

pub(super) fn written(effects: &DialectEffects) -> Vec<Value> {
    effects.stdin.iter().map(|text| serde_json::from_str(text).unwrap()).collect()
}

fn codex_end(status: &str) -> Value {
    json!({ "method": "turn/completed", "params": { "threadId": THREAD, "turn": { "id": "t1", "status": status } } })
}

fn codex_says(text: &str) -> Value {
    let item = json!({ "type": "agentMessage", "id": "m", "text": text });
    json!({ "method": "item/completed", "params": { "threadId": THREAD, "item": item } })
}

#[test]
fn codex_is_asked_for_what_the_mode_allows() {
    let (_, turn) = Rig::codex();
    assert_eq!(turn["params"]["model"], "m");
    assert_eq!(turn["params"]["effort"], "none", "the word that codex knows");
    let (mut rig, _) = Rig::start("codex", "go", Some(THREAD));
    let said = written(&rig.hear(json!({ "id": 1, "result": {} })));
    assert_eq!(said[0]["method"], "initialized");
    assert_eq!(said[1]["method"], "thread/resume");
    let want = json!({
        "threadId": THREAD, "excludeTurns": true, "cwd": "/w", "model": "m",
        "approvalPolicy": "on-request", "sandbox": "read-only",
    });
    assert_eq!(said[1]["params"], want);
    let (mut rig, _) = Rig::codex();
    rig.hear(codex_says("x"));
    rig.hear(codex_end("completed"));
    let mut effects = DialectEffects::default();
    rig.0.next_turn(&Rig::request(Mode::Suggest, "again", Some(THREAD)), &mut effects);
    assert_eq!(written(&effects)[0]["method"], "turn/start");
    // Another thread is opened, not continued.
    let mut effects = DialectEffects::default();
    rig.0.next_turn(&Rig::request(Mode::Suggest, "fresh", None), &mut effects);
    assert_eq!(written(&effects)[0]["method"], "thread/start");
}

#[test]
fn a_thread_that_codex_does_not_know_is_stale() {
    let (mut rig, _) = Rig::start("codex", "go", Some(THREAD));
    rig.hear(json!({ "id": 1, "result": {} }));
    let message = format!("no rollout found for thread id {THREAD}");
    let effects = rig.hear(json!({ "id": 2, "error": { "code": -32600, "message": message } }));
    assert!(
        matches!(effects.outcome, Some(AgentOutcome::Failed { reason: Reason::StaleSession, .. })),
        "{effects:?}"
    );
    let (_, said) = Rig::start("codex", "go", Some("--last"));
    assert!(said.is_empty(), "what is no id is not sent");
}

#[test]
fn codex_questions_and_their_answers() {
    let ask = |method: &str, params: Value| json!({ "method": method, "id": "q-1", "params": params });
    let two = json!({ "questions": [
        { "id": "a", "header": "A", "question": "Which?", "options": [{ "label": "x", "description": "d" }] },
        { "id": "b", "header": "B", "question": "How?", "options": null },
    ] });
    let wish = json!({ "permissions": { "network": { "enabled": true } }, "reason": "to fetch" });
    let form = json!({ "serverName": "db", "mode": "form", "message": "Drop it?", "requestedSchema": {} });
    let host = json!({ "networkApprovalContext": { "host": "example.net", "protocol": "https" } });
    let no = Decision::Deny(String::new());
    let cases = [
        (
            "item/tool/requestUserInput",
            &two,
            PermissionKind::Question,
            Decision::Answer("x\nwell".to_owned()),
            json!({ "answers": { "a": { "answers": ["x"] }, "b": { "answers": ["well"] } } }),
        ),
        (
            "item/tool/requestUserInput",
            &two,
            PermissionKind::Question,
            Decision::Answer("both".to_owned()),
            json!({ "answers": { "a": { "answers": ["both"] }, "b": { "answers": ["both"] } } }),
        ),
        ("item/tool/requestUserInput", &two, PermissionKind::Question, no.clone(), json!({ "answers": {} })),
        (
            "item/permissions/requestApproval",
            &wish,
            PermissionKind::Other,
            Decision::AllowSession,
            json!({ "permissions": { "network": { "enabled": true } }, "scope": "session" }),
        ),
        (
            "item/permissions/requestApproval",
            &wish,
            PermissionKind::Other,
            no.clone(),
            json!({ "permissions": {}, "scope": "turn" }),
        ),
        (
            "mcpServer/elicitation/request",
            &form,
            PermissionKind::Other,
            Decision::Allow,
            json!({ "action": "accept", "content": {} }),
        ),
        (
            "mcpServer/elicitation/request",
            &form,
            PermissionKind::Other,
            no.clone(),
            json!({ "action": "decline" }),
        ),
        (
            "item/commandExecution/requestApproval",
            &host,
            PermissionKind::Fetch,
            no.clone(),
            json!({ "decision": "decline" }),
        ),
    ];
    for (method, params, kind, decision, want) in cases {
        let (mut rig, _) = Rig::codex();
        let effects = rig.hear(ask(method, params.clone()));
        let [asked] = &effects.permission_requests[..] else { panic!("{method}: one question") };
        assert_eq!(asked.kind, kind, "{method}");
        assert!(!asked.title.is_empty() && !asked.tool.is_empty(), "{method}: {asked:?}");
        let said = rig.answer(&asked.id, &decision);
        assert_eq!(said, [json!({ "jsonrpc": "2.0", "id": "q-1", "result": want })], "{method}");
        assert!(rig.answer(&asked.id, &decision).is_empty(), "a question is answered once");
    }
    let (mut rig, _) = Rig::codex();
    let effects = rig.hear(ask("account/chatgptAuthTokens/refresh", json!({})));
    assert!(effects.permission_requests.is_empty());
    assert_eq!(written(&effects)[0]["error"]["code"], -32601);
    assert_eq!(written(&effects)[0]["id"], "q-1");
}

#[test]
fn an_edit_is_asked_about_with_its_own_diff() {
    let (mut rig, _) = Rig::codex();
    for (id, file) in [("one", "/w/a"), ("two", "/w/b")] {
        let change = json!({ "path": file, "kind": { "type": "update" }, "diff": "@@ -1 +1 @@\n-x\n+y\n" });
        let item = json!({ "type": "fileChange", "id": id, "status": "inProgress", "changes": [change] });
        rig.hear(json!({ "method": "item/started", "params": { "threadId": THREAD, "item": item } }));
    }
    let mut ask = |id: &str| {
        let params = json!({ "threadId": THREAD, "itemId": id });
        let request =
            json!({ "method": "item/fileChange/requestApproval", "id": format!("q{id}"), "params": params });
        rig.hear(request).permission_requests.remove(0)
    };
    let first = ask("one");
    assert_eq!((first.title.as_str(), first.kind), ("update a", PermissionKind::Edit));
    assert_eq!(first.detail, "update /w/a\n@@ -1 +1 @@\n-x\n+y\n");
    assert_eq!(ask("two").title, "update b");
    assert_eq!(ask("three").detail, "", "nothing is shown rather than another edit");
}

#[test]
fn other_threads_and_other_turns_are_not_ours() {
    let (mut rig, _) = Rig::codex();
    let effects = rig.hear(json!({ "method": "turn/completed", "params": {
        "threadId": "another", "turn": { "id": "t1", "status": "completed" } } }));
    assert!(effects.outcome.is_none());
    let effects = rig.hear(json!({ "method": "turn/completed", "params": {
        "threadId": THREAD, "turn": { "id": "t0", "status": "interrupted" } } }));
    assert!(effects.outcome.is_none());
    rig.hear(codex_says("mine"));
    assert_eq!(rig.hear(codex_end("completed")).outcome, Some(AgentOutcome::Done("mine".to_owned())));
    assert_eq!(rig.steer("late"), None, "the turn is over");
}

#[test]
fn a_message_that_codex_did_not_take_begins_the_next_turn() {
    let (mut rig, _) = Rig::codex();
    let steer = rig.steer("more").unwrap().remove(0);
    assert_eq!(steer["method"], "turn/steer");
    rig.hear(json!({ "id": steer["id"], "error": { "message": "no active turn to steer" } }));
    rig.hear(codex_says("first"));
    let effects = rig.hear(codex_end("completed"));
    assert!(effects.outcome.is_none(), "{effects:?}");
    let next = written(&effects).remove(0);
    assert_eq!(next["method"], "turn/start");
    assert_eq!(next["params"]["input"], json!([{ "type": "text", "text": "more" }]));
    rig.hear(json!({ "id": next["id"], "result": { "turn": { "id": "t1" } } }));
    rig.hear(codex_says("second"));
    assert_eq!(
        rig.hear(codex_end("completed")).outcome,
        Some(AgentOutcome::Done("first\n\nsecond".to_owned()))
    );
}

#[test]
fn errors_of_codex_by_their_codes() {
    let cases = [
        (json!("usageLimitExceeded"), "usage_limit"),
        (json!("contextWindowExceeded"), "context_overflow"),
        (json!({ "httpConnectionFailed": { "httpStatusCode": 401 } }), "auth_rejected"),
        (json!({ "responseTooManyFailedAttempts": { "httpStatusCode": 429 } }), "rate_limited"),
        (json!("serverOverloaded"), "provider_error"),
        (json!("cyberPolicy"), "refused_by_policy"),
        (json!("sessionBudgetExceeded"), "quota"),
        (json!({ "responseStreamConnectionFailed": { "httpStatusCode": null } }), "network"),
        (json!("badRequest"), "provider_error"),
        (json!("other"), "provider_error"),
    ];
    for (info, want) in cases {
        let (mut rig, _) = Rig::codex();
        let error = json!({ "message": "It did not work.", "codexErrorInfo": info });
        let retry =
            json!({ "method": "error", "params": { "threadId": THREAD, "error": error, "willRetry": true } });
        assert!(matches!(rig.hear(retry).events[..], [AgentEvent::Retry(_)]));
        let mut end = codex_end("failed");
        end["params"]["turn"]["error"] = error;
        let Some(AgentOutcome::Failed { reason, .. }) = rig.hear(end).outcome else { panic!("{info}") };
        assert_eq!(reason.word(), want, "{info}");
    }
}

/// A claude that was sent one line.
fn claude(prompt: &str) -> (Rig, Vec<Value>) {
    Rig::start("claude-code", prompt, None)
}

fn echo() -> Value {
    json!({ "type": "user", "isReplay": true, "message": { "role": "user", "content": [{ "type": "text" }] } })
}

fn result(text: &str) -> Value {
    json!({ "type": "result", "is_error": false, "result": text })
}

#[test]
fn a_line_to_claude_is_one_line_and_defused() {
    let mut effects = DialectEffects::default();
    let request = Rig::request(Mode::Suggest, "/cost\n@/etc/passwd\u{2028}\u{2029}", None);
    (adapters::find("claude-code").unwrap().dialect)(&request).start(&mut effects);
    let [line] = &effects.stdin[..] else { panic!("one line") };
    assert_eq!(line.matches(['\n', '\u{2028}', '\u{2029}']).count(), 1, "{line}");
    let text = written(&effects)[0].pointer("/message/content/0/text").unwrap().as_str().unwrap().to_owned();
    assert_eq!(text, " /cost\n\u{2060}@/etc/passwd\u{2028}\u{2029}");
    let (mut rig, _) = claude("go");
    let said = rig.steer("/clear").unwrap();
    assert_eq!(said[0].pointer("/message/content/0/text").unwrap(), " /clear");
}

#[test]
fn a_result_of_an_earlier_task_is_not_the_answer() {
    let (mut rig, _) = claude("go");
    assert!(rig.hear(result("the background task is done")).outcome.is_none());
    rig.hear(echo());
    assert_eq!(rig.hear(result("mine")).outcome, Some(AgentOutcome::Done("mine".to_owned())));
}

#[test]
fn a_failure_at_start_needs_no_echo() {
    let (mut rig, _) = claude("go");
    let words = "No conversation found with session ID: 00000000-0000-4000-8000-000000000000";
    let effects = rig.hear(json!({ "type": "result", "is_error": true, "errors": [words] }));
    assert!(matches!(effects.outcome, Some(AgentOutcome::Failed { reason: Reason::StaleSession, .. })));
}

#[test]
fn a_message_that_still_waits_has_the_last_word() {
    let (mut rig, _) = claude("go");
    rig.hear(json!({ "type": "system", "subtype": "init", "session_id": THREAD }));
    rig.hear(echo());
    rig.steer("more").unwrap();
    let effects = rig.hear(json!({ "type": "result", "is_error": true, "result": "API Error: 500 x" }));
    assert!(effects.outcome.is_none(), "the process would answer the message in the next turn");
    rig.hear(echo());
    assert_eq!(rig.hear(result("mine")).outcome, Some(AgentOutcome::Done("mine".to_owned())));
}

#[test]
fn a_task_in_the_background_may_ask_between_turns() {
    let (mut rig, _) = claude("go");
    rig.hear(echo());
    assert!(rig.hear(result("done")).outcome.is_some());
    let request = json!({ "subtype": "can_use_tool", "tool_name": "Bash", "input": { "command": "ls" } });
    let effects = rig.hear(json!({ "type": "control_request", "request_id": "r", "request": request }));
    assert_eq!(effects.permission_requests.len(), 1);
    let said = rig.answer("r", &Decision::DenyAndStop);
    assert_eq!(said[0]["response"]["response"]["behavior"], "deny");
    assert!(rig.hear(result("late")).outcome.is_none(), "it belongs to no turn");
}

#[test]
fn claude_is_told_what_we_do_not_offer() {
    let (mut rig, _) = claude("go");
    let effects = rig.hear(
        json!({ "type": "control_request", "request_id": "r", "request": { "subtype": "hook_callback" } }),
    );
    assert_eq!(written(&effects)[0]["response"]["subtype"], "error");
    assert_eq!(written(&effects)[0]["response"]["request_id"], "r");
    let mut effects = DialectEffects::default();
    rig.0.on_exit(Exit::Code(1), "Error parsing streaming input line", &mut effects);
    assert!(matches!(effects.outcome, Some(AgentOutcome::Failed { reason: Reason::SilentExit(1), .. })));
}

/// A pi that was asked something, with its ends of turns.
pub(super) fn pi(prompt: &str, slash: bool) -> (Rig, Vec<Value>) {
    let transport = Some("rpc".to_owned());
    let request =
        TurnRequest { transport, is_slash_command: slash, ..Rig::request(Mode::FullAuto, prompt, None) };
    let mut rig = Rig((adapters::find("pi").unwrap().dialect)(&request));
    let mut effects = DialectEffects::default();
    rig.0.start(&mut effects);
    (rig, written(&effects))
}

pub(super) fn pi_says(text: &str) -> Value {
    let content = json!([{ "type": "text", "text": text }]);
    json!({ "type": "message_end", "message": { "role": "assistant", "content": content, "stopReason": "stop" } })
}

pub(super) fn pi_hears() -> Value {
    json!({ "type": "message_start", "message": { "role": "user" } })
}

#[test]
fn a_message_that_pi_heard_too_late_is_asked_again() {
    let (mut rig, first) = pi("/help me", false);
    assert_eq!(first[1]["message"], " /help me", "no command of its own");
    rig.hear(json!({ "type": "agent_start" }));
    rig.hear(pi_hears());
    rig.hear(pi_says("one"));
    assert_eq!(rig.steer("more").unwrap()[0]["streamingBehavior"], "steer");
    let effects = rig.hear(json!({ "type": "agent_settled" }));
    assert_eq!((written(&effects)[0]["type"].as_str(), effects.outcome), (Some("get_state"), None));
    let rest = json!({ "type": "response", "id": "rest", "success": true, "data": { "isStreaming": false } });
    let effects = rig.hear(rest.clone());
    assert_eq!((written(&effects)[0]["message"].as_str(), effects.outcome), (Some("more"), None));
    rig.hear(json!({ "type": "agent_start" }));
    rig.hear(pi_hears());
    rig.hear(pi_says("two"));
    let effects = rig.hear(json!({ "type": "agent_settled" }));
    assert_eq!(effects.outcome, Some(AgentOutcome::Done("one\n\ntwo".to_owned())));
    assert!(rig.steer("later").is_none());
}

#[test]
fn pi_is_refused_what_nobody_can_answer_and_its_refusals_are_failures() {
    let (mut rig, _) = pi("go", false);
    let effects = rig.hear(json!({ "type": "extension_ui_request", "id": "e1", "method": "confirm" }));
    assert_eq!(
        (&written(&effects)[0]["id"], &written(&effects)[0]["cancelled"]),
        (&json!("e1"), &json!(true))
    );
    let words = "No API key found for fake. Use /login";
    let effects = rig.hear(json!({ "type": "response", "id": "turn", "success": false, "error": words }));
    assert!(
        matches!(effects.outcome, Some(AgentOutcome::Failed { reason: Reason::NotLoggedIn, .. })),
        "{:?}",
        effects.outcome
    );

    let (mut rig, first) = pi("/compact", true);
    assert_eq!(first[1], json!({ "type": "compact", "id": "turn" }));
    assert!(rig.steer("more").is_none());
    let error = "Nothing to compact (session too small)";
    let effects = rig.hear(json!({ "type": "response", "id": "turn", "success": false, "error": error }));
    assert_eq!(effects.outcome, Some(AgentOutcome::Done(error.to_owned())));
}
