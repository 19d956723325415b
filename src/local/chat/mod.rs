//! `wtt-connect try`: the local service, the real connector as a child process, and a chat with it in the terminal.
//!
//! Needs no account and no settings. Leaves nothing behind but the history of the prompt, and a log if one was asked for.
//! The caller's thread runs the chat; one thread reads stdin or edits the prompt, one waits for signals.

mod adapter_choice;
mod attachments;
mod connector;
mod conversation;
mod event_loop;
mod help;
mod input;
mod input_handler;
mod input_history;
mod line_editor;
mod markdown;
mod prompt_display;
mod sandbox_profile;
mod screen;
mod strings;
mod terminal;

use crate::config::Mode;
use crate::error::{self, Error, Result};
use crate::local::service::{self, Observed, Service, ServiceEvent};
use crate::sys::signal::{self, Signal};
use adapter_choice::AdapterChoice;
use connector::{AGENT_ID, Connector};
use crossbeam_channel::{Receiver, select};
use event_loop::Chat;
use sandbox_profile::SandboxProfile;
use screen::{Screen, ScreenMode};
use std::io::{ErrorKind, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The connector authenticates within milliseconds of its start; this is for a machine in trouble.
const CONNECT_TIME: Duration = Duration::from_secs(20);

/// What was asked for on the command line.
#[derive(Debug, Default)]
pub struct ChatOptions {
    /// Adapter name or `demo`. None chooses by what is installed.
    pub adapter: Option<String>,
    /// Answers this once instead of opening a chat.
    pub prompt: Option<String>,
    /// Where the agent works. None is the current directory.
    pub workdir: Option<PathBuf>,
    /// Opens a terminal through the service instead of a chat.
    pub opens_terminal: bool,
    /// Makes the connector log more, shows where, and keeps the log.
    pub is_verbose: bool,
    /// Settings of the connector: name and value.
    pub settings: Vec<(&'static str, String)>,
}

/// Runs the whole of `try`. The exit code of a failed or stopped turn is returned as [`Error::Silent`].
pub fn run(options: ChatOptions) -> Result<()> {
    let has_person = options.prompt.is_none() && std::io::stdin().is_terminal();
    // a terminal needs no agent, but the connector does not start without one
    let adapter = options.adapter.as_deref().or(options.opens_terminal.then_some("demo"));
    let workdir = canonical_workdir(options.workdir.as_deref())?;
    let choice = adapter_choice::choose_adapter(adapter, has_person)?;
    let signals = signal::listen().map_err(|e| Error::Failed(format!("cannot listen for signals: {e}")))?;
    sandbox_profile::remove_leftovers();
    let mut sandbox = SandboxProfile::create()?;
    let service = Service::start(service::ServiceOptions {
        port: 0,
        uploads: Some(sandbox.path(sandbox_profile::MEDIA)),
    })
    .map_err(|e| Error::Failed(format!("cannot start the local service: {e}")))?;
    let seen = service.observe();
    if options.is_verbose {
        sandbox.keep_log();
    }
    let mut settings = options.settings;
    let acts_freely =
        settings.iter().all(|(name, mode)| *name != "WTT_CONNECT_MODE" || mode == Mode::FullAuto.name());
    if options.prompt.is_some() {
        // nobody could answer a permission request
        settings.push(("WTT_CONNECT_APPROVAL_SECONDS", "0".to_owned()));
    }
    if options.opens_terminal {
        settings.push(("WTT_CONNECT_ENABLE_SHELL", "1".to_owned()));
    }
    let ignored_settings = connector::ignored_settings(&choice);
    let mode = if options.prompt.is_some() { ScreenMode::SingleAnswer } else { ScreenMode::Chat };
    let mut screen = Screen::new(mode, service.base_url(), service.user_token().to_owned());
    if !options.opens_terminal {
        screen.hold_keyboard();
    }
    let mut connector =
        Connector::start(&sandbox, &service, &choice, &workdir, &settings, options.is_verbose)?;
    if !ignored_settings.is_empty() {
        screen.note(&format!(
            "`try` has settings of its own; these of the environment do not apply here: {ignored_settings}."
        ));
    }
    let freely = if acts_freely && !choice.is_demo { ", free to act there without asking" } else { "" };
    let agent = format!("{} in {}{freely}.", choice.title(), workdir.display());
    if options.opens_terminal {
        let base = service.base_url();
        screen.note(&format!(
            "A shell on this machine through the local WTT service at {base} and the real connector; `exit` ends it."
        ));
    } else {
        introduce(&mut screen, mode, &choice, &agent, &service, &connector, options.is_verbose);
    }
    let outcome = match await_connector(&seen, &connector, &signals) {
        Ok(()) if options.opens_terminal => terminal::run(&service, AGENT_ID, &connector.gone, &signals),
        Ok(()) => {
            let topic = service.create_topic("p2p", choice.title(), &[AGENT_ID]);
            let name = if choice.is_demo { choice.title() } else { choice.spec.name };
            let name_replacements = if choice.is_demo { strings::DEMO_AGENT_NAMES } else { &[] };
            let mut chat = Chat::new(&service, &connector, topic, name, name_replacements, screen);
            let outcome = chat.run(options.prompt.as_deref(), &seen, &signals);
            let outcome = outcome.and_then(|()| chat.wait_for_late_files(&sandbox.outbox(), &seen, &signals));
            if options.prompt.is_some() && chat.has_received_files {
                sandbox.keep_files();
            }
            outcome.and(chat.finish())
        }
        Err(e) => Err(e),
    };
    connector.end();
    service.stop();
    if matches!(outcome, Err(Error::Unavailable(_))) {
        sandbox.keep_log();
    }
    outcome
}

fn canonical_workdir(given: Option<&Path>) -> Result<PathBuf> {
    let given = given.unwrap_or(Path::new("."));
    let path = std::fs::canonicalize(given).map_err(|e| {
        let reason = match e.kind() {
            ErrorKind::NotFound => "no such directory".to_owned(),
            _ => error::reason(&e),
        };
        Error::Usage(format!("cannot use the working directory {}: {reason}", given.display()))
    })?;
    if path.is_dir() {
        Ok(path)
    } else {
        Err(Error::Usage(format!("the working directory {} is not a directory", given.display())))
    }
}

fn introduce(
    screen: &mut Screen,
    mode: ScreenMode,
    choice: &AdapterChoice,
    agent: &str,
    service: &Service,
    connector: &Connector,
    is_verbose: bool,
) {
    if let Some(reason) = &choice.demo_reason {
        screen.note(&format!(
            "{reason} So the built-in demonstration agent answers; it has no language model."
        ));
    }
    if let Some(warning) = &choice.warning {
        screen.note(warning);
    }
    if mode == ScreenMode::SingleAnswer && !choice.is_demo && screen.is_watched() {
        screen.note(agent);
    }
    if mode == ScreenMode::Chat {
        screen.note(&format!("Local WTT service at {}, real connector, {agent}", service.base_url()));
        if !choice.others.is_empty() {
            screen.note(&format!("Also installed: {} (choose with --adapter).", choice.others.join(", ")));
        }
        screen.note("/help lists the commands, Ctrl-C stops a turn, /quit or Ctrl-C twice quits.");
    }
    if is_verbose {
        screen.note("The connector's log is kept after the end, until a `try` on another day removes it.");
        screen.note(&format!("The connector logs to {}", connector.log().display()));
    }
}

fn await_connector(
    seen: &Receiver<Observed>,
    connector: &Connector,
    signals: &Receiver<Signal>,
) -> Result<()> {
    let deadline = Instant::now() + CONNECT_TIME;
    loop {
        select! {
            recv(seen) -> event => if matches!(event, Ok(Observed { event: ServiceEvent::Auth(true), .. })) {
                return Ok(());
            },
            recv(connector.gone) -> _ => return Err(connector.failure("ended before it had connected")),
            recv(signals) -> signal => return Err(Error::Silent(signal::exit_code(signal.ok()))),
            default(deadline.saturating_duration_since(Instant::now())) => {
                let seconds = CONNECT_TIME.as_secs();
                return Err(connector.failure(&format!("did not reach the local service within {seconds} s")));
            }
        }
    }
}
