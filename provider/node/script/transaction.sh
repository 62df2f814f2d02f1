# shellcheck shell=sh
# Changing: a journal of what is going to be done is made durable first, then carried out; what is in the journal can
# be undone from any point, by this session, by this program alone when the connection is gone, or by the next session
# after a power cut.
#
# A journal's line is `KIND N HAD NEW FLAGS MODE PATH`, unused fields `-`:
#   d  make the directory PATH
#   s  save the original of PATH as originals/N (kept until delete)
#   k  keep a copy of PATH beside it as PATH.NEW (somebody changed a file of ours)
#   w  give PATH the content sent as N, digest NEW; HAD is the digest it has now, or absent
#   c  give PATH the saved original NEW again
#   x  remove PATH
#   y  remove PATH once committed, if it still has the digest HAD
#   v  keep a copy of PATH as originals/N once committed, if it still has the digest NEW
#   f  forget the saved original N once committed
#   z  remove the directory PATH once committed, if it is empty
# FLAGS has r where containerd reads the file only at its start.
#
# The new content waits beside its target as .registry-mirror-TX-N.new and comes in by rename; the old file itself, not
# a copy, waits as .registry-mirror-TX-N.old, so that putting it back needs no space and brings back its inode with
# times, owner and attributes. Of a file in a watched folder both wait above it: there each file is an event.

