//! What people have chosen for a topic (model, effort, mode, adapter, voice), and who answers a message by that.
//!
//! A topic may be stricter than the host, never looser: the mode of the settings is the loosest that chat can choose,
//! unless the owner of the host has also allowed `yolo`, which is the loosest of all.

use crate::config::{Config, Mode};
use crate::daemon::context::Context;
use crate::session::routing::{self, Route, RoutingDefaults};
use crate::store::state::{Record, TopicChoice};
use crate::wire::intake::{Job, Scope};

/// What was chosen in a topic or in the chat of a task.
pub(crate) fn choice_of(cx: &Context, scope: &Scope) -> TopicChoice {
    cx.store.state().choices.get(&scope.to_string()).cloned().unwrap_or_default()
}

/// Records a choice.
pub(crate) fn choose(cx: &mut Context, scope: &Scope, choice: TopicChoice) {
    cx.store.record(Record::ChoiceMade { scope: scope.to_string(), choice });
}

/// The loosest mode that may be chosen in chat.
pub(crate) fn loosest_mode(config: &Config) -> Mode {
    if config.allow_yolo { Mode::Yolo } else { config.mode }
}

/// The mode of a topic. A choice that the settings do not allow any more has no effect.
pub(crate) fn mode_of(config: &Config, choice: &TopicChoice) -> Mode {
    let chosen = Mode::ALL.into_iter().find(|mode| Some(mode.name()) == choice.mode.as_deref());
    chosen.filter(|mode| mode.is_within(loosest_mode(config))).unwrap_or(config.mode)
}

/// Whether the answers of a topic are spoken.
pub(crate) fn speaks(config: &Config, choice: &TopicChoice) -> bool {
    config.speech.synthesizer.is_some() && choice.voice.unwrap_or(config.upload_artifacts)
}

/// Who answers a message, by what it asks for itself and what was chosen in its topic. The error is for people.
pub(crate) fn route(cx: &Context, job: &mut Job) -> Result<Route, String> {
    let config = cx.config();
    // a choice made in the topic counts like one in each of its messages; a message's own choice wins
    let choice = choice_of(cx, &job.scope);
    let (speak, mode) = (speaks(config, &choice), mode_of(config, &choice));
    let asked = &mut job.model;
    asked.model = asked.model.take().or(choice.model);
    asked.effort = asked.effort.take().or(choice.effort);
    let defaults = RoutingDefaults {
        adapter: &config.adapter,
        chosen: choice.adapter.as_deref(),
        mode,
        enabled: &config.adapters,
        model: config.model.as_deref(),
        effort: config.effort.as_deref(),
        map: &config.provider_map,
    };
    Ok(Route { speak, ..routing::route(job, &defaults)? })
}
