//! `setup`: registers a new agent, stores it in a profile, prints a claim code, and says which agent CLI to bind it to.

use crate::agent::adapters::ADAPTERS;
use crate::agent::discovery::locate;
use crate::cli::output;
use crate::cli::table::CommandArgs;
use crate::config::keys;
use crate::config::paths::Places;
use crate::config::{Settings, edit, profile, value};
use crate::error::{Error, Result, cannot};
use crate::http::token_policy::status_refuses_token;
use crate::http::{Client, HttpError};
use crate::secret::Secret;
use crate::store::atomic;
use serde_json::{Value, json};

/// The identity of the agent.
struct NewIdentity {
    agent_id: String,
    token: Secret,
    adapter: String,
    /// The profile that holds it, if one does.
    profile: Option<String>,
}

/// Registers an agent unless the settings have one; with `--claim-code` requests a code.
pub fn run(args: &CommandArgs) -> Result<()> {
    let mut selection = super::selection(args);
    let places = selection.places();
    let folder = places.profiles().map_err(|why| Error::Config(why.into()))?;
    if let ([one], None) = (profile::names(Some(&folder)).as_slice(), &selection.profile) {
        selection.profile = Some(one.clone());
    }
    let new = selection.profile.as_ref().is_some_and(|name| !folder.join(format!("{name}.env")).exists());
    let settings = if new { Settings::default() } else { Settings::read(&selection) };
    let setting = |name: &str| settings.get(name).map(|s| s.text.clone());
    let flag = args.settings.iter().find(|(name, _)| *name == "WTT_BASE_URL").map(|(_, url)| url.clone());
    let usual = || keys::find("WTT_BASE_URL").map(|key| key.default.to_owned());
    let base_url = flag.or_else(|| setting("WTT_BASE_URL")).or_else(usual).unwrap_or_default();
    value::url(&base_url, value::HTTP).map_err(Error::Config)?;
    let ca_file = setting("WTT_CONNECT_CA_FILE").and_then(|path| places.absolute(&path).ok());
    let open = |token: &Secret| Client::new(&base_url, token.clone(), ca_file.clone()).map_err(failed);

    let (adapter, why) = choose(args.adapter.as_deref(), setting("WTT_CONNECT_ADAPTER"));
    let identity = match (setting("WTT_AGENT_ID"), setting("WTT_TOKEN")) {
        (Some(agent_id), Some(token)) => {
            NewIdentity { agent_id, token: Secret::new(token), adapter, profile: selection.profile }
        }
        (None, None) => {
            let mut identity = register(&open(&Secret::default())?, adapter)?;
            let usual = profile::default_name(&identity.agent_id, &identity.adapter);
            let name = selection.profile.unwrap_or(usual);
            store(&identity, &name, &base_url, &places)?;
            identity.profile = Some(name);
            identity
        }
        (id, _) => {
            let missing = if id.is_some() { "WTT_TOKEN" } else { "WTT_AGENT_ID" };
            return Err(Error::Config(format!(
                "{missing} is missing; set it, or remove the other half of the identity"
            )));
        }
    };
    crate::sys::log::add_secret(identity.token.expose());
    let mut said = format!("Agent  {}\nCLI    {}, {why}\n", identity.agent_id, identity.adapter);
    if args.claim_code {
        said.push_str(&claim(&open(&identity.token)?, &identity)?);
    } else {
        said.push_str("`wtt-connect setup --claim-code` prints a code to claim it.\n");
    }
    let name = identity.profile.as_deref();
    let up = super::up_command_of(name, &identity.adapter, &identity.agent_id);
    output::write_stdout(&format!("{said}Then bind it:\n  {up}\n"))
}

