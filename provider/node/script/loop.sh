# shellcheck shell=sh
# The loop; `handle` is the sum of the other parts.

handle() {
  set -f
  # shellcheck disable=SC2086 # a command is its words, and set -f keeps patterns as they are
  set -- $line
  set +f
  case ${1:-} in
    ping) emit ok; return ;;
    undo) do_undo; return ;;
    put|journal) body "$3" || return ;;
  esac
  if [ "$failed" -eq 1 ]; then emit skip; return; fi
  case ${1:-} in
    observe) shift; do_observe "$@" ;;
    look) shift; do_look "$@" ;;
    room) shift; do_room "$@" ;;
    lock) do_lock "$2" "$3" ;;
    recover) do_recover ;;
    journal) do_journal "$2" "$4" "${5:-}" ;;
    prepare) do_prepare ;;
    put) dec "$5"; do_put "$2" "$4" "$dec" ;;
    check) do_check "$2" "$3" ;;
    swap) do_swap ;;
    restart) do_restart "$2" ;;
    commit) do_commit ;;
    leave) do_leave ;;
    *) fail NODE_PROTOCOL "unknown command" ;;
  esac
}

printf '\nregistry-mirror-session 1\n' >&3
while next; do
  [ "$line" != quit ] || break
  handle
done
# Not committed and nobody left to ask: put everything back. Silently: whoever is still there would take our words for the answer to
# a command that we have not read.
exec 3>/dev/null
if [ "$locked" -eq 1 ] && [ -d "$state/journal" ]; then
  do_undo "the connection was lost or the program ended"
fi
