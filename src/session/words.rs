//! Everything that the connector itself says in answer to a chat command, in English and Chinese: one table. Pure.
//!
//! What agents say, and why they failed, is not here. `{0}`, `{1}` stand for what is filled in.

/// The languages that the connector answers in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lang {
    /// English, also for everybody who writes neither.
    #[default]
    En,
    /// Chinese.
    Zh,
}

impl Lang {
    /// The language of a text, if it has one: a chat command alone has none, but a full-width slash was typed on a
    /// Chinese keyboard. A Chinese sentence may hold some foreign words, and the other way round.
    pub fn of(text: &str) -> Option<Lang> {
        let text = text.trim();
        if text.starts_with('／') {
            return Some(Lang::Zh);
        }
        let is_word =
            |word: &&str| word.chars().any(|c| c.is_ascii_alphabetic()) && !word.chars().any(is_han);
        let han = text.chars().filter(|c| is_han(*c)).count();
        let words =
            text.split_whitespace().filter(|word| !word.starts_with(['/', '@'])).filter(is_word).count();
        match (han, words) {
            (0, 0) => None,
            _ if han > words => Some(Lang::Zh),
            // names of models and modes, behind a command
            (0, _) if text.starts_with('/') && words < 3 => None,
            _ => Some(Lang::En),
        }
    }
}

fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}')
}

macro_rules! texts {
    ($($name:ident: $en:literal, $zh:literal;)*) => {
        /// One of the texts.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Say {
            $(#[doc = $en] $name,)*
        }

        /// In the order of [`Say`].
        static TABLE: &[(&str, &str)] = &[$(($en, $zh),)*];
    };
}

