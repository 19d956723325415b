#!/usr/bin/env python3
"""A model server for the real CLIs of `tests/real/run`: what it answers is written in the prompt.

Speaks as much as they need of OpenAI Responses, OpenAI chat completions, Anthropic Messages and Gemini, streamed.
Steps are taken in order, one for each request that a tool result has led to; after the last one it answers
`DONE <last tool result>`. A prompt without steps is answered by `DONE`.

  @@text:WORDS@@  @@sh:COMMAND@@  @@write:FILE:CONTENT@@  @@slow:WORDS:SECONDS@@  @@err:STATUS@@
  @@pictures:WORDS@@  says how many PNG pictures this request brings
  @@tool:NAME:JSON@@  calls the tool whose name ends so with these arguments
  @@recall:WORD@@  says whether an earlier prompt in this conversation has the word
  @@new@@  what stands before it in the same text is passed over: some CLIs glue a prompt that failed to the next one
"""
import json, re, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STEP = re.compile(r"@@(text|sh|write|tool|slow|err|recall|pictures):(.*?)@@", re.S)
PNG = "iVBORw0KGgo"  # how every one begins in base64
SHELL = ("exec_command", "shell_command", "bash", "run_shell_command", "shell")
WRITE = ("write", "write_file", "writefile")
SERVER = "mcp__probe"  # the namespace of the tool server of `forms.rs`
ERRORS = {400: ("invalid_request_error", "INVALID_ARGUMENT", "Invalid request"),
          401: ("authentication_error", "UNAUTHENTICATED", "Incorrect API key provided")}


def flat(content):
    """The words of a content value."""
    if isinstance(content, list):
        return "\n".join(map(flat, content))
    if isinstance(content, dict):
        return next((flat(content[k]) for k in ("text", "output", "content", "response") if k in content), "")
    return content if isinstance(content, str) else ""


def said(body):
    """(is it a tool's result, its words) of everything that did not come from the model, oldest first."""
    for m in body.get("input") or body.get("messages") or body.get("contents") or []:
        kind, role = m.get("type", ""), m.get("role", "")
        if kind.endswith("_call_output") or role == "tool":
            yield True, flat(m.get("output", m.get("content")))
        # claude passes on what comes while it works as a word of the system
        elif role == "user" or role == "system" and "@@new@@" in flat(m.get("content")):
            content = m.get("content", m.get("parts"))
            for part in content if isinstance(content, list) else [{"text": content}]:
                result = part if part.get("type") == "tool_result" else part.get("functionResponse")
                yield result is not None, flat(result or part)


def offered(tools):
    """{name in small letters: (name, parameters)} of the tools of a request, however they are wrapped."""
    found = {}
    for t in tools or []:
        for f in t.get("functionDeclarations") or [t.get("function") or t]:
            schema = f.get("parameters") or f.get("parametersJsonSchema") or f.get("input_schema") or {}
            found[(f.get("name") or f.get("type") or "").lower()] = (f.get("name"), schema)
    return found


def call(tools, names, values):
    """A call of the first of these tools, its required arguments filled in; None where it is not offered."""
    name, schema = next((tools[n] for n in names if n in tools), (None, {}))
    properties, args = schema.get("properties") or {}, {}
    for known, value in values:
        args.update({k: value for k in known if k in properties})
    for k in schema.get("required") or []:
        p = properties.get(k, {})
        kind = str(p.get("type")).lower()
        plain = {"integer": 1, "number": 1, "boolean": False, "array": [], "object": {}}.get(kind, "x")
        args.setdefault(k, p["enum"][0] if "enum" in p else plain)
    return name and (name, args)


