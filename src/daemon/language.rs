//! In which language each topic is answered: that of what a person wrote there last. In memory only.

use crate::session::messages::Lang;
use crate::wire::intake::Job;
use crate::wire::message::SenderKind;
use crate::wire::task::Task;
use std::collections::HashMap;

/// Topics remembered. Beyond it all are forgotten, and learned again from the next messages.
const TOPICS: usize = 4096;

/// The languages of the topics.
#[derive(Debug, Default)]
pub(crate) struct TopicLanguages {
    by_topic: HashMap<String, Lang>,
}

impl TopicLanguages {
    /// A message of the topic. What an agent writes says nothing about the people there.
    pub(crate) fn learn(&mut self, job: &Job) {
        if job.sender_kind != SenderKind::Agent
            && let Some(lang) = Lang::of(&job.instruction)
        {
            if self.by_topic.len() >= TOPICS {
                self.by_topic.clear();
            }
            self.by_topic.insert(job.topic_id.clone(), lang);
        }
    }

    /// What a task or a deferred message says, in a topic where nobody has written since the start.
    pub(crate) fn guess(&mut self, topic: &str, text: &str) {
        if !self.by_topic.contains_key(topic)
            && let Some(lang) = Lang::of(text)
        {
            self.by_topic.insert(topic.to_owned(), lang);
        }
    }

    /// The same for a task's topic.
    pub(crate) fn guess_by(&mut self, task: &Task) {
        let text = [&task.title, &task.description].map(|text| text.as_deref().unwrap_or_default());
        self.guess(task.topic_id.as_deref().unwrap_or_default(), &text.join(" "));
    }

    /// The language for a topic.
    pub(crate) fn of(&self, topic: &str) -> Lang {
        self.by_topic.get(topic).copied().unwrap_or_default()
    }
}
