//! Asks an installed CLI one thing about itself, such as `--version`, without starting a turn.

use crate::agent::discovery::locate::Program;
use crate::agent::helper_command::{self, HelperCommand, HelperError, HelperOutput};
use crate::secret::Secret;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// How long a CLI may take to answer. Node CLIs need about a second with a cold disk cache, and more than twenty have been
/// seen on a small host with many agents at work. A turn that must know the flavor of its CLI fails when this expires.
const TIMEOUT: Duration = Duration::from_secs(45);

/// Runs the program with these arguments and returns what it printed. Blocks.
pub(crate) fn query(
    program: &Program,
    args: &[&str],
    env: &BTreeMap<String, Secret>,
) -> Result<HelperOutput, HelperError> {
    let leading = program.leading.iter().map(OsString::from);
    let workdir = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    helper_command::run_to_end(HelperCommand {
        program: &program.path,
        args: leading.chain(args.iter().map(OsString::from)).collect(),
        env,
        input: "",
        workdir: &workdir,
        owner: "probe",
        limit: TIMEOUT,
        stop: None,
    })
}
