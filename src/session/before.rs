//! What must be clear before an agent is started: that it is one that we can drive, and in this permission mode.

use crate::agent::about;
use crate::agent::outcome::Reason;
use crate::agent::spec::{self, AdapterSpec};
use crate::config::Config;

/// The spec that drives what is installed, or why the turn is not begun.
pub(super) fn ready(
    adapter: &'static AdapterSpec,
    command: &[String],
    config: &Config,
) -> Result<&'static AdapterSpec, (Reason, String)> {
    if let Some(why) = spec::refusal(adapter, config.mode) {
        return Err((Reason::RefusedByPolicy, why));
    }
    let flavour =
        about::flavour(adapter, command, &config.extra_env).map_err(|why| (Reason::CliUnsupported, why))?;
    // A flavour may know fewer modes than its adapter promises.
    match spec::refusal(flavour.spec, config.mode) {
        Some(why) => Err((Reason::RefusedByPolicy, why)),
        None => Ok(flavour.spec),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Mode, Selection, Settings};

    #[test]
    fn a_mode_that_cannot_be_kept_is_refused_before_anything_is_started() {
        let mut config = Config::draft(&Selection::default(), &mut Settings::default());
        let codex = spec::find("codex").unwrap();
        let loose: &AdapterSpec =
            Box::leak(Box::new(AdapterSpec { modes: &[(Mode::FullAuto, "All.")], ..*codex }));
        assert_eq!(ready(loose, &[], &config).unwrap().name, "codex");
        config.mode = Mode::Suggest;
        let (reason, detail) = ready(loose, &["/no/such/cli".to_owned()], &config).unwrap_err();
        assert_eq!(reason, Reason::RefusedByPolicy);
        let sentence = reason.sentence(loose.title, &detail);
        assert!(sentence.contains("mode suggest") && sentence.contains("are full-auto;"), "{sentence}");
    }
}
