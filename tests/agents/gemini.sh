#!/bin/sh
# Speaks gemini's protocol; records what it was given and leaves a conversation in the temporary folder.
cat >stdin; env >environment
own="$GEMINI_CLI_HOME/.gemini"
cat "$own/settings.json" >settings
cat "$own/oauth_creds.json" "$GEMINI_CLI_HOME/.env" >login
echo history >"$own/tmp/session"
ls -ld "$TMPDIR" "$own" "$own/settings.json" >modes
printf '%s' "$TMPDIR" >folder
echo conversation >"$TMPDIR/gemini-client-error.json"
printf '{"type":"init","session_id":"01a201fc-49a6-73b2-93a6-9a4fe7056111"}\n'
case "$(cat stdin)" in
  *fail*) printf '{"type":"result","status":"error","error":{"message":"[API Error: no]"}}\n'; exit 1 ;;
esac
printf '{"type":"message","role":"assistant","content":"recorded","delta":true}\n{"type":"result","status":"success","stats":{}}\n'
