//! Everything that the connector itself says in answer to a chat command, in English and Chinese: one table. Pure.
//!
//! What agents and services say is not here. `{0}`, `{1}` stand for what is filled in.

pub use crate::session::language::Lang;

macro_rules! texts {
    ($($name:ident: $en:literal, $zh:literal;)*) => {
        /// One of the texts.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Msg {
            $(#[doc = $en] $name,)*
        }

        /// In the order of [`Msg`].
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
    DefaultEffort: "This topic uses the default model again, with effort {0}.", "本话题已恢复默认模型，推理强度 {0}。";
    ModelSet: "This topic uses {0} from the next message on.", "从下一条消息起，本话题使用 {0}。";
    ModelForeign: "⚠️ {0} is not a model for {1}, so this topic uses its usual model. {2}", "⚠️ {0} 不是 {1} 的模型，本话题仍用其默认模型。{2}";
    ModelOfOther: "To have it: `/adapter {0}`, then `/model {1}`.", "若要使用：先 `/adapter {0}`，再 `/model {1}`。";
    ModelOfNone: "The adapter that has it, {0}, is not enabled on this host: WTT_CONNECT_ADAPTERS adds it.",
        "支持它的适配器 {0} 未在本机启用，可用 WTT_CONNECT_ADAPTERS 添加。";
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
    Interrupting: "interrupting the agent, to continue with both messages", "正在打断智能体，然后一并处理两条消息";
    Steered: "the agent has received it", "智能体已收到补充消息";
    SteerHow: "`/steer TEXT` gives the running agent a further message.", "`/steer 内容` 给运行中的智能体补充一条消息。";
    QueueFull: "this topic's queue is full; the message was not accepted, send it again later", "本话题的队列已满，消息未被接收，请稍后重发";
    OutboxFull: "waiting until the service accepts earlier replies", "正在等待服务接收之前的回复";
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
    Switched: "The next message continues the session {0} `{1}`.", "下一条消息将在会话 {0} `{1}` 中继续。";
    CompactsItself: "{0} compacts a conversation by itself when it gets long; it this cannot be triggered from here. `/new` starts a fresh session.",
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
    AnswerFoot: "Answer with a button, with a message here, or with `/approve {0} ANSWER`; `/deny {0}` gives no answer. After {1} the agent continues without one.",
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
    HiddenLines: "\n[… {0} of {1} lines are not shown …]\n", "\n[… 共 {1} 行，{0} 行未显示 …]\n";
    HiddenChars: "{0} [… {1} characters are not shown …] {2}", "{0} [… {1} 字未显示 …] {2}";
    AskGone: "{0} ({1}) closed: {2}", "{0}（{1}）已关闭：{2}";
    AskTold: "{0} ({1}) {2} by {3}", "{0}（{1}）{2}（{3}）";
    AskOpenRow: "- waits for an answer: {0} ({1}), `/approve {0}` or `/deny {0}`", "- 等待回答：{0}（{1}），`/approve {0}` 或 `/deny {0}`";
    AskDecidedRow: "- decided: {0}", "- 已决定：{0}";
    AskGrantsRow: "- allowed for this session: {0}", "- 本会话内已允许：{0}";
    AskWaits: "waiting for your answer: {0}", "正在等待你的回答：{0}";
    CliMissing: "{0} was not found on this machine; {1}.", "本机找不到 {0}；{1}。";
    Install: "install it with `{0}`", "请运行 `{0}` 安装";
    InstallIt: "install it on the machine of this agent", "请在本机安装";
    RunIt: "Run `{0}` on this machine, as the user of the connector.", "请以连接器用户身份在本机运行 `{0}`。";
    LogIn: "Log in on the machine of this agent.", "请在本机登录。";
    CliUnsupported: "The installed {0} could not be started the way wtt-connect needs it. Update it, then run `wtt-connect doctor`.",
        "本机的 {0} 无法按所需方式启动。请更新它，再运行 `wtt-connect doctor`。";
    NotLoggedIn: "{0} is not logged in. {1}", "{0} 尚未登录。{1}";
    AuthRejected: "The provider of {0} rejected its login. {1}", "{0} 的服务商拒绝了登录。{1}";
    Quota: "{0} has no credit left. Top up or raise the limit of its account.", "{0} 的额度已用完。请充值或提高账户上限。";
    LimitUntil: "{0} has reached its usage limit, which resets in {1}. Send the message again then.", "{0} 已达用量上限，{1} 后重置。请届时重发。";
    Limit: "{0} has reached its usage limit. Send the message again when it has reset.", "{0} 已达用量上限。请在重置后重发。";
    RateLimited: "The provider of {0} gets too many requests. Try again in a minute.", "{0} 的服务商请求过多。请一分钟后重试。";
    ProviderError: "The provider of {0} failed to answer. Try again; if this persists, try another model.", "{0} 的服务商未能回答。请重试；若仍如此，请换个模型。";
    Network: "{0} could not reach its provider. Check the network and proxy of this machine.", "{0} 无法连接服务商。请检查本机的网络和代理。";
    ContextOverflow: "This conversation has grown too long for {0}. Your next message starts a fresh session.", "会话对 {0} 来说过长。下一条消息将开始新会话。";
    PoisonedSession: "The provider of {0} refuses this conversation. Your next message starts a fresh session.", "{0} 的服务商拒绝此会话。下一条消息将开始新会话。";
    StaleSession: "{0} no longer knows this conversation. Your next message starts a fresh session.", "{0} 已不认识此会话。下一条消息将开始新会话。";
    NoOutput: "{0} finished without an answer. Ask again, perhaps in other words.", "{0} 结束时没有回答。请换个说法再问。";
    SilentExit: "{0} ended with exit code {1} and without an answer. `wtt-connect doctor` checks the installation.", "{0} 以退出码 {1} 结束，没有回答。`wtt-connect doctor` 可检查安装。";
    Killed: "{0} was ended by {1} from outside before it could answer. Send the message again.", "{0} 未及回答就被外部的 {1} 结束。请重发消息。";
    OutOfMemory: "The system ended {0} because memory ran out. Free some memory on this machine and try again.", "内存不足，系统结束了 {0}。请释放本机内存后重试。";
    FirstEventTimeout: "{0} did not respond within {1} and was stopped. Check its login and network, then try again.", "{0} 在 {1} 内没有动静，已停止。请检查登录和网络后重试。";
    IdleTimeout: "{0} printed nothing for {1} and was stopped. Send *continue* to let it continue.", "{0} 沉默了 {1}，已停止。发送“继续”可接着做。";
    TotalTimeout: "{0} worked for {1}, the limit of one turn, and was stopped. Send *continue* to let it continue.", "{0} 已工作 {1}（单轮上限），已停止。发送“继续”可接着做。";
    TimeLimit: "the time limit", "时限";
    WorkdirUnusable: "The working directory cannot be used. Set WTT_CONNECT_WORKDIR to one that exists.", "工作目录无法使用。请将 WTT_CONNECT_WORKDIR 设为存在的目录。";
    SwitcherFailed: "The model switcher failed, so nothing was run. Check the WTT_CONNECT_MODEL_SWITCH settings.", "模型切换失败，未运行任何内容。请检查 WTT_CONNECT_MODEL_SWITCH 设置。";
    Refused: "{0} refused to run this. `wtt-connect doctor` shows the settings that apply.", "{0} 拒绝运行。`wtt-connect doctor` 可查看相关设置。";
    RefusedBecause: "{0} refused to run this: {1}", "{0} 拒绝运行（{1}）";
    Internal: "wtt-connect itself failed while running {0}. Its log says why; try again.", "连接器运行 {0} 时自身出错。原因见日志；请重试。";
    InternalBecause: "wtt-connect itself failed while running {0}: {1}. Try again in a moment.", "连接器运行 {0} 时自身出错：{1}。请稍后重试。";
    InternalPanic: "An internal error of wtt-connect ended this turn, and what {0} had running was stopped. The log of the connector says where it happened. Send the message again, or “continue” to resume the same session.",
        "连接器内部出错，本轮已终止，{0} 运行的进程也已结束。出错位置见连接器日志。请重发消息，或发送“继续”在同一会话中接着做。";
    InBrackets: " ({0})", "（{0}）";
    Works: "{0} is working", "{0} 正在工作";
    Started: "{0} session started", "{0} 会话已开始";
    Thinks: "thinking", "思考中";
    Retries: "retrying: {0}", "正在重试：{0}";
    WaitsToLoad: "waiting for {0}: it can load this session again in the next minute", "正在等待 {0}：下一分钟才能再次载入此会话";
    StartsFresh: "starting a fresh session: {0}", "正在开始新会话：{0}";
    NotAllowed: "not allowed: {0}", "未获允许：{0}";
    WasFresh: "_(A fresh session: the agent no longer knows the old one: {0})_", "_（新会话：智能体已不认识旧会话：{0}）_";
    WasDenied: "_(Not allowed: {0})_", "_（未获允许：{0}）_";
    Parked: "⏳ {0} has reached its usage limit. This message is kept and runs automatically when the limit has reset, at {1} (in {2}). `/stop` drops it.",
        "⏳ {0} 已达用量上限。此消息已保留，重置后将自动运行：{1}（{2} 后）。`/stop` 可丢弃。";
    Interrupted: "⚠️ The connector was restarted while this was being worked on, so the work was interrupted. Send “continue” to resume the same session; nothing is run again automatically.",
        "⚠️ 处理期间连接器重启，工作已中断。发送“继续”可在同一会话中接着做；不会自动重新运行。";
    NotBegun: "⚠️ The connector was restarted before this message was started, so nothing was done for it. Please send it again.",
        "⚠️ 还没轮到此消息连接器就重启了，未做任何处理。请重新发送。";
    FurtherToo: " So were the further messages for it; send them again if it has not read them.", "补充的消息也已中断；如果它没有读到，请重新发送。";
    UntilThen: "{0}\n\nIts answer up to then:\n\n{1}", "{0}\n\n此前它已回答：\n\n{1}";
    Empty: "(empty answer)", "（空回答）";
    NoAdapter: "⚠️ There is no adapter `{0}` in this version.", "⚠️ 此版本没有适配器 `{0}`。";
    WaitsForSwitch: "waiting: with a model switcher one agent runs at a time", "正在排队：启用模型切换时一次只运行一个智能体";
    Starts: "starting", "正在启动";
    WaitsForPlace: "waiting for a free place", "正在等待空位";
    DeferredLost: "⚠️ A message that was kept for later can no longer be answered ({0}). Please send it again.", "⚠️ 一条被保留待处理的消息已无法处理（{0}），请重新发送。";
    WaitsForRestart: "waiting: the connector starts again when the running turns are over", "正在等待：运行中的任务结束后连接器将重启";
    LooksAtTask: "looking at the task", "正在查看任务";
    Receives: "receiving {0} ({1} of {2}, {3} MiB)", "正在接收{0}（{1}/{2}，{3} MiB）";
    Listens: "listening to the recording", "正在听录音";
    Sends: "sending {0}", "正在发送 {0}";
    NotSent: "⚠️ `{0}` was not sent: {1}.", "⚠️ `{0}` 未发送：{1}。";
    InTheClear: "⚠️ Files and their cards are not encrypted: the service can read them.", "⚠️ 文件及其卡片没有加密，服务端可以读取。";
    MoreNotSent: "⚠️ {0} more files were not sent: one answer carries {1} at most", "⚠️ 另有 {0} 个文件未发送：一个回答最多带 {1} 个";
    NotHeard: "_(The {0} could not be transcribed: {1})_", "_（{0}无法转成文字：{1}）_";
    NotReceived: "_(The {0} was not received: {1})_", "_（{0}未收到：{1}）_";
    AndMore: "_(And {0} more.)_", "_（另有 {0} 个。）_";
    WholeAnswer: "The whole answer", "完整回答";
    Excerpt: "{0}\n\n… This answer has {1} characters; the file below holds all of it.", "{0}\n\n… 此回答共 {1} 字，全文见下方文件。";
    SummaryOf: "Summary: {0}", "摘要：{0}";
    Spoken: "Spoken answer", "语音回答";
    Upgrade: "The connector is wtt-connect {0}. Its owner updates it on the host: install the new version, then `wtt-connect restart`.",
        "连接器版本为 wtt-connect {0}。请主机所有者在本机安装新版本，然后运行 `wtt-connect restart`。";
}

impl Msg {
    /// The text in a language, filled in.
    pub fn to(self, lang: Lang, fill: &[&str]) -> String {
        let (en, zh) = TABLE[self as usize];
        crate::session::messages::fill(if lang == Lang::Zh { zh } else { en }, fill)
    }
}

fn fill(mut rest: &str, with: &[&str]) -> String {
    let mut out = String::new();
    while let Some(at) = rest.find('{') {
        let number = rest[at + 1..].bytes().next().map(|digit| usize::from(digit.wrapping_sub(b'0')));
        out.push_str(&rest[..at]);
        out.push_str(number.and_then(|n| with.get(n)).copied().unwrap_or_default());
        rest = rest.get(at + 3..).unwrap_or_default();
    }
    out + rest
}

/// What is kept in English, in the list of decisions and as reasons, or comes so from layers that know no language: how it
/// begins, and that in Chinese. `{}` stands for anything, at the end for the rest; what else follows stays as it is.
/// Longer ones first.
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
    ("its turn was stopped", "本轮已被停止"),
    ("the connector was restarted; nothing was allowed", "连接器已重启，未作任何允许"),
    ("it wants an answer: its number, or words", "请给出答案：编号或文字"),
    ("`always` is the only word that can follow", "后面只能跟 `always`"),
    (
        "adapter `{}` is not enabled on this agent; available: {} (WTT_CONNECT_ADAPTERS adds more)",
        "本机未启用适配器 `{0}`；可用：{1}（可用 WTT_CONNECT_ADAPTERS 添加）",
    ),
    ("`{}` cannot be the name of a model; choose another one", "`{0}` 不能作为模型名，请换一个"),
    (
        "it does not support the mode {}. The modes of `{}` are {}; set{}",
        "无法遵守权限模式 {0}。`{1}` 支持：{2}；请用 WTT_CONNECT_MODE 选择",
    ),
    (
        "rules of WTT_CONNECT_PERMISSIONS restrict it, and it cannot ask{}",
        "WTT_CONNECT_PERMISSIONS 的规则限制了它，而它在此形式下无法询问",
    ),
    ("{} is not a model for {}, so its usual one is used", "{0} 不是 {1} 的模型，已用其默认模型"),
    ("exec_mode of the task", "任务的 exec_mode"),
    ("adapter of the message", "消息指定"),
    ("mention", "被提及"),
    ("model of the message", "消息指定的模型"),
    ("chosen for this topic", "本话题所选"),
    ("default", "默认"),
    ("no such file", "没有此文件"),
    ("it lies outside the folders from which files may be sent{}", "它不在允许发送的文件夹内"),
    ("it belongs to the connector itself", "它属于连接器自身"),
    ("it is not a regular file", "它不是普通文件"),
    ("it is empty", "它是空的"),
    ("it is larger than ", "它大于 "),
    ("files of this kind are not sent, only ", "不发送此类文件，仅限 "),
    ("the upload failed ", "上传失败 "),
    ("only {} are taken", "最多接收 {0} 个"),
    ("it came incomplete", "内容不完整"),
    ("it broke off: ", "传输中断："),
    ("no words were heard", "没有听到语音"),
    ("the recording is too large for it", "录音过大"),
    ("image", "图片"),
    ("video", "视频"),
    ("audio", "音频"),
    ("file", "文件"),
];

