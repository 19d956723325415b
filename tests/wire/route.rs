//! Which adapter, model and effort a message gets.

use super::job;
use serde_json::{Value, json};
use wtt_connect::config::Mode;
use wtt_connect::session::routing::{Route, RoutingDefaults, parts_of, route, session_key, topic_of};
use wtt_connect::wire::intake::Scope;

/// Routes a p2p message; the default adapter is the first of `enabled`.
fn routed(patch: &Value, enabled: &[&str], model: Option<&str>) -> Result<Route, String> {
    let enabled: Vec<String> = enabled.iter().map(|s| (*s).to_owned()).collect();
    let defaults = RoutingDefaults {
        adapter: &enabled[0],
        chosen: None,
        mode: Mode::FullAuto,
        enabled: &enabled,
        model,
        effort: Some("low"),
        map: &[],
    };
    route(&job(patch), &defaults)
}

fn with_model(model: &str) -> Value {
    json!({"metadata": {"model_config": {"model": model}}})
}

const BOTH: &[&str] = &["codex", "claude-code"];

#[test]
fn the_adapter_is_chosen_in_the_documented_order() {
    let config = |adapter: &str, model: &str| json!({"model_config": {"adapter": adapter, "model": model}});
    let many = &["codex", "claude-code", "gemini", "kimi", "opencode"][..];
    for (patch, enabled, want) in [
        (json!({}), BOTH, "codex default"),
        (
            json!({"task_id": "k", "exec_mode": "claude-code", "metadata": config("codex", "gpt-5.5")}),
            BOTH,
            "claude-code exec_mode of the task",
        ),
        (json!({"task_id": "k", "exec_mode": "Claude"}), BOTH, "claude-code exec_mode of the task"),
        (json!({"task_id": "k", "exec_mode": "reasoning"}), BOTH, "codex default"),
        (
            json!({"task_id": "k", "exec_mode": "plan", "metadata": config("claude", "")}),
            BOTH,
            "claude-code adapter of the message",
        ),
        (
            json!({"metadata": config("claude-code", "gpt-5.5"), "content": "@codex x"}),
            BOTH,
            "claude-code adapter of the message",
        ),
        (json!({"metadata": config("default", "")}), BOTH, "codex default"),
        (json!({"content": "ask @claude", "metadata": config("", "gpt-5.5")}), BOTH, "claude-code mention"),
        (json!({"content": "ask @claude-code."}), BOTH, "claude-code mention"),
        (json!({"content": "ask @bob, then @Gemini"}), many, "gemini mention"),
        (json!({"content": "ask @gemini"}), BOTH, "codex default"),
        (json!({"content": "mail bob@claude.ai"}), BOTH, "codex default"),
        (with_model("anthropic/claude-opus-4.7"), BOTH, "claude-code model of the message"),
        (with_model("deepseek-v4-pro[1m]"), BOTH, "claude-code model of the message"),
        (with_model("moonshotai/kimi-k2"), BOTH, "claude-code model of the message"),
        (with_model("kimi-k2"), &["kimi", "claude-code"], "kimi default"),
        (with_model("openai-codex/gpt-5.5"), &["claude-code", "codex"], "codex model of the message"),
        (with_model("gpt-5.5"), &["opencode", "codex"], "codex model of the message"),
        (with_model("o3-mini"), &["claude-code", "codex"], "codex model of the message"),
        (with_model("gemini-3-pro"), many, "gemini model of the message"),
        (with_model("gemini-3-pro"), BOTH, "codex default"),
        (with_model("qwen/qwen3-coder"), BOTH, "codex default"),
        (with_model("claude-opus-4.7"), &["codex"], "codex default"),
    ] {
        let route = routed(&patch, enabled, None).unwrap();
        assert_eq!(format!("{} {}", route.adapter, route.why), want, "{patch} {enabled:?}");
    }
}

