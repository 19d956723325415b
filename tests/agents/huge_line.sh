#!/bin/sh
# One line of 200 MiB in the middle of a turn.
. "$(dirname "$0")/lib.sh"
started
printf '{"type":"item.completed","item":{"id":"item_7","type":"command_execution","aggregated_output":"'
head -c 209715200 /dev/zero | tr '\0' 'x'
printf '"}}\n'
say "after the long line"; finished
