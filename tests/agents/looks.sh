#!/bin/sh
# A fake Claude Code that keeps what it is given as $HOME/given: the prompt, or the first line of two-way stream-json.
# It answers "seen" and the number of pictures in it.
id=none stream=
for word; do
  case $word in
    --session-id=* | --resume=*) id=${word#*=} ;;
    --input-format) stream=1 ;;
  esac
done
if [ "$stream" ]; then head -n 1 > "$HOME/given.new"; else cat > "$HOME/given.new"; fi
mv "$HOME/given.new" "$HOME/given"
images=$(grep -o '"type":"image"' "$HOME/given" | wc -l | tr -d ' ')
[ "$stream" ] && printf '{"type":"user","isReplay":true,"message":{"role":"user","content":[]}}\n'
printf '{"type":"system","subtype":"init","session_id":"%s","model":"looks"}\n' "$id"
printf '{"type":"result","subtype":"success","is_error":false,"result":"seen %s","session_id":"%s","usage":{"input_tokens":3,"output_tokens":2}}\n' "$images" "$id"