names() {
  t_path="$root$path"
  t_dir=${t_path%/*}
  if [ -n "$watched" ] && [ "$t_dir" = "$root$watched" ]; then t_dir=${t_dir%/*}; fi
  t_new="$t_dir/.registry-mirror-$tx-$n.new"
  t_old="$t_dir/.registry-mirror-$tx-$n.old"
}

# owner_of JOURNAL: sets watched, pidfile and socket as they were when it was begun; one of an earlier release says nothing of
# them.
owner_of() {
  watched=; pidfile=; socket=
  [ ! -s "$1/owner" ] || { IFS= read -r watched; IFS= read -r pidfile; IFS= read -r socket; } < "$1/owner"
}

# await_socket SECONDS: somebody accepts connections at containerd's socket, which it opens once all else of it is up. A unit of
# the simple type is started long before.
await_socket() {
  if [ -z "$socket" ] || [ ! -r "$root/proc/net/unix" ]; then return 0; fi
  b_left=$(($1 * 5))
  while :; do
    while read -r _ _ _ b_flags _ _ _ b_path; do
      if [ "$b_flags" = 00010000 ] && [ "$b_path" = "$socket" ]; then return 0; fi
    done < "$root/proc/net/unix"
    b_left=$((b_left - 1))
    [ "$b_left" -gt 0 ] || return 1
    sleep 0.2
  done
}

# await_start SECONDS BEFORE: whoever restarts containerd by itself has done it: its process is another than BEFORE.
await_start() {
  a_left=$(($1 * 5))
  while a_now=$(service_identity); [ -z "$a_now" ] || [ "$a_now" = "$2" ]; do
    a_left=$((a_left - 1))
    [ "$a_left" -gt 0 ] || return 1
    sleep 0.2
  done
}

# each FUNCTION FILE: for every line, until one fails.
each() {
  while read -r kind n had new flags mode path; do
    names
    "$1" || return 1
  done < "$2"
}

# sync_dirs: makes the renames durable.
sync_dirs() {
  set -- "$state" ${watched:+"$root${watched%/*}"}
  d_last=
  while read -r kind n had new flags mode path; do
    case $kind in w|c|x|d) ;; *) continue ;; esac
    d_dir="$root${path%/*}"
    if [ -d "$d_dir" ] && [ "$d_dir" != "$d_last" ]; then set -- "$@" "$d_dir"; d_last=$d_dir; fi
  done < "$d_ops"
  sync -- "$@" 2>/dev/null || sync
}

# lock SECONDS HOLDER
do_lock() {
  if [ -L "$state" ] || { [ -e "$state" ] && [ ! -d "$state" ]; }; then
    fail NODE_STATE "${state#"$root"} is no directory"; return
  fi
  k_err=$(mkdir -p -- "$state" 2>&1 && chmod 700 "$state" 2>&1 && : 2>&1 >>"$state/lock") || { fail_files "${state#"$root"}" "$k_err"; return; }
  command -v flock >/dev/null || { fail NODE_TOOL "flock"; return; }
  k_tries=0
  while :; do
    # `command`: without it a failing redirection of exec ends the shell.
    command exec 9>>"$state/lock" || { fail NODE_STATE "${state#"$root"}/lock cannot be opened"; return; }
    if ! flock -w "$1" 9; then
      exec 9>&-
      emit "data holder =$(head -c 500 "$state/holder" 2>/dev/null | base64 -w0)"
      emit "ok busy"
      return
    fi
    # A delete removes the lock file with everything else: whoever waited for that one holds nothing.
    # shellcheck disable=SC3013 # POSIX has -ef since 2024, and every sh that a node has knows it
    [ "$state/lock" -ef /proc/self/fd/9 ] && break
    exec 9>&-
    k_tries=$((k_tries + 1))
    [ "$k_tries" -lt 20 ] || { fail NODE_STATE "the lock file keeps changing"; return; }
    mkdir -p -- "$state"
  done
  locked=1
  dec "$2"
  printf %s "$dec" > "$state/holder" 2>/dev/null
  emit "ok locked"
}

do_recover() {
  if [ "$locked" -eq 0 ]; then emit ok; return; fi
  if [ -d "$state/done" ]; then clean_up; fi
  rm -rf "$state/journal.new"
  if [ -d "$state/journal" ]; then
    undo_journal || return
    emit "data recovered =$(printf '%s' "$undone" | base64 -w0)"
  fi
  if [ -f "$state/undone" ]; then
    emit "data recovered =$(head -c 2000 "$state/undone" | base64 -w0)"
    rm -f "$state/undone"
  fi
  emit ok
}

# journal TX SIZE SHA SOCKET: SIZE is of the base64 text.
do_journal() {
  dec "$3"; socket=$dec
  tx=$1; watched=$y_watched; pidfile=$y_pidfile
  step journal-begin
  j_err=$( {
    rm -rf "$state/journal.new" && mkdir "$state/journal.new" &&
    printf %s "$body" | base64 -d > "$state/journal.new/ops" &&
    printf '%s\n' "$tx" > "$state/journal.new/tx" &&
    printf '%s\n' "$unit" > "$state/journal.new/unit" &&
    printf '%s\n' "$watched" "$pidfile" "$socket" > "$state/journal.new/owner" &&
    service_identity > "$state/journal.new/service"
  } 2>&1 ) || { fail_files "the journal in ${state#"$root"}" "$j_err"; rm -rf "$state/journal.new"; return; }
  digest_of "$state/journal.new/ops"
  [ "$digest" = "$2" ] || { fail NODE_PROTOCOL "the journal arrived damaged"; return; }
  sync -- "$state/journal.new/ops" "$state/journal.new/tx" "$state/journal.new/unit" "$state/journal.new/owner" "$state/journal.new" 2>/dev/null || sync
  j_err=$(mv -T -- "$state/journal.new" "$state/journal" 2>&1) || { fail_files "the journal" "$j_err"; return; }
  sync -- "$state" 2>/dev/null || sync
  step journal
  emit ok
}

# real_parent: refuses a path that goes through a link that is not the layout's own, and names it.
last_dir=
real_parent() {
  p_dir=${t_path%/*}
  [ "$p_dir" != "$last_dir" ] || return 0
  plain "$p_dir"
  if [ "$(realpath -m -- "$p_dir")" != "$plain" ]; then
    p_at=$p_dir
    p_link=
    while [ -n "$p_at" ] && [ "$p_at" != "$root" ]; do
      [ ! -L "$p_at" ] || [ "$p_at" = "$root$y_link" ] || p_link=$p_at
      p_at=${p_at%/*}
    done
    fail NODE_SYMLINK "${p_link#"$root"} -> $(readlink -- "$p_link")"
    return 1
  fi
  last_dir=$p_dir
}

prepare_one() {
  case $kind in f|z|k|v) return 0 ;; esac
  real_parent || return 1
  if [ -L "$t_path" ]; then
    fail NODE_SYMLINK "$path -> $(readlink -- "$t_path")"; return 1
  fi
  case $kind in
    d)
      if [ ! -d "$t_path" ]; then
        p_err=$(mkdir -m "$mode" -- "$t_path" 2>&1) || { fail_files "$path" "$p_err"; return 1; }
      fi
      step "mkdir $n" ;;
    s)
      p_err=$(mkdir -p "$state/originals" 2>&1 && cp -a -T -- "$t_path" "$state/originals/$n" 2>&1) || { fail_files "saving $path" "$p_err"; return 1; }
      step "save $n" ;;
    c)
      p_err=$(cp -a -T -- "$state/originals/$new" "$t_new" 2>&1) || { fail_files "$path" "$p_err"; return 1; }
      step "copy $n" ;;
  esac
}

do_prepare() {
  last_dir=
  each prepare_one "$state/journal/ops" || return
  emit ok
}

# put N SIZE SHA PATH
do_put() {
  n=$1; path=$3; names
  p_want=$2
  p_line=
  while read -r kind p_n had new flags mode path; do
    if [ "$p_n" = "$n" ] && [ "$kind" = w ]; then p_line=$mode; p_had=$had; break; fi
  done < "$state/journal/ops"
  [ -n "$p_line" ] || { fail NODE_PROTOCOL "content without a journal line"; return; }
  # Exclusive creation: a link that somebody placed under this name is not followed.
  p_err=$( { set -C; printf %s "$body" | base64 -d > "$t_new"; } 2>&1 ) || { fail_files "$path" "$p_err"; return; }
  digest_of "$t_new"
  [ "$digest" = "$p_want" ] || { fail NODE_FILES "$path arrived damaged on the node's disk (is it full?)"; return; }
  if [ "$p_had" != absent ] && [ -f "$t_path" ]; then
    cp --attributes-only --preserve=ownership,xattr -- "$t_path" "$t_new" 2>/dev/null || chown --reference="$t_path" -- "$t_new" 2>/dev/null
    chcon --reference="$t_path" -- "$t_new" 2>/dev/null
  fi
  p_err=$(chmod "$p_line" -- "$t_new" 2>&1) || { fail_files "$path" "$p_err"; return; }
  step "put $n"
  emit ok
}

# check BINARY CONFIG: lets containerd read the staged main configuration, or the drop-in that it gets instead.
do_check() {
  dec "$1"; c_binary=$dec; dec "$2"; c_config=$dec
  c_file=
  while read -r kind n had new flags mode path; do
    names
    case $kind in w|c) if [ "$path" = "$c_config" ] || [ "${path%/*}" = "${watched:-none}" ]; then c_file=$t_new; fi ;; esac
  done < "$state/journal/ops"
  # A node whose containerd was removed gets its files back all the same.
  if [ -n "$c_file" ] && [ -x "$root$c_binary" ]; then
    c_err=$(timeout 30 "$root$c_binary" --config="$c_file" config dump 2>&1 >/dev/null) || { fail NODE_CONFIG_REFUSED "$(printf %s "$c_err" | tail -n 5)"; return; }
  fi
  step check
  emit ok
}

verify_one() {
  case $kind in w|c|x|s|k|y) ;; *) return 0 ;; esac
  digest_of "$t_path"
  [ "$digest" = "$had" ] || { fail NODE_CHANGED "$path"; return 1; }
}

swap_one() {
  case $kind in
    k)
      s_err=$(cp -a -T -- "$t_path" "$t_path.$new" 2>&1) || { fail_files "$path" "$s_err"; return 1; }
      step "keep $n" ;;
    w|c)
      if [ "$had" = absent ]; then
        s_err=$(mv -nT -- "$t_new" "$t_path" 2>&1) || { fail_files "$path" "$s_err"; return 1; }
        [ ! -e "$t_new" ] || { fail NODE_CHANGED "$path"; return 1; }
      else
        s_err=$(ln -T -- "$t_path" "$t_old" 2>&1 || cp -a -T -- "$t_path" "$t_old" 2>&1) || { fail_files "$path" "$s_err"; return 1; }
        step "link $n"
        digest_of "$t_old"
        [ "$digest" = "$had" ] || { rm -f -- "$t_old"; fail NODE_CHANGED "$path"; return 1; }
        s_err=$(mv -fT -- "$t_new" "$t_path" 2>&1) || { fail_files "$path" "$s_err"; return 1; }
      fi
      step "swap $n" ;;
    x)
      s_err=$(mv -fT -- "$t_path" "$t_old" 2>&1) || { fail_files "$path" "$s_err"; return 1; }
      step "remove $n" ;;
  esac
}

do_swap() {
  d_ops="$state/journal/ops"
  # The contents first, durable before any name points to them.
  set --
  while read -r kind n had new flags mode path; do
    names
    case $kind in w|c) set -- "$@" "$t_new" ;; s) set -- "$@" "$state/originals/$n" ;; esac
  done < "$d_ops"
  if [ "$#" -gt 0 ]; then s_err=$(sync -- "$@" 2>&1) || { fail_files "writing to disk" "$s_err"; return; }; fi
  step synced
  each verify_one "$d_ops" || return
  each swap_one "$d_ops" || return
  sync_dirs
  step swapped
  emit ok
}

# restart SECONDS
do_restart() {
  if [ -n "$pidfile" ]; then
    step restart-begin
    await_start "$1" "$(cat "$state/journal/service")" || { fail NODE_RESTART "$unit did not restart containerd after the change in $watched within $1 s"; return; }
    step restart
    emit ok
    return
  fi
  systemctl reset-failed "$unit" 2>/dev/null
  step restart-begin
  r_err=$(timeout "$1" systemctl restart "$unit" 2>&1 9>&-)
  r_code=$?
  step restart
  if [ "$r_code" -ne 0 ]; then
    [ "$r_code" -ne 124 ] || r_err="not up after $1 s"
    fail NODE_RESTART "$r_err$nl$(journalctl -u "$unit" -n 40 -o cat --no-pager 2>/dev/null | grep -iE 'level=(error|fatal)|failed|invalid' | tail -n 4)"
    return
  fi
  emit ok
}

# put_back: the old file to its name again. Two names of one file: rename leaves both, hence the rm.
put_back() {
  u_err=$(mv -fT -- "$t_old" "$t_path" 2>&1 && rm -f -- "$t_old" 2>&1) || { undo_error="$path: $u_err"; return 1; }
  case $flags in *r*) undid_config=1 ;; esac
}

# ours: sets u_new to the digest that the swap brought.
ours() {
  u_new=$new
  [ "$kind" != c ] || { digest_of "$state/originals/$new"; u_new=$digest; }
}

undo_one() {
  case $kind in
    w|c)
      if [ -e "$t_new" ] || [ -L "$t_new" ]; then
        # Not swapped yet: the target is as it was.
        u_err=$(rm -f -- "$t_new" "$t_old" 2>&1) || { undo_error="$path: $u_err"; return 1; }
      elif [ -e "$t_old" ]; then
        ours; digest_of "$t_path"
        if [ "$digest" != "$u_new" ] && [ "$digest" != "$had" ] && [ "$digest" != absent ]; then
          cp -a -T -- "$t_path" "$t_path.changed-$tx" 2>/dev/null && undone="${undone}kept $tx $path$nl"
        fi
        put_back || return 1
      elif [ "$had" = absent ]; then
        ours; digest_of "$t_path"
        if [ "$digest" = "$u_new" ]; then
          u_err=$(rm -f -- "$t_path" 2>&1) || { undo_error="$path: $u_err"; return 1; }
          case $flags in *r*) undid_config=1 ;; esac
        elif [ "$digest" != absent ]; then
          undone="${undone}left $path$nl"
        fi
      fi ;;
    x) [ ! -e "$t_old" ] || put_back || return 1 ;;
    k) rm -f -- "$t_path.$new" ;;
    d) rmdir -- "$t_path" 2>/dev/null ;;
    s) rm -f -- "$state/originals/$n" ;;
  esac
  return 0
}

# restarted: of a start with what was put back: it has ended when containerd serves, or has had half a minute to.
restarted() {
  undone="${undone}restarted$nl"
  step undo-restarted
  await_socket 30 || undone="${undone}silent $unit $socket$nl"
}

# undo_journal: sets undone to what a person should know, in the lines that undone.ts reads. Leaves the journal where something cannot be put back.
undo_journal() {
  tx=$(head -n 1 "$state/journal/tx")
  # A journal of an earlier release names no unit: there was one only.
  [ ! -s "$state/journal/unit" ] || unit=$(head -n 1 "$state/journal/unit")
  owner_of "$state/journal"
  u_before=$(service_identity)
  undone=; undo_error=; undid_config=0
  step undo-begin
  tac -- "$state/journal/ops" > "$state/journal/reversed" 2>/dev/null
  if [ ! -s "$state/journal/reversed" ]; then
    # A full disk below our own directory: the order does not matter for correctness, only for how long containerd sees a mixture.
    each undo_one "$state/journal/ops"
  else
    each undo_one "$state/journal/reversed"
  fi
  if [ -n "$undo_error" ]; then
    fail NODE_UNDO "$undo_error"; return 1
  fi
  rmdir "$state/originals" 2>/dev/null
  d_ops="$state/journal/ops"
  sync_dirs
  step undone
  if [ "$undid_config" -eq 1 ] && [ -n "$pidfile" ]; then
    # What was put back in the watched folder is an event there like any other; who does not run now reads it at the start.
    u_wait=30
    # Not started since the change began: only a start that is on its way is waited for.
    [ "$u_before" != "$(cat "$state/journal/service" 2>/dev/null)" ] || u_wait=12
    if ! systemctl is-active --quiet "$unit"; then :
    elif await_start "$u_wait" "$u_before"; then
      restarted
    elif [ "$u_wait" -eq 30 ]; then
      fail NODE_UNDO "the old files are back, and $unit did not restart containerd within 30 s; restart it"; return 1
    fi
  elif [ "$undid_config" -eq 1 ] && [ "$(service_identity)" != "$(cat "$state/journal/service" 2>/dev/null)" ]; then
    # containerd was started since, so it may run with what has just been taken back.
    systemctl reset-failed "$unit" 2>/dev/null
    # A generous limit: there is nothing left to fall back to.
    u_err=$(timeout 600 systemctl restart "$unit" 2>&1 9>&-) || { fail NODE_UNDO "containerd does not start with the old configuration either: $u_err"; return 1; }
    restarted
  fi
  mv -T -- "$state/journal" "$state/taken-back.$tx" && rm -rf "$state/taken-back.$tx"
  sync -- "$state" 2>/dev/null
  undone="${undone}taken-back$nl"
  return 0
}

# undo [WHY]: without a journal there is nothing to do.
do_undo() {
  if [ -d "$state/journal" ] && [ "$locked" -eq 1 ]; then
    undo_journal || return
    emit "data undone =$(printf %s "$undone" | base64 -w0)"
    [ -z "${1:-}" ] || printf '%s' "${undone}because $1" > "$state/undone" 2>/dev/null
  fi
  failed=0
  emit ok
}

clean_one() {
  case $kind in
    w|c|x) rm -f -- "$t_old" "$t_new" ;;
    v)
      digest_of "$t_path"
      if [ "$digest" = "$new" ]; then mkdir -p "$state/originals" && cp -a -T -- "$t_path" "$state/originals/$n"; fi ;;
    y)
      digest_of "$t_path"
      [ "$digest" != "$had" ] || rm -f -- "$t_path" ;;
    f) rm -f -- "$state/originals/$n" ;;
    z) rmdir -- "$t_path" 2>/dev/null ;;
  esac
  return 0
}

# clean_up: what a committed transaction leaves behind; may be done again and again.
clean_up() {
  tx=$(head -n 1 "$state/done/tx")
  owner_of "$state/done"
  each clean_one "$state/done/ops"
  rmdir "$state/originals" 2>/dev/null
  rm -rf "$state/done"
}

do_commit() {
  step commit-begin
  sync -- "$state/journal" 2>/dev/null
  c_err=$(mv -T -- "$state/journal" "$state/done" 2>&1) || { fail_files "committing" "$c_err"; return; }
  sync -- "$state" 2>/dev/null || sync
  step committed
  clean_up
  step cleaned
  emit ok
}

# leave: after a delete nothing of ours stays, not even the lock.
do_leave() {
  if [ "$locked" -eq 1 ] && [ ! -e "$state/record" ] && [ ! -d "$state/journal" ] && [ ! -d "$state/originals" ]; then
    rm -rf "$state"
  fi
  emit ok
}
