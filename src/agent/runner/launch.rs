//! Starts the agent process of a turn: program, arguments, environment, temporary folder.

use crate::agent::TurnRequest;
use crate::agent::adapter::LaunchContext;
use crate::agent::dialect::Dialect;
use crate::agent::discovery::locate;
use crate::agent::discovery::locate::Program;
use crate::agent::outcome::Reason;
use crate::agent::runner::context::Runner;
use crate::agent::runner::process::Process;
use crate::agent::runner::temp_dir;
use crate::sys::child_process::{self, ChildGroup};
use crate::sys::id;
use crate::sys::os;
use crate::sys::process_tree::{OwnerTag, ProcessTree};
use std::ffi::OsStr;
use std::io;
use std::process::Stdio;

/// The variable that names the turn a process serves, where the environment of the agent has it.
pub const TURN_VARIABLE: &str = "WTT_CONNECT_TURN";
/// Its value in a process that may serve further turns: whichever turn is running.
pub const CURRENT_TURN: &str = "current";

/// Why an agent could not be started.
pub(crate) struct LaunchError {
    /// The reason of the failed turn.
    pub(crate) reason: Reason,
    /// One line for people.
    pub(crate) detail: String,
}

impl LaunchError {
    fn new(reason: Reason, detail: String) -> Self {
        Self { reason, detail }
    }

    /// The system is out of processes, threads or memory for the moment.
    fn system_busy(e: &io::Error) -> Self {
        let detail = format!("the system is busy, no process could be started ({})", describe(e));
        Self { reason: Reason::Internal, detail }
    }
}

/// Starts the agent. Also returns the native session id, if we have chosen it.
pub(crate) fn launch(
    runner: &Runner<'_>,
    request: &TurnRequest,
    context: &LaunchContext<'_>,
    dialect: Box<dyn Dialect>,
) -> Result<(Process, Option<String>), LaunchError> {
    let workdir = &request.workdir;
    os::check_dir(workdir).map_err(|e| {
        LaunchError::new(Reason::WorkdirUnusable, format!("{}: {}", workdir.display(), describe(&e)))
    })?;
    let Program { path, leading } = locate::locate(runner.spec, runner.command)
        .map_err(|what| LaunchError::new(Reason::CliMissing, what))?;
    let invocation = (runner.spec.invoke)(request, context);
    let tag = OwnerTag::new(runner.owner, &id::hex());
    let mut cmd = child_process::command(&path, workdir);
    for (name, value) in runner.env.iter().filter(|(name, _)| !child_process::is_scrubbed(OsStr::new(name))) {
        cmd.env(name, value.expose());
    }
    if runner.can_keep(&*dialect) && runner.env.get(TURN_VARIABLE).is_some() {
        cmd.env(TURN_VARIABLE, CURRENT_TURN);
    }
    cmd.args(leading)
        .args(invocation.args)
        .envs(invocation.env)
        .env(child_process::OWNER_TAG_VARIABLE, tag.as_str());
    let user_value = |name: &str| match runner.env.get(name) {
        Some(value) => Some(value.expose().into()),
        None => child_process::inherited_variable(name),
    };
    for (name, value) in invocation.env_defaults {
        if user_value(&name).is_none() {
            cmd.env(name, value);
        }
    }
    let temp_dir = temp_dir::create(runner.owner, invocation.temp_dir_entries, &mut cmd, user_value)
        .map_err(|e| {
            let detail = format!("the temporary folder of the agent could not be created ({})", describe(&e));
            LaunchError::new(Reason::Internal, detail)
        })?;
    cmd.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    match ChildGroup::spawn(&mut cmd) {
        Ok(child) => {
            // Read the count now, while the agent is still being loaded, and not while somebody waits for it.
            let oom_kills = os::oom_kills();
            log::debug!("started {} as process {}", path.display(), child.id());
            let tree = ProcessTree::new(tag, child.id());
            match Process::new(tree, child, dialect, oom_kills, temp_dir) {
                Ok(process) => Ok((process, invocation.chosen_session)),
                Err(e) => Err(LaunchError::system_busy(&e)),
            }
        }
        Err(e) if os::is_resource_shortage(&e) => Err(LaunchError::system_busy(&e)),
        Err(e) => {
            let reason = match e.kind() {
                // The file is there, but its interpreter is not.
                io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => Reason::CliMissing,
                io::ErrorKind::InvalidInput | io::ErrorKind::ArgumentListTooLong => Reason::Internal,
                _ => Reason::CliUnsupported,
            };
            Err(LaunchError::new(reason, format!("{}: {}", path.display(), describe(&e))))
        }
    }
}

/// An error of the system without Rust's "(os error 2)".
fn describe(e: &io::Error) -> String {
    let text = e.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}
