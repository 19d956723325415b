//! Translates requests of ACP agents for permissions and for information into permission requests, and decisions into
//! the agent's own options or the content of its form (`agent/elicitation.rs`). Pure.

use crate::agent::adapters::acp::quirks::{KINDS, Quirks};
use crate::agent::adapters::acp::tool_calls::{ToolCalls, shell_command};
use crate::agent::adapters::cursor::acp_requests;
use crate::agent::adapters::json_rpc::{response, take_member};
use crate::agent::dialect::{array_items, one_line_title, string_field, strip_shell_wrapper};
use crate::agent::elicitation;
use crate::agent::elicitation::ElicitationForm;
use crate::agent::permission::{Decision, PermissionKind, PermissionRequest};
use crate::text;
use serde_json::{Value, json};

/// Characters of the detail that a person reads before the decision.
const MAX_DETAIL: usize = 4000;

/// A request that waits for a decision.
#[derive(Debug)]
pub struct OpenRequest {
    /// The agent's id of the request, echoed as it came.
    pub id: Value,
    /// The request for the person.
    pub request: PermissionRequest,
    /// The agent's id of the tool call.
    pub tool_call: String,
    options: Value,
    /// The form, if the request is for information.
    form: Option<ElicitationForm>,
    /// The parameters, if the request is a method of Cursor.
    cursor_params: Option<Value>,
}

/// Reads a request for information; the error says why nobody can be asked.
pub fn open_form(id: &Value, params: &Value) -> Result<OpenRequest, &'static str> {
    if !matches!(string_field(params, "mode"), "" | "form") {
        return Err("addresses cannot be opened from a chat, only forms can be filled in");
    }
    let (form, mut request) =
        elicitation::parse_form(id, string_field(params, "message"), &params["requestedSchema"])?;
    request.detail = text::truncate(&request.detail, MAX_DETAIL);
    let tool_call = string_field(params, "toolCallId").to_owned();
    let (form, options) = (Some(form), Value::Null);
    Ok(OpenRequest { id: id.clone(), request, tool_call, options, form, cursor_params: None })
}

/// Reads a request of Cursor's own methods; `None`: another method.
pub fn open_cursor(method: &str, id: &Value, params: &Value) -> Option<Result<OpenRequest, &'static str>> {
    Some(acp_requests::read(method, id, params)?.map(|(form, mut request)| {
        request.detail = text::truncate(&request.detail, MAX_DETAIL);
        let cursor_params = Some(params.clone());
        // Without the tool call, which may end earlier: only the agent withdraws the request.
        let (tool_call, options) = (String::new(), Value::Null);
        OpenRequest { id: id.clone(), request, tool_call, options, form, cursor_params }
    }))
}

/// Reads a request for permission.
pub fn open(id: &Value, params: &mut Value, tools: &ToolCalls, quirks: &Quirks) -> OpenRequest {
    let call = take_member(params, "toolCall");
    let options = take_member(params, "options");
    let seen = tools.get(string_field(&call, "toolCallId"));
    let seen = seen.map(|tool| (tool.kind.as_str(), tool.title.as_str())).unwrap_or_default();
    let said = |own, earlier: &str| {
        if string_field(&call, own).is_empty() { earlier } else { string_field(&call, own) }.to_owned()
    };
    let kind = said("kind", seen.0);
    let mut command = shell_command(&call);
    if command.is_empty() {
        string_field(&call["_meta"], "cognition.ai/editableCommand").clone_into(&mut command);
    }
    let shown = if command.is_empty() && kind == "execute" && !seen.1.is_empty() {
        seen.1.to_owned()
    } else {
        command
    };
    let subjects = subjects(&kind, &shown, &call);
    let shown = if shown.is_empty() { said("title", seen.1) } else { shown };
    let name = string_field(&call, "name");
    let request = PermissionRequest {
        id: id.to_string(),
        kind: match kind.as_str() {
            "execute" => PermissionKind::Command,
            "edit" | "delete" | "move" => PermissionKind::Edit,
            "read" | "search" => PermissionKind::Read,
            "fetch" => PermissionKind::Fetch,
            "switch_mode" => PermissionKind::Plan,
            _ => PermissionKind::Other,
        },
        tool: if name.is_empty() { kind } else { name.to_owned() },
        title: one_line_title(&shown),
        detail: text::truncate(&detail(&shown, &call), MAX_DETAIL),
        subjects,
        can_allow_session: session_option(&options, quirks).is_some(),
        choices: Vec::new(),
        answer_count: 1,
    };
    OpenRequest {
        id: id.clone(),
        request,
        tool_call: string_field(&call, "toolCallId").to_owned(),
        options,
        form: None,
        cursor_params: None,
    }
}

