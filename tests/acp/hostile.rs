//! What the ACP dialect does with agents that misbehave, and with wishes that they cannot fulfil. No process is started.

use super::player::{acp, request, rows};
use serde_json::{Value, json};
use wtt_connect::agent::dialect::{Dialect, DialectEffects, Exit};
use wtt_connect::agent::outcome::{AgentOutcome, Reason};
use wtt_connect::agent::permission::{Decision, PermissionKind};
use wtt_connect::agent::{AgentEvent, PromptImage, TurnRequest};
use wtt_connect::config::Mode;

/// A dialect whose agent is this test.
pub(super) struct Talk {
    dialect: Box<dyn Dialect>,
    /// What the dialect wrote and nobody has looked at.
    pub(super) wrote: Vec<Value>,
    pub(super) effects: DialectEffects,
}

impl Talk {
    pub(super) fn begin(request: &TurnRequest) -> Talk {
        let mut talk = Talk { dialect: acp(request), wrote: Vec::new(), effects: DialectEffects::default() };
        talk.with(|dialect, effects| dialect.start(effects));
        talk
    }

    pub(super) fn with<T>(&mut self, act: impl FnOnce(&mut dyn Dialect, &mut DialectEffects) -> T) -> T {
        let mut effects = DialectEffects::default();
        let got = act(self.dialect.as_mut(), &mut effects);
        self.wrote.extend(effects.stdin.iter().map(|line| serde_json::from_str::<Value>(line).unwrap()));
        self.effects.events.append(&mut effects.events);
        self.effects.permission_requests.append(&mut effects.permission_requests);
        self.effects.withdrawn_requests.append(&mut effects.withdrawn_requests);
        if let Some(done) = effects.outcome {
            assert!(self.effects.outcome.replace(done).is_none(), "one outcome");
        }
        got
    }

    pub(super) fn hear(&mut self, message: Value) {
        self.with(|dialect, effects| dialect.on_line(&message.to_string(), effects));
    }

    /// The one message that was written since the last look.
    pub(super) fn next(&mut self) -> Value {
        assert_eq!(self.wrote.len(), 1, "{:?} {:?}", self.wrote, self.effects.outcome);
        self.wrote.remove(0)
    }

    /// Checks that this method was called, and answers it. Returns the parameters.
    pub(super) fn answer(&mut self, method: &str, answer: Value) -> Value {
        let message = self.next();
        assert_eq!(message["method"], method, "{message}");
        let (member, value) = match answer.get("error") {
            Some(error) => ("error", error.clone()),
            None => ("result", answer),
        };
        self.hear(json!({"jsonrpc": "2.0", "id": message["id"], member: value}));
        message["params"].clone()
    }

    /// As far as the prompt, with an agent that can do this.
    pub(super) fn prompted(request: &TurnRequest, able: Value) -> Talk {
        let mut talk = Talk::begin(request);
        talk.answer("initialize", able);
        talk.answer("session/new", json!({"sessionId": "s1"}));
        talk
    }

    pub(super) fn update(&mut self, update: Value) {
        self.hear(json!({"jsonrpc": "2.0", "method": "session/update", "params": {"sessionId": "s1", "update": update}}));
    }

