#!/bin/sh
# Does not know any thread that is resumed; answers otherwise.
. "$(dirname "$0")/lib.sh"
case " $* " in
  *" resume "*) echo "Error: thread/resume failed: no rollout found for thread id 0 (code -32600)" >&2; exit 1 ;;
  *) cat >/dev/null; answer "fresh" ;;
esac
