//! `start`: runs the connector in the foreground.

use super::{panic_restart, selection};
use crate::cli::table::CommandArgs;
use crate::config::{Config, Settings};
use crate::daemon::{self, DaemonEnding};
use crate::error::{Error, Result, reason};
use crate::sys::child_process::END_WITH_STDIN_VARIABLE;
use crate::sys::log_file::{self, LogFile};
use crossbeam_channel::Receiver;
use std::io::Read;

/// Loads the settings, opens the log, and runs the daemon until it is stopped.
pub fn run(args: &CommandArgs) -> Result<()> {
    let selection = selection(args);
    let mut settings = Settings::read(&selection);
    let checked = Config::check(&selection, &mut settings);
    match &checked {
        Ok(config) => start_log(config, args.log_to_file)?,
        // stderr goes nowhere with this flag, so errors in the settings must be logged
        Err(_) if args.log_to_file => {
            start_log(&Config::draft(&selection, &mut Settings::read(&selection)), true)?;
        }
        Err(_) => {}
    }
    let ended = checked.and_then(|config| run_with(config, &settings));
    if let (Err(error), true) = (&ended, args.log_to_file) {
        log::error!(target: "daemon", "{error}");
    }
    ended
}

/// Opens the log: on stderr, or in files in the state directory.
fn start_log(config: &Config, to_file: bool) -> Result<()> {
    if !to_file || !config.state_dir.is_absolute() {
        crate::sys::log::init(&config.log, config.secrets(), None);
        return Ok(());
    }
    let file = LogFile::open(&config.state_dir.join(log_file::FILE_NAME)).map_err(|e| {
        Error::Config(format!("cannot write the log in {}: {}", config.state_dir.display(), reason(&e)))
    })?;
    crate::sys::log::init(&config.log, config.secrets(), Some(file));
    Ok(())
}

fn run_with(mut config: Config, settings: &Settings) -> Result<()> {
    panic_restart::restart_on_panic();
    crate::sys::os::disable_core_dumps();
    config.prepare()?;
    for note in &config.notes {
        log::warn!("{note}");
    }
    for name in &settings.unknown {
        log::debug!("the setting {name} is unknown to this version and is ignored");
    }
    // A new token in the profile is used from the next connection on.
    let files = config.clone();
    let token = move || {
        let token = files.token_now();
        crate::sys::log::add_secret(token.expose());
        token
    };
    match daemon::run(config, daemon::Options { token: Some(Box::new(token)), stop: until_eof()? })? {
        DaemonEnding::Finished => Ok(()),
        // a signal that arrived after the hub had ended is handled here
        DaemonEnding::Restart(_) if crate::sys::signal::is_shutdown_requested() => Ok(()),
        DaemonEnding::Restart(image) => {
            let why = reason(&image.exec_replacement(panic_restart::COUNT_VARIABLE, ""));
            Err(Error::TryAgain(format!("cannot start the program again: {why}")))
        }
    }
}

/// For the child of `try`: a channel that closes at the end of stdin, which means that the parent has ended.
fn until_eof() -> Result<Option<Receiver<()>>> {
    if std::env::var_os(END_WITH_STDIN_VARIABLE).is_none() {
        return Ok(None);
    }
    let (ended, stop) = crossbeam_channel::bounded::<()>(0);
    crate::sys::thread::spawn_small("stdin", move || {
        let _ = std::io::stdin().lock().read_to_end(&mut Vec::new());
        drop(ended);
    })
    .map_err(|e| Error::Failed(format!("cannot watch stdin: {e}")))?;
    Ok(Some(stop))
}
