//! What an ACP session offers to choose from: modes, models, efforts; and how a choice is made. Pure.
//!
//! Two generations of the protocol: lists of their own with a method each, and "config options" with one method. Agents
//! have the one, the other or both; options are preferred.

use crate::agent::dialect::{array_items, string_field};
use serde_json::{Value, json};

/// Offered models that are named when another one was asked for.
const MAX_NAMED: usize = 12;

/// What is on offer now.
#[derive(Debug, Default)]
pub struct SessionOptions {
    options: Value,
    modes: Value,
    models: Value,
    /// The change that is being made.
    wish: Value,
}

/// What follows from a wish.
#[derive(Debug, PartialEq, Eq)]
pub enum Change {
    /// It is so already, or need not be.
    None,
    /// Method and parameters, without the session.
    Set(&'static str, Value),
    /// It cannot be had: why.
    Refused(String),
}

/// Where a choice is made.
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
                    // groups hold options of their own
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

    fn set(&self, value: &str) -> Change {
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
        if now == value { Change::None } else { Change::Set(method, parameters) }
    }
}

impl SessionOptions {
    /// Takes what an answer or update says; what it does not mention stays.
    pub fn learn(&mut self, said: &mut Value) {
        for (name, place) in
            [("configOptions", &mut self.options), ("modes", &mut self.modes), ("models", &mut self.models)]
        {
            let new = crate::agent::adapters::acp::json_rpc::take_member(said, name);
            if !new.is_null() {
                *place = new;
            }
        }
    }

    /// A change has been asked for, with these parameters.
    pub fn asked(&mut self, parameters: &Value) {
        self.wish = parameters.clone();
    }

    /// It was made; not every agent says so by itself.
    pub fn made(&mut self) {
        let wish = self.wish.take();
        let option = items_mut(&mut self.options).iter_mut().find(|option| option["id"] == wish["configId"]);
        for (place, now, name) in [
            (option, "currentValue", "value"),
            (Some(&mut self.modes), "currentModeId", "modeId"),
            (Some(&mut self.models), "currentModelId", "modelId"),
        ] {
            if let (Some(now), Some(new)) = (place.and_then(|place| place.get_mut(now)), wish.get(name)) {
                new.clone_into(now);
            }
        }
    }

    /// The agent has changed its mode by itself.
    pub fn mode_is(&mut self, mode: &str) {
        self.asked(&json!({ "modeId": mode }));
        self.made();
    }

    fn option(&self, category: &str) -> Option<OptionPlace<'_>> {
        let fits = |o: &&Value| string_field(o, "category") == category || string_field(o, "id") == category;
        array_items(&self.options).iter().find(fits).map(OptionPlace::Option)
    }

    /// One of these modes, best first; an empty name stands for leaving it. `strict`: it must be one of them.
    pub fn mode(&self, wanted: &[&str], strict: bool) -> Change {
        let place = self.option("mode").unwrap_or(OptionPlace::Modes(&self.modes));
        let offered = place.values();
        match wanted.iter().find(|mode| offered.contains(mode)) {
            Some(mode) => place.set(mode),
            None if !strict || wanted.contains(&"") => Change::None,
            None => Change::Refused(format!(
                "it has no mode that is strict enough (it offers: {})",
                list(&offered)
            )),
        }
    }

    /// The model of that id. codex-acp lists `model[effort]`; opencode `provider/model`.
    pub fn model(&self, asked: &str, effort: &str) -> Change {
        let place = self.option("model").unwrap_or(OptionPlace::Models(&self.models));
        let offered = place.values();
        if offered.is_empty() {
            return Change::Refused(
                "it does not let its model be chosen; choose it in its own settings".to_owned(),
            );
        }
        let with_effort = format!("{asked}[{effort}]");
        let below = format!("/{asked}");
        let fits = |id: &&&str| **id == asked || **id == with_effort || id.ends_with(&below);
        // One that is not listed may be known all the same; the agent says so if not.
        place.set(offered.iter().find(fits).copied().unwrap_or(asked))
    }

    /// The model was refused: in words for people.
    pub fn no_model(&self, asked: &str) -> String {
        let place = self.option("model").unwrap_or(OptionPlace::Models(&self.models));
        format!("it does not know the model {asked}; it offers {}", list(&place.values()))
    }

    /// The effort, or the nearest that is offered.
    pub fn effort(&self, asked: &str) -> Change {
        let Some(place) = self.option("thought_level") else { return Change::None };
        let others: &[&str] = match asked {
            "off" | "none" => &["off", "none", "minimal", "low"],
            "minimal" => &["low", "on"],
            "max" => &["xhigh", "high", "on"],
            "xhigh" => &["max", "high", "on"],
            _ => &["on"],
        };
        let offered = place.values();
        let found = [asked].iter().chain(others).find(|effort| offered.contains(effort)).copied();
        found.map_or(Change::None, |effort| place.set(effort))
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
        offer.learn(&mut said);
        offer
    }

    fn set(change: Change) -> String {
        match change {
            Change::Set(method, parameters) => format!("{method} {parameters}"),
            Change::None => "none".to_owned(),
            Change::Refused(why) => why,
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
        offer.mode_is("yolo");
        assert_eq!(offer.mode(&["yolo"], false), Change::None);
        assert_eq!(offer.mode(&["plan"], false), Change::None);
        assert_eq!(offer.mode(&["plan", ""], true), Change::None);
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
        assert_eq!(grouped.model("one", ""), Change::None);
        assert!(set(grouped.model("two", "")).contains("\"a/two\""));
        assert!(set(grouped.model("three", "")).contains("\"three\""), "the agent says whether it knows it");
        assert!(grouped.no_model("three").ends_with("offers a/one, a/two"));
        assert!(set(grouped.effort("high")).contains("\"on\""));
        assert_eq!(grouped.effort("none"), Change::None);
        let empty = SessionOptions::default();
        assert!(set(empty.model("x", "")).contains("its own settings"));
        assert_eq!((empty.effort("high"), empty.mode(&["yolo"], false)), (Change::None, Change::None));
    }
}
