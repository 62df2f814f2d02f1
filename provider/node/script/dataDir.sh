# shellcheck shell=sh
# Where a program that runs containerd as its child has its files: k3s, RKE2 and k0s keep them below one folder, which they
# may have been told.

# Of the layout: that folder, how it is told, and which file tells it too; empty where there is none.
y_data=
y_dataflags=
y_datavar=
y_datafile=

# containerd_in CGROUP: sets child to the process there that is containerd, if there is one. No program is started for it: a
# busy node has hundreds of shims there.
containerd_in() {
  child=
  for n_tree in "" /unified /systemd; do
    [ -r "$root/sys/fs/cgroup$n_tree$1/cgroup.procs" ] || continue
    while IFS= read -r n_pid; do
      n_name=
      { IFS= read -r n_name < "$root/proc/$n_pid/comm"; } 2>/dev/null
      if [ "$n_name" = containerd ]; then child=$n_pid; return; fi
    done < "$root/sys/fs/cgroup$n_tree$1/cgroup.procs"
  done
}

# after WORDS FLAG...: sets after to what follows one of the flags, or is its value, in words one a line.
after() {
  f_words=$1; shift
  after=; f_next=
  while IFS= read -r f_word; do
    if [ -n "$f_next" ]; then after=$f_word; return; fi
    for f_flag in "$@"; do
      case $f_word in
        "$f_flag") f_next=1 ;;
        "$f_flag"=*) after=${f_word#*=}; return ;;
      esac
    done
  done <<EOT
$f_words
EOT
}

# unquoted TEXT: sets unquoted to the value that stands in a line of a file, without quotes and comment.
unquoted() {
  unquoted=${1%%[[:blank:]]#*}
  case $unquoted in
    \"*\"*) unquoted=${unquoted#\"}; unquoted=${unquoted%%\"*} ;;
    \'*\'*) unquoted=${unquoted#\'}; unquoted=${unquoted%%\'*} ;;
    *) unquoted=${unquoted%"${unquoted##*[![:space:]]}"} ;;
  esac
}

# told_data: sets told to the folder that the program was told, by the same order of places as it has: the variable, its
# arguments, the last of its files.
told_data() {
  told=
  if [ -n "$y_datavar" ]; then
    for t_word in $m_variables; do
      case $t_word in "$y_datavar"=*) unquoted "${t_word#*=}"; told=$unquoted ;; esac
    done
    for t_file in $m_files; do
      t_line=$(sed -n "s/^$y_datavar=//p" "$root$t_file" 2>/dev/null | tail -n 1)
      if [ -n "$t_line" ]; then unquoted "$t_line"; told=$unquoted; fi
    done
    [ -z "$told" ] || return 0
  fi
  # shellcheck disable=SC2086 # flags, which have no blanks
  after "$m_words" $y_dataflags
  told=$after
  if [ -n "$told" ] || [ -z "$y_datafile" ]; then return 0; fi
  after "$m_words" --config -c
  t_main=${after:-$y_datafile}
  for t_file in "$root$t_main" "$root$t_main.d"/*.y*ml; do
    case $t_file in "$root$t_main"|*.yaml|*.yml) ;; *) continue ;; esac
    t_line=$(sed -n 's/^["'\'']\{0,1\}data-dir["'\'']\{0,1\}:[[:blank:]]*//p' "$t_file" 2>/dev/null | tail -n 1)
    if [ -n "$t_line" ]; then unquoted "$t_line"; told=$unquoted; fi
  done
}

# data_dir: sets y_data and the layout's paths below it to what they are here. The best witness is the containerd that runs:
# whoever told its owner, and in whichever way, it was started with a configuration in that folder.
data_dir() {
  [ -n "$y_data" ] || return 0
  m_group=; m_words=; m_variables=; m_files=
  while IFS= read -r m_line; do
    case $m_line in
      ControlGroup=*) m_group=${m_line#*=} ;;
      ExecStart=*argv*) m_words=${m_line#*argv\[\]=}; m_words=$(printf %s "${m_words%%" ;"*}" | tr ' ' '\n') ;;
      Environment=*) m_variables=${m_line#*=} ;;
      EnvironmentFiles=*) m_line=${m_line#*=}; m_files="$m_files ${m_line%% (*}" ;;
    esac
  done <<EOT
$(systemctl show "$unit" -p ControlGroup -p ExecStart -p Environment -p EnvironmentFiles 2>/dev/null)
EOT
  m_below=${y_config#"$y_data"}
  m_found=
  [ -z "$m_group" ] || containerd_in "$m_group"
  if [ -n "$m_group" ] && [ -n "$child" ]; then
    after "$(tr '\0' '\n' < "$root/proc/$child/cmdline" 2>/dev/null)" -c --config
    case $after in */*"$m_below") [ "$m_below" = "$y_config" ] || m_found=${after%"$m_below"} ;; esac
  fi
  if [ -z "$m_found" ]; then told_data; m_found=${told%/}; fi
  case $m_found in
    /*)
      if [ "$m_below" != "$y_config" ]; then y_config=$m_found$m_below; y_hosts=$m_found${y_hosts#"$y_data"}; fi
      y_binary=$m_found${y_binary#"$y_data"}
      y_data=$m_found ;;
  esac
  # It may run from where it was unpacked before it was told another folder.
  if [ -n "$m_group" ] && [ -n "$child" ] && [ ! -x "$root$y_binary" ]; then
    m_program=$(readlink -- "$root/proc/$child/exe" 2>/dev/null)
    if [ -x "$root${m_program%/*}/containerd" ]; then y_binary=${m_program%/*}/containerd; fi
  fi
  # Many put the folder on a larger disk by a link instead. It is part of the path, as root made it.
  [ "$m_below" != "$y_config" ] || return 0
  m_path=$y_data
  while [ -n "$m_path" ] && [ ! -L "$root$m_path" ]; do m_path=${m_path%/*}; done
  y_link=$m_path
}
