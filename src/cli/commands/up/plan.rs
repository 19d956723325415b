//! Decides what `up` will do before anything is written: the identity, the token, and the text of the profile.
//!
//! Reads files and the environment, and changes nothing.

use crate::agent::adapter::{self, AdapterSpec};
use crate::agent::adapters::{self, ADAPTERS};
use crate::cli::commands::{running_pid, selection};
use crate::cli::table::CommandArgs;
use crate::config::kind::SettingKind;
use crate::config::paths::Places;
use crate::config::{Config, Mode, Selection, Settings, dotenv, edit, keys, profile, value};
use crate::error::{Error, Result, reason};
use crate::secret::Secret;
use crate::sys::child_process::OWNER_TAG_VARIABLE;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

/// Longest input that is read for a token; a valid token is shorter.
const TOKEN_INPUT_MAX: u64 = 64 << 10;

/// Everything that `up` needs, determined before the first write.
#[derive(Debug)]
pub struct ProfilePlan {
    /// Name of the profile.
    pub profile: String,
    /// Its file.
    pub path: PathBuf,
    /// Its current text, if it exists.
    pub old: Option<Secret>,
    /// Its new text.
    pub text: Secret,
    /// The settings in the new text.
    pub config: Config,
    /// The CLI that answers.
    pub adapter: &'static AdapterSpec,
    /// The standard directories of this user.
    pub places: Places,
    /// Notes for the user, one sentence each.
    pub notes: Vec<String>,
}

impl ProfilePlan {
    /// Whether the profile already has this text.
    pub fn is_unchanged(&self) -> bool {
        self.old.as_ref() == Some(&self.text)
    }

    /// The variables in the new text with their values.
    pub fn settings(&self) -> Pairs {
        parse_pairs(self.text.expose())
    }
}

/// Variables with their values, in order. The last one of a name counts.
type Pairs = Vec<(String, String)>;

/// Works it out.
pub fn make(args: &CommandArgs) -> Result<ProfilePlan> {
    let here = selection(&CommandArgs::default());
    let places = here.places();
    let given = match &args.env_file {
        Some(file) => read_env_file(&here.cwd.join(file))?,
        None => Pairs::new(),
    };
    let (adapter, agent_id) = identity(args, &given)?;
    let name = args.profile.clone().unwrap_or_else(|| profile::default_name(&agent_id, adapter.name));
    if !profile::is_name(&name) {
        return Err(Error::Usage(format!("\"{name}\" is not a profile name; choose one with --profile")));
    }
    let path = places.profile_file(&name).map_err(|why| Error::Config(why.into()))?;
    let old = existing(&path, &name, &agent_id)?;
    let before = old.as_deref().map(parse_pairs).unwrap_or_default();

    // the variables may belong to another agent that started this command
    let of_another = here.environment.contains_key(OWNER_TAG_VARIABLE)
        || here.environment.get("WTT_AGENT_ID").is_some_and(|id| *id != agent_id);
    let variable = |name: &str| {
        let value = here.environment.get(name).map(|v| v.trim()).filter(|v| !v.is_empty() && !of_another);
        value.map(str::to_owned)
    };
    let hint = || match profiles_of_agent(&path, &agent_id, &places).first() {
        Some((other, _)) => format!(", but the profile {other} has one (add `--profile {other}`)"),
        None if of_another => " (WTT_TOKEN is set, but for another agent)".to_owned(),
        None => String::new(),
    };
    let token = token(args, variable("WTT_TOKEN"), &given, &before, &hint)?;
    crate::sys::log::add_secret(&token);

    let mut changes = given;
    let known =
        |changes: &Pairs, name: &str| last_value(changes, name).or(last_value(&before, name)).is_some();
    let default = |name: &'static str, text: String, changes: &mut Pairs| {
        if !known(changes, name) {
            changes.push((name.to_owned(), variable(name).unwrap_or(text)));
        }
    };
    let no_home = |why: &str| Error::Config(why.to_owned());
    default("WTT_BASE_URL", default_base_url(), &mut changes);
    changes.push(("WTT_AGENT_ID".into(), agent_id.clone()));
    changes.push(("WTT_TOKEN".into(), token));
    changes.push(("WTT_CONNECT_ADAPTER".into(), adapter.name.into()));
    let workdir = places.workdir(&agent_id).map_err(no_home)?;
    default("WTT_CONNECT_WORKDIR", workdir.to_string_lossy().into_owned(), &mut changes);
    let state_dir = places.state_dir(&name).map_err(no_home)?;
    if !known(&changes, "WTT_CONNECT_STATE_DIR") {
        changes.push(("WTT_CONNECT_STATE_DIR".into(), state_dir.to_string_lossy().into_owned()));
    }
    if !known(&changes, "WTT_CONNECT_MODE") {
        changes.push(("WTT_CONNECT_MODE".into(), Mode::default().name().into()));
    }
    changes.extend(args.settings.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    let yolo = |name: &str| last_value(&changes, name).or(last_value(&before, name)).unwrap_or_default();
    if value::mode(yolo("WTT_CONNECT_MODE")) == Ok(Mode::Yolo)
        && value::flag(yolo("WTT_CONNECT_ALLOW_YOLO")) != Ok(true)
    {
        let why = "the mode yolo switches every safeguard off; add --allow-yolo if you want that";
        return Err(Error::Usage(why.into()));
    }
    let text = compose_text(old.as_deref().unwrap_or_default(), changes, &places)?;

    let selection = Selection { profile: Some(name.clone()), ..here };
    let mut settings = Settings::of_profile(&selection, &path, &text);
    let config = Config::check(&selection, &mut settings)?;
    if let Some(why) = adapter::mode_refusal(adapter, config.mode) {
        return Err(Error::Config(format!("{} cannot run: {why}", adapter.title)));
    }
    let mut notes = check_other_profiles(&path, &name, &agent_id, &places)?;
    notes.extend(settings.notes);
    if config.shell.enabled {
        notes.push("the owner of this agent can open terminals on this machine from the web page".into());
    }
    let (old, text) = (old.map(Secret::new), Secret::new(text));
    Ok(ProfilePlan { profile: name, path, old, text, config, adapter, places, notes })
}

