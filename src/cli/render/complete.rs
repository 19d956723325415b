//! Completion scripts for bash, zsh and fish, rendered from the table. The shell lists the profiles at completion time.

use crate::agent::adapters::ADAPTERS;
use crate::cli::parse::CompletionShell;
use crate::cli::table::{CommandSpec, FlagSpec, GLOBAL_FLAGS, HELP, ValueKind, listed};
use crate::config::Mode;

/// Prints the names of the profiles, one per line, in POSIX shell syntax.
const PROFILES: &str = r#"for f in "${XDG_CONFIG_HOME:-$HOME/.config}"/wtt-connect/profiles/*.env; do [ -e "$f" ] && basename "$f" .env; done"#;

/// The word that is completed, as an argument of compgen.
const CUR: &str = "-- \"$cur\"";

/// What a value or an operand is completed with.
enum Candidates {
    /// Nothing: any text may follow.
    Nothing,
    /// The profiles of the user.
    Profiles,
    /// Files.
    Files,
    /// Directories.
    Directories,
    /// These words, separated by blanks.
    Words(String),
}

impl Candidates {
    fn of_value(kind: ValueKind) -> Candidates {
        match kind {
            ValueKind::Profile => Candidates::Profiles,
            ValueKind::File => Candidates::Files,
            ValueKind::Directory => Candidates::Directories,
            // with the demonstration agent of `try`, which is the only command that completes these
            ValueKind::Adapter => Candidates::Words(format!("{} demo", adapter_names())),
            ValueKind::CompletionScript => {
                Candidates::Words(CompletionShell::ALL.map(|(name, _)| name).join(" "))
            }
            ValueKind::Mode => Candidates::Words(Mode::ALL.map(Mode::name).join(" ")),
            ValueKind::Number | ValueKind::Free(_) => Candidates::Nothing,
        }
    }

    /// The command that prints them; none if there are none.
    fn bash(&self) -> Option<String> {
        match self {
            Candidates::Nothing => None,
            Candidates::Profiles => Some(format!("compgen -W \"$({PROFILES})\" {CUR}")),
            Candidates::Files => Some(format!("compgen -f {CUR}")),
            Candidates::Directories => Some(format!("compgen -d {CUR}")),
            Candidates::Words(words) => Some(format!("compgen -W \"{words}\" {CUR}")),
        }
    }

    /// The action of `_arguments`.
    fn zsh(&self) -> String {
        match self {
            Candidates::Nothing => " ".into(),
            Candidates::Profiles => "_wtt_connect_profiles".into(),
            Candidates::Files => "_files".into(),
            Candidates::Directories => "_files -/".into(),
            Candidates::Words(words) => format!("({words})"),
        }
    }

    /// The options of `complete`.
    fn fish(&self) -> String {
        match self {
            Candidates::Nothing => String::new(),
            Candidates::Profiles => " -a '(__wtt_connect_profiles)'".into(),
            Candidates::Files => " -F".into(),
            Candidates::Directories => " -a '(__fish_complete_directories)'".into(),
            Candidates::Words(words) => format!(" -a '{words}'"),
        }
    }

    fn are_paths(&self) -> bool {
        matches!(self, Candidates::Files | Candidates::Directories)
    }
}

/// The operands of a command that can be completed, each with its place and label for zsh.
fn operands(command: &CommandSpec) -> Vec<(&'static str, Candidates)> {
    let of_word = |word: &str| match word.trim_matches(['[', ']']) {
        "PROFILE" => Some(("1:profile", Candidates::Profiles)),
        "ADAPTER" => Some(("1:adapter", Candidates::Words(adapter_names()))),
        "COMMAND" => Some(("1:command", Candidates::Words(command_names()))),
        "DIR" => Some(("2:directory", Candidates::Directories)),
        "FILE..." => Some(("*:file", Candidates::Files)),
        _ => None,
    };
    command.operands.split(' ').filter_map(of_word).collect()
}

fn command_names() -> String {
    listed().map(|c| c.name).collect::<Vec<_>>().join(" ")
}

fn adapter_names() -> String {
    ADAPTERS.iter().map(|a| a.name).collect::<Vec<_>>().join(" ")
}

/// `--long` and, if there is one, `-l`.
fn spellings(flag: &FlagSpec) -> Vec<String> {
    let letter = flag.letter.map(|l| format!("-{l}"));
    std::iter::once(format!("--{}", flag.long)).chain(letter).collect()
}

fn flags_of(command: &CommandSpec) -> impl Iterator<Item = &'static FlagSpec> + use<> {
    command.flags.iter().copied().chain([&HELP])
}

