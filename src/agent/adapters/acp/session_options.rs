//! The modes, models and efforts that an ACP session offers, and the requests that set them. Pure.
//!
//! The protocol has two generations: separate lists, each with its method, and "config options" with one method. Agents
//! have one of them or both; options are preferred.

use crate::agent::adapters::json_rpc::take_member;
use crate::agent::dialect::{array_items, string_field};
use serde_json::{Value, json};

/// Offered values that a message names: more would not be read.
const MAX_NAMED: usize = 12;

/// The values that are offered and set now.
#[derive(Debug, Default)]
pub struct SessionOptions {
    options: Value,
    modes: Value,
    models: Value,
    /// Parameters of the change whose response is awaited.
    pending: Value,
}

/// The request that a setting needs.
#[derive(Debug, PartialEq, Eq)]
pub enum OptionChange {
    /// None: the value is set already, or not required.
    None,
    /// Method and parameters, without the session.
    Set(&'static str, Value),
    /// The agent does not offer the value, for this reason.
    Refused(String),
}

/// The list that offers a value.
enum OptionPlace<'a> {
    Option(&'a Value),
    Modes(&'a Value),
    Models(&'a Value),
}

impl OptionPlace<'_> {
    fn values(&self) -> Vec<&str> {
        let mut out = Vec::new();
        match self {
            OptionPlace::Option(option) => {
                for item in array_items(&option["options"]) {
                    // Groups contain options.
                    out.push(string_field(item, "value"));
                    out.extend(array_items(&item["options"]).iter().map(|item| string_field(item, "value")));
                }
            }
            OptionPlace::Modes(list) => {
                out.extend(array_items(&list["availableModes"]).iter().map(|m| string_field(m, "id")))
            }
            OptionPlace::Models(list) => {
                out.extend(array_items(&list["availableModels"]).iter().map(|m| string_field(m, "modelId")))
            }
        }
        out.retain(|value| !value.is_empty());
        out
    }

    fn set(&self, value: &str) -> OptionChange {
        let (now, method, parameters) = match self {
            OptionPlace::Option(option) => (
                string_field(option, "currentValue"),
                "session/set_config_option",
                json!({ "configId": option["id"], "value": value }),
            ),
            OptionPlace::Modes(list) => {
                (string_field(list, "currentModeId"), "session/set_mode", json!({ "modeId": value }))
            }
            OptionPlace::Models(list) => {
                (string_field(list, "currentModelId"), "session/set_model", json!({ "modelId": value }))
            }
        };
        if now == value { OptionChange::None } else { OptionChange::Set(method, parameters) }
    }
}

impl SessionOptions {
    /// Stores the values of a response or notification; a list that it does not contain stays.
    pub fn update(&mut self, message: &mut Value) {
        for (name, place) in
            [("configOptions", &mut self.options), ("modes", &mut self.modes), ("models", &mut self.models)]
        {
            let new = take_member(message, name);
            if !new.is_null() {
                *place = new;
            }
        }
    }

    /// A change is requested, with these parameters.
    pub fn set_pending(&mut self, parameters: &Value) {
        self.pending = parameters.clone();
    }

    /// The agent has made the requested change; not every agent sends the new value.
    pub fn apply_pending(&mut self) {
        let pending = self.pending.take();
        let option =
            items_mut(&mut self.options).iter_mut().find(|option| option["id"] == pending["configId"]);
        for (place, now, name) in [
            (option, "currentValue", "value"),
            (Some(&mut self.modes), "currentModeId", "modeId"),
            (Some(&mut self.models), "currentModelId", "modelId"),
        ] {
            if let (Some(now), Some(new)) = (place.and_then(|place| place.get_mut(now)), pending.get(name)) {
                new.clone_into(now);
            }
        }
    }

    /// The agent has changed its mode by itself.
    pub fn set_current_mode(&mut self, mode: &str) {
        self.set_pending(&json!({ "modeId": mode }));
        self.apply_pending();
    }

    fn option(&self, category: &str) -> Option<OptionPlace<'_>> {
        let fits = |o: &&Value| string_field(o, "category") == category || string_field(o, "id") == category;
        array_items(&self.options).iter().find(fits).map(OptionPlace::Option)
    }

    /// Sets one of these modes, best first; an empty name permits the current one. `strict`: it must be one of them.
    pub fn mode(&self, wanted: &[&str], strict: bool) -> OptionChange {
        let place = self.option("mode").unwrap_or(OptionPlace::Modes(&self.modes));
        let offered = place.values();
        match wanted.iter().find(|mode| offered.contains(mode)) {
            Some(mode) => place.set(mode),
            None if !strict || wanted.contains(&"") => OptionChange::None,
            None => OptionChange::Refused(format!(
                "it has no mode that is strict enough (it offers: {})",
                list(&offered)
            )),
        }
    }

    /// Sets the model with that id. codex-acp lists `model[effort]`; opencode `provider/model`.
    pub fn model(&self, asked: &str, effort: &str) -> OptionChange {
        let place = self.option("model").unwrap_or(OptionPlace::Models(&self.models));
        let offered = place.values();
        if offered.is_empty() {
            return OptionChange::Refused(
                "it does not let its model be chosen; choose it in its own settings".to_owned(),
            );
        }
        let with_effort = format!("{asked}[{effort}]");
        let below = format!("/{asked}");
        let fits = |id: &&&str| **id == asked || **id == with_effort || id.ends_with(&below);
        // The agent may know a model that it does not list; otherwise it refuses the request.
        place.set(offered.iter().find(fits).copied().unwrap_or(asked))
    }

    /// The message that the agent has refused the model.
    pub fn unknown_model_text(&self, asked: &str) -> String {
        let place = self.option("model").unwrap_or(OptionPlace::Models(&self.models));
        format!("it does not know the model {asked}; it offers {}", list(&place.values()))
    }

    /// Sets the effort, or the nearest one that is offered.
    pub fn effort(&self, asked: &str) -> OptionChange {
        let Some(place) = self.option("thought_level") else { return OptionChange::None };
        let others: &[&str] = match asked {
            "off" | "none" => &["off", "none", "minimal", "low"],
            "minimal" => &["low", "on"],
            "max" => &["xhigh", "high", "on"],
            "xhigh" => &["max", "high", "on"],
            _ => &["on"],
        };
        let offered = place.values();
        let found = [asked].iter().chain(others).find(|effort| offered.contains(effort)).copied();
        found.map_or(OptionChange::None, |effort| place.set(effort))
    }
}

fn items_mut(value: &mut Value) -> &mut [Value] {
    value.as_array_mut().map(Vec::as_mut_slice).unwrap_or_default()
}

fn list(values: &[&str]) -> String {
    match values {
        [] => "none".to_owned(),
        _ => values.iter().take(MAX_NAMED).copied().collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn offer(said: Value) -> SessionOptions {
        let mut offer = SessionOptions::default();
        let mut said = said;
        offer.update(&mut said);
        offer
    }

    fn set(change: OptionChange) -> String {
        match change {
            OptionChange::Set(method, parameters) => format!("{method} {parameters}"),
            OptionChange::None => "none".to_owned(),
            OptionChange::Refused(why) => why,
        }
    }

    #[test]
    fn options_are_preferred_to_lists() {
        let both = json!({"modes": {"currentModeId": "default", "availableModes": [{"id": "default"}, {"id": "yolo"}]},
            "configOptions": [{"id": "m", "category": "mode", "currentValue": "default",
                "options": [{"value": "default"}, {"value": "yolo"}]}]});
        assert_eq!(
            set(offer(both).mode(&["x", "yolo"], false)),
            r#"session/set_config_option {"configId":"m","value":"yolo"}"#
        );
        let modes = json!({"modes": {"currentModeId": "default", "availableModes": [{"id": "default"}, {"id": "yolo"}]}});
        let mut offer = offer(modes);
        assert_eq!(set(offer.mode(&["yolo"], false)), r#"session/set_mode {"modeId":"yolo"}"#);
        offer.set_current_mode("yolo");
        assert_eq!(offer.mode(&["yolo"], false), OptionChange::None);
        assert_eq!(offer.mode(&["plan"], false), OptionChange::None);
        assert_eq!(offer.mode(&["plan", ""], true), OptionChange::None);
        assert!(set(offer.mode(&["plan"], true)).contains("offers: default, yolo"));
    }

    #[test]
    fn models_and_efforts() {
        let codex = json!({"models": {"currentModelId": "gpt-5.5[low]", "availableModels": [{"modelId": "gpt-5.5[low]"}, {"modelId": "gpt-5.5[high]"}]}});
        assert_eq!(
            set(offer(codex).model("gpt-5.5", "high")),
            r#"session/set_model {"modelId":"gpt-5.5[high]"}"#
        );
        let grouped = json!({"configOptions": [
            {"id": "model", "currentValue": "a/one", "options": [{"name": "A", "options": [{"value": "a/one"}, {"value": "a/two"}]}]},
            {"id": "thinking", "category": "thought_level", "currentValue": "off", "options": [{"value": "off"}, {"value": "on"}]}]});
        let grouped = offer(grouped);
        assert_eq!(grouped.model("one", ""), OptionChange::None);
        assert!(set(grouped.model("two", "")).contains("\"a/two\""));
        assert!(set(grouped.model("three", "")).contains("\"three\""), "the agent says whether it knows it");
        assert!(grouped.unknown_model_text("three").ends_with("offers a/one, a/two"));
        assert!(set(grouped.effort("high")).contains("\"on\""));
        assert_eq!(grouped.effort("none"), OptionChange::None);
        let empty = SessionOptions::default();
        assert!(set(empty.model("x", "")).contains("its own settings"));
        assert_eq!(
            (empty.effort("high"), empty.mode(&["yolo"], false)),
            (OptionChange::None, OptionChange::None)
        );
    }
}