/// Adapter and agent id from the command line or else from the env file. All errors are reported at once.
fn identity(args: &CommandArgs, given: &Pairs) -> Result<(&'static AdapterSpec, String)> {
    let word = |at: usize, name: &str| {
        let typed = args.operand(at);
        typed.or_else(|| last_value(given, name).map(str::to_owned))
    };
    if args.operands.iter().take(2).any(|word| crate::secret::looks_like_token(word)) {
        return Err(Error::Usage(
            "the token is in the wrong place; the order is `wtt-connect up ADAPTER AGENT_ID TOKEN`".into(),
        ));
    }
    let mut problems = Vec::new();
    let (adapter, id) = (word(0, "WTT_CONNECT_ADAPTER"), word(1, "WTT_AGENT_ID"));
    let mut spec = None;
    match &adapter {
        None => {}
        Some(word) => match value::adapter(word) {
            Ok(name) => {
                spec = adapters::find(&name);
                if spec.is_none() {
                    let have: Vec<&str> = ADAPTERS.iter().map(|a| a.name).collect();
                    problems.push(format!("this version has no adapter {name}; it has {}", have.join(", ")));
                }
            }
            Err(why) => problems.push(format!("ADAPTER {why}; accepted: {}", SettingKind::Adapter.accepts())),
        },
    }
    if let Some(id) = &id
        && let Err(why) = value::agent_id(id)
    {
        problems.push(format!("AGENT_ID {why}; accepted: {}", SettingKind::AgentId.accepts()));
    }
    match (spec, id) {
        _ if !problems.is_empty() => Err(Error::Usage(problems.join("\n  "))),
        (Some(spec), Some(id)) => Ok((spec, id)),
        (_, Some(_)) if last_value(given, "WTT_AGENT_ID").is_some() => Err(Error::Usage(
            "the env file names no agent CLI; add WTT_CONNECT_ADAPTER to it, or type the adapter after `up`".into(),
        )),
        _ => Err(Error::Usage(
            "up needs ADAPTER and AGENT_ID, as in `wtt-connect up codex agent-001 TOKEN`; WTT's web page shows them under \"Bind Agent\""
                .into(),
        )),
    }
}

/// The token: from the command line, a file, the environment, the env file, or the existing profile.
fn token(
    args: &CommandArgs,
    variable: Option<String>,
    given: &Pairs,
    before: &Pairs,
    hint: &dyn Fn() -> String,
) -> Result<String> {
    let typed = args.operand(2);
    let token = match (typed, &args.token_file) {
        (Some(_), Some(_)) => {
            return Err(Error::Usage("the token is given twice: as TOKEN and with --token-file".into()));
        }
        (Some(dash), None) if dash == "-" => first_line("stdin", std::io::stdin().lock())?,
        (Some(token), None) => token,
        (None, Some(file)) => match std::fs::File::open(file) {
            Ok(open) => first_line(&file.display().to_string(), open)?,
            Err(e) => return Err(Error::Config(format!("cannot read {}: {}", file.display(), reason(&e)))),
        },
        (None, None) => {
            let kept =
                || last_value(given, "WTT_TOKEN").or(last_value(before, "WTT_TOKEN")).map(str::to_owned);
            variable.or_else(kept).ok_or_else(|| {
                Error::Usage(format!(
                    "the token is missing{}; give it as TOKEN, as - to read it from stdin, with --token-file, or in WTT_TOKEN",
                    hint()
                ))
            })?
        }
    };
    let token = token.trim().to_owned();
    if token.is_empty() {
        return Err(Error::Usage("the token is empty; copy it from the web page again".into()));
    }
    value::token(&token)
        .map_err(|why| Error::Usage(format!("the token {why}; copy it from the web page again")))?;
    if edit::breaks_quotes(&token) {
        let why = "the token contains a single quote or ends in a backslash, which an env file cannot hold; reset it on the web page";
        return Err(Error::Usage(why.into()));
    }
    Ok(token)
}

