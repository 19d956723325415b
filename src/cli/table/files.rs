//! The part of the table about files that are sent: `upload-file` and `artifacts`.

use super::flags::{JSON, PROFILE};
use super::spec::{CommandId, CommandSpec, FlagSpec, Group, ValueKind, text};
use crate::daemon::control::is_topic_id;

static TOPIC_ID: FlagSpec = FlagSpec::with_value(
    "topic-id",
    ValueKind::Free("TOPIC"),
    "send the files to this topic",
    "The topic to send the files to. An agent may omit it: the variable `WTT_CONNECT_TOPIC_ID` holds its own topic.",
    |args, value| {
        let id = text(value)?;
        if !is_topic_id(&id) {
            return Err("is not a topic id".into());
        }
        args.topic_id = Some(id);
        Ok(())
    },
)
.with_letter('t');

static TITLE: FlagSpec = FlagSpec::with_value(
    "title",
    ValueKind::Free("TITLE"),
    "show this title instead of the file name",
    "The title that the topic shows instead of the file name. For several files it is also the name of their archive.",
    |args, value| {
        args.title = Some(text(value)?);
        Ok(())
    },
);

pub(super) const UPLOAD_FILE: CommandSpec = CommandSpec {
    id: CommandId::UploadFile,
    name: "upload-file",
    group: Some(Group::Files),
    operands: "FILE...",
    short: "send files to a topic",
    long: &[
        "Uploads FILE and publishes a card for it in the topic; several files become one zip archive. Prints the URL of the upload. Agents call this command during their turns. Only files that are named are ever sent.",
        "The running connector does the upload. It is found by `WTT_CONNECT_SOCKET`, which agents have in their environment, by `--profile`, or because there is only one profile. With `--profile` the command uses HTTP itself if the connector does not run. It waits up to 20 seconds until the service has accepted the card; after that it reports that the card is kept and will be sent once the connection is back. If the command is ended before it has printed the URL, a card that is not on its way yet is not sent.",
        "`WTT_CONNECT_TURN` names the turn that the file belongs to: in a task's topic, the file is listed in the task when that turn ends. In an agent process that serves several turns its value is `current`, which means the turn that runs when the command is called.",
        "Only regular files below the working directory, the inbox and the artifact folder of the profile are sent, up to 100 MiB each, and never the connector's own files. A single file must be of a type that the web page displays: doc, docx, ppt, pptx, xls, xlsx, pdf, csv, md, txt, zip, html, htm, png, jpg, jpeg, webp, gif, mp4, webm, mov, wav, mp3, ogg, m4a.",
        "Exits with 0 if the service has accepted the card or the connector keeps it, with 1 if a file may not be sent or the service refuses it or its card, with 2 if the command line is wrong, with 69 if neither the connector nor the service can be reached, and with 78 if the settings of the profile are wrong.",
    ],
    flags: &[&TOPIC_ID, &TITLE, &PROFILE, &JSON],
};

pub(super) const ARTIFACTS: CommandSpec = CommandSpec {
    id: CommandId::Artifacts,
    name: "artifacts",
    group: Some(Group::Files),
    operands: "[PROFILE]",
    short: "list the files that were sent",
    long: &[
        "Lists the files that have left this machine, newest last: time, size, title, source and URL. Each profile remembers its last 500 files with their hashes, so that an unchanged file is not uploaded twice. PROFILE as for `status`.",
    ],
    flags: &[&JSON],
};
