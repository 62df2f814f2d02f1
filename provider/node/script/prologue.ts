/**
 * The program that runs on the node: one POSIX sh for the whole session, made of the parts in this folder. It reads
 * commands, one a line, from its standard input and answers on its standard output; nothing is ever an argument of a
 * process, so that nothing of ours, above all no secret, stands in the node's process list. It needs coreutils,
 * util-linux (flock) and systemd, no more.
 *
 * Lines that answer: `data …` any number of times, then exactly one of `ok …`, `err CODE BASE64`, `skip` (an earlier
 * command failed). Values with anything but plain characters travel as `=BASE64`. File contents follow their command as
 * SIZE bytes of base64 text, read whole before anything is done with them: a full disk must not leave half a file in
 * the pipe to be taken for commands.
 *
 * `$root` is empty on a node; the tests run the same program below a folder of their own. `$idle` is how long no word
 * from us, not even a ping, means that we are gone (a cable that was cut tells nobody).
 */
export const prologue = `
set -u
umask 077
LC_ALL=C; LANG=C; export LC_ALL LANG
PATH="\${PATH:-}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"; export PATH
# A reader that is gone must not kill us before we have put things back.
trap '' PIPE
trap : HUP INT TERM
exec 4<&0 </dev/null 3>&1 >/dev/null
state="$root/var/lib/registry-mirror"
failed=0
locked=0
tx=
nl='
'

# Where we are; the tests replace this to stop the program at any of these places.
step() { :; }

emit() { printf '%s\\n' "$*" >&3 2>/dev/null; }

# enc VALUE: sets enc to it, as =BASE64 unless plain.
enc() {
  case $1 in
    ''|*[!A-Za-z0-9._:/@+,-]*) enc="=$(printf %s "$1" | base64 -w0)" ;;
    *) enc=$1 ;;
  esac
}

# dec VALUE: sets dec to what enc made of it. The dot keeps newlines at the end.
dec() {
  case $1 in
    =*) dec=$(printf %s "\${1#=}" | base64 -d; printf .); dec=\${dec%.} ;;
    *) dec=$1 ;;
  esac
}

fail() {
  failed=1
  emit "err $1 $(printf %s "$2" | head -c 4000 | base64 -w0)"
  return 1
}

# fail_files WHAT MESSAGE: the code for what a file tool said.
fail_files() {
  case $2 in
    *"No space left"*|*"Disk quota"*) fail NODE_DISK_FULL "$1: $2" ;;
    *"Read-only file system"*) fail NODE_READ_ONLY "$1: $2" ;;
    *) fail NODE_FILES "$1: $2" ;;
  esac
}

# next: reads one command into line. A shell of its own reads it, so that it can be given a time; it takes no byte too many.
next() {
  line=$(timeout "$idle" sh -c 'IFS= read -r l && printf "%s." "$l"' <&4 9>&- 2>/dev/null) || return 1
  line=\${line%.}
}

# body SIZE: reads that many bytes of base64 text into body.
body() { body=$(head -c "$1" <&4 9>&-) && [ "\${#body}" -eq "$1" ]; }

# digest_of PATH: sets digest to its sha256, or absent, link, other.
digest_of() {
  if [ -L "$1" ]; then digest="link"
  elif [ -f "$1" ]; then digest=$(sha256sum < "$1" 2>/dev/null) && digest=\${digest%% *} || digest=unreadable
  elif [ -e "$1" ]; then digest=other
  else digest=absent
  fi
}
`;

/** The loop; \`handle\` is the sum of the other parts. */
export const epilogue = `
handle() {
  set -f; set -- $line; set +f
  case \${1:-} in
    ping) emit ok; return ;;
    undo) do_undo; return ;;
    put|journal) body "$3" || return ;;
  esac
  if [ "$failed" -eq 1 ]; then emit skip; return; fi
  case \${1:-} in
    observe) shift; do_observe "$@" ;;
    look) shift; do_look "$@" ;;
    run) do_run "$2" ;;
    lock) do_lock "$2" "$3" ;;
    recover) do_recover ;;
    journal) do_journal "$2" "$4" ;;
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

printf '\\nregistry-mirror-session 1\\n' >&3
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
`;
