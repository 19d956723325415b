//! `workdir`: changes the working directory of an agent.

use super::{profiles, restart, running_pid};
use crate::cli::output;
use crate::cli::table::CommandArgs;
use crate::config::{edit, paths};
use crate::error::{Error, Result, cannot, reason};
use crate::store::atomic;

/// Changes that line of the profile; all others are kept.
pub fn run(args: &CommandArgs) -> Result<()> {
    let profile = profiles::find(&args.operand(0).unwrap_or_default())?;
    let (name, places) = (&profile.name, profile.config.selection.places());
    let words = args.operands.get(1).and_then(|word| word.to_str());
    let dir = words.ok_or_else(|| Error::Usage("the name of the directory is not UTF-8 text".into()))?;
    let dir = places.absolute(dir).map_err(|why| Error::Usage(format!("the directory {dir} {why}")))?;
    let path = places.profile_file(name).map_err(|why| Error::Config(why.into()))?;
    let failed = cannot("change", &path);
    let old = std::fs::read_to_string(&path).map_err(failed)?;
    let text = edit::set(&old, &[("WTT_CONNECT_WORKDIR", &dir.to_string_lossy())]).map_err(Error::Usage)?;
    paths::create_private_dir(&dir).map_err(|e| {
        Error::Config(format!("cannot create {}: {}; nothing was changed", dir.display(), reason(&e)))
    })?;
    if text != old {
        atomic::write(&path, text.as_bytes()).map_err(failed)?;
    }
    let mut said = format!("{name} will work in {}", dir.display());
    if running_pid(&profile.config.state_dir).is_none() {
        said.push_str(" from its next start on");
    } else if args.restart {
        match restart::restart(&profiles::Profile::read(name), false)? {
            Some(how) => said.push_str(&format!("; it {how}")),
            None => said.push_str(" from its next start on"),
        }
    } else {
        said.push_str(&format!(" from its next start on; `wtt-connect restart {name}` restarts it"));
    }
    output::write_stdout(&format!("{said}\n"))
}
