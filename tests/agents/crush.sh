# Crush as its source has it: plain text from `run`, the session from `session last`. Writes down how it was called.
printf '%s\n' "$*" >>calls
case "$1" in
run)
    [ ! -e slow ] || sleep 1.3
    echo "I got: $(cat)"
    ;;
session) echo '{"meta":{"id":"5f3a","uuid":"01a201fc-49a6-73b2-93a6-9a4fe7056111","title":"t"},"messages":[]}' ;;
esac
