//! Forms that an ACP agent wants filled in: what is asked, what is answered, what is refused. No process is started.

use super::hostile::Talk;
use super::player::request;
use serde_json::{Value, json};
use wtt_connect::agent::AgentEvent;
use wtt_connect::agent::permission::{Decision, PermissionKind};

fn prompted() -> Talk {
    let mut talk = Talk::prompted(&request(), json!({}));
    talk.wrote.clear();
    talk
}

fn ask(talk: &mut Talk, mut params: Value) {
    params["sessionId"] = "s1".into();
    params["message"] = "Tell me.".into();
    talk.hear(json!({ "jsonrpc": "2.0", "id": "e", "method": "elicitation/create", "params": params }));
}

fn form(properties: Value, required: &[&str]) -> Value {
    json!({ "mode": "form", "requestedSchema": { "type": "object", "properties": properties, "required": required } })
}

fn answer(talk: &mut Talk, decision: Decision) -> Option<Value> {
    let asked = talk.effects.permission_requests.remove(0);
    talk.with(|dialect, effects| dialect.answer(&asked.id, &decision, effects));
    (!talk.wrote.is_empty()).then(|| talk.wrote.remove(0)["result"].clone())
}

#[test]
fn words_become_values() {
    let size = json!({ "type": "string", "title": "Size", "oneOf": [{ "const": "s", "title": "Small" }, { "const": "l", "title": "Large" }] });
    let plain = json!({ "type": "string", "enum": ["red", "green"], "enumNames": ["Red", "Green"] });
    let many = json!({ "type": "array", "items": { "anyOf": [{ "const": "a", "title": "A, or so" }, { "const": "b", "title": "B" }] } });
    let two = json!({ "age": { "type": "integer" }, "name": { "type": "string" } });
    let other = json!({ "q": size, "q_custom": { "type": "string", "title": "Other" } });
    for (properties, required, words, want) in [
        (json!({ "x": size }), &["x"][..], "2", Some(json!({ "x": "l" }))),
        (json!({ "x": size }), &["x"], "LARGE", Some(json!({ "x": "l" }))),
        (json!({ "x": size }), &["x"], "3", None),
        (json!({ "x": size }), &["x"], "0", None),
        (json!({ "x": plain }), &[], "green", Some(json!({ "x": "green" }))),
        (json!({ "x": plain }), &[], "-", Some(json!({}))),
        (json!({ "x": many }), &[], "A, or so", Some(json!({ "x": ["a"] }))),
        (json!({ "x": many }), &[], "1，b", Some(json!({ "x": ["a", "b"] }))),
        (json!({ "x": many }), &[], "1, z", None),
        (json!({ "x": { "type": "boolean" } }), &[], "Yes", Some(json!({ "x": true }))),
        (json!({ "x": { "type": "boolean" } }), &[], "2", Some(json!({ "x": false }))),
        (json!({ "x": { "type": "boolean" } }), &[], "maybe", None),
        (json!({ "x": { "type": "integer" } }), &[], "-7", Some(json!({ "x": -7 }))),
        (json!({ "x": { "type": "integer" } }), &[], "7.5", None),
        (json!({ "x": { "type": "number" } }), &[], "7.5", Some(json!({ "x": 7.5 }))),
        (json!({ "x": { "type": "number" } }), &[], "NaN", None),
        (json!({ "x": { "type": "string" } }), &[], "two\nlines", Some(json!({ "x": "two\nlines" }))),
        (two.clone(), &[], "42\nAnn", Some(json!({ "age": 42, "name": "Ann" }))),
        (two.clone(), &[], "42; Ann", Some(json!({ "age": 42, "name": "Ann" }))),
        (two.clone(), &["name"], "Ann", Some(json!({ "name": "Ann" }))),
        (two.clone(), &["name"], "-\nAnn", Some(json!({ "name": "Ann" }))),
        (two, &["age", "name"], "42", None),
        (other.clone(), &[], "small", Some(json!({ "q": "s" }))),
        (other, &[], "something else", Some(json!({ "q_custom": "something else" }))),
    ] {
        let mut talk = prompted();
        ask(&mut talk, form(properties.clone(), required));
        let asked = &talk.effects.permission_requests[0];
        assert_eq!(
            (asked.kind, asked.title.as_str()),
            (PermissionKind::Question, "Tell me."),
            "{properties}"
        );
        let got = answer(&mut talk, Decision::Answer(words.to_owned()));
        let want = want.map(|content| json!({ "action": "accept", "content": content }));
        assert_eq!(got, want, "{words:?} for {properties}");
        // what does not fit is asked again, and can still be declined
        if want.is_none() {
            assert!(
                talk.effects.permission_requests[0].detail.ends_with(&*asked_again(&properties)),
                "{:?}",
                talk.effects.permission_requests[0]
            );
            let got = answer(&mut talk, Decision::Deny(String::new()));
            assert_eq!(got, Some(json!({ "action": "decline" })));
        }
    }
}