/// The CLI for the next step, and why: the one that was asked for, the one in the settings, or the first one that is
/// installed.
fn choose(asked: Option<&str>, set: Option<String>) -> (String, String) {
    let mut found = Vec::new();
    found.extend(ADAPTERS.iter().filter(|spec| locate::locate(spec, &[]).is_ok()).map(|spec| spec.name));
    let (name, mut why) = match (asked, set, found.first()) {
        (Some(name), ..) => (name.to_owned(), "as requested".to_owned()),
        (None, Some(name), _) => (name, "from the settings".to_owned()),
        (None, None, Some(first)) => ((*first).to_owned(), "the first one that is installed".to_owned()),
        (None, None, None) => {
            return (
                "codex".to_owned(),
                "although no agent CLI is installed; choose another with `--adapter`".to_owned(),
            );
        }
    };
    if !found.contains(&name.as_str()) {
        why.push_str(", but it is not installed");
    }
    found.retain(|other| *other != name);
    if !found.is_empty() {
        why.push_str(&format!("; also installed: {} (choose with `--adapter`)", found.join(", ")));
    }
    (name, why)
}

fn failed(error: HttpError) -> Error {
    match error {
        HttpError::Offline(why) => {
            Error::Unavailable(format!("{why}; try again when the service can be reached"))
        }
        HttpError::Status(status, why) if status_refuses_token(status) => Error::Config(format!(
            "the service refused this identity ({why}); reset its token on the web page"
        )),
        other => Error::Failed(format!("the service answered {other}")),
    }
}

/// Registers a new identity (see IDENTITIES in wtt-connect-protocol(7)).
fn register(client: &Client, adapter: String) -> Result<NewIdentity> {
    let body = json!({ "platform": std::env::consts::OS });
    let (_, answer) = client.post_json("/agents/register", &body).map_err(failed)?;
    let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (agent_id, token) = (text("agent_id"), text("agent_token"));
    crate::sys::log::add_secret(&token);
    if value::agent_id(&agent_id).is_err() || token.is_empty() || value::token(&token).is_err() {
        return Err(Error::Failed(
            "the service registered an agent, but did not return its id and token".into(),
        ));
    }
    Ok(NewIdentity { agent_id, token: Secret::new(token), adapter, profile: None })
}

/// Stores the new identity before anything else is done with it.
fn store(identity: &NewIdentity, name: &str, base_url: &str, places: &Places) -> Result<()> {
    let path = places.profile_file(name).map_err(|why| Error::Config(why.into()))?;
    let changes = [
        ("WTT_BASE_URL", base_url),
        ("WTT_AGENT_ID", &identity.agent_id),
        ("WTT_TOKEN", identity.token.expose()),
        ("WTT_CONNECT_ADAPTER", &identity.adapter),
    ];
    let old = std::fs::read_to_string(&path).unwrap_or_default();
    let text = edit::set(&old, &changes).map_err(Error::Failed)?;
    let folder = path.parent().unwrap_or(&path);
    let written = atomic::make_private_folder(folder).and_then(|()| atomic::write(&path, text.as_bytes()));
    written.map_err(cannot("write", &path))?;
    output::print_and_continue(&format!("Registered a new agent; its token is in {}\n", path.display()))
}

/// Requests a claim code and says how long it is valid (see IDENTITIES in wtt-connect-protocol(7)).
fn claim(client: &Client, identity: &NewIdentity) -> Result<String> {
    let body = json!({ "agent_id": identity.agent_id });
    let (_, answer) = client.post_json("/agents/claim-code", &body).map_err(failed)?;
    let code = ["code", "claim_code"].iter().find_map(|name| answer.get(*name)?.as_str());
    let Some(code) = code else { return Err(Error::Failed("the service returned no code".into())) };
    let valid = answer.get("expires_in_seconds").and_then(Value::as_u64).unwrap_or(EXPIRES_SECONDS);
    Ok(format!(
        "Code   {}\nEnter the code on WTT's web page within {} minutes; it works once.\n",
        crate::text::one_line(code),
        valid.div_ceil(60)
    ))
}

/// How long a claim code is valid if the service does not say so (see IDENTITIES in wtt-connect-protocol(7)).
const EXPIRES_SECONDS: u64 = 900;
