# shellcheck shell=sh
# Reading: everything that a plan needs, in one go. Files are named one a line as
# `data file KIND PATH MODE UID GID SIZE LINK CONTENT`: KIND f, d, l or o(ther); LINK `-` or where a link points;
# CONTENT `-` (not read: too large, outside, no regular file) or `.` and base64.

entries=0
# Of the layout: none before one was chosen.
y_link=
y_watched=
y_pidfile=

# plain PATH: sets plain to it, with the layout's link resolved: that one is part of the path, and any other is not.
plain() {
  plain=$1
  [ -n "$y_link" ] || return 0
  case $1 in
    "$root$y_link"/*) p_to=$(realpath -e -- "$root$y_link" 2>/dev/null) && plain=$p_to${1#"$root$y_link"} ;;
  esac
}

# show PATH CAP INSIDE: one file. A link is read only where it stays below INSIDE.
show() {
  entries=$((entries + 1))
  if [ "$entries" -gt 1000 ]; then
    [ "$entries" -ne 1001 ] || emit "data truncated"
    return
  fi
  s_link=-; s_real=$1; s_kind=f; s_data=-
  if [ -L "$1" ]; then
    s_kind=l
    enc "$(readlink -- "$1")"; s_link=$enc
    s_real=$(realpath -e -- "$1" 2>/dev/null) || s_real=
    case $s_real in "$3"/*) ;; *) s_real= ;; esac
  elif [ -d "$1" ]; then s_kind=d; s_real=
  elif [ ! -f "$1" ]; then s_kind=o; s_real=
  fi
  s_stat=$(stat -c '%a %u %g %s' -- "$1" 2>/dev/null) || return
  if [ -n "$s_real" ] && [ -f "$s_real" ]; then
    s_size=${s_stat##* }
    if [ "$s_kind" = l ]; then s_size=$(stat -c %s -- "$s_real" 2>/dev/null) || s_size=999999999; fi
    # A file that grows while it is read is cut off at the other end, as all endless output.
    if [ "$s_size" -le "$2" ]; then s_data=.$(base64 -w0 -- "$s_real" 2>/dev/null); fi
  fi
  enc "${1#"$root"}"
  emit "data file $s_kind $enc $s_stat $s_link $s_data"
}

# list DIR: a hosts directory: its entries and theirs.
list() {
  if [ -L "$1" ]; then show "$1" 0 /nowhere; return; fi
  [ -d "$1" ] || return
  plain "$1"; l_dir=$plain
  show "$1" 0 "$l_dir"
  for l_entry in "$1"/* "$1"/.[!.]* "$1"/..?*; do
    [ -e "$l_entry" ] || [ -L "$l_entry" ] || continue
    show "$l_entry" 262144 "$l_dir"
    [ -d "$l_entry" ] || continue
    case $(realpath -e -- "$l_entry" 2>/dev/null) in "$l_dir"/*) ;; *) continue ;; esac
    for l_file in "$l_entry"/* "$l_entry"/.[!.]* "$l_entry"/..?*; do
      [ -e "$l_file" ] || [ -L "$l_file" ] || continue
      show "$l_file" 262144 "$l_dir"
    done
    [ "$entries" -le 1000 ] || return
  done
}

# parents PATH: says which of its ancestors exist, so that those that do not are known to be ours once made.
parents() {
  # Of anything else there is no end.
  case $1 in /*) ;; *) return ;; esac
  a_path=${1%/*}
  while [ -n "$a_path" ]; do
    if [ -d "$root$a_path" ]; then enc "$a_path"; emit "data dir $enc"; fi
    a_path=${a_path%/*}
  done
}

# changed PATH: when a configuration was last changed, content or attributes; containerd reads it at its start.
changed() {
  g_time=$(stat -L -c %.9Z -- "$root$1" 2>/dev/null) || return
  enc "$1"
  emit "data changed $enc $g_time"
}

value() { enc "$2"; emit "data $1 $enc"; }

# service_identity: what is another after each start of containerd; nothing while a process that its owner starts is away.
service_identity() {
  if [ -n "$pidfile" ]; then
    i_pid=$(head -n 1 "$root$pidfile" 2>/dev/null)
    # Of the process the time of its start, behind the name, which may hold anything.
    i_stat=$(sed 's/.*) //' "$root/proc/${i_pid:-none}/stat" 2>/dev/null) || return
    [ -z "$i_stat" ] || printf '%s\n' "$i_stat" | cut -d ' ' -f 20
    return
  fi
  systemctl show "$unit" -p ActiveState -p MainPID -p ExecMainStartTimestampMonotonic 2>/dev/null
  head -c 64 "$root/proc/sys/kernel/random/boot_id" 2>/dev/null
}

# layout WORD: sets what one candidate says: its kind, its units, and so on, one a line (observation.ts has the same order).
layout() {
  dec "$1"
  {
    IFS= read -r y_kind; IFS= read -r y_units; IFS= read -r y_config
    IFS= read -r y_hosts; IFS= read -r y_binary; IFS= read -r y_paths; IFS= read -r y_link
    IFS= read -r y_program
    IFS= read -r y_watched; IFS= read -r y_pidfile
    IFS= read -r y_data; IFS= read -r y_dataflags; IFS= read -r y_datavar; IFS= read -r y_datafile
  } <<EOT
$dec
EOT
}

# choose LAYOUT...: sets y_… to the candidate that is there, and unit to its unit. One that runs, or would at the next
# boot, comes before one that only lies there; the first, where there is none at all. Each that runs is told.
choose() {
  h_first=$1; h_units=
  for h_word in "$@"; do layout "$h_word"; h_units="$h_units $y_units"; done
  # shellcheck disable=SC2086 # names of units, which have no blanks
  h_states=$(systemctl show $h_units -p LoadState -p ActiveState -p UnitFileState 2>/dev/null)
  h_best=0; h_chosen=$h_first; h_found=
  for h_word in "$@"; do
    layout "$h_word"
    h_told=0
    for h_unit in $y_units; do
      # The next unit's lines, up to an empty one.
      h_state=${h_states%%"$nl$nl"*}
      case $h_states in *"$nl$nl"*) h_states=${h_states#*"$nl$nl"} ;; *) h_states= ;; esac
      h_rank=1
      case $nl$h_state$nl in
        *"${nl}ActiveState=active$nl"*|*"${nl}ActiveState=activating$nl"*|*"${nl}ActiveState=reloading$nl"*) h_rank=3 ;;
        *"${nl}LoadState=not-found$nl"*|"$nl$nl") h_rank=0 ;;
        *"${nl}UnitFileState=enabled$nl"*) h_rank=2 ;;
      esac
      if [ "$h_rank" -gt "$h_best" ]; then h_best=$h_rank; h_chosen=$h_word; h_found=$h_unit; fi
      if [ "$h_rank" -ge 2 ] && [ "$h_told" -eq 0 ]; then
        h_told=1
        enc "$y_kind"; h_kind=$enc
        enc "$h_unit"
        emit "data present $h_kind $enc"
      fi
    done
  done
  layout "$h_chosen"
  unit=${h_found:-${y_units%% *}}
}

# observe LAYOUT... -- DIR...: LAYOUTs are the kinds of nodes that this may be, DIRs hosts directories.
do_observe() {
  entries=0
  o_layouts=
  while [ "$1" != -- ]; do o_layouts="$o_layouts $1"; shift; done
  shift
  if [ -d "$root/run/systemd/system" ] && command -v systemctl >/dev/null; then value systemd yes; else value systemd no; fi
  # shellcheck disable=SC2086 # encoded words, which have no blanks
  choose $o_layouts
  value layout "$y_kind"
  value unit "$unit"
  data_dir
  value data "$y_data"
  # Where it points; empty where it is not there.
  if [ -n "$y_link" ]; then
    value linked "$y_link"
    o_link=$(realpath -e -- "$root$y_link" 2>/dev/null) || o_link=
    value link "${o_link#"$root"}"
  fi
  enc "$y_hosts"
  case " $* " in *" $enc "*) ;; *) set -- "$@" "$enc" ;; esac
  o_service=$(systemctl show "$unit" -p LoadState -p ActiveState -p SubState -p MainPID -p ExecStart -p Result 2>&1)
  value service "$o_service"
  # Seconds since the epoch, whole ones.
  o_started=$(TZ=UTC LC_ALL=C systemctl show "$unit" -p ExecMainStartTimestamp --value 2>/dev/null)
  value started "$(LC_ALL=C date -d "$o_started" +%s 2>/dev/null)"
  o_pid=; o_start=
  while IFS= read -r o_line; do
    case $o_line in
      MainPID=*) o_pid=${o_line#MainPID=} ;;
      ExecStart=*argv*) o_start=${o_line#*argv\[\]=}; o_start=${o_start%%" ;"*} ;;
    esac
  done <<EOT
$o_service
EOT
  if [ -n "$y_pidfile" ]; then
    o_pid=$(head -n 1 "$root$y_pidfile" 2>/dev/null); o_start=
    if [ -n "$o_pid" ] && [ -e "$root/proc/$o_pid/cmdline" ]; then value child yes; else value child no; fi
  fi
  o_args=
  if [ -n "$o_pid" ] && [ "$o_pid" != 0 ]; then
    o_args=$(tr '\0' '\n' < "$root/proc/$o_pid/cmdline" 2>/dev/null)
  fi
  if [ -z "$o_args" ]; then o_args=$(printf %s "$o_start" | tr ' ' '\n'); fi
  value arguments "$o_args"
  if [ -n "$y_program" ]; then
    # The very program that the unit starts, where it has that name.
    o_program=${o_start%% *}
    case $o_program in */"${y_program%% *}") o_program=$root$o_program ;; *) o_program=${y_program%% *} ;; esac
    # shellcheck disable=SC2086 # words without blanks
    value program "$(timeout 20 "$o_program" ${y_program#* } 2>/dev/null | head -c 300)"
  fi
  o_config=$y_config; o_binary=; o_next=
  while IFS= read -r o_line; do
    if [ -n "$o_next" ]; then o_named=$o_line; o_next=; else
      o_named=
      case $o_line in
        --config|-config|-c) o_next=1 ;;
        --config=*|-config=*|-c=*) o_named=${o_line#*=} ;;
        /*containerd) [ -n "$o_binary" ] || o_binary=$o_line ;;
      esac
    fi
    if [ -n "$o_named" ] && [ "$y_paths" = process ]; then
      case $o_named in
        /*) o_config=$o_named ;;
        # From where it was started.
        *)
          o_from=$(readlink -- "$root/proc/$o_pid/cwd" 2>/dev/null)
          o_config=${o_from%/}/${o_named#./} ;;
      esac
    fi
  done <<EOT
$o_args
EOT
  if [ -z "$o_binary" ] || [ ! -x "$root$o_binary" ]; then
    case $y_binary in /*) o_binary=$root$y_binary ;; *) o_binary=$y_binary ;; esac
    o_binary=$(command -v "$o_binary") || o_binary=
  fi
  o_binary=${o_binary#"$root"}
  value binary "$o_binary"
  value config "$o_config"
  if [ -n "$o_binary" ]; then
    value version "$(timeout 20 "$root$o_binary" --version 2>&1 | head -c 500)"
    if [ -f "$root$o_config" ]; then set -- "--config=$root$o_config" "$@"; else set -- "" "$@"; fi
    o_dump=$(timeout 20 "$root$o_binary" ${1:+"$1"} config dump 2>/dev/null | base64 -w0) || o_dump=
    shift
    emit "data dump =$o_dump"
  fi
  parents "$o_config"
  [ -z "$y_watched" ] || parents "$y_watched/x"
  # containerd follows a link here, so its text counts; written through it is not.
  show "$root$o_config" 4194304 "$root"
  changed "$o_config"
  for o_dir in "$@"; do
    dec "$o_dir"
    parents "$dec/x"
    list "$root$dec"
  done
  show_state
  emit ok
}

show_state() {
  [ ! -f "$state/record" ] || value record "$(cat "$state/record")"
  if [ -d "$state/journal" ]; then value unfinished yes; fi
}

# look PATTERN...: further files (a config's imports), F:PATH for one file exactly, E:PATH for whether there is one, or
# D:DIR for further hosts directories.
do_look() {
  for k_item in "$@"; do
    case $k_item in
      D:*) dec "${k_item#D:}"; parents "$dec/x"; list "$root$dec"; continue ;;
      E:*)
        dec "${k_item#E:}"
        if [ -e "$root$dec" ]; then show "$root$dec" -1 /nowhere; fi
        continue ;;
      F:*)
        dec "${k_item#F:}"
        if [ -e "$root$dec" ] || [ -L "$root$dec" ]; then show "$root$dec" 4194304 /nowhere; fi
        continue ;;
    esac
    dec "$k_item"
    k_ifs=$IFS; IFS=
    for k_file in $root$dec; do
      if [ -e "$k_file" ] || [ -L "$k_file" ]; then show "$k_file" 4194304 "$root"; changed "${k_file#"$root"}"; fi
    done
    IFS=$k_ifs
  done
  emit ok
}

# room DIR...: of each, or the nearest of its ancestors that exists, whether root can write there, and the bytes left. The
# shell's own test asks the kernel, which says so of a read-only file system; nothing is written to find out.
do_room() {
  for r_item in "$@"; do
    dec "$r_item"; r_dir=$dec
    while [ ! -d "$root$r_dir" ] && [ "$r_dir" != / ]; do r_dir=${r_dir%/*}; r_dir=${r_dir:-/}; done
    r_free=$(stat -f -c '%a %S' -- "$root$r_dir" 2>/dev/null) || r_free="0 0"
    r_can=no; if [ -w "$root$r_dir" ]; then r_can=yes; fi
    enc "$r_dir"
    emit "data room $enc $r_can $((${r_free% *} * ${r_free#* }))"
  done
  emit ok
}