#[test]
fn every_adapter_can_be_asked_for_in_every_way() {
    use wtt_connect::agent::adapters::ADAPTERS;
    use wtt_connect::config::adapter_names::ADAPTER_NAMES;
    let all: Vec<&str> = ADAPTER_NAMES.iter().map(|(name, _)| *name).rev().collect();
    assert_eq!(all.len(), 12);
    let mut spellings: Vec<(&str, String)> = Vec::new();
    for (name, short) in ADAPTER_NAMES {
        spellings.extend(std::iter::once(name).chain(*short).map(|word| (*name, (*word).to_owned())));
    }
    for spec in ADAPTERS {
        assert!(all.contains(&spec.name), "{}", spec.name);
        spellings.extend(spec.aliases.iter().map(|word| (spec.name, (*word).to_owned())));
    }
    for (name, word) in spellings {
        for word in [word.to_uppercase(), word] {
            let by_task = json!({"task_id": "k", "exec_mode": word});
            let by_message = json!({"metadata": {"model_config": {"adapter": word}}});
            for patch in [by_task, by_message] {
                assert_eq!(routed(&patch, &all, None).unwrap().adapter, name, "{patch}");
            }
        }
        // the words of the README; any other may be a person
        let mention = if name == "claude-code" { "claude" } else { name };
        let route = routed(&json!({"content": format!("@{mention} hi")}), &all, None).unwrap();
        assert_eq!((route.adapter.as_str(), route.why), (name, "mention"));
        let alone: Vec<&str> = all.iter().copied().filter(|other| *other != name).collect();
        let refused = routed(&json!({"metadata": {"model_config": {"adapter": name}}}), &alone, None);
        let why = refused.unwrap_err();
        assert!(why.contains(&format!("`{name}`")) && why.contains(&alone.join(", ")), "{why}");
    }
}

#[test]
fn the_map_of_models_comes_before_their_families() {
    let map = wtt_connect::config::model_switch::map(
        r#"{"openai-codex/*":{"adapter":"codex","provider":"openai"},"deepseek/*":{"adapter":"claude-code","provider":"ds"},
            "gpt-?-proxy":{"adapter":"claude-code","provider":"proxy"},"qwen/*":{"provider":"qw"},
            "glm*":{"adapter":"gemini"},"*":{"provider":"any"}}"#,
    )
    .unwrap();
    let enabled: Vec<String> = BOTH.iter().map(|s| (*s).to_owned()).collect();
    let ask = |patch: Value, fallback: Option<&str>| {
        let defaults = RoutingDefaults {
            adapter: "codex",
            chosen: None,
            mode: Mode::FullAuto,
            enabled: &enabled,
            model: fallback,
            effort: None,
            map: &map,
        };
        route(&job(&patch), &defaults).map(|route| route.words())
    };
    let by_map = "(model of the message, by WTT_CONNECT_MODEL_PROVIDER_MAP)";
    for (patch, fallback, want) in [
        (with_model("openai-codex/gpt-5.5"), None, format!("codex gpt-5.5 of openai {by_map}")),
        (with_model("deepseek/deepseek-chat"), None, format!("claude-code deepseek-chat of ds {by_map}")),
        // a model of another maker is passed on because the map says so
        (with_model("gpt-5-proxy"), None, format!("claude-code gpt-5-proxy of proxy {by_map}")),
        (with_model("qwen/qwen3"), None, "codex qwen3 of qw (default)".to_owned()),
        (
            with_model("claude-opus-4.7"),
            None,
            "claude-code claude-opus-4.7 of any (model of the message)".to_owned(),
        ),
        (json!({}), Some("openai-codex/gpt-x"), "codex gpt-x of openai (default)".to_owned()),
        (json!({}), None, "codex (default)".to_owned()),
        // a row for another adapter does not count for the one that was asked for
        (
            json!({"metadata": {"model_config": {"adapter": "codex", "model": "deepseek/v4", "provider": "ds"}}}),
            None,
            "codex (adapter of the message); deepseek/v4 is not a model for codex, so its usual one is used"
                .to_owned(),
        ),
    ] {
        assert_eq!(ask(patch.clone(), fallback).unwrap(), want, "{patch}");
    }
    assert!(ask(with_model("glm-5"), None).unwrap_err().contains("`gemini` is not enabled"));
}

