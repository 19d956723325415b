//! What people read when a turn fails: cause and remedy, then the CLI's own words. The reasons are in `agent/outcome.rs`. Pure.

use crate::agent::adapters;
use crate::agent::outcome::Reason;
use crate::session::messages::{Lang, Msg, kept};
use std::time::Duration;

/// The sentence. `adapter` is the display name; `detail` may be empty (for time limits it is the limit).
pub fn sentence(reason: &Reason, lang: Lang, adapter: &str, detail: &str) -> String {
    let spec = adapters::ADAPTERS.iter().find(|spec| spec.title == adapter);
    let other = |say: Msg| say.to(lang, &[]);
    let install =
        || spec.map_or_else(|| other(Msg::InstallIt), |spec| remedy(lang, Msg::Install, spec.install_hint));
    let login = || spec.map_or_else(|| other(Msg::LogIn), |spec| remedy(lang, Msg::RunIt, spec.login_hint));
    let limit = || if detail.is_empty() { other(Msg::TimeLimit) } else { detail.to_owned() };
    let (say, with) = match reason {
        Reason::CliMissing => (Msg::CliMissing, install()),
        Reason::CliUnsupported => (Msg::CliUnsupported, String::new()),
        Reason::NotLoggedIn => (Msg::NotLoggedIn, login()),
        Reason::AuthRejected => (Msg::AuthRejected, login()),
        Reason::Quota => (Msg::Quota, String::new()),
        Reason::UsageLimit(Some(reset)) => (Msg::LimitUntil, rough(*reset)),
        Reason::UsageLimit(None) => (Msg::Limit, String::new()),
        Reason::RateLimited => (Msg::RateLimited, String::new()),
        Reason::ProviderError => (Msg::ProviderError, String::new()),
        Reason::Network => (Msg::Network, String::new()),
        Reason::ContextOverflow => (Msg::ContextOverflow, String::new()),
        Reason::PoisonedSession => (Msg::PoisonedSession, String::new()),
        Reason::StaleSession => (Msg::StaleSession, String::new()),
        Reason::NoOutput => (Msg::NoOutput, String::new()),
        Reason::SilentExit(code) => (Msg::SilentExit, code.to_string()),
        Reason::Killed(signal) => (Msg::Killed, signal_name(*signal)),
        Reason::OutOfMemory => (Msg::OutOfMemory, String::new()),
        Reason::FirstEventTimeout => (Msg::FirstEventTimeout, limit()),
        Reason::IdleTimeout => (Msg::IdleTimeout, limit()),
        Reason::TotalTimeout => (Msg::TotalTimeout, limit()),
        Reason::WorkdirUnusable => (Msg::WorkdirUnusable, String::new()),
        Reason::SwitcherFailed => (Msg::SwitcherFailed, String::new()),
        Reason::RefusedByPolicy if detail.is_empty() => (Msg::Refused, String::new()),
        Reason::RefusedByPolicy => (Msg::RefusedBecause, kept(lang, detail)),
        Reason::Internal if detail.is_empty() => (Msg::Internal, String::new()),
        Reason::Internal => (Msg::InternalBecause, detail.to_owned()),
    };
    let text = say.to(lang, &[adapter, &with]);
    let is_said = with == detail || matches!(reason, Reason::RefusedByPolicy);
    if detail.is_empty() || is_said { text } else { text + &Msg::InBrackets.to(lang, &[&kept(lang, detail)]) }
}

/// A remedy as the spec of an adapter has it, in another language: the commands of it.
fn remedy(lang: Lang, say: Msg, text: &str) -> String {
    let mut commands: Vec<&str> = Vec::new();
    commands.extend(text.split('`').skip(1).step_by(2));
    match lang {
        Lang::Zh if !commands.is_empty() => say.to(lang, &[&commands.join("` → `")]),
        _ => text.to_owned(),
    }
}

/// A duration for people: its two largest units.
fn rough(d: Duration) -> String {
    let text = humantime::format_duration(Duration::from_secs(d.as_secs().max(1))).to_string();
    text.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

fn signal_name(signal: i32) -> String {
    match signal {
        2 => "SIGINT".to_owned(),
        6 => "SIGABRT".to_owned(),
        9 => "SIGKILL".to_owned(),
        11 => "SIGSEGV".to_owned(),
        15 => "SIGTERM".to_owned(),
        other => format!("signal {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::outcome::ALL;

    #[test]
    fn every_reason_says_what_to_do_in_both_languages() {
        for reason in ALL {
            for detail in ["", "own words"] {
                let said = sentence(reason, Lang::En, "Codex", detail);
                assert!(said.len() > 30 && said.contains(detail), "{}: {said}", reason.word());
                assert!(!said.contains('\n') && !said.contains("  "), "{said}");
                assert!(said.ends_with(['.', ')']) || said.ends_with(detail), "{said}");
                let zh = sentence(reason, Lang::Zh, "Codex", detail);
                assert!(zh.contains(detail) && zh.ends_with(['。', '）']), "{}: {zh}", reason.word());
                let own = zh.replace(detail, "").replace("Codex", "");
                let foreign =
                    own.split('`').step_by(2).flat_map(|part| part.split(|c: char| !c.is_ascii_lowercase()));
                assert!(
                    foreign.clone().all(|word| word.len() < 3),
                    "{zh}: {:?}",
                    foreign.collect::<Vec<_>>()
                );
            }
        }
    }

    #[test]
    fn sentences_name_the_remedy_of_the_adapter() {
        let said = |reason: Reason, title: &str| sentence(&reason, Lang::En, title, "");
        assert!(said(Reason::NotLoggedIn, "Codex").contains("codex login"));
        assert!(said(Reason::CliMissing, "Claude Code").contains("@anthropic-ai/claude-code"));
        let limit = said(Reason::UsageLimit(Some(Duration::from_secs(11_100))), "Codex");
        assert!(limit.contains("resets in 3h 5m"), "{limit}");
        assert!(sentence(&Reason::IdleTimeout, Lang::En, "Codex", "20m").contains("printed nothing for 20m"));
        let zh = sentence(&Reason::NotLoggedIn, Lang::Zh, "Claude Code", "");
        assert!(zh.contains("`claude` → `/login`"), "{zh}");
    }
}
