//! Further messages for a running prompt: by `_session/steering` (as claude-agent-acp 0.100 and codex-acp 2.6 have it), or
//! by cancelling and prompting again.

use super::hostile::Talk;
use super::request;
use serde_json::{Value, json};
use wtt_connect::agent::outcome::AgentOutcome;

fn steer(talk: &mut Talk, text: &str) -> bool {
    talk.with(|dialect, effects| dialect.steer(text, effects))
}

fn end(talk: &mut Talk, prompt: &Value, why: &str) {
    talk.hear(json!({"jsonrpc": "2.0", "id": prompt["id"], "result": {"stopReason": why}}));
}

fn done(text: &str) -> Option<AgentOutcome> {
    Some(AgentOutcome::Done(text.to_owned()))
}

#[test]
fn an_agent_that_announces_it_takes_the_message_in() {
    let mut talk = Talk::prompted(&request(), json!({"_meta": {"steering": {"supported": true}}}));
    let prompt = talk.next();
    assert!(steer(&mut talk, "and @/etc/passwd") && steer(&mut talk, "more"));
    let (first, second) = (talk.wrote.remove(0), talk.wrote.remove(0));
    assert_eq!(first["method"], "_session/steering");
    assert_eq!(first["params"]["sessionId"], "s1");
    assert_eq!(first["params"]["prompt"][0]["text"], "and \u{2060}@/etc/passwd");
    talk.hear(json!({"jsonrpc": "2.0", "id": first["id"], "result": {"outcome": "injected"}}));
    talk.says("one");
    // the prompt ends while the fate of the second one is open: then it is prompted for
    end(&mut talk, &prompt, "end_turn");
    assert!(talk.effects.outcome.is_none() && talk.wrote.is_empty());
    talk.hear(json!({"jsonrpc": "2.0", "id": second["id"], "result": {"outcome": "promptRequired"}}));
    let prompt = talk.next();
    assert_eq!(
        (&prompt["method"], &prompt["params"]["prompt"][0]["text"]),
        (&json!("session/prompt"), &json!("more"))
    );
    talk.says("two");
    end(&mut talk, &prompt, "end_turn");
    assert_eq!(talk.effects.outcome, done("one\n\ntwo"));
    assert!(!steer(&mut talk, "too late"));
}

#[test]
fn one_that_does_not_is_cancelled_and_prompted_again() {
    for error in [false, true] {
        let mut talk = Talk::prompted(&request(), json!({}));
        let prompt = talk.next();
        talk.says("half");
        talk.asks(json!("q"));
        assert!(steer(&mut talk, "further") && steer(&mut talk, "and more"));
        assert_eq!((&talk.wrote[0]["method"], &talk.wrote[1]["id"]), (&json!("session/cancel"), &json!("q")));
        assert_eq!(talk.wrote.len(), 2, "once");
        talk.wrote.clear();
        if error {
            talk.hear(json!({"jsonrpc": "2.0", "id": prompt["id"], "error": {"code": -32603, "message": "aborted"}}));
        } else {
            end(&mut talk, &prompt, "cancelled");
        }
        let prompt = talk.next();
        let text = prompt["params"]["prompt"][0]["text"].as_str().unwrap();
        assert!(text.ends_with("further\n\nand more") && text.contains("Go on with both"), "{text}");
        talk.says("both");
        end(&mut talk, &prompt, "end_turn");
        assert_eq!(talk.effects.outcome, done("both"));
    }
}

#[test]
fn before_the_prompt_it_is_part_of_it_and_after_a_stop_it_is_not_taken() {
    let mut talk = Talk::begin(&request());
    assert!(steer(&mut talk, "further"));
    talk.answer("initialize", json!({}));
    talk.answer("session/new", json!({"sessionId": "s1"}));
    let prompt = talk.next();
    assert!(prompt["params"]["prompt"][0]["text"].as_str().unwrap().ends_with("\n\nfurther"));
    assert!(steer(&mut talk, "never"));
    assert!(talk.with(|dialect, effects| dialect.cancel(effects)));
    assert!(!steer(&mut talk, "too late"));
    talk.wrote.clear();
    end(&mut talk, &prompt, "cancelled");
    assert!(
        matches!(talk.effects.outcome, Some(AgentOutcome::Cancelled { .. })),
        "{:?}",
        talk.effects.outcome
    );
}