    pub(super) fn says(&mut self, text: &str) {
        self.update(
            json!({"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": text}}),
        );
    }

    pub(super) fn asks(&mut self, id: Value) {
        self.hear(json!({"jsonrpc": "2.0", "id": id, "method": "session/request_permission", "params": {
            "sessionId": "s1", "toolCall": {"toolCallId": "t", "kind": "execute", "title": "ls"},
            "options": [{"optionId": "y", "kind": "allow_once", "name": "Yes"}, {"optionId": "a", "kind": "allow_always", "name": "Always"},
                {"optionId": "n", "kind": "reject_once", "name": "No"}]}}));
    }

    pub(super) fn failure(&mut self) -> (&'static str, String) {
        match self.effects.outcome.take() {
            Some(AgentOutcome::Failed { reason, detail, .. }) => (reason.word(), detail),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_two_spaces_of_ids_do_not_mix() {
    let mut talk = Talk::prompted(&request(), json!({"protocolVersion": 1}));
    let prompt = talk.next();
    // our own number, zero, a text, and even an object
    for id in [prompt["id"].clone(), json!(0), json!("0"), json!("x-1"), json!({"a": [1]})] {
        talk.hear(json!({"jsonrpc": "2.0", "id": id, "method": "fs/read_text_file", "params": {"path": "/etc/passwd"}}));
        let answer = talk.next();
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&id, &json!(-32601)));
    }
    talk.asks(prompt["id"].clone());
    talk.asks(json!(prompt["id"].to_string()));
    assert_eq!(talk.effects.permission_requests.len(), 2);
    let second = talk.effects.permission_requests[1].id.clone();
    talk.with(|dialect, effects| dialect.answer(&second, &Decision::Allow, effects));
    assert_eq!(
        talk.next(),
        json!({"jsonrpc": "2.0", "id": prompt["id"].to_string(), "result": {"outcome": {"outcome": "selected", "optionId": "y"}}})
    );
    talk.with(|dialect, effects| dialect.answer(&second, &Decision::Allow, effects));
    talk.with(|dialect, effects| dialect.answer("nonsense", &Decision::Allow, effects));
    assert!(talk.wrote.is_empty(), "answered once");
    // answers to nothing of ours
    for id in [json!(null), json!(99), json!("4"), json!(1)] {
        talk.hear(json!({"jsonrpc": "2.0", "id": id, "result": {"stopReason": "end_turn"}}));
    }
    assert_eq!(talk.effects.outcome, None);
    talk.says("hello");
    talk.hear(json!({"jsonrpc": "2.0", "id": prompt["id"], "result": {"stopReason": "end_turn"}}));
    assert_eq!(talk.effects.outcome, Some(AgentOutcome::Done("hello".to_owned())));
    // the other question was never decided: it is answered all the same
    assert_eq!(talk.next()["result"]["outcome"]["outcome"], "cancelled");
    assert_eq!(talk.effects.withdrawn_requests.len(), 1);
    talk.asks(json!(7));
    assert_eq!(talk.next()["result"]["outcome"]["outcome"], "cancelled", "between the turns");
}

#[test]
fn always_is_never_chosen_where_it_outlives_the_session() {
    for (name, decision, want) in [
        ("Always", Decision::AllowSession, "y"),
        ("Allow for this session", Decision::AllowSession, "a"),
        ("Allow for this session", Decision::Allow, "y"),
        ("Always", Decision::Deny(String::new()), "n"),
    ] {
        let mut talk = Talk::prompted(&request(), json!({}));
        talk.next();
        talk.hear(json!({"jsonrpc": "2.0", "id": 0, "method": "session/request_permission", "params": {
            "toolCall": {"toolCallId": "t", "kind": "edit", "content": [{"type": "diff", "path": "/w/a.txt", "oldText": null, "newText": "new"}], "title": "Write a.txt"},
            "options": [{"optionId": "a", "kind": "allow_always", "name": name}, {"optionId": "y", "kind": "allow_once", "name": "Yes"}, {"optionId": "n", "kind": "reject_once"}]}}));
        let ask = talk.effects.permission_requests[0].clone();
        assert_eq!(
            (ask.kind, ask.title.as_str(), ask.can_allow_session),
            (PermissionKind::Edit, "Write a.txt", name != "Always")
        );
        assert_eq!(ask.detail, "Write a.txt\n/w/a.txt\nnew");
        talk.with(|dialect, effects| dialect.answer(&ask.id, &decision, effects));
        assert_eq!(talk.next()["result"]["outcome"]["optionId"], want, "{name} {decision:?}");
    }
    // in auto-edit an edit that is still asked for is no ordinary one
    let offers = json!({"sessionId": "s1", "modes": {"currentModeId": "autoEdit", "availableModes": [{"id": "autoEdit"}]}});
    let mut talk = Talk::begin(&TurnRequest { mode: Mode::AutoEdit, ..request() });
    talk.answer("initialize", json!({"agentInfo": {"name": "gemini-cli"}}));
    talk.answer("session/new", offers);
    talk.next();
    talk.hear(json!({"jsonrpc": "2.0", "id": 0, "method": "session/request_permission", "params": {
        "toolCall": {"toolCallId": "t", "kind": "edit", "title": "Write /etc/x"}, "options": []}}));
    assert_eq!(talk.effects.permission_requests[0].kind, PermissionKind::Other);
    // nothing but an "always" that stays: the answer is no
    let mut talk = Talk::prompted(&request(), json!({}));
    talk.next();
    talk.hear(json!({"jsonrpc": "2.0", "id": 0, "method": "session/request_permission", "params": {"toolCall": {"toolCallId": "t"},
        "options": [{"optionId": "a", "kind": "allow_always", "name": "Always"}]}}));
    talk.with(|dialect, effects| dialect.answer("0", &Decision::Allow, effects));
    assert_eq!(talk.next()["result"]["outcome"]["outcome"], "cancelled");
}