def plan(body):
    """What to do now: ("text", words, seconds between them), ("call", name, arguments) or ("err", status)."""
    script, results, last, earlier = "", 0, "", ""
    for is_result, words in said(body):
        if is_result:
            results, last = results + 1, words
        elif "@@" in words:
            earlier += STEP.sub("", script)
            script, results, last = words.split("@@new@@")[-1], 0, ""
    tools, steps = offered(body.get("tools")), STEP.findall(script)
    if not tools:
        return "text", "A title", 0
    kind, value = steps[results] if results < len(steps) else ("text", "DONE " + last.strip()[:400])
    if kind == "text":
        return "text", value, 0
    if kind == "pictures":
        return "text", f"{json.dumps(body).count(PNG)} {value}", 0
    if kind == "recall":
        return "text", f"{value} is {'known' if value in earlier else 'not known'}", 0
    if kind == "err":
        return "err", int(value)
    if kind == "slow":
        count, _, pause = value.partition(":")
        return "text", " ".join(f"w{i}" for i in range(int(count))), float(pause)
    made = None
    if kind == "sh":
        made = call(tools, SHELL, [(("command", "cmd"), value), (("description",), "a step")])
    elif kind == "tool":
        name, _, arguments = value.partition(":")
        found = [tools[t][0] for t in tools if t.endswith(name.lower())]
        # the tools of servers may have to be searched for first, but can be called without
        found += [name] if "tool_search" in tools else [SERVER + "__" + name] if "toolsearch" in tools else []
        made = found and (found[0], json.loads(arguments))
    elif "apply_patch" in tools:
        name, _, content = value.partition(":")
        made = "apply_patch", f"*** Begin Patch\n*** Add File: {name}\n+{content}\n*** End Patch\n"
    else:
        name, _, content = value.partition(":")
        made = call(tools, WRITE, [(("path", "filePath", "file_path"), name), (("content",), content)])
    return ("call", *made) if made else ("text", f"no tool for {kind} among {sorted(tools)}", 0)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, value, status=200):
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        if self.headers.get("Upgrade"):
            return self.reply({"error": {"message": "no websockets here"}}, 426)
        if self.path.split("?")[0].endswith("/models"):
            return self.reply({"object": "list", "data": [{"id": "fake-model", "object": "model"}], "models": []})
        self.reply({"error": {"message": "not found"}}, 404)

    def body(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        data = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return data

    def do_POST(self):
        try:
            body = json.loads(self.body() or b"{}")
            path = self.path.split("?")[0]
            if path.endswith("/count_tokens"):
                return self.reply({"input_tokens": 42})
            if path.endswith(":countTokens"):
                return self.reply({"totalTokens": 42})
            for end, speak in (("/responses", self.speak_responses), ("/chat/completions", self.speak_chat),
                               ("/messages", self.speak_messages), ("GenerateContent", self.speak_gemini),
                               (":generateContent", self.speak_gemini_at_once)):
                if path.endswith(end):
                    return self.answer(body, speak)
            self.reply({"error": {"message": "not found"}}, 404)
        except ConnectionError:
            self.close_connection = True

    def answer(self, body, speak):
        step = plan(body)
        if step[0] == "err":
            kind, word, text = ERRORS[step[1]]
            code = step[1] if "contents" in body else None
            error = {"type": kind, "message": text, "code": code, "status": word}
            return self.reply({"type": "error", "error": error}, step[1])
        if speak == self.speak_gemini_at_once:
            return speak(body)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        speak(step, body.get("model", "fake-model"))

    def event(self, value, name=None):
        text = (f"event: {name}\n" if name else "") + f"data: {json.dumps(value)}\n\n"
        self.wfile.write(text.encode())
        self.wfile.flush()

    def words(self, step):
        for word in re.findall(r"\S+\s*", step[1]):
            time.sleep(step[2])
            yield word

    def speak_responses(self, step, model):
        def event(kind, **more):
            self.event({"type": kind, **more}, kind)
        base = {"id": "resp_1", "object": "response", "model": model, "output": []}
        event("response.created", response={**base, "status": "in_progress"})
        unique = str(time.monotonic_ns())
        if step[0] == "text":
            item = {"type": "message", "id": "msg_" + unique, "role": "assistant", "content": []}
            event("response.output_item.added", output_index=0, item=item)
            for word in self.words(step):
                event("response.output_text.delta", item_id=item["id"], output_index=0, content_index=0, delta=word)
            item = {**item, "content": [{"type": "output_text", "text": step[1], "annotations": []}]}
        elif isinstance(step[2], str):
            item = {"type": "custom_tool_call", "id": "ctc_" + unique, "call_id": "call_" + unique,
                    "name": step[1], "input": step[2], "status": "completed"}
        else:
            item = {"type": "function_call", "id": "fc_" + unique, "call_id": "call_" + unique,
                    "name": step[1], "arguments": json.dumps(step[2]), "status": "completed"}
            item.update({"namespace": SERVER} if step[1] == "pick_paint" else {})
        event("response.output_item.done", output_index=0, item=item)
        usage = {"input_tokens": 100, "output_tokens": 20, "total_tokens": 120}
        event("response.completed", response={**base, "status": "completed", "output": [item], "usage": usage})

    def speak_chat(self, step, model):
        def event(delta, finish=None, **more):
            choice = {"index": 0, "delta": delta, "finish_reason": finish}
            self.event({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 0, "model": model,
                        "choices": [choice], **more})
        event({"role": "assistant", "content": ""})
        if step[0] == "text":
            for word in self.words(step):
                event({"content": word})
        else:
            function = {"name": step[1], "arguments": json.dumps(step[2])}
            event({"tool_calls": [{"index": 0, "id": f"call_{time.monotonic_ns()}", "type": "function",
                                   "function": function}]})
        usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
        event({}, "stop" if step[0] == "text" else "tool_calls", usage=usage)
        self.wfile.write(b"data: [DONE]\n\n")

    def speak_messages(self, step, model):
        def event(kind, **more):
            self.event({"type": kind, **more}, kind)
        message = {"id": f"msg_{time.monotonic_ns()}", "type": "message", "role": "assistant", "model": model,
                   "content": [], "stop_reason": None, "usage": {"input_tokens": 100, "output_tokens": 1}}
        event("message_start", message=message)
        if step[0] == "text":
            event("content_block_start", index=0, content_block={"type": "text", "text": ""})
            for word in self.words(step):
                event("content_block_delta", index=0, delta={"type": "text_delta", "text": word})
        else:
            block = {"type": "tool_use", "id": f"toolu_{time.monotonic_ns()}", "name": step[1], "input": {}}
            event("content_block_start", index=0, content_block=block)
            part = {"type": "input_json_delta", "partial_json": json.dumps(step[2])}
            event("content_block_delta", index=0, delta=part)
        event("content_block_stop", index=0)
        reason = "end_turn" if step[0] == "text" else "tool_use"
        event("message_delta", delta={"stop_reason": reason, "stop_sequence": None}, usage={"output_tokens": 20})
        event("message_stop")

    def speak_gemini(self, step, model):
        def event(part, **more):
            candidate = {"content": {"role": "model", "parts": [part]}, "index": 0, **more}
            usage = {"promptTokenCount": 100, "candidatesTokenCount": 20, "totalTokenCount": 120}
            self.event({"candidates": [candidate], "modelVersion": model, "usageMetadata": usage})
        if step[0] == "text":
            for word in self.words(step):
                event({"text": word})
            event({"text": ""}, finishReason="STOP")
        else:
            function = {"name": step[1], "args": step[2], "id": f"call-{time.monotonic_ns()}"}
            event({"functionCall": function}, finishReason="STOP")

    def speak_gemini_at_once(self, body):
        """Gemini asks another model which one shall answer: any value that fits its schema will do."""
        config = body.get("generationConfig") or {}
        schema = config.get("responseJsonSchema") or config.get("responseSchema") or {}
        values = {k: v["enum"][0] if "enum" in v else 1 if v.get("type") in ("number", "integer") else "x"
                  for k, v in (schema.get("properties") or {}).items()}
        part = {"text": json.dumps(values)}
        self.reply({"candidates": [{"content": {"role": "model", "parts": [part]}, "finishReason": "STOP"}]})


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(*_)


Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
