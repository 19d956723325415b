//! Defaults for the fields of a spec. An adapter that names no dialect of its own is driven over ACP.

use crate::agent::adapter::{AdapterSpec, Invocation};
use crate::agent::adapters::acp::dialect::Acp;
use crate::config::Mode;

/// What the permission modes mean for every agent that is driven over ACP alone.
const ACP_MODES: &[(Mode, &str)] = &[
    (
        Mode::FullAuto,
        "The agent's own mode without questions; where it has none, each question is answered with yes.",
    ),
    (Mode::Yolo, "The same as `full-auto`."),
    (
        Mode::AutoEdit,
        "The agent's own mode that edits without questions; what needs more is refused. Agents without such a mode are not run.",
    ),
    (
        Mode::Suggest,
        "The agent's own mode that asks or only reads; what is asked is refused. Agents without such a mode are not run.",
    ),
];

/// The base of all specs, for struct update syntax.
pub(super) const DEFAULTS: AdapterSpec = AdapterSpec {
    name: "",
    title: "",
    aliases: &[],
    programs: &[],
    install_hint: "",
    login_hint: "",
    session_key: "",
    launcher: None,
    login_query: None,
    modes: ACP_MODES,
    flavor: None,
    discontinued: None,
    image_data: true,
    post_turn_query: None,
    invoke: |_, _| Invocation::default(),
    dialect: |request| Box::new(Acp::new(request, false)),
};