#[test]
fn a_cancel_answers_what_is_open_and_what_still_comes() {
    let mut talk = Talk::begin(&request());
    assert!(!talk.with(|dialect, effects| dialect.cancel(effects)), "nothing runs yet: only signals help");
    talk.answer("initialize", json!({}));
    talk.answer("session/new", json!({"sessionId": "s1"}));
    let prompt = talk.next();
    talk.says("half");
    talk.asks(json!("q"));
    assert!(talk.with(|dialect, effects| dialect.cancel(effects)));
    assert_eq!(
        talk.wrote[0],
        json!({"jsonrpc": "2.0", "method": "session/cancel", "params": {"sessionId": "s1"}})
    );
    assert_eq!(
        (&talk.wrote[1]["id"], &talk.wrote[1]["result"]["outcome"]["outcome"]),
        (&json!("q"), &json!("cancelled"))
    );
    talk.wrote.clear();
    talk.asks(json!("late"));
    assert_eq!(talk.next()["id"], "late");
    assert_eq!(talk.effects.permission_requests.len(), 1);
    talk.hear(json!({"jsonrpc": "2.0", "id": prompt["id"], "error": {"code": -32603, "message": "aborted"}}));
    assert_eq!(talk.effects.outcome, Some(AgentOutcome::Cancelled { partial: "half".to_owned() }));
}

#[test]
fn a_question_can_be_withdrawn() {
    let mut talk = Talk::prompted(&request(), json!({}));
    talk.next();
    talk.asks(json!(5));
    talk.hear(json!({"jsonrpc": "2.0", "method": "$/cancel_request", "params": {"requestId": 5}}));
    assert_eq!(talk.effects.withdrawn_requests, ["5"]);
    // what is taken back is answered all the same, once, and what was never asked is not
    let answer = talk.next();
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(5), &json!(-32800)), "{answer}");
    talk.hear(json!({"jsonrpc": "2.0", "method": "$/cancel_request", "params": {"requestId": 5}}));
    talk.hear(json!({"jsonrpc": "2.0", "method": "$/cancel_request"}));
    talk.with(|dialect, effects| dialect.answer("5", &Decision::Allow, effects));
    assert!(talk.wrote.is_empty(), "{:?}", talk.wrote);
    talk.asks(json!(6));
    talk.update(json!({"sessionUpdate": "tool_call_update", "toolCallId": "t", "status": "failed"}));
    assert_eq!(talk.effects.withdrawn_requests, ["5", "6"]);
}

#[test]
fn logins() {
    let needs = json!({"error": {"code": -32000, "message": "Authentication required"}});
    let by =
        |method: Value| json!({"authMethods": [{"id": "browser", "name": "Log in with browser"}, method]});
    for (method, tries) in [
        (json!({"id": "login", "type": "terminal"}), false),
        (json!({"id": "oauth-personal"}), false),
        (json!({"id": "gemini-api-key"}), false),
        (json!({"id": "api-key"}), true),
        (json!({"id": "some-key", "type": "env_var"}), true),
    ] {
        let mut talk = Talk::begin(&request());
        talk.answer("initialize", by(method.clone()));
        talk.answer("session/new", needs.clone());
        if tries {
            assert_eq!(talk.answer("authenticate", json!({})), json!({"methodId": method["id"]}));
            talk.answer("session/new", needs.clone());
        }
        assert_eq!(talk.failure().0, "not_logged_in", "{method}");
    }
    let mut talk = Talk::begin(&request());
    talk.answer("initialize", by(json!({"id": "api-key"})));
    talk.answer("session/new", json!({"sessionId": "s1"}));
    assert_eq!(talk.next()["method"], "session/prompt", "nobody logs in who need not");
}