texts! {
    HelpHead: "Commands of the connector; everything else goes to the agent.",
        "以下是连接器的命令，其他内容都会发给智能体。";
    OnThisHost: "**wtt-connect {0}** on this host", "本机上的 **wtt-connect {0}**";
    Adapter: "- adapter: {0} ({1}; enabled: {2})", "- 智能体：{0}（{1}；可用：{2}）";
    AdapterBad: "- adapter: ⚠️ {0}", "- 智能体：⚠️ {0}";
    ModelRow: "- model: {0}", "- 模型：{0}";
    OwnDefault: "the agent's own default", "智能体自己的默认值";
    ModeRow: "- mode: {0}", "- 权限模式：{0}";
    Workdir: "- workdir: `{0}`", "- 工作目录：`{0}`";
    Connected: "- connected for {0}", "- 已连接 {0}";
    HereRunning: "- this topic: {0} ({1}) running for {2}, {3} waiting", "- 本话题：{0}（{1}）已运行 {2}，另有 {3} 条在等待";
    HereStopping: "- this topic: {0} ({1}) stopping after {2}, {3} waiting", "- 本话题：{0}（{1}）运行 {2} 后正在停止，另有 {3} 条在等待";
    HereIdle: "- this topic: idle", "- 本话题：空闲";
    Elsewhere: "- elsewhere: {0} turn(s); replies on their way: {1}", "- 其他话题：{0} 个任务；正在发送的回复：{1}";
    SessionRow: "- session: {0} {1}", "- 会话：{0} {1}";
    KeptRow: "- kept until the usage limit resets: a message, until {0}", "- 一条消息已保留，等用量限制重置：{0}";
    Note: "- note: {0}", "- 注意：{0}";
    Stopping: "stopping", "正在停止";
    NothingRuns: "Nothing is running in this topic.", "本话题没有正在运行的任务。";
    KeptDropped: "⏹ {0} message(s) that were kept until the usage limit resets are dropped.", "⏹ 已丢弃为等待用量重置而保留的 {0} 条消息。";
    Stopped: "⏹ Stopped: {0} was ended and nothing of it is left running.", "⏹ 已停止：{0} 已结束，没有任何残留进程。";
    StoppedEarly: "⏹ Stopped before it began.", "⏹ 尚未开始就已停止。";
    Fresh: "🆕 The next message starts a fresh session. `/sessions` shows the earlier ones.", "🆕 下一条消息将开始新会话。`/sessions` 可查看之前的会话。";
    ModelShow: "Model: {0}, effort: {1}. `/model ID [EFFORT]` changes it for this topic, `/model default` goes back.",
        "模型：{0}，推理强度：{1}。`/model ID [强度]` 切换本话题的模型，`/model default` 恢复默认。";
    ModelDefault: "This topic uses the default model again.", "本话题已恢复默认模型。";
    ModelSet: "This topic uses {0} from the next message on.", "从下一条消息起，本话题使用 {0}。";
    ModelEffort: "{0} with effort {1}", "{0}（推理强度 {1}）";
    ModeShow: "Mode: {0}. This topic may use {1}: `/mode NAME` changes it, `/mode default` goes back.",
        "权限模式：{0}。本话题可用：{1}。`/mode 名称` 切换，`/mode default` 恢复默认。";
    ModeSet: "This topic uses the mode {0} from the next message on.", "从下一条消息起，本话题使用权限模式 {0}。";
    ModeUnknown: "⚠️ `{0}` is no mode. This topic may use {1}.", "⚠️ 没有 `{0}` 这个权限模式。本话题可用：{1}。";
    ModeTooLoose: "⚠️ {0} is looser than this host allows in chat ({1}). Only its owner can change that, with WTT_CONNECT_MODE or WTT_CONNECT_ALLOW_YOLO.",
        "⚠️ {0} 超出了本机允许在聊天中使用的范围（{1}）。只有主机所有者能用 WTT_CONNECT_MODE 或 WTT_CONNECT_ALLOW_YOLO 更改。";
    OnlyPeople: "⚠️ Only a person may change the mode of a topic.", "⚠️ 只有真人可以更改话题的权限模式。";
    AdapterShow: "Agent: {0}. Enabled here: {1}. `/adapter NAME` changes it for this topic, `/adapter default` goes back.",
        "智能体：{0}。本机可用：{1}。`/adapter 名称` 切换本话题的智能体，`/adapter default` 恢复默认。";
    AdapterSet: "This topic is answered by {0} from the next message on, with its usual model.", "从下一条消息起，本话题由 {0} 回答，使用其默认模型。";
    AdapterBack: "This topic is answered by the default agent again ({0}).", "本话题已恢复默认智能体（{0}）。";
    AdapterOff: "⚠️ `{0}` is not enabled on this host. Enabled: {1}.", "⚠️ 本机未启用 `{0}`。可用：{1}。";
    Waits1: "waiting for 1 earlier message", "正在等待前面的 1 条消息";
    Waits: "waiting for {0} earlier messages", "正在等待前面的 {0} 条消息";
    WaitsMerged: "waiting, together with an earlier message of yours", "正在等待，已与你之前的消息合并";
    Steering: "passing it on to the running agent", "正在转给运行中的智能体";
    Interrupting: "interrupting the agent, to go on with both messages", "正在打断智能体，然后一并处理两条消息";
    Steered: "the agent has taken it in", "智能体已收到补充消息";
    SteerHow: "`/steer TEXT` gives the running agent a further message.", "`/steer 内容` 给运行中的智能体补充一条消息。";
    QueueFull: "this topic's queue is full; the message was not taken, send it again later", "本话题的队列已满，消息未被接收，请稍后重发";
    OutboxFull: "waiting until the service takes earlier replies", "正在等待服务接收之前的回复";
    QueueEmpty: "Nothing waits in this topic.", "本话题没有等待中的消息。";
    QueueRuns: "Running for {0}: {1}", "已运行 {0}：{1}";
    QueueHead: "Waiting:", "等待中：";
    UsageNone: "No tokens have been counted yet.", "还没有用量记录。";
    UsageHere: "**This topic**", "**本话题**";
    UsageDay: "**{0}** (UTC), all topics", "**{0}**（UTC），全部话题";
    UsageDays: "**The last {0} days**, all topics", "**最近 {0} 天**，全部话题";
    UsageRow: "- {0}: {1} tokens in ({2} cached), {3} out, {4} turn(s)", "- {0}：输入 {1}（缓存 {2}），输出 {3}，共 {4} 轮";
    UsageMute: "- {0}: {1} turn(s) of it without a count", "- {0}：其中 {1} 轮没有用量数据";
    SessionsNone: "This topic has no session yet.", "本话题还没有会话。";
    SessionsHead: "Sessions of this topic:", "本话题的会话：";
    SessionsRow: "{0}. {1} `{2}`, {3}{4}", "{0}. {1} `{2}`，{3}{4}";
    SessionsNow: " (in use)", "（当前）";
    SessionsFoot: "`/switch N` goes back to one.", "`/switch 编号` 可回到某个会话。";
    SwitchUnknown: "⚠️ There is no session `{0}` in this topic. `/sessions` lists them.", "⚠️ 本话题没有会话 `{0}`。`/sessions` 可列出。";
    SwitchElsewhere: "⚠️ That session belongs to another folder ({0}), so it cannot be resumed here.", "⚠️ 该会话属于另一个目录（{0}），无法在此恢复。";
    Switched: "The next message goes on in the session {0} `{1}`.", "下一条消息将在会话 {0} `{1}` 中继续。";
    CompactsItself: "{0} compacts a conversation by itself when it gets long; it cannot be told to from here. `/new` starts afresh.",
        "{0} 会在对话过长时自动压缩，无法从这里触发。`/new` 可开始新会话。";
    CompactNothing: "There is nothing to compact: this topic has no conversation with {0} yet.", "没有可压缩的内容：本话题还没有与 {0} 的会话。";
    CommandDone: "✅ `{0}` is done.", "✅ `{0}` 已完成。";
    SlashUnknown: "{0} cannot run `{1}` from here. It takes: {2}. `/help` lists the connector's own commands.",
        "{0} 无法从这里执行 `{1}`。可用：{2}。`/help` 可查看连接器自己的命令。";
    SlashNone: "no commands, only messages", "不接受命令，只接受消息";
    VoiceOn: "Answers in this topic are spoken as well, after the text. `/voice off` ends that.",
        "本话题的回复会在文字之后附上语音。`/voice off` 可关闭。";
    VoiceOff: "Answers in this topic are not spoken. `/voice on` changes that.",
        "本话题的回复不带语音。`/voice on` 可开启。";
    VoiceNone: "Nothing on this host can speak. Its owner chooses a program or service with WTT_CONNECT_TTS_PROVIDER.",
        "本机没有可用的语音合成。请主机所有者设置 WTT_CONNECT_TTS_PROVIDER。";
    AskCommand: "{0} asks to run a command", "{0} 请求运行命令";
    AskEdit: "{0} asks to change files", "{0} 请求修改文件";
    AskRead: "{0} asks to read", "{0} 请求读取";
    AskFetch: "{0} asks to use the network", "{0} 请求访问网络";
    AskYou: "{0} asks you", "{0} 向你提问";
    AskPlan: "{0} asks to begin with its plan", "{0} 请求开始执行计划";
    AskTool: "{0} asks to use a tool", "{0} 请求使用工具";
    AskFoot: "`/approve {0}` allows it once{1}; `/deny {0} [REASON]` refuses it. Without an answer it is refused after {2}. (Asked by: {3})",
        "`/approve {0}` 允许一次{1}；`/deny {0} [理由]` 拒绝。{2}内无人回答即视为拒绝。（依据：{3}）";
    AskAlways: ", `/approve {0} always` for this session", "，`/approve {0} always` 本会话内一直允许";
    AnswerFoot: "Answer with a button, with a message here, or with `/approve {0} ANSWER`; `/deny {0}` gives no answer. After {1} the agent goes on without one.",
        "请点按钮、直接在此回复，或用 `/approve {0} 答案` 回答；`/deny {0}` 表示不回答。{1}内无人回答，智能体将自行继续。";
    AnswerLines: "It wants {0} answers: a line for each, or with `;` between them; `-` leaves one out. ",
        "需要 {0} 个答案：每行一个，或用 `;` 隔开；`-` 表示留空。";
    ButtonOnce: "Allow once", "允许一次";
    ButtonSession: "Allow for this session", "本会话内允许";
    ButtonDeny: "Deny", "拒绝";
    ButtonStop: "Deny and stop", "拒绝并停止";
    ButtonNone: "No answer", "不回答";
    Minutes: "{0} min", "{0} 分钟";
    Seconds: "{0} s", "{0} 秒";
    AskFate: "{0}: {1} by {2}: {3}", "{0}：{1}（{2}）：{3}";
    AskWith: " with “{0}”", "“{0}”";
    AskLate: " (too late: its turn is over)", "（太晚了：本轮已结束）";
    AskClosed: "⏹ {0} is closed, because {1}", "⏹ {0} 已关闭：{1}";
    AskClosedAbout: ": {0}", "：{0}";
    AskReminder: "⏳ {0} still waits for an answer: {1}. It is refused in {2}.", "⏳ {0} 仍在等待回答：{1}。{2}后视为拒绝。";
    AskPeople: "⚠️ Only a person of this topic can answer that.", "⚠️ 只有本话题中的真人可以回答。";
    AskNothing: "Nothing waits for an answer here.", "这里没有等待回答的问题。";
    AskSeveral: "⚠️ Several questions are open; name one, as in `/approve ID`.", "⚠️ 有多个问题待回答，请指明一个，例如 `/approve ID`。";
    AskDone: "⚠️ {0} is closed already: {1}.", "⚠️ {0} 已经关闭：{1}。";
    AskUnknown: "⚠️ No question {0} is open here.", "⚠️ 这里没有待回答的问题 {0}。";
    AskNot: "⚠️ {0} is not answered: {1}.", "⚠️ {0} 未被回答：{1}。";
    AskTold: "{0} ({1}) {2} by {3}", "{0}（{1}）{2}（{3}）";
    AskOpenRow: "- waits for an answer: {0} ({1}), `/approve {0}` or `/deny {0}`", "- 等待回答：{0}（{1}），`/approve {0}` 或 `/deny {0}`";
    AskDecidedRow: "- decided: {0}", "- 已决定：{0}";
    AskGrantsRow: "- allowed for this session: {0}", "- 本会话内已允许：{0}";
    AskWaits: "waiting for your answer: {0}", "正在等待你的回答：{0}";
    Upgrade: "The connector is wtt-connect {0}. Its owner updates it on the host: install the new version, then `wtt-connect restart`.",
        "连接器版本为 wtt-connect {0}。请主机所有者在本机安装新版本，然后运行 `wtt-connect restart`。";
}