/// The end of what is asked: nothing of it is lost the second time.
fn asked_again(properties: &Value) -> String {
    let mut talk = prompted();
    ask(&mut talk, form(properties.clone(), &[]));
    talk.effects.permission_requests[0].detail.clone()
}

#[test]
fn what_cannot_be_asked_is_refused_with_a_reason() {
    let wide: Value = (0..20)
        .map(|n| (format!("f{n}"), json!({ "type": "string" })))
        .collect::<serde_json::Map<_, _>>()
        .into();
    for (params, why) in [
        (
            json!({ "mode": "url", "url": "https://example.com/login", "elicitationId": "1" }),
            "addresses cannot be opened",
        ),
        (form(json!({ "x": { "type": "file" } }), &["x"]), "unknown kind"),
        (form(wide, &[]), "too many fields"),
        (form(json!({ "x": { "type": "string", "title": "x".repeat(100_000) } }), &[]), "too large"),
    ] {
        let mut talk = prompted();
        ask(&mut talk, params);
        let said = talk.next();
        assert!(said["id"] == "e" && said["error"]["code"] == -32602, "{said}");
        assert!(said["error"]["message"].as_str().unwrap().contains(why), "{said}");
        assert!(talk.effects.permission_requests.is_empty());
        let told = |event: &AgentEvent| matches!(event, AgentEvent::Note(note) if note.contains(why));
        assert!(talk.effects.events.iter().any(told), "{:?}", talk.effects.events);
    }
}

#[test]
fn odd_forms_do_no_harm() {
    for schema in [Value::Null, json!([]), json!({ "properties": [1] }), json!({ "properties": {} })] {
        // nothing to fill in: a yes is wanted
        let mut talk = prompted();
        ask(&mut talk, json!({ "requestedSchema": schema }));
        assert_eq!(talk.effects.permission_requests[0].kind, PermissionKind::Other);
        assert_eq!(answer(&mut talk, Decision::Allow), Some(json!({ "action": "accept", "content": {} })));
    }
    let mut talk = prompted();
    ask(
        &mut talk,
        form(json!({ "x": { "type": "string", "oneOf": [{}, 5, { "const": 7 }] }, "y": 3 }), &["x"]),
    );
    assert_eq!(
        answer(&mut talk, Decision::Allow),
        Some(json!({ "action": "decline" })),
        "a form is not allowed but filled in"
    );
    // the end of the turn cancels what is open
    let mut talk = prompted();
    ask(&mut talk, form(json!({ "x": { "type": "string" } }), &[]));
    talk.with(|dialect, effects| assert!(dialect.cancel(effects)));
    let said: Vec<Value> = talk.wrote.drain(..).collect();
    assert!(said.iter().any(|message| message["result"] == json!({ "action": "cancel" })), "{said:?}");
    assert_eq!(talk.effects.withdrawn_requests.len(), 1);
    ask(&mut talk, form(json!({ "x": { "type": "string" } }), &[]));
    assert_eq!(talk.next()["result"], json!({ "action": "cancel" }), "the turn is being stopped");
}