#[test]
fn sessions_are_resumed_as_the_agent_can() {
    let resumed = TurnRequest { resume: Some("s1".to_owned()), ..request() };
    let open = |able: Value| {
        let mut talk = Talk::begin(&resumed);
        talk.answer("initialize", json!({"agentCapabilities": able}));
        talk
    };
    let both = json!({"loadSession": true, "sessionCapabilities": {"resume": {}}});
    assert_eq!(open(both).next()["params"]["sessionId"], "s1");
    let mut talk = open(json!({"loadSession": true}));
    // the history is said again before the answer, and is no part of this turn
    talk.says("old answer");
    talk.update(
        json!({"sessionUpdate": "tool_call", "toolCallId": "old", "title": "x", "status": "in_progress"}),
    );
    talk.answer("session/load", json!({}));
    let prompt = talk.next();
    talk.says("new");
    talk.hear(json!({"jsonrpc": "2.0", "id": prompt["id"], "result": {"stopReason": "end_turn"}}));
    assert_eq!(talk.effects.outcome, Some(AgentOutcome::Done("new".to_owned())));
    assert_eq!(
        talk.effects.events,
        [AgentEvent::Session("s1".into()), AgentEvent::Started, AgentEvent::Text("new".into())]
    );
    assert_eq!(open(json!({})).failure().0, "stale_session");
    for error in [json!({"code": -32002, "message": "x"}), json!({"code": -32603, "message": "boom"})] {
        let mut talk = open(json!({"loadSession": true}));
        talk.answer("session/load", json!({"error": error}));
        assert_eq!(talk.failure().0, "stale_session");
    }
}

#[test]
fn a_kept_process_goes_on_in_its_session_or_opens_another() {
    let mut talk =
        Talk::prompted(&request(), json!({"agentCapabilities": {"sessionCapabilities": {"resume": {}}}}));
    talk.says("one");
    talk.answer("session/prompt", json!({"stopReason": "end_turn"}));
    assert_eq!(talk.effects.outcome.take(), Some(AgentOutcome::Done("one".to_owned())));
    talk.says("late words of the last turn");
    let next = TurnRequest { prompt: "again".to_owned(), resume: Some("s1".to_owned()), ..request() };
    talk.with(|dialect, effects| dialect.next_turn(&next, effects));
    talk.says("two");
    let params = talk.answer("session/prompt", json!({"stopReason": "end_turn"}));
    assert_eq!(params, json!({"sessionId": "s1", "prompt": [{"type": "text", "text": "again"}]}));
    assert_eq!(talk.effects.outcome.take(), Some(AgentOutcome::Done("two".to_owned())));
    let other = TurnRequest { resume: Some("s2".to_owned()), ..request() };
    talk.with(|dialect, effects| dialect.next_turn(&other, effects));
    assert_eq!(talk.answer("session/resume", json!({}))["sessionId"], "s2");
    talk.answer("session/prompt", json!({"stopReason": "end_turn"}));
    assert_eq!(talk.failure().0, "no_output");
    talk.with(|dialect, effects| dialect.next_turn(&request(), effects));
    assert_eq!(talk.next()["method"], "session/new");
}

#[test]
fn strict_modes_are_kept_or_refused() {
    let modes = |ids: &[&str]| {
        let modes: Vec<Value> = ids.iter().map(|id| json!({"id": id})).collect();
        json!({"sessionId": "s1", "modes": {"currentModeId": ids.first(), "availableModes": modes}})
    };
    let open = |mode: Mode, agent: &str, offers: Value| {
        let mut talk = Talk::begin(&TurnRequest { mode, ..request() });
        talk.answer("initialize", json!({"agentInfo": {"name": agent}}));
        talk.answer("session/new", offers);
        talk
    };
    let gemini = ["default", "autoEdit", "yolo", "plan"];
    for (mode, want) in [(Mode::FullAuto, "yolo"), (Mode::Yolo, "yolo"), (Mode::AutoEdit, "autoEdit")] {
        assert_eq!(open(mode, "gemini-cli", modes(&gemini)).next()["params"]["modeId"], want);
    }
    assert_eq!(
        open(Mode::Suggest, "gemini-cli", modes(&gemini)).next()["method"],
        "session/prompt",
        "it is so already"
    );
    // nothing is run looser than it was asked for
    for (mode, agent) in
        [(Mode::Suggest, "unheard-of"), (Mode::AutoEdit, "unheard-of"), (Mode::AutoEdit, "Cursor Agent")]
    {
        let (reason, detail) = open(mode, agent, modes(&["agent", "wild"])).failure();
        assert_eq!(reason, "refused_by_policy");
        assert!(detail.contains("agent, wild"), "{detail}");
    }
    assert_eq!(open(Mode::FullAuto, "unheard-of", modes(&["x"])).next()["method"], "session/prompt");
    let mut talk = open(Mode::AutoEdit, "gemini-cli", modes(&gemini));
    talk.answer("session/set_mode", json!({"error": {"code": -32603, "message": "no way"}}));
    assert_eq!(talk.failure(), ("refused_by_policy", "its mode could not be set: no way".to_owned()));
    let mut talk = open(Mode::FullAuto, "gemini-cli", modes(&gemini));
    talk.answer("session/set_mode", json!({"error": {"code": -32603, "message": "no way"}}));
    assert_eq!(talk.next()["method"], "session/prompt", "each question is answered with yes instead");
}

