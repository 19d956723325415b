//! The registry of adapters. All that is known of one CLI stands in its own folder: how it is started, and the dialects it speaks.

pub mod acp;
pub mod claude_code;
pub mod codex;
pub mod crush;
pub mod cursor;
mod defaults;
pub mod devin;
pub mod gemini;
pub mod iflow;
mod json_rpc;
pub mod kimi;
pub mod opencode;
pub mod pi;
pub mod qoder;

use crate::agent::adapter::AdapterSpec;

/// All adapters of this version.
pub static ADAPTERS: &[&AdapterSpec] = &[
    &codex::SPEC,
    &claude_code::SPEC,
    &cursor::SPEC,
    &gemini::SPEC,
    &qoder::SPEC,
    &opencode::SPEC,
    &crush::SPEC,
    &iflow::SPEC,
    &kimi::SPEC,
    &pi::SPEC,
    &acp::SPEC,
    &devin::SPEC,
];

/// Looks one up by name or alias, any letter case.
pub fn find(name: &str) -> Option<&'static AdapterSpec> {
    let name = name.to_ascii_lowercase();
    ADAPTERS.iter().copied().find(|a| a.name == name || a.aliases.contains(&name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adapters_are_found_by_name_and_alias() {
        assert_eq!(find("Codex").map(|a| a.title), Some("Codex"));
        assert_eq!(find("claude").map(|a| a.name), Some("claude-code"));
        assert!(find("gpt").is_none() && find("").is_none());
    }
}