impl Say {
    /// The text in a language, filled in.
    pub fn to(self, lang: Lang, fill: &[&str]) -> String {
        let (en, zh) = TABLE[self as usize];
        let mut rest = if lang == Lang::Zh { zh } else { en };
        let mut out = String::new();
        while let Some(at) = rest.find('{') {
            let number = rest[at + 1..].bytes().next().map(|digit| usize::from(digit.wrapping_sub(b'0')));
            out.push_str(&rest[..at]);
            out.push_str(number.and_then(|n| fill.get(n)).copied().unwrap_or_default());
            rest = rest.get(at + 3..).unwrap_or_default();
        }
        out + rest
    }
}

/// What is kept in English, in the list of decisions and as reasons: how it begins, and that in Chinese. Longer ones first.
static KEPT: &[(&str, &str)] = &[
    ("the mode ", "权限模式 "),
    ("rule ", "规则 "),
    ("the agent has a question", "智能体有问题"),
    ("nobody within ", "无人回答，时限 "),
    ("the host", "本机"),
    ("allowed for this session", "本会话内已允许"),
    ("allowed", "已允许"),
    ("denied and stopped", "已拒绝并停止"),
    ("denied", "已拒绝"),
    ("answered", "已回答"),
    ("closed", "已关闭"),
    ("the agent does not wait for it any more", "智能体不再等待"),
    ("its turn has ended", "本轮已结束"),
    ("the connector was restarted; nothing was allowed", "连接器已重启，未作任何允许"),
    ("it wants an answer: its number, or words", "请给出答案：编号或文字"),
    ("`always` is the only word that can follow", "后面只能跟 `always`"),
];

