# Sourced by the scripts next to it: a person who waits sees what is being done, and for how long already.
step() { printf '\n== [%s] %s\n' "$(elapsed)" "$*"; }
elapsed() { printf '%d:%02d' $((SECONDS / 60)) $((SECONDS % 60)); }

# build PRESET [TARGET...]: at a terminal ninja's own line; else a line at each tenth of the work.
build() {
  local preset=$1
  shift
  cmake --preset "$preset" >/dev/null
  export NINJA_STATUS='[%f/%t] '
  if [ -t 1 ]; then
    cmake --build --preset "$preset" ${1:+--target "$@"}
    return
  fi
  cmake --build --preset "$preset" ${1:+--target "$@"} | awk '
    match($0, /^\[[0-9]+\/[0-9]+\]/) {
      split(substr($0, 2, RLENGTH - 2), part, "/")
      tenth = int(10 * part[1] / part[2])
      if (tenth == last && part[1] > 1) next
      last = tenth
    }
    { print; fflush() }'
}
