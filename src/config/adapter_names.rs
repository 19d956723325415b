//! The names of adapters, as settings spell them. What an adapter is and does is in `agent/adapters`.

/// Names of adapters that are known, also those of later versions, with the short spellings that people type.
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

/// Those that this version drives: what settings accept.
pub const DRIVEN: &[&str] = &[
    "codex",
    "claude-code",
    "cursor",
    "gemini",
    "qoder",
    "opencode",
    "crush",
    "iflow",
    "kimi",
    "pi",
    "acp",
    "devin",
];
