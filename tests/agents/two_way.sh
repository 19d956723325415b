#!/bin/sh
# A fake Claude Code that serves turn after turn (two-way stream-json); each message does what it says after "RUN:",
# as shell commands without double quotes. Each start adds a line to $HOME/starts.
id=none
for word; do
  case $word in --session-id=* | --resume=*) id=${word#*=} ;; esac
done
echo "$$|$*" >> "$HOME/starts"
text() { printf '{"type":"assistant","message":{"id":"m1","role":"assistant","content":[{"type":"text","text":"%s"}]},"session_id":"%s"}\n' "$1" "$id"; }
answer() { printf '{"type":"result","subtype":"success","is_error":false,"result":"%s","session_id":"%s","usage":{"input_tokens":3,"output_tokens":2}}\n' "$1" "$id"; }
await() { while [ ! -e "$HOME/$1" ]; do [ -d "$HOME" ] || exit; sleep 0.02; done; }
while read -r line; do
  case $line in *RUN:*) ;; *) continue ;; esac
  printf '{"type":"user","isReplay":true,"message":{"role":"user","content":[]}}\n'
  printf '{"type":"system","subtype":"init","session_id":"%s","model":"scripted"}\n' "$id"
  line=${line##*RUN:}
  eval "${line%%\"*}"
done
