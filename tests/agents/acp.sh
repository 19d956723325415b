#!/bin/sh
# A fake ACP agent that does what the word of the prompt says, and misbehaves. Its own requests have ids from 0.
. "$(dirname "$0")/lib.sh"
note_pid $$
reply() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$1" "$2"; }
update() { printf '{"jsonrpc":"2.0","method":"session/update","params":{"sessionId":"s-1","update":%s}}\n' "$1"; }
say() { update "{\"sessionUpdate\":\"agent_message_chunk\",\"content\":{\"type\":\"text\",\"text\":\"$1\"}}"; }
end() { reply "$prompt" '{"stopReason":"end_turn"}'; }
modes='"modes":{"currentModeId":"default","availableModes":[{"id":"default"},{"id":"yolo"}]}'
asking=
if [ -e deaf ]; then trap '' INT; fi
while read -r line; do
  id=$(printf '%s\n' "$line" | sed -n 's/^{"id":\([0-9]*\),.*/\1/p')
  case $line in
    *'"method":"initialize"'*) if [ -e gemini ]; then
        reply "$id" '{"protocolVersion":1,"agentInfo":{"name":"gemini-cli"},"agentCapabilities":{"loadSession":true}}'
        continue
      fi
      reply "$id" '{"protocolVersion":1,"agentCapabilities":{"sessionCapabilities":{"resume":{}}}}' ;;
    *'"method":"session/new"'*) reply "$id" "{\"sessionId\":\"s-1\",$modes}" ;;
    *'"method":"session/resume"'*)
      if [ -e stale ]; then
        printf '{"jsonrpc":"2.0","id":%s,"error":{"code":-32002,"message":"Session s-1 not found"}}\n' "$id"
      else
        reply "$id" "{$modes}"
      fi ;;
    *'"method":"session/load"'*) echo load >>heard; reply "$id" "{$modes}"; update '{"sessionUpdate":"available_commands_update"}' ;;
    *'"method":"session/set_mode"'*) echo "$line" >>heard; reply "$id" '{}' ;;
    *'"method":"session/cancel"'*) echo cancel >>heard; cancelled=1; [ -e deaf ] || [ "$asking" ] || reply "$prompt" '{"stopReason":"cancelled"}' ;;
    *'"action"'*) echo "$line" >>heard; if [ "$cancelled" ]; then reply "$prompt" '{"stopReason":"cancelled"}'; else say "went on"; end; fi ;;
    *'"outcome"'*) echo "$line" >>heard; say "went on"; end ;;
    *'"method":"session/prompt"'*)
      prompt=$id
      case $line in
        *hello*) say "hello from $$"; end ;;
        *nothing*) end ;;
        *die*) say "half"; exit 3 ;;
        *kill*) say "half"; kill -9 $$ ;;
        *silence*) say "half" ;;
        *tool*) sleep 300 & note_pid $!; say "half" ;;
        *garbage*)
          printf 'warning: not json\n{"jsonrpc":\n[1,2]\n{"id":0}\n{"id":null,"method":5}\n\001\n'
          head -c 3000000 /dev/zero | tr '\0' 'x'; echo
          say "fine"; end ;;
        *form*) asking=1
          printf '{"jsonrpc":"2.0","id":"f","method":"elicitation/create","params":{"sessionId":"s-1","mode":"form","message":"Which size?","requestedSchema":{"type":"object","properties":{"size":{"type":"string","title":"Size","oneOf":[{"const":"s","title":"Small"},{"const":"l","title":"Large"}]}},"required":["size"]}}}\n' ;;
        *ask*) asking=1
          printf '{"jsonrpc":"2.0","id":0,"method":"session/request_permission","params":{"sessionId":"s-1","toolCall":{"toolCallId":"t","kind":"execute","title":"rm -rf x"},"options":[{"optionId":"y","kind":"allow_once"},{"optionId":"n","kind":"reject_once"}]}}\n' ;;
      esac ;;
  esac
done
