//! The names of adapters, as settings spell them. What an adapter is and does is in `agent/adapters`.

/// The adapters that settings accept, each with the short spellings that people type.
pub const ADAPTER_NAMES: &[(&str, &[&str])] = &[
    ("codex", &[]),
    ("claude-code", &["claude", "claude_code", "claudecode"]),
    ("cursor", &[]),
    ("gemini", &[]),
    ("qoder", &[]),
    ("opencode", &[]),
    ("crush", &[]),
    ("iflow", &[]),
    ("kimi", &[]),
    ("pi", &[]),
    ("acp", &[]),
    ("devin", &[]),
];

/// All names in one line, for messages: `codex, claude-code, …`.
pub fn list_adapters() -> String {
    let names: Vec<&str> = ADAPTER_NAMES.iter().map(|(name, _)| *name).collect();
    names.join(", ")
}
