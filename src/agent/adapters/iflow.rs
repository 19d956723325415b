//! iFlow: `iflow --experimental-acp` (known from its documentation). The product has ended; installed copies with a
//! provider of their own may still work.

use crate::agent::adapter::{AdapterSpec, Invocation};
use crate::agent::adapters::acp;
use crate::agent::adapters::acp::dialect::Acp;

/// The adapter `iflow`.
pub static SPEC: AdapterSpec = AdapterSpec {
    name: "iflow",
    title: "iFlow",
    aliases: &[],
    programs: &["iflow"],
    install_hint: "it cannot be installed any more",
    login_hint: "iFlow ended in April 2026; use another adapter.",
    session_key: "iflowSessionId",
    launcher: None,
    login_query: None,
    modes: acp::MODES,
    flavor: None,
    discontinued: Some("iFlow was shut down on 2026-04-17, and its package is gone; use another adapter"),
    post_turn_query: None,
    image_data: true,
    invoke: |_, _| Invocation { args: vec!["--experimental-acp".into()], ..Invocation::default() },
    dialect: |request| Box::new(Acp::new(request, false)),
};