fn first_line(name: &str, from: impl Read) -> Result<String> {
    let mut text = String::new();
    from.take(TOKEN_INPUT_MAX)
        .read_to_string(&mut text)
        .map_err(|e| Error::Config(format!("cannot read the token from {name}: {}", reason(&e))))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

fn default_base_url() -> String {
    keys::find("WTT_BASE_URL").map_or_else(String::new, |key| key.default.to_owned())
}

fn parse_pairs(text: &str) -> Pairs {
    dotenv::parse(text)
        .0
        .into_iter()
        .map(|e| (keys::find(&e.name).map_or(e.name, |k| k.name.into()), e.value))
        .collect()
}

fn last_value<'a>(pairs: &'a Pairs, name: &str) -> Option<&'a str> {
    let found = pairs.iter().rev().find(|(n, v)| n == name && !v.trim().is_empty());
    found.map(|(_, value)| value.as_str())
}

/// Reads the settings of an env file.
fn read_env_file(file: &Path) -> Result<Pairs> {
    let shown = file.display();
    let text = std::fs::read_to_string(file)
        .map_err(|e| Error::Config(format!("cannot read {shown}: {}; name another file", reason(&e))))?;
    if let Some(bad) = dotenv::parse(&text).1.first() {
        return Err(Error::Config(format!("{shown}:{}: the line {}", bad.line, bad.why)));
    }
    Ok(parse_pairs(&text))
}

/// Reads an existing profile. It must belong to this user and to this agent.
fn existing(path: &Path, name: &str, agent_id: &str) -> Result<Option<String>> {
    let shown = path.display();
    match std::fs::metadata(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Ok(meta) if profile::privacy(&meta) == profile::Privacy::Foreign => {
            return Err(Error::Config(format!(
                "{shown} belongs to another user; choose another name with --profile"
            )));
        }
        _ => {}
    }
    let text = std::fs::read_to_string(path)
        .map_err(|e| Error::Config(format!("cannot read {shown}: {}; remove it first", reason(&e))))?;
    match last_value(&parse_pairs(&text), "WTT_AGENT_ID") {
        Some(other) if other != agent_id => Err(Error::Config(format!(
            "the profile {name} belongs to {other}; choose another name with --profile, or remove it with `wtt-connect down {name} --purge`"
        ))),
        _ => Ok(Some(text)),
    }
}

/// All profiles of this agent.
fn profiles_of_agent(path: &Path, agent_id: &str, places: &Places) -> Vec<(String, Pairs)> {
    let mut found = Vec::new();
    for name in profile::names(path.parent()) {
        let Ok(file) = places.profile_file(&name) else { continue };
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        let theirs = parse_pairs(&text);
        if last_value(&theirs, "WTT_AGENT_ID") == Some(agent_id) {
            found.push((name, theirs));
        }
    }
    found
}

/// Looks for other profiles of the same identity. The service keeps one connection per identity, so two connectors would
/// keep disconnecting each other: one that runs is an error, one that does not run is a note.
fn check_other_profiles(path: &Path, name: &str, agent_id: &str, places: &Places) -> Result<Vec<String>> {
    let mut notes = Vec::new();
    for (other, theirs) in profiles_of_agent(path, agent_id, places) {
        if other == name {
            continue;
        }
        let state_dir = last_value(&theirs, "WTT_CONNECT_STATE_DIR").map(PathBuf::from);
        let state_dir = state_dir.or_else(|| places.state_dir(&other).ok()).unwrap_or_default();
        if running_pid(&state_dir).is_some() {
            return Err(Error::TryAgain(format!(
                "the profile {other} is already running for {agent_id}; to add a second CLI use `--profile {other} --adapters LIST`, or stop it first: `wtt-connect down {other}`"
            )));
        }
        notes.push(format!("the profile {other} is for {agent_id}, too; only one of them can be connected"));
    }
    Ok(notes)
}

/// Composes the new text and parses it to verify that it means what was intended. Relative paths become absolute,
/// because a service runs in another directory.
fn compose_text(old: &str, changes: Pairs, places: &Places) -> Result<String> {
    let mut wanted: Vec<(&str, String)> = Vec::new();
    for (name, value) in &changes {
        let is_path = keys::all().any(|key| key.name == name && key.kind == SettingKind::Path);
        let value = match is_path.then(|| places.absolute(value)) {
            Some(Ok(path)) => path.to_string_lossy().into_owned(),
            Some(Err(why)) => return Err(Error::Usage(format!("{name} {why}"))),
            None => value.clone(),
        };
        wanted.retain(|(other, _)| other != name);
        wanted.push((name, value));
    }
    wanted
        .sort_by_cached_key(|(name, _)| keys::all().position(|key| key.name == *name).unwrap_or(usize::MAX));
    let borrowed: Vec<(&str, &str)> = wanted.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let text = edit::set(old, &borrowed).map_err(Error::Usage)?;
    let read = parse_pairs(&text);
    match borrowed.iter().find(|(name, value)| !value.is_empty() && last_value(&read, name) != Some(value)) {
        Some((name, _)) => {
            Err(Error::Usage(format!("{name} contains characters that an env file cannot hold")))
        }
        None => Ok(text),
    }
}
