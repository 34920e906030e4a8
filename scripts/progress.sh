# Sourced by the scripts next to it: a person who waits sees what is being done, and for how long already.
step() { printf '\n== [%s] %s\n' "$(elapsed)" "$*"; }
elapsed() { minutes "$SECONDS"; }
minutes() { printf '%d:%02d' $(($1 / 60)) $(($1 % 60)); }

# run_steps NAME...: each function in turn, also when one before it has failed; then how long each took, and which failed.
run_steps() {
  local name began end failed=0 lines=()
  for name in "$@"; do
    step "$name"
    began=$SECONDS end=passed
    set +e # of a condition `set -e` would not hold within the step
    (set -e && "$name")
    [ $? = 0 ] || end=FAILED failed=1
    set -e
    lines+=("$(printf '%-10s %6s  %s' "$name" "$(minutes $((SECONDS - began)))" "$end")")
    printf '\n== [%s] %s\n' "$(elapsed)" "${lines[-1]}"
  done
  [ $# -lt 2 ] || { step "summary" && printf '%s\n' "${lines[@]}"; }
  return "$failed"
}

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