/// A text that is kept in English, as it is shown.
pub fn kept(lang: Lang, text: &str) -> String {
    let fits = |(en, zh): &(&'static str, &'static str)| {
        let (with, rest) = fit(en, text)?;
        // not the beginning of another word: names of people come here too
        let is_whole = !en.ends_with(char::is_alphanumeric) || !rest.starts_with(char::is_alphanumeric);
        is_whole.then(|| fill(zh, &with) + rest)
    };
    let said = if lang == Lang::Zh { KEPT.iter().find_map(fits) } else { None };
    said.unwrap_or_else(|| text.to_owned())
}

/// What stands for each `{}` when a text begins like a pattern, and what follows.
fn fit<'t>(pattern: &str, text: &'t str) -> Option<(Vec<&'t str>, &'t str)> {
    let mut pieces = pattern.split("{}");
    let mut rest = text.strip_prefix(pieces.next()?)?;
    let mut with = Vec::new();
    for piece in pieces {
        let end = if piece.is_empty() { rest.len() } else { rest.find(piece)? };
        with.push(&rest[..end]);
        rest = &rest[end + piece.len()..];
    }
    Some((with, rest))
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
        assert_eq!(Msg::ModelEffort.to(Lang::En, &["m{0}", "high"]), "m{0} with effort high");
        assert_eq!(Msg::ModelEffort.to(Lang::Zh, &["m", "high"]), "m（推理强度 high）");
    }
}
