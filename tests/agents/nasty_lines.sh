#!/bin/sh
# A long line, garbage, NUL, invalid UTF-8, CRLF, no line end: and between them an answer.
. "$(dirname "$0")/lib.sh"
started | sed 's/$/\r/'
head -c 5000000 /dev/zero | tr '\0' 'a'; echo
printf 'nul\000nul \377\376 \033[31m\n\n{"type":\n[1,2]\n'
printf '{"type":"item.completed","item":{"id":"item_0","type":"agent_message","text":"still \377 here"}}\n'
finished | tr -d '\n'
