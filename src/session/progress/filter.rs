//! Which progress of a turn becomes a status line. The hub throttles them and sends them.

use crate::agent::AgentEvent;
use crate::agent::adapter::AdapterSpec;
use crate::agent::runner::RunnerEvent;
use crate::session::messages::{Lang, Msg};
use crate::session::progress::formatter::ProgressFormatter;
use crate::session::routing::Route;
use crate::text;
use crate::wire::outgoing::{StatusKind, TypingStatus};
use std::time::{Duration, Instant};

/// Pieces of streamed text become a status at most this often; the hub throttles the rest.
const TEXT_STATUS_EVERY: Duration = Duration::from_millis(500);

/// Decides which progress becomes a status, and repeats the last one when nothing happens.
pub(crate) struct ProgressFilter {
    formatter: ProgressFormatter,
    title: &'static str,
    /// What was shown last.
    pub(crate) last: TypingStatus,
    text_at: Option<Instant>,
}

impl ProgressFilter {
    pub(crate) fn new(adapter: &AdapterSpec, route: &Route, lang: Lang) -> ProgressFilter {
        let last = TypingStatus {
            text: Msg::Works.to(lang, &[adapter.title]),
            kind: StatusKind::Running,
            adapter: adapter.name.to_owned(),
            model: route.model.clone(),
        };
        ProgressFilter { formatter: ProgressFormatter::default(), title: adapter.title, last, text_at: None }
    }

    pub(crate) fn status_for(&mut self, progress: &RunnerEvent, lang: Lang) -> Option<TypingStatus> {
        if let RunnerEvent::PermissionRequested(ask, _) = progress {
            let text = Msg::AskWaits.to(lang, &[&text::one_line(&ask.title)]);
            self.last = TypingStatus { text, kind: StatusKind::Running, ..self.last.clone() };
        }
        let RunnerEvent::Agent(event) = progress else { return Some(self.last.clone()) };
        let (kind, text) = self.formatter.status(event, self.title, lang)?;
        let stream = matches!(event, AgentEvent::Text(_) | AgentEvent::Thought(_));
        if stream && self.text_at.is_some_and(|at| at.elapsed() < TEXT_STATUS_EVERY) {
            return None;
        }
        self.text_at = stream.then(Instant::now);
        self.last = TypingStatus { text, kind, ..self.last.clone() };
        Some(self.last.clone())
    }
}
