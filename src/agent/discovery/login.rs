//! What `doctor` wants to know of a CLI without starting a turn: where it is, its version, whether it is logged in.

use crate::agent::adapter::{AdapterSpec, Login};
use crate::agent::discovery::locate;
use crate::agent::discovery::locate::Program;
use crate::agent::discovery::version;
use crate::agent::helper_command;
use crate::secret::Secret;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What was found of one adapter's CLI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdapterProbe {
    /// The program that a turn would start; `None` when there is none.
    pub path: Option<PathBuf>,
    /// Why there is none, or why it cannot be used; empty when all is well.
    pub problem: String,
    /// The first line of `--version`.
    pub version: Option<String>,
    /// Which of several programs it is ([`version::Flavour::name`]); empty where there is only one.
    pub flavour: &'static str,
    /// Whether a turn would find a login.
    pub login: Login,
    /// It is a launcher script whose native program is not where it should be ([`AdapterSpec::launcher`]).
    pub is_bare_launcher: bool,
}

/// Looks at one adapter. `command` and `env` as in [`crate::agent::runner::Runner`]. Takes a second as a rule, and two minutes at most.
pub fn probe(spec: &'static AdapterSpec, command: &[String], env: &BTreeMap<String, Secret>) -> AdapterProbe {
    let (trouble, login) = (String::new(), Login::Unknown);
    let mut found = AdapterProbe {
        path: None,
        problem: trouble,
        version: None,
        flavour: "",
        login,
        is_bare_launcher: false,
    };
    if let Err(trouble) = look(spec, command, env, &mut found) {
        found.problem = trouble;
    }
    found
}

/// The first line of `--version`, or why there is none.
pub fn version(program: &Program, env: &BTreeMap<String, Secret>) -> Result<Option<String>, String> {
    let said = helper_command::query(program, &["--version"], env).map_err(|trouble| trouble.to_string())?;
    if said.code != Some(0) {
        return Err(format!("`--version` failed with {}: {}", said.exit(), said.complaint()));
    }
    // Some print it on stderr.
    let mut lines = said.stdout.lines().chain(said.stderr.lines()).map(str::trim);
    Ok(lines.find(|line| !line.is_empty()).map(str::to_owned))
}

fn look(
    spec: &'static AdapterSpec,
    command: &[String],
    env: &BTreeMap<String, Secret>,
    found: &mut AdapterProbe,
) -> Result<(), String> {
    let program = locate::locate(spec, command)?;
    found.path = Some(program.path.clone());
    found.is_bare_launcher = locate::is_launcher(spec, &program.path);
    found.version = version(&program, env)?;
    let flavour = version::flavour(spec, command, env)?;
    found.flavour = flavour.name;
    if let Some(query) = flavour.spec.login_query
        && let Ok(said) = helper_command::query(&program, query.args, env)
    {
        found.login = (query.parse)(said.code, &said.stdout, &said.stderr);
    }
    Ok(())
}