/// What the request is about: the command, the address, or the files.
fn subjects(kind: &str, command: &str, call: &Value) -> Vec<String> {
    let mut out = Vec::new();
    if kind == "execute" || !command.is_empty() {
        // Kimi writes the tool's name before the command. A shortened text is not the command.
        let word = command.split_once(": ").filter(|(word, _)| KINDS.iter().any(|row| row.0 == *word));
        let command = word.map_or(command, |(_, command)| command);
        let is_whole = !command.is_empty() && !command.ends_with('…') && !command.ends_with("...");
        out.extend(is_whole.then(|| strip_shell_wrapper(command)));
        return out;
    }
    let input = &call["rawInput"];
    let named =
        ["url", "query", "file_path", "filePath", "path"].into_iter().map(|key| string_field(input, key));
    let places = [&call["locations"], &call["content"]]
        .into_iter()
        .flat_map(array_items)
        .map(|item| string_field(item, "path"));
    for path in named.chain(places).filter(|path| !path.is_empty()) {
        if !out.iter().any(|known| known == path) {
            out.push(path.to_owned());
        }
    }
    out
}

/// The title, with the texts and changes of the request.
fn detail(shown: &str, call: &Value) -> String {
    let mut out = shown.to_owned();
    for item in array_items(&call["content"]) {
        let path = string_field(item, "path");
        let part = match string_field(item, "type") {
            "diff" => format!("{path}\n{}", string_field(item, "newText")),
            _ => string_field(&item["content"], "text").to_owned(),
        };
        if !part.is_empty() && part != shown {
            out.push('\n');
            out.push_str(&part);
        }
    }
    out
}

fn by_kind<'a>(options: &'a Value, kind: &str) -> Option<&'a Value> {
    array_items(options).iter().find(|option| string_field(option, "kind") == kind)
}

/// The option "always", if it ends with the session. Any other "always" would change the user's configuration.
fn session_option<'a>(options: &'a Value, quirks: &Quirks) -> Option<&'a Value> {
    by_kind(options, "allow_always").filter(|option| {
        quirks.always_is_session || string_field(option, "name").to_ascii_lowercase().contains("session")
    })
}

impl OpenRequest {
    /// The response to the agent; the error says why the answer does not fit. If the agent does not offer an option for the
    /// decision, the next stricter one is used.
    pub fn answer(&self, decision: &Decision, quirks: &Quirks) -> Result<Value, String> {
        if let Some(params) = &self.cursor_params {
            let result = acp_requests::result(params, self.form.as_ref(), &self.request, decision)?;
            return Ok(response(&self.id, "result", result));
        }
        if let Some(form) = &self.form {
            let result = form.result(&self.request, decision)?;
            return Ok(response(&self.id, "result", result));
        }
        let options = &self.options;
        let session = || session_option(options, quirks);
        let once = || by_kind(options, "allow_once");
        let no = || by_kind(options, "reject_once").or_else(|| by_kind(options, "reject_always"));
        let option = match decision {
            Decision::Allow => once().or_else(session).or_else(no),
            Decision::AllowSession => session().or_else(once).or_else(no),
            Decision::Deny(_) | Decision::Answer(_) => no(),
            Decision::DenyAndStop => None,
        };
        let outcome = match option {
            Some(option) => json!({ "outcome": "selected", "optionId": option["optionId"] }),
            None => json!({ "outcome": "cancelled" }),
        };
        Ok(response(&self.id, "result", json!({ "outcome": outcome })))
    }
}
