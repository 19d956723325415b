# What the fake agents share: lines of `codex exec --json`. Sourced, POSIX sh.
THREAD=01a201fc-49a6-73b2-93a6-9a4fe7056111
started() { printf '{"type":"thread.started","thread_id":"%s"}\n{"type":"turn.started"}\n' "$THREAD"; }
say() { printf '{"type":"item.completed","item":{"id":"item_0","type":"agent_message","text":"%s"}}\n' "$1"; }
tool() { printf '{"type":"item.started","item":{"id":"item_9","type":"command_execution","command":"%s","status":"in_progress"}}\n' "$1"; }
finished() { printf '{"type":"turn.completed","usage":{"input_tokens":320,"cached_input_tokens":30,"output_tokens":60}}\n'; }
answer() { started; say "$1"; finished; }
# Remembers a process, so that the test can see whether it is gone. Tests run us in a directory of their own.
note_pid() { echo "$1" >>pids; }
