//! Forms that tool servers of Codex want filled in, and commands of pi's user: shapes of the real programs (0.169, 0.87).

use super::odd::{Rig, THREAD, pi, pi_hears, pi_says, written};
use serde_json::{Value, json};
use wtt_connect::agent::dialect::DialectEffects;
use wtt_connect::agent::outcome::AgentOutcome;
use wtt_connect::agent::permission::{Decision, PermissionKind};

/// A request of a tool server, as codex passes it on.
fn elicit(mut params: Value) -> Value {
    params["threadId"] = THREAD.into();
    params["serverName"] = "probe".into();
    params["message"] = "Which paint?".into();
    json!({ "method": "mcpServer/elicitation/request", "id": 7, "params": params })
}

fn paint() -> Value {
    let fields = json!({
        "colour": { "type": "string", "title": "Colour", "enum": ["red", "green"] },
        "count": { "type": "integer", "title": "How many" },
    });
    json!({ "mode": "form", "requestedSchema": { "type": "object", "properties": fields, "required": ["colour", "count"] } })
}

#[test]
fn people_fill_in_the_form_of_a_tool_server() {
    let (mut rig, _) = Rig::codex();
    let asked = rig.hear(elicit(paint())).permission_requests.remove(0);
    assert_eq!((asked.kind, asked.answer_count, asked.tool.as_str()), (PermissionKind::Question, 2, "probe"));
    assert!(
        asked.detail.contains("Colour\n- red\n- green") && asked.detail.contains("How many"),
        "{asked:?}"
    );
    // what does not fit is asked again, and says why
    let mut effects = DialectEffects::default();
    rig.0.answer(&asked.id, &Decision::Answer("green; many".to_owned()), &mut effects);
    assert!(written(&effects).is_empty(), "{effects:?}");
    assert_eq!(
        effects.permission_requests[0].detail,
        format!("“many” does not fit count\n\n{}", asked.detail)
    );
    let said = rig.answer(&asked.id, &Decision::Answer("green; 3".to_owned()));
    let content = json!({ "colour": "green", "count": 3 });
    assert_eq!(
        said,
        [json!({ "jsonrpc": "2.0", "id": 7, "result": { "action": "accept", "content": content } })]
    );
    assert!(rig.answer(&asked.id, &Decision::Deny(String::new())).is_empty(), "a question is answered once");
}

#[test]
fn a_form_is_not_allowed_but_filled_in() {
    let link = json!({ "mode": "url", "url": "https://example.com/login", "elicitationId": "1" });
    let odd = json!({ "mode": "openai/form", "requestedSchema": { "properties": { "x": { "type": "file" } }, "required": ["x"] } });
    let bare = json!({ "mode": "form", "requestedSchema": { "type": "object", "properties": {} } });
    let no = || Decision::Deny(String::new());
    for (params, decision, want) in [
        (paint(), Decision::Allow, json!({ "action": "decline" })),
        (paint(), no(), json!({ "action": "decline" })),
        (paint(), Decision::DenyAndStop, json!({ "action": "cancel" })),
        (bare, Decision::Allow, json!({ "action": "accept", "content": {} })),
        (link.clone(), Decision::Allow, json!({ "action": "accept" })),
        (link, no(), json!({ "action": "decline" })),
        (odd.clone(), Decision::Allow, json!({ "action": "decline" })),
        (odd, Decision::DenyAndStop, json!({ "action": "cancel" })),
    ] {
        let (mut rig, _) = Rig::codex();
        let asked = rig.hear(elicit(params.clone())).permission_requests.remove(0);
        assert_eq!((asked.title.as_str(), asked.can_allow_session), ("Which paint?", false), "{params}");
        assert!(asked.detail.contains(params["url"].as_str().unwrap_or_default()), "{asked:?}");
        assert_eq!(rig.answer(&asked.id, &decision)[0]["result"], want, "{params} {decision:?}");
    }
}

fn listed(rig: &mut Rig) -> DialectEffects {
    let commands = json!([
        { "name": "llama", "source": "extension" },
        { "name": "hello", "source": "prompt" },
        { "name": "skill:draw", "source": "skill" },
    ]);
    rig.hear(json!({ "type": "response", "id": "list", "command": "get_commands", "success": true, "data": { "commands": commands } }))
}

#[test]
fn pi_gets_the_commands_that_it_has() {
    let (mut rig, first) = pi("/hello you", true);
    assert_eq!(first[1], json!({ "id": "list", "type": "get_commands" }));
    assert!(rig.steer("more").is_none(), "not yet");
    let effects = listed(&mut rig);
    assert_eq!(
        (&written(&effects)[0]["type"], &written(&effects)[0]["message"]),
        (&json!("prompt"), &json!("/hello you"))
    );
    rig.hear(json!({ "type": "response", "id": "turn", "command": "prompt", "success": true }));
    rig.hear(json!({ "type": "agent_start" }));
    rig.hear(pi_hears());
    rig.hear(pi_says("hi"));
    let effects = rig.hear(json!({ "type": "agent_settled" }));
    assert_eq!(effects.outcome, Some(AgentOutcome::Done("hi".to_owned())));

    let (mut rig, _) = pi("/zzz", true);
    let words = "This agent has no command `/zzz`. It has: /compact, /llama, /hello, /skill:draw.";
    assert_eq!(listed(&mut rig).outcome, Some(AgentOutcome::Done(words.to_owned())));

    // what an extension does may need no model
    let (mut rig, _) = pi("/llama", true);
    listed(&mut rig);
    let effects = rig.hear(json!({ "type": "response", "id": "turn", "command": "prompt", "success": true }));
    assert_eq!(written(&effects)[0]["type"], "get_state");
    let rest = json!({ "type": "response", "id": "rest", "success": true, "data": { "isStreaming": false } });
    assert!(rig.hear(rest).outcome.is_some());
}

#[test]
fn claude_passes_on_the_forms_of_its_tool_servers() {
    let wish = |subtype: &str| {
        let fields = paint()["requestedSchema"].clone();
        let request = json!({ "subtype": subtype, "mcp_server_name": "probe", "message": "Which paint?", "mode": "form", "requested_schema": fields });
        json!({ "type": "control_request", "request_id": "r1", "request": request })
    };
    let (mut rig, _) = Rig::start("claude-code", "go", None);
    let asked = rig.hear(wish("elicitation")).permission_requests.remove(0);
    assert_eq!(
        (asked.id.as_str(), asked.kind, asked.answer_count, asked.tool.as_str()),
        ("r1", PermissionKind::Question, 2, "probe")
    );
    let mut effects = DialectEffects::default();
    rig.0.answer("r1", &Decision::Answer("blue; 3".to_owned()), &mut effects);
    assert!(
        written(&effects).is_empty()
            && effects.permission_requests[0].detail.starts_with("“blue” does not fit colour"),
        "{effects:?}"
    );
    let said = rig.answer("r1", &Decision::Answer("red; 3".to_owned()));
    let content = json!({ "action": "accept", "content": { "colour": "red", "count": 3 } });
    let response = json!({ "subtype": "success", "request_id": "r1", "response": content });
    assert_eq!(said, [json!({ "type": "control_response", "response": response })]);

    // a form that is refused does not end the turn by itself
    let (mut rig, _) = Rig::start("claude-code", "go", None);
    rig.hear(wish("elicitation"));
    let said = rig.answer("r1", &Decision::DenyAndStop);
    assert_eq!(said[0]["response"]["response"], json!({ "action": "cancel" }));
    assert_eq!(said[1]["request"]["subtype"], "interrupt");
}
