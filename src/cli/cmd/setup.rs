//! `setup`: an agent for those who have none yet: registers one, keeps it in a profile, prints the code that claims it.

use crate::agent::program;
use crate::agent::spec::ADAPTERS;
use crate::cli::out;
use crate::cli::spec::Args;
use crate::config::keys;
use crate::config::paths::Places;
use crate::config::{Settings, edit, profile, value};
use crate::error::{Error, Result, reason};
use crate::http::{Client, HttpError};
use crate::json::object;
use crate::secret::Secret;
use crate::store::atomic;
use serde_json::Value;

/// The identity that the code is for.
struct Identity {
    agent_id: String,
    token: Secret,
    adapter: String,
}

/// Registers if needed; with `--claim-code` asks for a code.
pub fn run(args: &Args) -> Result<()> {
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
    value::url(&base_url, &["http://", "https://"]).map_err(Error::Config)?;
    let ca_file = setting("WTT_CONNECT_CA_FILE").and_then(|path| places.absolute(&path).ok());
    let open = |token: &Secret| Client::new(&base_url, token.clone(), ca_file.clone()).map_err(failed);

    let identity = match (setting("WTT_AGENT_ID"), setting("WTT_TOKEN")) {
        (Some(agent_id), Some(token)) => {
            let adapter = setting("WTT_CONNECT_ADAPTER").unwrap_or_else(installed);
            Identity { agent_id, token: Secret::new(token), adapter }
        }
        (None, None) => {
            let identity = register(&open(&Secret::default())?)?;
            keep(&identity, selection.profile.as_deref(), &base_url, &places)?;
            identity
        }
        (id, _) => {
            let missing = if id.is_some() { "WTT_TOKEN" } else { "WTT_AGENT_ID" };
            return Err(Error::Config(format!(
                "only one half of an identity is set: {missing} is missing; set it, or remove the other"
            )));
        }
    };
    crate::sys::log::add_secret(identity.token.expose());
    let mut said = format!("Agent  {}\n", identity.agent_id);
    if args.claim_code {
        said.push_str(&claim(&open(&identity.token)?, &identity)?);
    } else {
        said.push_str("`wtt-connect setup --claim-code` prints the code that makes it yours.\n");
    }
    let up = format!("wtt-connect up {} {}", identity.adapter, identity.agent_id);
    out::stdout(&format!("{said}Then bind it:\n  {up}\n"))
}

/// The first CLI that is there, to be named in the next step.
fn installed() -> String {
    let found = ADAPTERS.iter().find(|spec| program::locate(spec, &[]).is_ok());
    found.map_or("codex", |spec| spec.name).to_owned()
}

fn failed(error: HttpError) -> Error {
    match error {
        HttpError::Offline(why) => {
            Error::Unavailable(format!("{why}; try again when the service can be reached"))
        }
        HttpError::Status(401 | 403, why) => Error::Config(format!(
            "the service refuses this identity ({why}); reset its token on the web page"
        )),
        other => Error::Failed(format!("the service answers {other}")),
    }
}

/// A new identity (protocol 15).
fn register(client: &Client) -> Result<Identity> {
    let body = object!({ "platform": std::env::consts::OS });
    let (_, answer) = client.post_json("/agents/register", &body).map_err(failed)?;
    let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (agent_id, token) = (text("agent_id"), text("agent_token"));
    crate::sys::log::add_secret(&token);
    if value::agent_id(&agent_id).is_err() || token.is_empty() || value::token(&token).is_err() {
        return Err(Error::Failed(
            "the service registered an agent, but did not say its id and token".into(),
        ));
    }
    Ok(Identity { agent_id, token: Secret::new(token), adapter: installed() })
}

/// Writes the new identity down before anything else is done with it.
fn keep(identity: &Identity, name: Option<&str>, base_url: &str, places: &Places) -> Result<()> {
    let usual = profile::default_name(&identity.agent_id, &identity.adapter);
    let path = places.profile_file(name.unwrap_or(&usual)).map_err(|why| Error::Config(why.into()))?;
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
    written.map_err(|e| Error::Failed(format!("cannot write {}: {}", path.display(), reason(&e))))?;
    super::say(&format!("Registered a new agent; its token is in {}\n", path.display()))
}

/// The code and how long it is valid (protocol 15).
fn claim(client: &Client, identity: &Identity) -> Result<String> {
    let body = object!({ "agent_id": identity.agent_id });
    let (_, answer) = client.post_json("/agents/claim-code", &body).map_err(failed)?;
    let code = ["code", "claim_code"].iter().find_map(|name| answer.get(*name)?.as_str());
    let Some(code) = code else { return Err(Error::Failed("the service answered without a code".into())) };
    let valid = answer.get("expires_in_seconds").and_then(Value::as_u64).unwrap_or(EXPIRES_SECONDS);
    Ok(format!(
        "Code   {}\nEnter the code on WTT's web page within {} minutes; it works once.\n",
        crate::text::one_line(code),
        valid.div_ceil(60)
    ))
}

/// How long a code is valid where the service does not say (protocol 15).
const EXPIRES_SECONDS: u64 = 900;
