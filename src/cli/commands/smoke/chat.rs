//! `smoke-chat`: sends a message from a second agent over the WebSocket and waits for the answer.

use super::{SHOWN_CHARS, SmokeTest};
use crate::cli::table::CommandArgs;
use crate::config::{keys::smoke, value};
use crate::daemon::connection::{self, NetConfig, NetEvent};
use crate::error::{Error, Result};
use crate::http::proxy::Proxies;
use crate::json;
use crate::secret::Secret;
use crate::store::outbox::ReplyKind;
use crate::text;
use crate::wire::frame::{self, Frame};
use crate::wire::outgoing;
use crossbeam_channel::Receiver;
use serde_json::Value;

/// Runs the test.
pub fn run(args: &CommandArgs) -> Result<()> {
    let smoke = SmokeTest::begin(args, "WTT_CONNECT_CHAT_READY")?;
    let (sender, token) = sender(&smoke)?;
    let config = &smoke.config;
    let net_config = NetConfig {
        urls: connection::urls(&config.base_url, config.ws_url.as_deref(), &sender),
        token: Box::new(move || token.clone()),
        ca_file: config.ca_file.clone(),
        proxies: Proxies::from_lookup(|name| config.variable(name)),
        timing: connection::Timing::from_env(),
    };
    let (events, inbox) = crossbeam_channel::unbounded();
    let (net, _) = connection::start(net_config, events, |event| event)
        .map_err(|e| Error::TryAgain(format!("cannot start a thread: {e}")))?;
    let answer = converse(&smoke, &sender, &inbox, &|frame| net.send(frame));
    net.close();
    smoke.check(&answer?)
}

/// The identity of the sender, from the settings or else from the environment, which a profile would otherwise hide.
fn sender(smoke: &SmokeTest) -> Result<(String, Secret)> {
    let setting = |name: &str| {
        let said = smoke.settings.get(name).map(|setting| setting.text.clone());
        said.or_else(|| std::env::var(name).ok()).filter(|text| !text.trim().is_empty())
    };
    let (Some(id), Some(token)) = (setting(smoke::SENDER), setting(smoke::SENDER_TOKEN)) else {
        return Err(Error::Config(format!(
            "smoke-chat needs a second agent as the sender; set {} and {}",
            smoke::SENDER,
            smoke::SENDER_TOKEN
        )));
    };
    crate::sys::log::add_secret(&token);
    let wrong = |name: &str, why| Error::Config(format!("{name} is wrong: {why}"));
    let id = value::agent_id(&id).map_err(|why| wrong(smoke::SENDER, why))?;
    let token = value::token(&token).map_err(|why| wrong(smoke::SENDER_TOKEN, why))?;
    if id == smoke.config.agent_id {
        return Err(Error::Config(format!(
            "{} is the identity of the connector itself, which does not answer its own messages; use another agent",
            smoke::SENDER
        )));
    }
    Ok((id, Secret::new(token)))
}

/// Sends the message and follows the turn until the answer arrives.
fn converse(
    smoke: &SmokeTest,
    sender: &str,
    inbox: &Receiver<NetEvent>,
    send: &dyn Fn(String) -> bool,
) -> Result<String> {
    let agent = &smoke.config.agent_id;
    let request_id = format!("p2p-{}", crate::sys::id::hex());
    let (mut topic, mut shown) = (None, String::new());
    loop {
        let Ok(event) = inbox.recv_deadline(smoke.until) else {
            return Err(smoke.timed_out("there was no answer"));
        };
        let frame = match event {
            NetEvent::Up { .. } => {
                smoke.step(&format!("connected to {} as {sender}", smoke.config.base_url))?;
                let request = format!("@{agent} {}", smoke.request());
                send(outgoing::p2p(&request_id, agent, &request));
                continue;
            }
            NetEvent::Down { why, refused: true, .. } => {
                return Err(Error::Config(format!("{why}; {} must be a valid token", smoke::SENDER_TOKEN)));
            }
            NetEvent::Down { why, .. } => return Err(Error::Unavailable(why)),
            NetEvent::Frame(text) => text,
        };
        match frame::decode(&frame) {
            Frame::Result(result) if result.request_id.as_deref() == Some(&request_id) => {
                if !result.ok {
                    let why = result.error.unwrap_or_else(|| "no reason given".to_owned());
                    return Err(Error::Failed(format!("the service did not accept the message: {why}")));
                }
                topic = result.data["topic_id"].as_str().map(str::to_owned);
                smoke.step(&format!("asked {agent} in topic {}", topic.as_deref().unwrap_or("?")))?;
            }
            Frame::Message(message)
                if message.sender_id == *agent
                    && message.semantic_type == "post"
                    && topic.as_ref().is_none_or(|topic| *topic == message.topic_id) =>
            {
                // a question or a notice does not end the turn
                let outcome = message.metadata.get("outcome").and_then(|word| word.as_str());
                let seen = text::truncate(&text::one_line(&message.content), SHOWN_CHARS);
                if outcome == Some(ReplyKind::Question.word()) {
                    smoke.step(&format!("permission request: {seen}"))?;
                    continue;
                }
                if outcome == Some(ReplyKind::Notice.word()) {
                    smoke.step(&seen)?;
                    continue;
                }
                return Ok(message.content);
            }
            Frame::Other(kind) if kind == "typing" => {
                let status = json::parse::<Value>(frame).unwrap_or_default();
                let said = status["status_text"].as_str().unwrap_or_default();
                if status["agent_id"] == agent.as_str() && !said.is_empty() && said != shown {
                    smoke.step(said)?;
                    said.clone_into(&mut shown);
                }
            }
            _ => {}
        }
    }
}
