#!/bin/sh
# Complains about the network, then is silent.
. "$(dirname "$0")/lib.sh"
note_pid $$
started
echo '{"type":"error","message":"Reconnecting... waiting for network (Connection failed: error sending request)"}'
exec sleep 300