#[test]
fn models_and_efforts_are_set_or_refused_clearly() {
    let wish = TurnRequest { model: Some("big".to_owned()), effort: Some("max".to_owned()), ..request() };
    let offers = json!({"sessionId": "s1", "configOptions": [
        {"id": "m", "category": "model", "currentValue": "small", "options": [{"value": "small"}, {"value": "big"}]},
        {"id": "e", "category": "thought_level", "currentValue": "low", "options": [{"value": "low"}, {"value": "xhigh"}]}]});
    let mut talk = Talk::begin(&wish);
    talk.answer("initialize", json!({}));
    talk.answer("session/new", offers.clone());
    assert_eq!(talk.answer("session/set_config_option", json!({}))["value"], "big");
    let effort = talk.answer("session/set_config_option", json!({"error": {"code": 1, "message": "no"}}));
    assert_eq!(effort, json!({"configId": "e", "sessionId": "s1", "value": "xhigh"}));
    assert_eq!(talk.next()["method"], "session/prompt", "an effort is no reason to fail");

    let mut talk = Talk::begin(&TurnRequest { model: Some("huge".to_owned()), ..request() });
    talk.answer("initialize", json!({}));
    talk.answer("session/new", offers);
    talk.answer("session/set_config_option", json!({"error": {"code": -32602, "message": "?"}}));
    assert_eq!(
        talk.failure(),
        ("refused_by_policy", "it does not know the model huge; it offers small, big".to_owned())
    );
    let mut talk = Talk::begin(&wish);
    talk.answer("initialize", json!({}));
    talk.answer("session/new", json!({"sessionId": "s1"}));
    assert_eq!(talk.failure().0, "refused_by_policy");
}

#[test]
fn images_go_as_data_or_as_paths() {
    let image = |data: Option<&str>| PromptImage {
        path: "/i/a.png".into(),
        media_type: "image/png".into(),
        data: data.map(str::to_owned),
    };
    let wish = TurnRequest { images: vec![image(Some("QUJD")), image(None)], ..request() };
    let mut talk =
        Talk::prompted(&wish, json!({"agentCapabilities": {"promptCapabilities": {"image": true}}}));
    let prompt = talk.next()["params"]["prompt"].clone();
    assert_eq!(prompt[0], json!({"type": "text", "text": "prompt\n\nImage: /i/a.png"}));
    assert_eq!(prompt[1], json!({"type": "image", "mimeType": "image/png", "data": "QUJD"}));
    let prompt = Talk::prompted(&wish, json!({})).next()["params"]["prompt"].clone();
    assert_eq!(prompt, json!([{"type": "text", "text": "prompt\n\nImage: /i/a.png\n\nImage: /i/a.png"}]));
}

#[test]
fn prompts_that_name_commands_or_files_are_defused() {
    let wish = TurnRequest { prompt: "/logout".to_owned(), ..request() };
    let prompt = Talk::prompted(&wish, json!({})).next()["params"]["prompt"][0]["text"].clone();
    assert_eq!(prompt, " /logout");
}

