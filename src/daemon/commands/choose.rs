//! `/model`, `/mode` and `/adapter`: what people choose for a topic, and how far they may go.
//!
//! A topic may be stricter than the host, never looser: the mode of the settings is the loosest that chat can choose,
//! unless the owner of the host has also allowed `yolo`, which is the loosest of all.

use crate::agent::adapter;
use crate::agent::adapters;
use crate::config::Mode;
use crate::daemon::hub::Hub;
use crate::session::messages::{Lang, Say, kept};
use crate::session::model;
use crate::store::state::{Choice, Record};
use crate::wire::intake::Job;
use crate::wire::message::SenderKind;

impl Hub {
    fn choice(&self, job: &Job) -> Choice {
        self.store.state().choices.get(&job.scope.to_string()).cloned().unwrap_or_default()
    }

    fn choose(&mut self, job: &Job, choice: Choice) {
        self.store.record(Record::Choose { scope: job.scope.to_string(), choice });
    }

    /// The loosest mode that may be chosen in chat.
    fn loosest(&self) -> Mode {
        if self.shared.config.allow_yolo { Mode::Yolo } else { self.shared.config.mode }
    }

    /// The mode of a topic. A choice that the settings do not allow any more has no effect.
    pub(crate) fn mode_of(&self, chosen: Option<&str>) -> Mode {
        let chosen = Mode::ALL.into_iter().find(|mode| Some(mode.name()) == chosen);
        chosen.filter(|mode| mode.is_within(self.loosest())).unwrap_or(self.shared.config.mode)
    }

    pub(crate) fn choose_model(
        &mut self,
        job: &Job,
        model: Option<String>,
        effort: Option<String>,
        lang: Lang,
    ) -> String {
        let choice = self.choice(job);
        let Some(model) = model else {
            let own = || Say::OwnDefault.to(lang, &[]);
            let model = choice.model.or_else(|| self.shared.config.model.clone()).unwrap_or_else(own);
            let effort = choice.effort.or_else(|| self.shared.config.effort.clone()).unwrap_or_else(own);
            return Say::ModelShow.to(lang, &[&model, &effort]);
        };
        if model == "default" {
            let text = match &effort {
                Some(effort) => Say::DefaultEffort.to(lang, &[effort]),
                None => Say::ModelDefault.to(lang, &[]),
            };
            self.choose(job, Choice { model: None, effort, ..choice });
            return text;
        }
        if let Err(why) = model::check_model(&model) {
            return format!("⚠️ {}", kept(lang, &why));
        }
        let words = match &effort {
            Some(effort) => Say::ModelEffort.to(lang, &[&model, effort]),
            None => model.clone(),
        };
        self.choose(job, Choice { model: Some(model.clone()), effort, ..choice });
        match self.route(&mut job.clone()) {
            Ok(route) if route.note.is_some() => self.foreign_model(&model, &route.adapter, lang),
            Err(why) => format!("⚠️ {}", kept(lang, &why)),
            Ok(_) => Say::ModelSet.to(lang, &[&words]),
        }
    }

    /// The agent of the topic cannot have the model: what happens instead, and who has it.
    fn foreign_model(&self, model: &str, adapter: &str, lang: Lang) -> String {
        let mut enabled = self.shared.config.adapters.iter();
        let how = match enabled.find(|name| model::usual_model(model, name).is_some()) {
            Some(name) => Say::ModelOfOther.to(lang, &[name, model]),
            None => Say::ModelOfNone.to(lang, &[model::maker_of(model).unwrap_or_default()]),
        };
        let title = adapters::find(adapter).map_or(adapter, |spec| spec.title);
        Say::ModelForeign.to(lang, &[model, title, &how])
    }

    /// Whether answers of a topic are spoken.
    pub(crate) fn speaks(&self, choice: &Choice) -> bool {
        let config = &self.shared.config;
        config.voice.speaking.is_some() && choice.voice.unwrap_or(config.upload_artifacts)
    }

    pub(crate) fn choose_voice(&mut self, job: &Job, on: Option<bool>, lang: Lang) -> String {
        if self.shared.config.voice.speaking.is_none() {
            return Say::VoiceNone.to(lang, &[]);
        }
        let mut choice = self.choice(job);
        if on.is_some() {
            choice.voice = on;
            self.choose(job, choice.clone());
        }
        let say = if self.speaks(&choice) { Say::VoiceOn } else { Say::VoiceOff };
        say.to(lang, &[])
    }

    pub(crate) fn choose_mode(&mut self, job: &Job, name: Option<String>, lang: Lang) -> String {
        let (choice, loosest) = (self.choice(job), self.loosest());
        let mut allowed = String::new();
        for mode in Mode::ALL.into_iter().filter(|mode| mode.is_within(loosest)) {
            allowed.push_str(if allowed.is_empty() { "" } else { ", " });
            allowed.push_str(mode.name());
        }
        let now = self.mode_of(choice.mode.as_deref());
        let Some(name) = name else {
            return Say::ModeShow.to(lang, &[now.name(), &allowed]);
        };
        // an agent that talks another one out of its limits is no owner
        if job.sender_kind == SenderKind::Agent {
            return Say::OnlyPeople.to(lang, &[]);
        }
        let mode = match Mode::ALL.into_iter().find(|mode| mode.name() == name) {
            Some(mode) if mode.is_within(loosest) => mode,
            Some(mode) => return Say::ModeTooLoose.to(lang, &[mode.name(), loosest.name()]),
            None if name == "default" => self.shared.config.mode,
            None => return Say::ModeUnknown.to(lang, &[&name.replace('`', ""), &allowed]),
        };
        let adapter = self.route(&mut job.clone()).ok().and_then(|route| adapters::find(&route.adapter));
        if let Some(why) = adapter.and_then(|adapter| adapter::mode_refusal(adapter, mode)) {
            return format!("⚠️ {}", kept(lang, &why));
        }
        let chosen = (name != "default").then_some(name);
        self.choose(job, Choice { mode: chosen, ..choice });
        Say::ModeSet.to(lang, &[mode.name()])
    }

    pub(crate) fn choose_adapter(&mut self, job: &Job, name: Option<String>, lang: Lang) -> String {
        let config = self.shared.clone();
        let config = &config.config;
        let (choice, enabled) = (self.choice(job), config.adapters.join(", "));
        let Some(name) = name else {
            let now = self.route(&mut job.clone()).map_or_else(|why| kept(lang, &why), |route| route.adapter);
            return Say::AdapterShow.to(lang, &[&now, &enabled]);
        };
        if name == "default" {
            self.choose(job, Choice { adapter: None, ..choice });
            return Say::AdapterBack.to(lang, &[&config.adapter]);
        }
        match adapters::find(&name).filter(|spec| config.adapters.iter().any(|name| name == spec.name)) {
            Some(spec) => {
                // a model chosen for the other agent would lead back to it
                let adapter = Some(spec.name.to_owned());
                self.choose(job, Choice { adapter, mode: choice.mode, ..Choice::default() });
                Say::AdapterSet.to(lang, &[spec.title])
            }
            None => Say::AdapterOff.to(lang, &[&name.replace('`', ""), &enabled]),
        }
    }
}