/// A text that is kept in English, as it is shown.
pub fn kept(lang: Lang, text: &str) -> String {
    let row = KEPT.iter().find(|(en, _)| lang == Lang::Zh && text.starts_with(en));
    row.map_or_else(|| text.to_owned(), |(en, zh)| [zh, &text[en.len()..]].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_of_a_text() {
        use Lang::{En, Zh};
        for (text, want) in [
            ("", None),
            ("/status", None),
            ("/model gpt-5.5 high", None),
            ("／status", Some(Zh)),
            ("/steer 改用中文", Some(Zh)),
            ("/steer use the other branch", Some(En)),
            ("hello", Some(En)),
            ("你好", Some(Zh)),
            ("帮我 review 一下 src/daemon/hub.rs", Some(Zh)),
            ("translate 你好 to English please", Some(En)),
            ("@codex 看看这个", Some(Zh)),
            ("42 !!", None),
        ] {
            assert_eq!(Lang::of(text), want, "{text:?}");
        }
    }

    #[test]
    fn both_languages_fill_in_the_same() {
        let places = |text: &str| {
            let mut out: Vec<String> = text.split('{').skip(1).map(|p| p[..2].to_owned()).collect();
            out.sort();
            out
        };
        for (en, zh) in TABLE {
            assert_eq!(places(en), places(zh), "{en}");
            assert!(places(en).iter().all(|p| p.ends_with('}')), "{en}");
            assert!(!zh.is_ascii(), "{zh}");
        }
        assert_eq!(Say::ModelEffort.to(Lang::En, &["m{0}", "high"]), "m{0} with effort high");
        assert_eq!(Say::ModelEffort.to(Lang::Zh, &["m", "high"]), "m（推理强度 high）");
    }
}