#[test]
fn how_a_turn_stops() {
    let end = |stop: &str, text: &str| {
        let mut talk = Talk::prompted(&request(), json!({}));
        if !text.is_empty() {
            talk.says(text);
        }
        talk.answer("session/prompt", json!({"stopReason": stop}));
        match talk.effects.outcome.unwrap() {
            AgentOutcome::Failed { reason, .. } => reason.word(),
            AgentOutcome::Done(_) => "done",
            AgentOutcome::Cancelled { .. } => "cancelled",
        }
    };
    for (stop, text, want) in [
        ("end_turn", "hi", "done"),
        ("end_turn", "", "no_output"),
        ("max_tokens", "hi", "provider_error"),
        ("max_turn_requests", "hi", "refused_by_policy"),
        ("refusal", "hi", "refused_by_policy"),
        ("cancelled", "hi", "killed"),
        ("from the future", "hi", "done"),
        ("", "", "no_output"),
    ] {
        assert_eq!(end(stop, text), want, "{stop} {text}");
    }
    let mut talk = Talk::prompted(&request(), json!({}));
    talk.update(json!({"sessionUpdate": "tool_call", "toolCallId": "t", "kind": "edit", "title": "Write x", "status": "completed"}));
    talk.answer("session/prompt", json!({"stopReason": "end_turn"}));
    let Some(AgentOutcome::Done(text)) = &talk.effects.outcome else {
        panic!("it worked without words: {:?}", talk.effects.outcome)
    };
    assert!(text.contains("finished the work"), "{text}");
}

#[test]
fn an_agent_that_compacts_behind_the_end_of_its_turn_is_waited_for() {
    let mut talk = commanded("Kimi Code CLI", "/compact");
    let started = "Context compaction started — it runs in the background.";
    talk.says(started);
    talk.answer("session/prompt", json!({"stopReason": "end_turn"}));
    assert_eq!(talk.effects.outcome, None, "a message now would get no answer");
    talk.says("Compaction completed.");
    assert_eq!(talk.effects.outcome, Some(AgentOutcome::Done(format!("{started}\n\nCompaction completed."))));
}

#[test]
fn the_answer_is_what_came_after_the_last_tool() {
    let mut talk = Talk::prompted(&request(), json!({}));
    talk.says("I look.");
    talk.update(json!({"sessionUpdate": "tool_call", "toolCallId": "t", "kind": "execute", "title": "ls", "status": "in_progress"}));
    talk.update(json!({"sessionUpdate": "tool_call_update", "toolCallId": "t", "status": "completed", "_meta": {"terminal_exit": {"exit_code": 2}}}));
    talk.says("[MODE_UPDATE] yolo");
    talk.says("Found ");
    talk.says("it.");
    assert_eq!(talk.dialect.partial_text(), "I look.\n\nFound it.");
    talk.answer("session/prompt", json!({"stopReason": "end_turn"}));
    assert_eq!(talk.effects.outcome, Some(AgentOutcome::Done("Found it.".to_owned())));
    assert!(
        talk.effects.events.contains(&AgentEvent::ToolEnd { id: "t".into(), ok: false }),
        "a completed call may have failed"
    );
}

