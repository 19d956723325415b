#!/usr/bin/env python3
"""A tool server (MCP over stdio) whose one tool asks the user a form before it answers: for `tests/real/forms.rs`."""
import json, sys

FORM = {"type": "object", "required": ["colour", "count"], "properties": {
    "colour": {"type": "string", "title": "Colour", "enum": ["red", "green"]},
    "count": {"type": "integer", "title": "How many"}}}


def send(message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


def main():
    call, able = None, False
    for line in sys.stdin:
        message = json.loads(line)
        method, number = message.get("method"), message.get("id")
        if method == "initialize":
            wanted = message["params"]
            able = "elicitation" in wanted.get("capabilities", {})
            send({"id": number, "result": {"protocolVersion": wanted["protocolVersion"], "capabilities": {"tools": {}},
                                           "serverInfo": {"name": "probe", "version": "1"}}})
        elif method == "tools/list":
            tool = {"name": "pick_paint", "description": "Asks the user for paint.",
                    "inputSchema": {"type": "object", "properties": {}}}
            send({"id": number, "result": {"tools": [tool]}})
        elif method == "tools/call" and able:
            call = number
            send({"id": "form", "method": "elicitation/create",
                  "params": {"mode": "form", "message": "Which paint?", "requestedSchema": FORM}})
        elif method == "tools/call":
            send({"id": number, "result": {"content": [{"type": "text", "text": "PAINT cannot be asked for"}]}})
        elif number == "form":
            words = "PAINT " + json.dumps(message.get("result") or message.get("error"), sort_keys=True)
            send({"id": call, "result": {"content": [{"type": "text", "text": words}]}})
        elif method and number is not None:
            send({"id": number, "result": {}})


main()