/// The script for bash.
pub fn bash() -> String {
    let mut values = String::new();
    for flag in listed().flat_map(flags_of).chain(GLOBAL_FLAGS.iter().copied()) {
        let candidates = flag.value_kind().map_or(Candidates::Nothing, Candidates::of_value);
        let Some(reply) = candidates.bash() else { continue };
        // Makes bash quote blanks in names and add a slash to directories; it fails outside of a completion, as in tests.
        let quote = if candidates.are_paths() { "compopt -o filenames 2>/dev/null; " } else { "" };
        let line = format!(
            "        {}) {quote}mapfile -t COMPREPLY < <({reply}); return ;;\n",
            spellings(flag).join("|")
        );
        if !values.contains(&line) {
            values.push_str(&line);
        }
    }
    let mut words = String::new();
    for command in listed() {
        let mut own = flags_of(command).flat_map(spellings).collect::<Vec<_>>().join(" ");
        let mut paths = None;
        for (_, candidates) in operands(command) {
            match candidates {
                Candidates::Profiles => own.push_str(&format!(" $({PROFILES})")),
                Candidates::Words(words) => own.push_str(&format!(" {words}")),
                Candidates::Files | Candidates::Directories => paths = candidates.bash(),
                Candidates::Nothing => {}
            }
        }
        let when = if command.operands == "[COMMAND]" { "(( COMP_CWORD == 2 )) && " } else { "" };
        let line = match paths {
            Some(paths) => format!(
                "compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -W \"{own}\" {CUR}; {paths}); return"
            ),
            None => format!("{when}words=\"{own}\""),
        };
        words.push_str(&format!("        {}) {line} ;;\n", command.name));
    }
    let global: Vec<String> = GLOBAL_FLAGS.iter().flat_map(|f| spellings(f)).collect();
    format!(
        "# bash completion for wtt-connect; printed by `wtt-connect --generate complete-bash`\n\
         _wtt_connect() {{\n    local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} words\n    \
         # bash makes --flag=value three words\n    \
         if [[ $cur == = ]]; then cur=; elif [[ $prev == = ]]; then prev=${{COMP_WORDS[COMP_CWORD-2]}}; fi\n    \
         case $prev in\n{values}    esac\n    case ${{COMP_WORDS[1]}} in\n{words}        \
         *) words=\"{} {}\" ;;\n    esac\n    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n}}\n\
         complete -F _wtt_connect wtt-connect\n",
        command_names(),
        global.join(" "),
    )
}

/// The script for zsh.
pub fn zsh() -> String {
    let spec = |flag: &FlagSpec| {
        let text = flag.short.replace('\'', "").replace(['[', ']', ':'], "");
        let value = flag.value_kind().map_or_else(String::new, |kind| {
            let label = match kind {
                ValueKind::Directory => "directory".to_owned(),
                ValueKind::Number => "number".to_owned(),
                other => other.word().to_lowercase(),
            };
            format!(":{label}:{}", Candidates::of_value(kind).zsh())
        });
        let names = spellings(flag);
        match names.as_slice() {
            [long, letter] => format!("'({long} {letter})'{{{long},{letter}}}'[{text}]{value}'"),
            _ => format!("'{}[{text}]{value}'", names.join("")),
        }
    };
    let mut commands = String::new();
    let mut cases = String::new();
    for command in listed() {
        commands.push_str(&format!("        '{}:{}'\n", command.name, command.short.replace('\'', "'\\''")));
        let mut specs: Vec<String> = flags_of(command).map(spec).collect();
        let operand = |(place, candidates): (_, Candidates)| format!("'{place}:{}'", candidates.zsh());
        specs.extend(operands(command).into_iter().map(operand));
        cases.push_str(&format!("        {}) _arguments {} ;;\n", command.name, specs.join(" ")));
    }
    let global: Vec<String> = GLOBAL_FLAGS.iter().map(|f| spec(f)).collect();
    format!(
        "#compdef wtt-connect\n# printed by `wtt-connect --generate complete-zsh`\n\
         _wtt_connect_profiles() {{\n    local -a names\n    names=(${{(f)\"$({PROFILES})\"}})\n    compadd -a names\n}}\n\
         _wtt_connect() {{\n    local -a commands\n    commands=(\n{commands}    )\n    \
         if (( CURRENT == 2 )); then\n        _describe command commands\n        _arguments {}\n        return\n    fi\n    \
         local command=$words[2]\n    shift words\n    (( CURRENT-- ))\n    case $command in\n{cases}    esac\n}}\n\
         _wtt_connect \"$@\"\n",
        global.join(" "),
    )
}

/// The script for fish.
pub fn fish() -> String {
    let mut out = format!(
        "# fish completion for wtt-connect; printed by `wtt-connect --generate complete-fish`\n\
         function __wtt_connect_profiles\n    sh -c '{}'\nend\n\
         complete -c wtt-connect -f\n",
        PROFILES.replace('\\', "\\\\").replace('\'', "\\'")
    );
    let line = |when: &str, flag: &FlagSpec| {
        let letter = flag.letter.map_or_else(String::new, |l| format!(" -s {l}"));
        let value = flag.value_kind().map_or_else(String::new, |kind| {
            let needs = if kind == ValueKind::File { "-r" } else { "-x" };
            format!(" {needs}{}", Candidates::of_value(kind).fish())
        });
        let text = flag.short.replace('\\', "\\\\").replace('\'', "\\'");
        format!("complete -c wtt-connect -n '{when}' -l {}{letter}{value} -d '{text}'\n", flag.long)
    };
    for flag in GLOBAL_FLAGS {
        out.push_str(&line("__fish_use_subcommand", flag));
    }
    for command in listed() {
        let text = command.short.replace('\'', "\\'");
        out.push_str(&format!(
            "complete -c wtt-connect -n __fish_use_subcommand -a {} -d '{text}'\n",
            command.name
        ));
        let when = format!("__fish_seen_subcommand_from {}", command.name);
        for flag in flags_of(command) {
            out.push_str(&line(&when, flag));
        }
        for (_, candidates) in operands(command) {
            out.push_str(&format!("complete -c wtt-connect -n '{when}'{}\n", candidates.fish()));
        }
    }
    out
}
