//! `/model`, `/mode`, `/adapter` and `/voice`: what people choose for a topic. How far they may go: `topic_choice.rs`.

use crate::agent::adapter;
use crate::agent::adapters;
use crate::config::Mode;
use crate::daemon::context::Context;
use crate::daemon::topic_choice::{self, choice_of, choose, loosest_mode, mode_of, speaks};
use crate::session::messages::{Lang, Msg, kept};
use crate::session::model;
use crate::store::state::TopicChoice;
use crate::wire::intake::Job;
use crate::wire::message::SenderKind;

/// `/model`: shows or sets model and effort.
/// `/mode`: shows or sets the permission mode.
pub(super) fn choose_model(
    cx: &mut Context,
    job: &Job,
    model: Option<String>,
    effort: Option<String>,
    lang: Lang,
) -> String {
    let choice = choice_of(cx, &job.scope);
    let Some(model) = model else {
        let own = || Msg::OwnDefault.to(lang, &[]);
        let model = choice.model.or_else(|| cx.config().model.clone()).unwrap_or_else(own);
        let effort = choice.effort.or_else(|| cx.config().effort.clone()).unwrap_or_else(own);
        return Msg::ModelShow.to(lang, &[&model, &effort]);
    };
    if model == "default" {
        let text = match &effort {
            Some(effort) => Msg::DefaultEffort.to(lang, &[effort]),
            None => Msg::ModelDefault.to(lang, &[]),
        };
        choose(cx, &job.scope, TopicChoice { model: None, effort, ..choice });
        return text;
    }
    if let Err(why) = model::check_model(&model) {
        return format!("⚠️ {}", kept(lang, &why));
    }
    let words = match &effort {
        Some(effort) => Msg::ModelEffort.to(lang, &[&model, effort]),
        None => model.clone(),
    };
    choose(cx, &job.scope, TopicChoice { model: Some(model.clone()), effort, ..choice });
    match topic_choice::route(cx, &mut job.clone()) {
        Ok(route) if route.note.is_some() => foreign_model(cx, &model, &route.adapter, lang),
        Err(why) => format!("⚠️ {}", kept(lang, &why)),
        Ok(_) => Msg::ModelSet.to(lang, &[&words]),
    }
}

/// The agent of the topic cannot have the model: what happens instead, and who has it.
fn foreign_model(cx: &Context, model: &str, adapter: &str, lang: Lang) -> String {
    let mut enabled = cx.config().adapters.iter();
    let how = match enabled.find(|name| model::usual_model(model, name).is_some()) {
        Some(name) => Msg::ModelOfOther.to(lang, &[name, model]),
        None => Msg::ModelOfNone.to(lang, &[model::maker_of(model).unwrap_or_default()]),
    };
    let title = adapters::find(adapter).map_or(adapter, |spec| spec.title);
    Msg::ModelForeign.to(lang, &[model, title, &how])
}

/// `/voice`: shows or sets whether answers are spoken.
pub(super) fn choose_voice(cx: &mut Context, job: &Job, on: Option<bool>, lang: Lang) -> String {
    if cx.config().speech.synthesizer.is_none() {
        return Msg::VoiceNone.to(lang, &[]);
    }
    let mut choice = choice_of(cx, &job.scope);
    if on.is_some() {
        choice.voice = on;
        choose(cx, &job.scope, choice.clone());
    }
    let say = if speaks(cx.config(), &choice) { Msg::VoiceOn } else { Msg::VoiceOff };
    say.to(lang, &[])
}

/// `/mode`: shows or sets the permission mode.
pub(super) fn choose_mode(cx: &mut Context, job: &Job, name: Option<String>, lang: Lang) -> String {
    let (choice, loosest) = (choice_of(cx, &job.scope), loosest_mode(cx.config()));
    let mut allowed = String::new();
    for mode in Mode::ALL.into_iter().filter(|mode| mode.is_within(loosest)) {
        allowed.push_str(if allowed.is_empty() { "" } else { ", " });
        allowed.push_str(mode.name());
    }
    let now = mode_of(cx.config(), &choice);
    let Some(name) = name else {
        return Msg::ModeShow.to(lang, &[now.name(), &allowed]);
    };
    // an agent that talks another one out of its limits is no owner
    if job.sender_kind == SenderKind::Agent {
        return Msg::OnlyPeople.to(lang, &[]);
    }
    let mode = match Mode::ALL.into_iter().find(|mode| mode.name() == name) {
        Some(mode) if mode.is_within(loosest) => mode,
        Some(mode) => return Msg::ModeTooLoose.to(lang, &[mode.name(), loosest.name()]),
        None if name == "default" => cx.config().mode,
        None => return Msg::ModeUnknown.to(lang, &[&name.replace('`', ""), &allowed]),
    };
    let adapter =
        topic_choice::route(cx, &mut job.clone()).ok().and_then(|route| adapters::find(&route.adapter));
    if let Some(why) = adapter.and_then(|adapter| adapter::mode_refusal(adapter, mode)) {
        return format!("⚠️ {}", kept(lang, &why));
    }
    let chosen = (name != "default").then_some(name);
    choose(cx, &job.scope, TopicChoice { mode: chosen, ..choice });
    Msg::ModeSet.to(lang, &[mode.name()])
}

/// `/adapter`: shows or sets who answers.
pub(super) fn choose_adapter(cx: &mut Context, job: &Job, name: Option<String>, lang: Lang) -> String {
    let shared = cx.shared.clone();
    let config = &shared.config;
    let (choice, enabled) = (choice_of(cx, &job.scope), config.adapters.join(", "));
    let Some(name) = name else {
        let now = topic_choice::route(cx, &mut job.clone())
            .map_or_else(|why| kept(lang, &why), |route| route.adapter);
        return Msg::AdapterShow.to(lang, &[&now, &enabled]);
    };
    if name == "default" {
        choose(cx, &job.scope, TopicChoice { adapter: None, ..choice });
        return Msg::AdapterBack.to(lang, &[&config.adapter]);
    }
    match adapters::find(&name).filter(|spec| config.adapters.iter().any(|name| name == spec.name)) {
        Some(spec) => {
            // a model chosen for the other agent would lead back to it
            let adapter = Some(spec.name.to_owned());
            choose(cx, &job.scope, TopicChoice { adapter, mode: choice.mode, ..TopicChoice::default() });
            Msg::AdapterSet.to(lang, &[spec.title])
        }
        None => Msg::AdapterOff.to(lang, &[&name.replace('`', ""), &enabled]),
    }
}
