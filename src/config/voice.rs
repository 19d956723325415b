//! The settings of speech to text and text to speech. Nothing is run here.

use super::source::Settings;
use crate::config::keys::voice::{OPENAI, STT_MODEL, TTS_MODEL};
use crate::secret::Secret;

/// A server with OpenAI's speech API.
#[derive(Debug, Clone)]
pub struct SpeechEndpoint {
    /// The base URL, without a slash at its end.
    pub base_url: String,
    /// The API key; empty if none is needed.
    pub key: Secret,
    /// The model.
    pub model: String,
}

/// What transcribes voice messages.
#[derive(Debug, Clone)]
pub enum Transcriber {
    /// A program with its arguments, which may have placeholders.
    Command(Vec<String>),
    /// A server, and the value of `WTT_CONNECT_STT_OPENAI_TRANSPORT`.
    Endpoint(SpeechEndpoint, &'static str),
}

/// What speaks answers.
#[derive(Debug, Clone)]
pub enum Synthesizer {
    /// A program with its arguments, which may have placeholders.
    Command(Vec<String>),
    /// A server.
    Endpoint(SpeechEndpoint),
}

/// All settings of speech.
#[derive(Debug, Clone, Default)]
pub struct SpeechSettings {
    /// `WTT_CONNECT_STT_*`.
    pub transcriber: Option<Transcriber>,
    /// `WTT_CONNECT_STT_LANGUAGE`.
    pub language: Option<String>,
    /// `WTT_CONNECT_TTS_*`.
    pub synthesizer: Option<Synthesizer>,
    /// `WTT_CONNECT_TTS_VOICE`.
    pub voice: Option<String>,
}

impl SpeechSettings {
    /// The API keys, which must not be shown.
    pub fn secrets(&self) -> [String; 2] {
        let hearing = match &self.transcriber {
            Some(Transcriber::Endpoint(endpoint, _)) => endpoint.key.expose(),
            _ => "",
        };
        let speaking = match &self.synthesizer {
            Some(Synthesizer::Endpoint(endpoint)) => endpoint.key.expose(),
            _ => "",
        };
        [hearing.to_owned(), speaking.to_owned()]
    }
}

/// The names of the settings of one direction.
struct Names {
    provider: &'static str,
    command: &'static str,
    base_url: &'static str,
    key: &'static str,
    model: &'static str,
    default_model: &'static str,
}

const STT: Names = Names {
    provider: "WTT_CONNECT_STT_PROVIDER",
    command: "WTT_CONNECT_STT_COMMAND",
    base_url: "WTT_CONNECT_STT_OPENAI_BASE_URL",
    key: "WTT_CONNECT_STT_OPENAI_API_KEY",
    model: "WTT_CONNECT_STT_OPENAI_MODEL",
    default_model: STT_MODEL,
};
const TTS: Names = Names {
    provider: "WTT_CONNECT_TTS_PROVIDER",
    command: "WTT_CONNECT_TTS_COMMAND",
    base_url: "WTT_CONNECT_TTS_OPENAI_BASE_URL",
    key: "WTT_CONNECT_TTS_OPENAI_API_KEY",
    model: "WTT_CONNECT_TTS_OPENAI_MODEL",
    default_model: TTS_MODEL,
};

/// The placeholder that the command line of a speaking program must have.
const OUTPUT: &str = "{output}";

/// Reads the settings. What is missing becomes a problem.
pub(super) fn build(settings: &mut Settings) -> SpeechSettings {
    let transport = settings.word("WTT_CONNECT_STT_OPENAI_TRANSPORT");
    let language = settings.checked("WTT_CONNECT_STT_LANGUAGE");
    let voice = settings.checked("WTT_CONNECT_TTS_VOICE");
    let (provider, command, endpoint) = direction(settings, &STT);
    let transcriber = match provider {
        "command" => command.map(Transcriber::Command),
        "none" => None,
        _ => Some(Transcriber::Endpoint(endpoint, transport.unwrap_or("auto"))),
    };
    let (provider, command, endpoint) = direction(settings, &TTS);
    if command.as_ref().is_some_and(|words| !words.iter().any(|word| word.contains(OUTPUT))) {
        settings.problem(format!("{} has no place for the sound file; add {OUTPUT} to it", TTS.command));
    }
    let synthesizer = match provider {
        "command" => command.map(Synthesizer::Command),
        "macos-say" => Some(Synthesizer::Command(say(voice.is_some()))),
        "none" => None,
        _ => Some(Synthesizer::Endpoint(endpoint)),
    };
    SpeechSettings { transcriber, language, synthesizer, voice }
}

/// The command line of `say` on macOS, whose default format is AIFF.
fn say(with_voice: bool) -> Vec<String> {
    let voice = if with_voice { &["-v", "{voice}"][..] } else { &[] };
    let words = ["-o", OUTPUT, "--file-format=WAVE", "--data-format=LEI16@22050", "-f", "{file}"];
    let mut out = vec!["say".to_owned()];
    out.extend(voice.iter().chain(&words).map(|word| (*word).to_owned()));
    out
}

/// Provider, command and server of one direction. What the chosen provider lacks becomes a problem.
fn direction(settings: &mut Settings, names: &Names) -> (&'static str, Option<Vec<String>>, SpeechEndpoint) {
    let provider = settings.word(names.provider).unwrap_or("none");
    let command = settings.command(names.command);
    let base_url = settings.url(names.base_url).unwrap_or_else(|| OPENAI.to_owned());
    let key = settings.secret(names.key);
    let model = settings.checked(names.model).unwrap_or_else(|| names.default_model.to_owned());
    if provider == "command" && command.is_none() {
        let missing = names.command;
        settings.problem(format!(
            "{} is command, but {missing} is not set; set it to what is to be run",
            names.provider
        ));
    }
    if matches!(provider, "openai" | "whisper") && key.is_none() && base_url == OPENAI {
        let (missing, other) = (names.key, names.base_url);
        settings.problem(format!(
            "{} is {provider}, but {missing} is not set; set it, or {other} to a server that needs none",
            names.provider
        ));
    }
    let endpoint = SpeechEndpoint { base_url, key: key.unwrap_or_default(), model };
    (provider, command.filter(|_| provider == "command"), endpoint)
}
