//! The commands for files out: a part of the one table.

use super::{CommandId, CommandSpec, FlagSpec, JSON, PROFILE, ValueKind, text};
use crate::daemon::control::is_topic_id;

static TOPIC_ID: FlagSpec = FlagSpec {
    long: "topic-id",
    letter: Some('t'),
    value: Some(ValueKind::Free("TOPIC")),
    short: "send into this topic",
    long_text: "The topic whose people get the file. An agent may leave it out: its own topic is in the variable `WTT_CONNECT_TOPIC_ID`.",
    set: |args, value| {
        let id = text(value)?;
        if !is_topic_id(&id) {
            return Err("is not a topic's id".into());
        }
        args.topic_id = Some(id);
        Ok(())
    },
};

static TITLE: FlagSpec = FlagSpec {
    long: "title",
    letter: None,
    value: Some(ValueKind::Free("TITLE")),
    short: "what people see instead of the file's name",
    long_text: "What people see instead of the file's name; of several files, also the name of their archive.",
    set: |args, value| {
        args.title = Some(text(value)?);
        Ok(())
    },
};

pub(super) const UPLOAD_FILE: CommandSpec = CommandSpec {
    id: CommandId::UploadFile,
    name: "upload-file",
    operands: "FILE...",
    short: "send files into a topic",
    long: &[
        "Uploads FILE and puts its card into the topic; several become one zip. Prints the address of what was uploaded. Agents call it from within their work; nothing is ever sent that was not named.",
        "The running connector does the work. It is found by `WTT_CONNECT_SOCKET`, which agents have in their environment, by `--profile`, or because there is one profile only. With `--profile` it works by HTTP where the connector does not run. It waits until the service has taken the card, for 20 seconds at most: then it says that the card is kept, and goes out when the connection is back. When the command is ended before it has printed the address, a card that is not on its way yet is not sent.",
        "`WTT_CONNECT_TURN` tells which turn the file belongs to: in a task's topic, the file is listed in the task when that turn ends. In an agent that serves one turn it names this turn; in one that stays for further turns it is `current`, and means the one that runs when the command is called.",
        "Only regular files below the workspace, the inbox and the artifact folder of the profile are sent, up to 100 MiB, and never the connector's own. A single file must be of a kind that the web shows: doc, docx, ppt, pptx, xls, xlsx, pdf, csv, md, txt, zip, html, htm, png, jpg, jpeg, webp, gif, mp4, webm, mov, wav, mp3, ogg, m4a.",
        "Exits with 0 when the service has the card or the connector keeps it, with 1 when a file may not be sent or the service refuses it or its card, with 2 when the command line is wrong, with 69 when neither connector nor service can be reached, and with 78 when the settings of the profile are wrong.",
    ],
    flags: &[&TOPIC_ID, &TITLE, &PROFILE, &JSON],
    hidden: false,
};

pub(super) const ARTIFACTS: CommandSpec = CommandSpec {
    id: CommandId::Artifacts,
    name: "artifacts",
    operands: "[PROFILE]",
    short: "list the files that were sent",
    long: &[
        "Lists what has left this machine, the newest last: when, how large, what people see, where it came from and where it lies now. Each profile remembers its last 500 files, with their hashes, so that a file that has not changed is not uploaded twice. PROFILE as for `status`.",
    ],
    flags: &[&JSON],
    hidden: false,
};
