//! Probes a CLI without starting a turn, for `doctor`: where it is, its version, whether it is logged in.

use crate::agent::adapter::{AdapterSpec, Login};
use crate::agent::discovery::locate;
use crate::agent::discovery::locate::Program;
use crate::agent::discovery::query::query;
use crate::agent::discovery::version;
use crate::secret::Secret;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What was found out about the CLI of one adapter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdapterProbe {
    /// The program that a turn would start; `None` if there is none.
    pub path: Option<PathBuf>,
    /// Why there is none, or why it cannot be used; empty if all is well.
    pub problem: String,
    /// The first line of `--version`.
    pub version: Option<String>,
    /// Which of several programs it is ([`crate::agent::adapter::Flavor::name`]); empty if there is only one.
    pub flavor: &'static str,
    /// Whether a turn would find a login.
    pub login: Login,
    /// The program is a launcher script ([`AdapterSpec::launcher`]) whose native program was not found.
    pub is_bare_launcher: bool,
}

/// Probes one adapter. `command` and `env` as in [`crate::agent::runner::Runner`]. Usually takes a second, and two minutes
/// at most.
pub fn probe(spec: &'static AdapterSpec, command: &[String], env: &BTreeMap<String, Secret>) -> AdapterProbe {
    let mut found = AdapterProbe {
        path: None,
        problem: String::new(),
        version: None,
        flavor: "",
        login: Login::Unknown,
        is_bare_launcher: false,
    };
    if let Err(problem) = fill_in(spec, command, env, &mut found) {
        found.problem = problem;
    }
    found
}

/// The first line of `--version`, or why there is none.
pub fn version(program: &Program, env: &BTreeMap<String, Secret>) -> Result<Option<String>, String> {
    let output = query(program, &["--version"], env).map_err(|error| error.to_string())?;
    if output.code != Some(0) {
        return Err(format!("`--version` failed with {}: {}", output.exit(), output.error_line()));
    }
    // Some print it on stderr.
    let mut lines = output.stdout.lines().chain(output.stderr.lines()).map(str::trim);
    Ok(lines.find(|line| !line.is_empty()).map(str::to_owned))
}

/// Fills in what can be found out; the error says why the rest is missing.
fn fill_in(
    spec: &'static AdapterSpec,
    command: &[String],
    env: &BTreeMap<String, Secret>,
    found: &mut AdapterProbe,
) -> Result<(), String> {
    let program = locate::locate(spec, command)?;
    found.path = Some(program.path.clone());
    found.is_bare_launcher = locate::is_launcher(spec, &program.path);
    found.version = version(&program, env)?;
    let flavor = version::flavor(spec, command, env)?;
    found.flavor = flavor.name;
    if let Some(login) = flavor.spec.login_query
        && let Ok(output) = query(&program, login.args, env)
    {
        found.login = (login.parse)(output.code, &output.stdout, &output.stderr);
    }
    Ok(())
}
