# bash completion for wtt-connect; printed by `wtt-connect --generate complete-bash`
_wtt_connect() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words
    # bash makes --flag=value three words
    if [[ $cur == = ]]; then cur=; elif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi
    case $prev in
        --adapter|-a) mapfile -t COMPREPLY < <(compgen -W "codex claude-code cursor gemini qoder opencode crush iflow kimi pi acp devin demo" -- "$cur"); return ;;
        --workdir) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
        --mode) mapfile -t COMPREPLY < <(compgen -W "full-auto auto-edit yolo suggest" -- "$cur"); return ;;
        --profile|-p) mapfile -t COMPREPLY < <(compgen -W "$(for f in "${XDG_CONFIG_HOME:-$HOME/.config}"/wtt-connect/profiles/*.env; do [ -e "$f" ] && basename "$f" .env; done)" -- "$cur"); return ;;
        --token-file) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --env-file) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --config) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --generate) mapfile -t COMPREPLY < <(compgen -W "complete-bash complete-zsh complete-fish" -- "$cur"); return ;;
    esac
    case ${COMP_WORDS[1]} in
        try) words="--adapter -a --workdir --mode --terminal --verbose -v --help -h" ;;
        up) words="--profile -p --base-url --mode --allow-yolo --workdir --adapters --model --publish-progress --enable-shell --token-file --env-file --enable-linger --yes -y --no-start --dry-run --help -h codex claude-code cursor gemini qoder opencode crush iflow kimi pi acp devin" ;;
        setup) words="--claim-code --adapter -a --profile -p --base-url --help -h" ;;
        start) words="--profile -p --env-file --config --log-to-file --help -h" ;;
        doctor) words="--profile -p --env-file --config --offline --rehearse --verbose -v --json --help -h codex claude-code cursor gemini qoder opencode crush iflow kimi pi acp devin" ;;
        list) words="--json --help -h" ;;
        status) words="--json --help -h $(for f in "${XDG_CONFIG_HOME:-$HOME/.config}"/wtt-connect/profiles/*.env; do [ -e "$f" ] && basename "$f" .env; done)" ;;
        logs) words="--lines -n --follow -f --help -h $(for f in "${XDG_CONFIG_HOME:-$HOME/.config}"/wtt-connect/profiles/*.env; do [ -e "$f" ] && basename "$f" .env; done)" ;;
        restart) words="--now --help -h $(for f in "${XDG_CONFIG_HOME:-$HOME/.config}"/wtt-connect/profiles/*.env; do [ -e "$f" ] && basename "$f" .env; done)" ;;
        workdir) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -W "--restart --help -h $(for f in "${XDG_CONFIG_HOME:-$HOME/.config}"/wtt-connect/profiles/*.env; do [ -e "$f" ] && basename "$f" .env; done)" -- "$cur"; compgen -d -- "$cur"); return ;;
        down) words="--purge --help -h $(for f in "${XDG_CONFIG_HOME:-$HOME/.config}"/wtt-connect/profiles/*.env; do [ -e "$f" ] && basename "$f" .env; done)" ;;
        approve) words="--profile -p --json --help -h" ;;
        deny) words="--profile -p --json --help -h" ;;
        upload-file) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -W "--topic-id -t --title --profile -p --json --help -h" -- "$cur"; compgen -f -- "$cur"); return ;;
        artifacts) words="--json --help -h $(for f in "${XDG_CONFIG_HOME:-$HOME/.config}"/wtt-connect/profiles/*.env; do [ -e "$f" ] && basename "$f" .env; done)" ;;
        smoke-task) words="--expected -e --timeout --profile -p --env-file --config --help -h" ;;
        smoke-chat) words="--expected -e --timeout --profile -p --env-file --config --help -h" ;;
        help) (( COMP_CWORD == 2 )) && words="--help -h try up setup start doctor list status logs restart workdir down approve deny upload-file artifacts smoke-task smoke-chat help" ;;
        *) words="try up setup start doctor list status logs restart workdir down approve deny upload-file artifacts smoke-task smoke-chat help --help -h --version -V --generate" ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -F _wtt_connect wtt-connect
