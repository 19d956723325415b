//! Settings of files that come with messages, of hearing (speech to text) and of speaking (text to speech).

use super::{Key, Kind, key, told};
use crate::config::voice;

pub(super) static KEYS: &[Key] = &[
    key(
        "WTT_CONNECT_MEDIA_HOSTS",
        Kind::List,
        "none",
        "Hosts, each perhaps with a port, from which files of messages are fetched, and to which files are uploaded when the service says so, although they have a private address. The service itself is always one. No token is sent to them.",
        "media.example.net,10.0.0.5:9000",
    ),
    key(
        "WTT_CONNECT_STT_PROVIDER",
        Kind::Word(voice::STT_PROVIDERS),
        "none",
        "What makes text of voice messages: command runs WTT_CONNECT_STT_COMMAND; openai and whisper ask an address that speaks OpenAI's transcription interface. With none the agent gets the sound file as it is.",
        "command",
    ),
    key(
        "WTT_CONNECT_STT_COMMAND",
        Kind::Command,
        "none; needed by the provider command",
        "A program that prints the text of a sound file. {file} stands for its path and {language} for WTT_CONNECT_STT_LANGUAGE; without {file} the path is added at the end. No shell is involved.",
        "whisper-cli --no-prints --language {language} {file}",
    ),
    key(
        "WTT_CONNECT_STT_OPENAI_BASE_URL",
        Kind::BaseUrl,
        voice::OPENAI,
        "Where the providers openai and whisper are, also on this machine: /audio/transcriptions is appended.",
        "http://127.0.0.1:8080/v1",
    ),
    Key {
        name: "WTT_CONNECT_STT_OPENAI_API_KEY",
        aliases: &[],
        kind: Kind::Token,
        default: "none; needed where the base URL is OpenAI's",
        secret: true,
        meaning: told(
            "The key for it, sent as a bearer token. It is never on a command line and never in an agent's environment.",
        ),
        example: told("sk-..."),
    },
    key(
        "WTT_CONNECT_STT_OPENAI_MODEL",
        Kind::Text,
        voice::STT_MODEL,
        "The model that listens.",
        "gpt-4o-transcribe",
    ),
    key(
        "WTT_CONNECT_STT_OPENAI_TRANSPORT",
        Kind::Word(voice::TRANSPORTS),
        "auto",
        "How it is reached: fetch is the connector itself, curl the program of that name, which knows more kinds of proxies. auto tries the connector and, when it cannot connect, curl.",
        "curl",
    ),
    key(
        "WTT_CONNECT_STT_LANGUAGE",
        Kind::Text,
        "found out by the model",
        "The language that is spoken, as the provider names it.",
        "zh",
    ),
    key(
        "WTT_CONNECT_TTS_PROVIDER",
        Kind::Word(voice::TTS_PROVIDERS),
        "none",
        "What speaks answers: macos-say uses the program say and makes WAV, command runs WTT_CONNECT_TTS_COMMAND, openai asks an address that speaks OpenAI's speech interface. Answers are spoken in topics where somebody said /voice on, and with WTT_CONNECT_UPLOAD_ARTIFACTS=1 in all where nobody said /voice off. The text always comes first.",
        "macos-say",
    ),
    key(
        "WTT_CONNECT_TTS_COMMAND",
        Kind::Command,
        "none; needed by the provider command",
        "A program that writes a sound file (WAV, MP3 or Ogg). {output} stands for its path, {file} for a file with the text, {voice} for WTT_CONNECT_TTS_VOICE; the text is on its standard input as well. No shell is involved.",
        "espeak-ng -f {file} -w {output}",
    ),
    key(
        "WTT_CONNECT_TTS_VOICE",
        Kind::Text,
        "the provider's own; alloy for openai",
        "The voice, as the provider names it.",
        "Samantha",
    ),
    key(
        "WTT_CONNECT_TTS_OPENAI_BASE_URL",
        Kind::BaseUrl,
        voice::OPENAI,
        "Where the provider openai is, also on this machine: /audio/speech is appended.",
        "http://127.0.0.1:8880/v1",
    ),
    Key {
        name: "WTT_CONNECT_TTS_OPENAI_API_KEY",
        aliases: &[],
        kind: Kind::Token,
        default: "none; needed where the base URL is OpenAI's",
        secret: true,
        meaning: told("The key for it, sent as a bearer token."),
        example: told("sk-..."),
    },
    key(
        "WTT_CONNECT_TTS_OPENAI_MODEL",
        Kind::Text,
        voice::TTS_MODEL,
        "The model that speaks.",
        "gpt-4o-mini-tts",
    ),
];
