//! The command line of the model switcher for one turn. Pure; the session runs it as a [`crate::agent::helper_command`].

use crate::config::model_switch::{ModelSwitch, PLACEHOLDERS};

/// Our adapters that cc-switch-cli knows too, with their names there.
const APPS: [(&str, &str); 4] =
    [("claude-code", "claude"), ("codex", "codex"), ("gemini", "gemini"), ("opencode", "opencode")];

/// Bytes of a provider or model name. Real names are short; a message can choose one, and it becomes an argument.
const MAX_VALUE: usize = 128;

/// What to switch to for a turn.
#[derive(Debug, Clone, Copy)]
pub struct SwitchTarget<'a> {
    /// The adapter's name.
    pub adapter: &'a str,
    /// The provider, if one is known.
    pub provider: Option<&'a str>,
    /// The model, if one is chosen.
    pub model: Option<&'a str>,
}

/// The program and its arguments, or `None` if there is nothing to switch. The error says what is missing.
pub fn switch_command(
    switch: &ModelSwitch,
    choice: &SwitchTarget<'_>,
) -> Result<Option<Vec<String>>, String> {
    let app = APPS.iter().find(|(adapter, _)| *adapter == choice.adapter).map(|(_, app)| *app);
    let chosen = choice.provider.is_some() || choice.model.is_some();
    if !chosen || (switch.cc_switch && app.is_none()) {
        return Ok(None);
    }
    let value = |name: &str| {
        let value = match name {
            "adapter" => Some(choice.adapter),
            "app" => Some(app.unwrap_or(choice.adapter)),
            "provider" => choice.provider,
            _ => choice.model,
        };
        let value = value.ok_or_else(|| match choice.model {
            Some(model) if name == "provider" => {
                format!("no provider is known for {model}; WTT_CONNECT_MODEL_PROVIDER_MAP can name one")
            }
            _ => format!("no {name} is chosen; WTT_CONNECT_MODEL can set a default"),
        })?;
        // It is one argument in any case, but such a value could be taken for an option or break a log line.
        let is_invalid =
            value.starts_with('-') || value.chars().any(char::is_control) || value.len() > MAX_VALUE;
        if is_invalid { Err(format!("the {name} is not a valid name")) } else { Ok(value) }
    };
    let mut words = Vec::with_capacity(switch.words.len());
    for word in &switch.words {
        words.push(fill(word, &value)?);
    }
    Ok(Some(words))
}

/// Replaces the placeholders of one word, from left to right and once: placeholders in inserted values are not replaced.
fn fill<'v>(word: &str, value: &dyn Fn(&str) -> Result<&'v str, String>) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = word;
    while let Some(at) = rest.find('{') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let placeholder = PLACEHOLDERS
            .iter()
            .find(|name| from[1..].strip_prefix(**name).is_some_and(|after| after.starts_with('}')));
        let Some(name) = placeholder else {
            out.push('{');
            rest = &from[1..];
            continue;
        };
        out.push_str(value(name)?);
        rest = &from[name.len() + 2..];
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model_switch::{CC_SWITCH_ARGS, COMMAND_ARGS, template};
    use std::time::Duration;

    fn switch(words: &[&str], cc_switch: bool) -> ModelSwitch {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        ModelSwitch { words, cc_switch, strict: true, timeout: Duration::from_secs(1) }
    }

    fn choice<'a>(adapter: &'a str, provider: &'a str, model: &'a str) -> SwitchTarget<'a> {
        let given = |text: &'a str| (!text.is_empty()).then_some(text);
        SwitchTarget { adapter, provider: given(provider), model: given(model) }
    }

    #[test]
    fn the_default_arguments() {
        let own = switch(&[&["cc-switch"], CC_SWITCH_ARGS].concat(), true);
        let run = |words: &str| Ok(Some(words.split(' ').map(str::to_owned).collect::<Vec<_>>()));
        assert_eq!(
            switch_command(&own, &choice("claude-code", "deepseek", "v4")),
            run("cc-switch --app claude use deepseek")
        );
        assert_eq!(
            switch_command(&own, &choice("codex", "openai", "")),
            run("cc-switch --app codex use openai")
        );
        assert_eq!(
            switch_command(&own, &choice("kimi", "moonshot", "k2")),
            Ok(None),
            "cc-switch does not know kimi"
        );
        assert_eq!(switch_command(&own, &choice("codex", "", "")), Ok(None), "nothing is chosen");
        assert!(
            switch_command(&own, &choice("codex", "", "gpt-x"))
                .unwrap_err()
                .contains("no provider is known for gpt-x")
        );
        let command = switch(&[&["/x/my"], COMMAND_ARGS].concat(), false);
        assert_eq!(
            switch_command(&command, &choice("claude-code", "p", "m")),
            run("/x/my use claude-code p --model m")
        );
        assert!(switch_command(&command, &choice("kimi", "p", "")).unwrap_err().contains("no model"));
    }

    #[test]
    fn no_value_can_add_an_argument_or_a_placeholder() {
        let words = template("sw --to={provider} '{model} of {app}' {model}{model} {x}").unwrap_err();
        assert!(words.contains("{x}"), "{words}");
        let words = template("sw --to={provider} '{model} of {app}' {model}{model} {} {").unwrap();
        let switch = ModelSwitch { words, ..switch(&[], false) };
        for model in ["x --dangerous", "; rm -rf /", "$(id) `id` | & > \"'", "{provider}", "*"] {
            let got = switch_command(&switch, &choice("claude-code", "p", model)).unwrap().unwrap();
            let want = ["sw", "--to=p", &format!("{model} of claude"), &format!("{model}{model}"), "{}", "{"];
            assert_eq!(got, want);
        }
        for odd in ["--dangerous", "-x", "a\nb", "a\0", &"x".repeat(200)] {
            assert!(switch_command(&switch, &choice("codex", odd, "m")).is_err(), "{odd:?}");
            assert!(switch_command(&switch, &choice("codex", "p", odd)).is_err(), "{odd:?}");
        }
    }
}
