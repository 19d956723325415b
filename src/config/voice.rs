//! Hearing and speaking as settings: what they accept and what they become. Nothing is run here.

use super::source::Settings;
use crate::config::keys::voice::{OPENAI, STT_MODEL, TTS_MODEL};
use crate::secret::Secret;

/// An address that speaks OpenAI's interface.
#[derive(Debug, Clone)]
pub struct SpeechEndpoint {
    /// Without a slash at the end.
    pub base_url: String,
    /// Empty when none is needed.
    pub key: Secret,
    /// Model.
    pub model: String,
}

/// What makes text of sound.
#[derive(Debug, Clone)]
pub enum Transcriber {
    /// A program, its arguments with placeholders.
    Command(Vec<String>),
    /// An address, and how it is reached: a word of [`TRANSPORTS`].
    Endpoint(SpeechEndpoint, &'static str),
}

/// What makes sound of text.
#[derive(Debug, Clone)]
pub enum Synthesizer {
    /// A program, its arguments with placeholders.
    Command(Vec<String>),
    /// An address.
    Endpoint(SpeechEndpoint),
}

/// All of it.
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
    /// The keys, which must not be shown.
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

/// The names of one direction.
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

/// What is needed on the command line of a program that speaks.
const OUTPUT: &str = "{output}";

/// Works it out; what is missing becomes a problem.
pub(super) fn build(settings: &mut Settings) -> SpeechSettings {
    let transport = settings.word("WTT_CONNECT_STT_OPENAI_TRANSPORT");
    let language = settings.checked("WTT_CONNECT_STT_LANGUAGE");
    let voice = settings.checked("WTT_CONNECT_TTS_VOICE");
    let (heard_by, hears, endpoint) = direction(settings, &STT);
    let hearing = match heard_by {
        "command" => hears.map(Transcriber::Command),
        "none" => None,
        _ => endpoint.map(|endpoint| Transcriber::Endpoint(endpoint, transport.unwrap_or("auto"))),
    };
    let (spoken_by, speaks, endpoint) = direction(settings, &TTS);
    if speaks.as_ref().is_some_and(|words| !words.iter().any(|word| word.contains(OUTPUT))) {
        settings.problem(format!("{} does not say where the sound goes; add {OUTPUT} to it", TTS.command));
    }
    let speaking = match spoken_by {
        "command" => speaks.map(Synthesizer::Command),
        "macos-say" => Some(Synthesizer::Command(say(voice.is_some()))),
        "none" => None,
        _ => endpoint.map(Synthesizer::Endpoint),
    };
    SpeechSettings { transcriber: hearing, language, synthesizer: speaking, voice }
}

/// The command line of macOS's `say`, in the order of its manual; it makes AIFF unless told otherwise.
fn say(with_voice: bool) -> Vec<String> {
    let voice = if with_voice { &["-v", "{voice}"][..] } else { &[] };
    let words = ["-o", OUTPUT, "--file-format=WAVE", "--data-format=LEI16@22050", "-f", "{file}"];
    let mut out = vec!["say".to_owned()];
    out.extend(voice.iter().chain(&words).map(|word| (*word).to_owned()));
    out
}

/// Provider, command and address of one direction. What the chosen provider lacks is a problem.
fn direction(
    settings: &mut Settings,
    names: &Names,
) -> (&'static str, Option<Vec<String>>, Option<SpeechEndpoint>) {
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
    (provider, command.filter(|_| provider == "command"), Some(endpoint))
}