#[test]
fn a_mention_of_this_agent_is_no_adapter_mention() {
    use wtt_connect::wire::identity::Identity;
    use wtt_connect::wire::intake::{Verdict, intake};
    let me = Identity { agent_id: super::ME.into(), display_name: Some("Claude".into()), aliases: vec![] };
    let message =
        wtt_connect::wire::message::Message::decode(&super::message(&json!({"content": "@claude hi"})))
            .unwrap();
    let Verdict::Run(job) = intake(&message, &me) else { panic!() };
    let enabled = vec!["codex".to_owned(), "claude-code".to_owned()];
    let defaults = RoutingDefaults {
        adapter: "codex",
        chosen: None,
        mode: Mode::FullAuto,
        enabled: &enabled,
        model: None,
        effort: None,
        map: &[],
    };
    assert_eq!(route(&job, &defaults).unwrap().adapter, "codex");
}

#[test]
fn the_model_is_what_the_cli_wants() {
    for (asked, enabled, fallback, want) in [
        ("anthropic/claude-opus-4.7", BOTH, None, Some("claude-opus-4.7")),
        ("openai-codex/gpt-5.5", BOTH, Some("gpt-5"), Some("gpt-5.5")),
        ("deepseek-v4-pro[1m]", BOTH, None, Some("deepseek-v4-pro[1m]")),
        // a model of another maker is not passed on; the fallback is, if it fits
        ("claude-opus-4.7", &["codex"], None, None),
        ("claude-opus-4.7", &["codex"], Some("gpt-5"), Some("gpt-5")),
        ("claude-opus-4.7", &["codex"], Some("claude-x"), None),
        ("", &["codex"], Some("claude-x"), None),
        ("", &["codex"], Some("openai/gpt-5"), Some("gpt-5")),
        ("default", &["codex"], Some("gpt-5"), Some("gpt-5")),
        ("my-finetune", &["codex"], Some("gpt-5"), Some("my-finetune")),
        ("qwen/qwen3-coder", &["claude-code"], None, Some("qwen/qwen3-coder")),
        ("anthropic/claude-opus-4.7", &["opencode"], None, Some("anthropic/claude-opus-4.7")),
        ("anthropic/claude-opus-4.7", &["cursor"], None, Some("claude-opus-4.7")),
        // the fallback is the default adapter's
        ("claude-opus-4.7", BOTH, Some("my-finetune"), Some("claude-opus-4.7")),
    ] {
        let patch = if asked.is_empty() { json!({}) } else { with_model(asked) };
        let route = routed(&patch, enabled, fallback).unwrap();
        assert_eq!(route.model.as_deref(), want, "{asked} {enabled:?} {fallback:?}");
    }
    let mentioned = routed(&json!({"content": "@claude hi"}), BOTH, Some("my-finetune")).unwrap();
    assert_eq!((mentioned.adapter.as_str(), mentioned.model), ("claude-code", None));
}

#[test]
fn effort_and_provider() {
    let config = |effort: &str| json!({"metadata": {"model_config": {"model": "openai/gpt-5.5", "reasoning_effort": effort}}});
    for (asked, want) in [("off", "off"), ("HIGH", "high"), ("default", "low"), ("", "low"), ("-x y", "low")]
    {
        let route = routed(&config(asked), BOTH, None).unwrap();
        assert_eq!(route.effort.as_deref(), Some(want), "{asked}");
        assert_eq!(route.provider.as_deref(), Some("openai"));
    }
}

