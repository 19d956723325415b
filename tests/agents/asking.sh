#!/bin/sh
# A fake Claude Code that asks before it acts (two-way stream-json). Each message does what it says after "RUN:", as shell
# commands without double quotes: `bash 'CMD'`, `write PATH TEXT`, `question`, `plan`, `answer TEXT`. What it is told goes to
# $HOME/heard; each start adds a line to $HOME/starts.
id=none
asked=0
for word; do
  case $word in --session-id=* | --resume=*) id=${word#*=} ;; esac
done
echo "$$|$*" >> "$HOME/starts"
answer() { printf '{"type":"result","subtype":"success","is_error":false,"result":"%s","session_id":"%s","usage":{"input_tokens":3,"output_tokens":2}}\n' "$1" "$id"; over=1; }
# request TOOL INPUT: asks, and waits for what people say; true when it is allowed.
request() {
  asked=$((asked + 1))
  printf '{"type":"control_request","request_id":"r%s","request":{"subtype":"can_use_tool","tool_name":"%s","input":%s}}\n' "$asked" "$1" "$2"
  [ -z "$withdrawn" ] || printf '{"type":"control_cancel_request","request_id":"r%s"}\n' "$asked"
  while read -r told; do
    echo "$told" >> "$HOME/heard"
    case $told in
      *interrupt\"\}*) printf '{"type":"result","is_error":true,"terminal_reason":"aborted","result":"","session_id":"%s"}\n' "$id"; over=1; return 1 ;;
      *\"behavior\":\"allow\"*) return 0 ;;
      *\"behavior\":\"deny\"*) return 1 ;;
    esac
  done
  exit 0
}
bash() { ! request Bash "{\"command\":\"$1\"}" || sh -c "$1"; }
write() { ! request Write "{\"file_path\":\"$1\",\"content\":\"$2\"}" || echo "$2" > "$1"; }
question() { request AskUserQuestion '{"questions":[{"question":"Which color?","header":"Color","options":[{"label":"Red","description":"r"},{"label":"Blue","description":"b"}]}]}'; }
questions() { request AskUserQuestion '{"questions":[{"question":"Which color?","options":[{"label":"Red"},{"label":"Blue"}]},{"question":"When?","options":[]}]}'; }
plan() { request ExitPlanMode '{"plan":"1. do it"}'; }
await() { while [ ! -e "$HOME/$1" ]; do [ -d "$HOME" ] || exit; sleep 0.02; done; }
while read -r line; do
  case $line in *RUN:*) ;; *) continue ;; esac
  printf '{"type":"user","isReplay":true,"message":{"role":"user","content":[]}}\n'
  printf '{"type":"system","subtype":"init","session_id":"%s","model":"asking"}\n' "$id"
  line=${line##*RUN:}
  over="" withdrawn=""
  eval "${line%%\"*}"
  [ "$over" ] || answer "done"
done
