#!/bin/sh
# A fake Claude Code for `doctor --rehearse`: remembers the word of a session, and does wrong what $FAULT says.
for word; do
  case $word in
    --version) echo '9.9.9 (Claude Code)'; exit ;;
    --session-id=*) id=${word#*=} ;;
    --resume=*) id=${word#*=} resumed=1 ;;
  esac
done
case "$*" in 'auth status') echo '{"loggedIn":true,"authMethod":"api_key"}'; exit ;; esac
prompt=$(cat)
printf '%s|%s|%s\n' "$PWD" "${resumed:-fresh}" "$*" >>"$HOME/runs"
answer() { printf '{"type":"result","subtype":"success","is_error":false,"result":"%s","session_id":"%s"}\n' "$1" "$id"; exit; }
fail() { printf '{"type":"result","subtype":"%s","is_error":true,"result":"%s","errors":["%s"],"session_id":"%s"}\n' "$1" "$2" "$2" "$id"; exit 1; }
if [ -n "$resumed" ]; then
  [ "$FAULT" != stale ] || fail error_during_execution "No conversation found with session ID: $id"
  [ "$FAULT" != forgets ] || answer 'which word?'
  answer "it was $(cat "$HOME/word-$id")"
fi
[ "$FAULT" != login ] || fail success 'Not logged in · Please run /login'
echo $$ >"$HOME/long"
[ "$FAULT" = quick ] || printf '{"type":"system","subtype":"init","session_id":"%s"}\n' "$id"
case $prompt in
  *'the word '*) word=${prompt#*the word }; word=${word%%,*}; echo "$word" >"$HOME/word-$id"; answer "$word" ;;
  *'you to remember'*) answer 'nothing was said' ;;
  *) [ "$FAULT" != quick ] || answer "done"; while :; do sleep 1; done ;;
esac
