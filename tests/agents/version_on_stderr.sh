# Says its version as pi does when stdout is no terminal, and that there are no keys.
case "$1" in
--version) echo 0.87.1 >&2 ;;
*) echo "No models available. Use /login" ;;
esac
