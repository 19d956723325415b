//! Completion scripts for bash, zsh and fish, rendered from the table. The shell lists the profiles at completion time.

use crate::agent::adapters::ADAPTERS;
use crate::cli::parse::Shell;
use crate::cli::table::{CommandSpec, FlagSpec, GLOBAL_FLAGS, HELP, ValueKind, listed};
use crate::config::Mode;

/// Prints the names of the profiles, one per line, in POSIX shell syntax.
const PROFILES: &str = r#"for f in "${XDG_CONFIG_HOME:-$HOME/.config}"/wtt-connect/profiles/*.env; do [ -e "$f" ] && basename "$f" .env; done"#;

fn command_names() -> String {
    listed().map(|c| c.name).collect::<Vec<_>>().join(" ")
}

/// With `demo`, the demonstration agent of `try`, which is the only command that completes these.
fn adapter_names() -> String {
    ADAPTERS.iter().map(|a| a.name).chain(["demo"]).collect::<Vec<_>>().join(" ")
}

fn script_names() -> String {
    Shell::ALL.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" ")
}

fn mode_names() -> String {
    Mode::ALL.map(Mode::name).join(" ")
}

/// `--long` and, if there is one, `-l`.
fn spellings(flag: &FlagSpec) -> Vec<String> {
    let letter = flag.letter.map(|l| format!("-{l}"));
    std::iter::once(format!("--{}", flag.long)).chain(letter).collect()
}

fn flags_of(command: &CommandSpec) -> impl Iterator<Item = &'static FlagSpec> + use<> {
    command.flags.iter().copied().chain([&HELP])
}

/// Whether the first operand is an adapter.
fn takes_adapter(command: &CommandSpec) -> bool {
    command.operands.starts_with("[ADAPTER")
}

fn driven_names() -> String {
    ADAPTERS.iter().map(|a| a.name).collect::<Vec<_>>().join(" ")
}

/// Whether the first operand is a profile.
fn takes_profile(command: &CommandSpec) -> bool {
    command.operands.trim_start_matches('[').starts_with("PROFILE")
}

/// If the last operands are paths: how bash, zsh and fish complete them.
fn paths(command: &CommandSpec) -> Option<[&'static str; 3]> {
    if command.operands.ends_with(" DIR") {
        Some(["-d", "'2:directory:_files -/'", "-a '(__fish_complete_directories)'"])
    } else if command.operands == "FILE..." {
        Some(["-f", "'*:file:_files'", "-F"])
    } else {
        None
    }
}

/// The script for bash.
pub fn bash() -> String {
    let cur = "-- \"$cur\"";
    let mut values = String::new();
    for flag in listed().flat_map(flags_of).chain(GLOBAL_FLAGS.iter().copied()) {
        let Some(value) = flag.value_kind() else { continue };
        let reply = match value {
            ValueKind::Profile => format!("compgen -W \"$({PROFILES})\" {cur}"),
            ValueKind::File => format!("compgen -f {cur}"),
            ValueKind::Directory => format!("compgen -d {cur}"),
            ValueKind::Adapter => format!("compgen -W \"{}\" -- \"$cur\"", adapter_names()),
            ValueKind::CompletionScript => format!("compgen -W \"{}\" -- \"$cur\"", script_names()),
            ValueKind::Number => continue,
            ValueKind::Mode => format!("compgen -W \"{}\" -- \"$cur\"", mode_names()),
            ValueKind::Free(_) => continue,
        };
        // Makes bash quote blanks in names and add a slash to directories; it fails outside of a completion, as in tests.
        let is_path = matches!(value, ValueKind::File | ValueKind::Directory);
        let quote = if is_path { "compopt -o filenames 2>/dev/null; " } else { "" };
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
        let mut flags: Vec<String> = flags_of(command).flat_map(spellings).collect();
        let mut when = "";
        if command.operands == "[COMMAND]" {
            flags.push(command_names());
            when = "(( COMP_CWORD == 2 )) && ";
        }
        if takes_profile(command) {
            flags.push(format!("$({PROFILES})"));
        }
        if takes_adapter(command) {
            flags.push(driven_names());
        }
        let own = flags.join(" ");
        let line = match paths(command) {
            Some([kind, ..]) => format!(
                "compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -W \"{own}\" {cur}; compgen {kind} {cur}); return"
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
        let value = match flag.value_kind() {
            None => String::new(),
            Some(ValueKind::Profile) => ":profile:_wtt_connect_profiles".into(),
            Some(ValueKind::File) => ":file:_files".into(),
            Some(ValueKind::Directory) => ":directory:_files -/".into(),
            Some(ValueKind::Adapter) => format!(":adapter:({})", adapter_names()),
            Some(ValueKind::CompletionScript) => format!(":what:({})", script_names()),
            Some(ValueKind::Number) => ":number: ".into(),
            Some(ValueKind::Mode) => format!(":mode:({})", mode_names()),
            Some(ValueKind::Free(word)) => format!(":{}: ", word.to_lowercase()),
        };
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
        if command.operands == "[COMMAND]" {
            specs.push(format!("'1:command:({})'", command_names()));
        }
        if takes_profile(command) {
            specs.push("'1:profile:_wtt_connect_profiles'".to_owned());
        }
        if takes_adapter(command) {
            specs.push(format!("'1:adapter:({})'", driven_names()));
        }
        specs.extend(paths(command).map(|[_, zsh, _]| zsh.to_owned()));
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
        let value = match flag.value_kind() {
            None => String::new(),
            Some(ValueKind::Profile) => " -x -a '(__wtt_connect_profiles)'".into(),
            Some(ValueKind::File) => " -r -F".into(),
            Some(ValueKind::Directory) => " -x -a '(__fish_complete_directories)'".into(),
            Some(ValueKind::Adapter) => format!(" -x -a '{}'", adapter_names()),
            Some(ValueKind::CompletionScript) => format!(" -x -a '{}'", script_names()),
            Some(ValueKind::Number) => " -x".into(),
            Some(ValueKind::Mode) => format!(" -x -a '{}'", mode_names()),
            Some(ValueKind::Free(_)) => " -x".into(),
        };
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
        if let Some([.., fish]) = paths(command) {
            out.push_str(&format!("complete -c wtt-connect -n '{when}' {fish}\n"));
        }
        if command.operands == "[COMMAND]" {
            out.push_str(&format!("complete -c wtt-connect -n '{when}' -a '{}'\n", command_names()));
        }
        if takes_profile(command) {
            out.push_str(&format!("complete -c wtt-connect -n '{when}' -a '(__wtt_connect_profiles)'\n"));
        }
        if takes_adapter(command) {
            out.push_str(&format!("complete -c wtt-connect -n '{when}' -a '{}'\n", driven_names()));
        }
    }
    out
}