#[test]
fn programs_that_are_no_agents() {
    let end = |lines: &[&str], exit: Exit, stderr: &str| {
        let mut talk = Talk::begin(&request());
        for line in lines {
            talk.with(|dialect, effects| dialect.on_line(line, effects));
        }
        talk.with(|dialect, effects| dialect.on_exit(exit, stderr, effects));
        match talk.effects.outcome.unwrap() {
            AgentOutcome::Failed { reason, .. } => reason,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(end(&["kimi-cli is no longer maintained."], Exit::Code(0), ""), Reason::CliUnsupported);
    assert_eq!(end(&[], Exit::Code(1), "error: unknown option '--acp'"), Reason::CliUnsupported);
    assert_eq!(end(&[], Exit::Code(2), ""), Reason::CliUnsupported);
    assert_eq!(end(&[], Exit::Signal(9), ""), Reason::Killed(9));
    let hello = r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":1}}"#;
    assert_eq!(end(&[hello], Exit::Code(3), ""), Reason::SilentExit(3), "it died in the middle");
    let mut talk = Talk::begin(&request());
    talk.answer("initialize", json!({"protocolVersion": 2}));
    assert_eq!(talk.failure().0, "cli_unsupported");
    let mut talk = Talk::begin(&request());
    talk.answer("initialize", json!({}));
    talk.answer("session/new", json!({"sessionId": 5}));
    assert_eq!(talk.failure().0, "cli_unsupported");
}

/// Whatever the lines hold: no panic, at most one outcome, one message a line.
#[test]
fn mutated_conversations() {
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let lines: Vec<String> =
        ["claude-full", "codex-permission", "gemini-full", "kimi-code-text-tool", "opencode-load"]
            .iter()
            .flat_map(|case| rows(case))
            .filter(|(ours, _)| !ours)
            .map(|(_, message)| message.to_string())
            .collect();
    const SHAPES: [&[u8]; 6] = [b"null", b"[]", b"\"x\"", b"{}", b"-1", b"1e999"];
    for _ in 0..100 {
        let mut dialect = acp(&request());
        let mut effects = DialectEffects::default();
        dialect.start(&mut effects);
        let mut ends = 0;
        for turn in 0..3 {
            for _ in 0..20 {
                let mut line = lines[random.usize(..lines.len())].clone().into_bytes();
                for _ in 0..random.usize(..3) {
                    let at = random.usize(..line.len());
                    match random.u8(..5) {
                        0 => line[at] = random.u8(..),
                        1 => line.truncate(at.max(1)),
                        2 => drop(line.splice(at..at, *b"null")),
                        // a member gets a value of another shape
                        3 => {
                            let colon = line[at..].iter().position(|b| *b == b':').map(|p| at + p + 1);
                            let Some(from) = colon else { continue };
                            let to = line[from..]
                                .iter()
                                .position(|b| *b == b',' || *b == b'}')
                                .map_or(line.len(), |p| from + p);
                            drop(line.splice(from..to, SHAPES[random.usize(..6)].to_vec()));
                        }
                        _ => line.extend_from_within(..at),
                    }
                }
                let mut effects = DialectEffects::default();
                dialect.on_line(&String::from_utf8_lossy(&line), &mut effects);
                ends += usize::from(effects.outcome.is_some());
                for ask in effects.permission_requests {
                    dialect.answer(&ask.id, &Decision::AllowSession, &mut DialectEffects::default());
                }
                // good answers in between, so that it gets further
                let id = random.u64(1..6);
                let good = json!({"id": id, "result": {"sessionId": "s", "stopReason": "end_turn"}});
                let mut effects = DialectEffects::default();
                dialect.on_line(&good.to_string(), &mut effects);
                ends += usize::from(effects.outcome.is_some());
            }
            dialect.cancel(&mut DialectEffects::default());
            let mut effects = DialectEffects::default();
            if turn == 2 {
                dialect.on_exit(Exit::Code(1), "", &mut effects)
            } else {
                dialect.next_turn(&request(), &mut effects)
            }
            assert!(ends <= turn + 1, "seed {seed}");
        }
    }
    let huge = "x".repeat(1 << 20);
    let lines =
        [format!("{{\"method\":\"{huge}\",\"id\":1}}"), "[".repeat(1 << 20), "{\"a\":".repeat(100_000)];
    let took = crate::support::watch::computed(|| {
        for line in lines {
            acp(&request()).on_line(&line, &mut DialectEffects::default());
        }
    });
    assert!(took.as_secs() < 2, "{took:?}");
}

/// As far as the session, with a command of the agent's own as prompt.
fn commanded(agent: &str, command: &str) -> Talk {
    let slash = TurnRequest { prompt: command.to_owned(), is_slash_command: true, ..request() };
    let mut talk = Talk::begin(&slash);
    talk.answer("initialize", json!({"agentInfo": {"name": agent}}));
    talk.answer("session/new", json!({"sessionId": "s1"}));
    talk
}

#[test]
fn a_command_waits_for_the_list_of_an_agent_that_ignores_what_it_does_not_know() {
    let list = json!({"sessionUpdate": "available_commands_update", "availableCommands": [{"name": "init"}, {"name": "hello"}]});
    for (command, goes) in [("/hello you", true), ("/compact", true), ("/zzz", false)] {
        let mut talk = commanded("OpenCode", command);
        assert!(talk.wrote.is_empty(), "{:?}", talk.wrote);
        talk.update(list.clone());
        if goes {
            assert_eq!(talk.next()["params"]["prompt"][0]["text"], command);
            talk.update(list.clone());
            assert!(talk.wrote.is_empty(), "it is sent once");
        } else {
            let words = "This agent has no command `/zzz`. It has: /init, /hello.";
            assert_eq!(talk.effects.outcome, Some(AgentOutcome::Done(words.to_owned())));
        }
    }
    // others say what they do not know, and may announce nothing
    assert_eq!(commanded("other", "/zzz").next()["params"]["prompt"][0]["text"], "/zzz");
}