#[test]
fn what_is_not_available_is_named_with_what_is() {
    let asked = json!({"metadata": {"model_config": {"adapter": "gemini"}}});
    assert_eq!(
        routed(&asked, BOTH, None).unwrap_err(),
        "adapter `gemini` is not enabled on this agent; available: codex, claude-code (WTT_CONNECT_ADAPTERS adds more)"
    );
    assert!(
        routed(&json!({"task_id": "k", "exec_mode": "devin"}), BOTH, None).unwrap_err().contains("`devin`")
    );
    assert!(routed(&json!({"metadata": {"model_config": {"adapter": "nonsense"}}}), BOTH, None).is_err());
    for model in ["--dangerous", "-x", "a b", "openai/gpt\u{7}", "/etc/passwd", "x".repeat(200).as_str()] {
        let error = routed(&with_model(model), BOTH, None).unwrap_err();
        assert!(error.contains("cannot be the name of a model"), "{model}: {error}");
    }
}

#[test]
fn session_keys_are_the_documented_ones_and_cannot_be_forged() {
    let topic = Scope::Topic("t1".into());
    let route = |model: Option<&str>, effort: Option<&str>| Route {
        speak: false,
        adapter: "codex".into(),
        model: model.map(str::to_owned),
        effort: effort.map(str::to_owned),
        provider: None,
        mode: Mode::FullAuto,
        why: "",
        note: None,
    };
    assert_eq!(session_key(&topic, &route(Some("gpt-5.5"), Some("high"))), "wtt:topic:t1:codex:gpt-5.5:high");
    assert_eq!(session_key(&Scope::Task("k".into()), &route(None, None)), "wtt:task:k:codex:default:default");
    let forged = session_key(&topic, &route(Some("gpt-5.5:high\n"), None));
    assert_eq!(forged, "wtt:topic:t1:codex:gpt-5.5%3Ahigh%0A:default");
    assert_ne!(
        session_key(&topic, &route(Some("a:b"), None)),
        session_key(&topic, &route(Some("a%3Ab"), None))
    );
    assert_ne!(
        session_key(&Scope::Topic("t1:codex".into()), &route(Some("m"), None)),
        session_key(&topic, &Route { adapter: "codex:codex".into(), ..route(Some("m"), None) }),
    );
}

#[test]
fn the_topic_of_a_session_key_is_found_again() {
    let route = |model: Option<&str>| Route {
        speak: false,
        adapter: "codex".into(),
        model: model.map(str::to_owned),
        effort: None,
        provider: None,
        mode: Mode::FullAuto,
        why: "default",
        note: None,
    };
    for id in ["t1", "a:b", "50%", "with blank", "话题", "%41", "x%2"] {
        let key = session_key(&Scope::Topic(id.into()), &route(Some("m:n")));
        assert_eq!(topic_of(&key).as_deref(), Some(id), "{key}");
    }
    assert_eq!(topic_of(&session_key(&Scope::Task("k".into()), &route(None))), None);
    assert_eq!(topic_of("garbage"), None);
    let key = session_key(&Scope::Topic("a:b".into()), &route(Some("m:n")));
    let parts = Some(("codex".to_owned(), Some("m:n".to_owned()), None));
    assert_eq!((parts_of(&key), parts_of(&format!("{key}:some-id"))), (parts.clone(), parts));
    assert_eq!(parts_of("garbage"), None);
}

#[test]
fn what_people_chose_for_the_topic_stands_for_the_default() {
    let enabled = ["codex", "claude-code"].map(str::to_owned);
    let chosen = |name: &str, patch: &Value| {
        let defaults = RoutingDefaults {
            adapter: "codex",
            chosen: Some(name),
            mode: Mode::Suggest,
            enabled: &enabled,
            model: Some("gpt-5.5"),
            effort: None,
            map: &[],
        };
        let route = route(&job(patch), &defaults).unwrap();
        assert_eq!(route.mode, Mode::Suggest);
        format!("{} {}", route.adapter, route.model.as_deref().unwrap_or("-"))
    };
    assert_eq!(
        chosen("claude-code", &json!({})),
        "claude-code -",
        "the fallback model is the default agent's"
    );
    assert_eq!(chosen("gemini", &json!({})), "codex gpt-5.5", "not enabled any more");
    assert_eq!(chosen("claude-code", &json!({"content": "@codex hi"})), "codex gpt-5.5");
    assert_eq!(chosen("claude-code", &with_model("gpt-5.1")), "codex gpt-5.1");
}
