# shellcheck shell=sh
# What every part needs: how to answer, how to read, what a file is.

set -u
umask 077
LC_ALL=C; LANG=C; export LC_ALL LANG
PATH="${PATH:-}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"; export PATH
# A reader that is gone must not kill us before we have put things back.
trap '' PIPE
trap : HUP INT TERM
exec 4<&0 </dev/null 3>&1 >/dev/null
state="$root/var/lib/registry-mirror"
failed=0
locked=0
tx=
# Of a transaction: a folder where nothing of ours may lie beside its files, and the file that names containerd's process,
# where the unit's own is another, both empty for most nodes; and containerd's socket.
watched=
pidfile=
socket=
nl='
'

# Where we are; the tests replace this to stop the program at any of these places.
step() { :; }

emit() { printf '%s\n' "$*" >&3 2>/dev/null; }

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
    =*) dec=$(printf %s "${1#=}" | base64 -d; printf .); dec=${dec%.} ;;
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
  # shellcheck disable=SC2016 # it is the inner shell that expands $l
  line=$(timeout "$idle" sh -c 'IFS= read -r l && printf "%s." "$l"' <&4 9>&- 2>/dev/null) || return 1
  line=${line%.}
}

# body SIZE: reads that many bytes of base64 text into body.
body() { body=$(head -c "$1" <&4 9>&-) && [ "${#body}" -eq "$1" ]; }

# digest_of PATH: sets digest to its sha256, or absent, link, other.
digest_of() {
  if [ -L "$1" ]; then digest="link"
  elif [ -f "$1" ]; then digest=$(sha256sum < "$1" 2>/dev/null) && digest=${digest%% *} || digest=unreadable
  elif [ -e "$1" ]; then digest=other
  else digest=absent
  fi
}
