//! iFlow: `iflow --experimental-acp`, as its documentation describes it. The product has ended; installed copies with a
//! provider of their own may still work.

use crate::agent::adapter::{AdapterSpec, Invocation};
use crate::agent::adapters::defaults::DEFAULTS;

/// The adapter `iflow`.
pub static SPEC: AdapterSpec = AdapterSpec {
    name: "iflow",
    title: "iFlow",
    programs: &["iflow"],
    install_hint: "it cannot be installed any more",
    login_hint: "iFlow ended in April 2026; use another adapter.",
    session_key: "iflowSessionId",
    discontinued: Some("iFlow was shut down on 2026-04-17, and its package is gone; use another adapter"),
    invoke: |_, _| Invocation { args: vec!["--experimental-acp".into()], ..Invocation::default() },
    ..DEFAULTS
};
