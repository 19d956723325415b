//! Permission modes: how much an agent may do without asking. Adapters define what each means for their CLI.

/// How much an agent may do without asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// No approvals (the default).
    #[default]
    FullAuto,
    /// Edits without asking.
    AutoEdit,
    /// As full-auto, with every safeguard switched off; requires a setting that allows it.
    Yolo,
    /// Asks, or reads only.
    Suggest,
}

impl Mode {
    /// All modes in the order of the manual.
    pub const ALL: [Mode; 4] = [Mode::FullAuto, Mode::AutoEdit, Mode::Yolo, Mode::Suggest];

    /// The word in settings and chat commands.
    pub fn name(self) -> &'static str {
        match self {
            Mode::FullAuto => "full-auto",
            Mode::AutoEdit => "auto-edit",
            Mode::Yolo => "yolo",
            Mode::Suggest => "suggest",
        }
    }

    /// Whether it permits no more than another mode.
    pub fn is_within(self, limit: Mode) -> bool {
        let rank = |mode| match mode {
            Mode::Suggest => 0,
            Mode::AutoEdit => 1,
            Mode::FullAuto => 2,
            Mode::Yolo => 3,
        };
        rank(self) <= rank(limit)
    }
}