/// What Cursor asks by methods of its own, as documented.
fn cursor(method: &str, params: Value) -> (Talk, Value) {
    let mut talk = prompted();
    talk.hear(json!({ "jsonrpc": "2.0", "id": 0, "method": method, "params": params }));
    let asked = talk.effects.permission_requests.first();
    let shown = asked
        .map(|ask| json!([ask.kind == PermissionKind::Question, ask.title, ask.detail, ask.answer_count]));
    (talk, shown.unwrap_or_default())
}

#[test]
fn cursors_questions_are_answered_with_its_own_ids() {
    let options = |ids: [&str; 2]| json!([{ "id": ids[0], "label": ids[0].to_uppercase() }, { "id": ids[1], "label": ids[1].to_uppercase() }]);
    let scope = json!({ "id": "scope", "prompt": "Which scope?", "options": options(["all", "one"]) });
    let extras = json!({ "id": "extras", "prompt": "Which extras?", "allowMultiple": true, "options": options(["tests", "docs"]) });
    let two = json!({ "toolCallId": "t", "title": "Scope", "questions": [scope, extras] });
    let detail = "Scope\n\nWhich scope?\n- ALL\n- ONE\n\nWhich extras?\n- TESTS\n- DOCS";
    let picked = |scope: &str, extras: &[&str]| {
        json!({ "outcome": "answered", "answers": [
            { "questionId": "scope", "selectedOptionIds": [scope] }, { "questionId": "extras", "selectedOptionIds": extras } ] })
    };
    for (decision, want) in [
        (Decision::Answer("one; tests, docs".to_owned()), picked("one", &["tests", "docs"])),
        (Decision::Answer("1\n2".to_owned()), picked("all", &["docs"])),
        (Decision::Deny("later".to_owned()), json!({ "outcome": "skipped", "reason": "later" })),
        (Decision::Allow, json!({ "outcome": "skipped" })),
        (Decision::DenyAndStop, json!({ "outcome": "cancelled" })),
    ] {
        let (mut talk, shown) = cursor("cursor/ask_question", two.clone());
        assert_eq!(shown, json!([true, "Scope", detail, 2]));
        assert_eq!(answer(&mut talk, decision), Some(json!({ "outcome": want })));
    }
    let (mut talk, _) = cursor("cursor/ask_question", two);
    assert_eq!(answer(&mut talk, Decision::Answer("one; both".to_owned())), None, "asked again");
    assert_eq!(talk.effects.permission_requests.len(), 1);
}

#[test]
fn cursors_plan_is_for_people_to_accept() {
    let plan = json!({ "toolCallId": "t", "name": "Tidy up", "plan": "1. Read.\n2. Change.", "todos": [] });
    for (decision, want) in [
        (Decision::Allow, json!({ "outcome": "accepted" })),
        (Decision::AllowSession, json!({ "outcome": "accepted" })),
        (Decision::Deny("too much".to_owned()), json!({ "outcome": "rejected", "reason": "too much" })),
        (Decision::DenyAndStop, json!({ "outcome": "cancelled" })),
    ] {
        let (mut talk, shown) = cursor("cursor/create_plan", plan.clone());
        assert_eq!(shown, json!([false, "Tidy up", "1. Read.\n2. Change.", 1]));
        assert_eq!(talk.effects.permission_requests[0].kind, PermissionKind::Plan);
        assert_eq!(answer(&mut talk, decision), Some(json!({ "outcome": want })));
    }
    // what is only told is refused like any other method
    let (mut talk, shown) = cursor("cursor/update_todos", json!({ "todos": [] }));
    assert_eq!((shown, &talk.next()["error"]["code"]), (Value::Null, &json!(-32601)));
}
