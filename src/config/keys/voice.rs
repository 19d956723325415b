//! Settings of received files, speech to text, and text to speech.

use super::spec::{SettingSpec, command, key, secret};
use crate::config::kind::SettingKind;

/// The default address, which needs a key.
pub const OPENAI: &str = "https://api.openai.com/v1";
/// The default model for transcription, whose name every compatible server accepts.
pub const STT_MODEL: &str = "whisper-1";
/// The default model for speech.
pub const TTS_MODEL: &str = "tts-1";

pub(super) static KEYS: &[SettingSpec] = &[
    key(
        "WTT_CONNECT_MEDIA_HOSTS",
        SettingKind::List,
        "none",
        "Hosts with private addresses, each optionally with a port, from which files of messages may be downloaded, and to which files may be uploaded if the service says so. The service itself is always allowed. No token is sent to these hosts.",
        "media.example.net,10.0.0.5:9000",
    ),
    key(
        "WTT_CONNECT_STT_PROVIDER",
        SettingKind::Word(&["none", "command", "openai", "whisper"]),
        "none",
        "What transcribes voice messages. command: WTT_CONNECT_STT_COMMAND. openai and whisper: a server with OpenAI's transcription API. none: the agent gets the sound file unchanged.",
        "command",
    ),
    command(
        "WTT_CONNECT_STT_COMMAND",
        "none; required by the provider command",
        "A program that prints the text of a sound file. {file} is replaced by its path and {language} by WTT_CONNECT_STT_LANGUAGE; without {file} the path is appended. No shell is involved.",
        "whisper-cli --no-prints --language {language} {file}",
    ),
    key(
        "WTT_CONNECT_STT_OPENAI_BASE_URL",
        SettingKind::BaseUrl,
        OPENAI,
        "The base URL of the providers openai and whisper, which may be on this machine; /audio/transcriptions is appended.",
        "http://127.0.0.1:8080/v1",
    ),
    secret(
        "WTT_CONNECT_STT_OPENAI_API_KEY",
        SettingKind::Token,
        "none; required if the base URL is OpenAI's",
        "Its API key, sent as a bearer token. It never appears on a command line or in an agent's environment.",
        "sk-...",
    ),
    key(
        "WTT_CONNECT_STT_OPENAI_MODEL",
        SettingKind::Text,
        STT_MODEL,
        "The transcription model.",
        "gpt-4o-transcribe",
    ),
    key(
        "WTT_CONNECT_STT_OPENAI_TRANSPORT",
        SettingKind::Word(&["auto", "fetch", "curl"]),
        "auto",
        "How to reach it. fetch: with the connector itself. curl: with the program curl, which supports more kinds of proxies. auto: with the connector or, if it cannot connect, with curl.",
        "curl",
    ),
    key(
        "WTT_CONNECT_STT_LANGUAGE",
        SettingKind::Text,
        "detected by the model",
        "The spoken language, as the provider names it.",
        "zh",
    ),
    key(
        "WTT_CONNECT_TTS_PROVIDER",
        SettingKind::Word(&["none", "macos-say", "command", "openai"]),
        "none",
        "What speaks answers. macos-say: the program say of macOS. command: WTT_CONNECT_TTS_COMMAND. openai: a server with OpenAI's speech API. Answers are spoken in topics with /voice on, and with WTT_CONNECT_UPLOAD_ARTIFACTS=1 in all topics without /voice off. The text is always published first.",
        "macos-say",
    ),
    command(
        "WTT_CONNECT_TTS_COMMAND",
        "none; required by the provider command",
        "A program that writes a sound file (WAV, MP3 or Ogg). {output} is replaced by the path of that file, {file} by a file with the text, and {voice} by WTT_CONNECT_TTS_VOICE; the text is on its standard input, too. No shell is involved.",
        "espeak-ng -f {file} -w {output}",
    ),
    key(
        "WTT_CONNECT_TTS_VOICE",
        SettingKind::Text,
        "the provider's own; alloy for openai",
        "The voice, as the provider names it.",
        "Samantha",
    ),
    key(
        "WTT_CONNECT_TTS_OPENAI_BASE_URL",
        SettingKind::BaseUrl,
        OPENAI,
        "The base URL of the provider openai, which may be on this machine; /audio/speech is appended.",
        "http://127.0.0.1:8880/v1",
    ),
    secret(
        "WTT_CONNECT_TTS_OPENAI_API_KEY",
        SettingKind::Token,
        "none; required if the base URL is OpenAI's",
        "Its API key, sent as a bearer token.",
        "sk-...",
    ),
    key("WTT_CONNECT_TTS_OPENAI_MODEL", SettingKind::Text, TTS_MODEL, "The speech model.", "gpt-4o-mini-tts"),
];
