#!/bin/sh
# A fake Claude Code for tests of the whole daemon: speaks one-shot stream-json, and does what the line of the
# prompt that begins with "RUN:" says, as shell commands. Each start adds a line to $HOME/runs.
id=none resumed=
for word; do
  case $word in
    --session-id=*) id=${word#*=} ;;
    --resume=*) id=${word#*=} resumed=1 ;;
    --model=*) model=${word#*=} ;;
  esac
done
prompt=$(cat)
line=$(printf '%s\n' "$prompt" | sed -n 's/^.*RUN://p' | tail -n 1)
printf '%s|%s|%s|%s\n' "$id" "${resumed:-fresh}" "${model:-default}" "$line" >> "$HOME/runs"
init() { printf '{"type":"system","subtype":"init","session_id":"%s","model":"scripted"}\n' "$id"; }
text() { printf '{"type":"assistant","message":{"id":"m1","role":"assistant","content":[{"type":"text","text":"%s"}]},"session_id":"%s"}\n' "$1" "$id"; }
tool() { printf '{"type":"assistant","message":{"id":"m2","role":"assistant","content":[{"type":"tool_use","id":"u1","name":"Bash","input":{"command":"%s"}}]},"session_id":"%s"}\n' "$1" "$id"; }
answer() { printf '{"type":"result","subtype":"success","is_error":false,"result":"%s","session_id":"%s","usage":{"input_tokens":3,"output_tokens":2}}\n' "$1" "$id"; }
fail() { printf '{"type":"result","subtype":"success","is_error":true,"result":"%s","session_id":"%s","terminal_reason":"api_error"}\n' "$1" "$id"; exit 1; }
# waits for a file without a busy loop of the test's own; in vain when the test is gone
await() { while [ ! -e "$HOME/$1" ]; do [ -d "$HOME" ] || exit; sleep 0.02; done; }
# a session that the CLI no longer knows, in the words of claude 2.1
if [ -n "$resumed" ] && [ -e "$HOME/forgotten" ]; then
  printf '{"type":"result","subtype":"error_during_execution","is_error":true,"errors":["No conversation found with session ID: %s"],"session_id":"%s"}\n' "$id" "$id"
  exit 1
fi
init
eval "${line:-answer ok}"
