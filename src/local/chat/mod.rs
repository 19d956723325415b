//! `wtt-connect try`: the local service, the real connector as a child process, and a chat with it in the terminal.
//!
//! Needs no account and no settings, and leaves nothing behind but a log that was asked for. The caller's thread runs the chat; one thread reads
//! stdin, one waits for signals.

mod adapter_choice;
mod attachments;
mod connector;
mod conversation;
mod event_loop;
mod help;
mod input;
mod markdown;
mod sandbox_profile;
mod screen;
mod strings;
mod terminal;

use crate::config::Mode;
use crate::error::{self, Error, Result};
use crate::local::service::{self, Observed, Seen, Service};
use crate::sys::signal::{self, Signal};
use adapter_choice::Pick;
use connector::{AGENT_ID, Connector};
use crossbeam_channel::{Receiver, select};
use event_loop::Chat;
use sandbox_profile::Stage;
use screen::{Manner, Screen};
use std::io::{ErrorKind, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// From its start to its authentication the connector takes milliseconds; this is for a machine in trouble.
const CONNECT_TIME: Duration = Duration::from_secs(20);
/// Exit code of a turn that was stopped by Ctrl-C, as shells know it.
const INTERRUPTED: u8 = 130;
/// What the demonstration agent's words become: the connector takes it for the CLI whose protocol it speaks.
const DEMO_NAMES: &[(&str, &str)] = &[
    ("The installed Claude Code", "The demonstration agent"),
    ("The provider of Claude Code", "The demonstration agent"),
    ("⚠️ Claude Code", "⚠️ The demonstration agent"),
    (". Claude Code", ". The demonstration agent"),
    ("Claude Code", "the demonstration agent"),
    (": claude-code", ": demonstration agent"),
    ("- claude-code:", "- demonstration agent:"),
    (". claude-code ", ". demonstration agent "),
    ("(claude-code)", "(demonstration agent)"),
    ("session claude-code", "session demonstration agent"),
    ("for claude-code,", "for the demonstration agent,"),
    ("Claude Code", "演示智能体"),
    ("claude-code", "演示智能体"),
];

/// What was asked for on the command line.
#[derive(Debug, Default)]
pub struct Options {
    /// Adapter name or `demo`; chosen by what is installed when None.
    pub adapter: Option<String>,
    /// Answer this once instead of opening a chat.
    pub prompt: Option<String>,
    /// Where the agent works; the current directory when None.
    pub workdir: Option<PathBuf>,
    /// Opens a terminal through the service instead of a chat.
    pub terminal: bool,
    /// Makes the connector log more, shows where, and keeps the log.
    pub verbose: bool,
    /// Settings of the connector.
    pub settings: Vec<(&'static str, String)>,
}

/// Runs it. The exit code of a failed or stopped turn comes back as [`Error::Silent`].
pub fn run(options: Options) -> Result<()> {
    let person = options.prompt.is_none() && std::io::stdin().is_terminal();
    // a terminal needs no agent; the connector is started with one all the same
    let adapter = options.adapter.as_deref().or(options.terminal.then_some("demo"));
    let workdir = workdir(options.workdir.as_deref())?;
    let pick = adapter_choice::pick(adapter, person)?;
    let signals = signal::listen().map_err(|e| Error::Failed(format!("cannot listen for signals: {e}")))?;
    sandbox_profile::sweep();
    let mut stage = Stage::new()?;
    let service =
        Service::start(service::Options { port: 0, uploads: Some(stage.path(sandbox_profile::MEDIA)) })
            .map_err(|e| Error::Failed(format!("cannot start the local service: {e}")))?;
    let seen = service.observe();
    if options.verbose {
        stage.keep_log();
    }
    let mut settings = options.settings;
    let freely =
        settings.iter().all(|(name, mode)| *name != "WTT_CONNECT_MODE" || mode == Mode::FullAuto.name());
    if options.prompt.is_some() {
        // nobody could answer
        settings.push(("WTT_CONNECT_APPROVAL_SECONDS", "0".to_owned()));
    }
    if options.terminal {
        settings.push(("WTT_CONNECT_ENABLE_SHELL", "1".to_owned()));
    }
    let passed_over = connector::passed_over(&pick);
    let mut connector = Connector::start(&stage, &service, &pick, &workdir, &settings, options.verbose)?;
    let manner = if options.prompt.is_some() { Manner::Once } else { Manner::Chat };
    let mut screen = Screen::new(manner, service.base_url(), service.user_token().to_owned());
    if !passed_over.is_empty() {
        screen.note(&format!(
            "`try` has settings of its own; these of the environment do not count here: {passed_over}."
        ));
    }
    let freely = if freely && !pick.demo { ", free to act there without asking" } else { "" };
    let who = format!("{} in {}{freely}.", pick.title(), workdir.display());
    if options.terminal {
        let base = service.base_url();
        screen.note(&format!(
            "A shell of yours through the local WTT service at {base} and the real connector; `exit` ends it."
        ));
    } else {
        introduce(&mut screen, manner, &pick, &who, &service, &connector, options.verbose);
    }
    let outcome = match await_connector(&seen, &connector, &signals) {
        Ok(()) if options.terminal => terminal::run(&service, AGENT_ID, &connector.gone, &signals),
        Ok(()) => {
            let topic = service.create_topic("p2p", pick.title(), &[AGENT_ID]);
            let name = if pick.demo { pick.title() } else { pick.spec.name };
            let names = if pick.demo { DEMO_NAMES } else { &[] };
            let mut chat = Chat::new(&service, &connector, topic, name, names, screen);
            let outcome = chat.run(options.prompt.as_deref(), &seen, &signals);
            let outcome = outcome.and_then(|()| chat.late(&stage.outbox(), &seen, &signals));
            if options.prompt.is_some() && chat.sent_files {
                stage.keep_files();
            }
            outcome.and(chat.finish())
        }
        Err(e) => Err(e),
    };
    connector.end();
    service.stop();
    if matches!(outcome, Err(Error::Unavailable(_))) {
        stage.keep_log();
    }
    outcome
}

fn workdir(given: Option<&Path>) -> Result<PathBuf> {
    let given = given.unwrap_or(Path::new("."));
    let path = std::fs::canonicalize(given).map_err(|e| {
        let why = match e.kind() {
            ErrorKind::NotFound => "no such directory".to_owned(),
            _ => error::reason(&e),
        };
        Error::Usage(format!("cannot use the working directory {}: {why}", given.display()))
    })?;
    if path.is_dir() {
        Ok(path)
    } else {
        Err(Error::Usage(format!("the working directory {} is not a directory", given.display())))
    }
}

fn introduce(
    screen: &mut Screen,
    manner: Manner,
    pick: &Pick,
    who: &str,
    service: &Service,
    connector: &Connector,
    verbose: bool,
) {
    if let Some(why) = &pick.why_demo {
        screen.note(&format!("{why} So the built-in demonstration agent answers; it has no language model."));
    }
    if let Some(warning) = &pick.warning {
        screen.note(warning);
    }
    if manner == Manner::Once && !pick.demo && screen.is_watched() {
        screen.note(who);
    }
    if manner == Manner::Chat {
        screen.note(&format!("Local WTT service at {}, real connector, {who}", service.base_url()));
        if !pick.others.is_empty() {
            screen.note(&format!("Also installed: {} (choose with --adapter).", pick.others.join(", ")));
        }
        screen.note("/help shows what you can type, Ctrl-C stops a turn, /quit or Ctrl-C twice ends.");
    }
    if verbose {
        screen
            .note("The log of the connector is kept after the end, until a `try` on another day removes it.");
        screen.note(&format!("The connector logs to {}", connector.log().display()));
    }
}

/// The exit code that shells know for a signal.
fn killed_by(signal: Option<Signal>) -> u8 {
    let number = match signal {
        Some(Signal::Stop(number)) => number,
        Some(Signal::Reload) => signal_hook::consts::SIGHUP,
        None => signal_hook::consts::SIGTERM,
    };
    u8::try_from(number).unwrap_or_default().saturating_add(128)
}

fn await_connector(
    seen: &Receiver<Observed>,
    connector: &Connector,
    signals: &Receiver<Signal>,
) -> Result<()> {
    let until = Instant::now() + CONNECT_TIME;
    loop {
        select! {
            recv(seen) -> event => if matches!(event, Ok(Observed { seen: Seen::Auth(true), .. })) {
                return Ok(());
            },
            recv(connector.gone) -> _ => return Err(connector.trouble("ended before it had connected")),
            recv(signals) -> signal => return Err(Error::Silent(killed_by(signal.ok()))),
            default(until.saturating_duration_since(Instant::now())) => {
                let seconds = CONNECT_TIME.as_secs();
                return Err(connector.trouble(&format!("did not reach the local service within {seconds} s")));
            }
        }
    }
}
