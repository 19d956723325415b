#!/bin/sh
# Binds an agent of WTT to a CLI on this machine, as a service of this user.
#
#   install-agent.sh ADAPTER AGENT_ID TOKEN [OPTION...]
#
# The options are those of `wtt-connect up`.
set -eu
. "$(dirname "$0")/lib.sh"
case ${1:-} in -h | --help) usage && exit 0 ;; esac
[ $# -ge 3 ] || fail 2 'ADAPTER, AGENT_ID and TOKEN are needed, as in: codex agent-001 TOKEN'
adapter=$1 id=$2 token=$3
shift 3
up "$token" "$adapter" "$id" - "$@"
