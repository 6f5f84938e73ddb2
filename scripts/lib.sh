# Shared by the scripts of this folder: sourced, never run.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
jobs=${SEKISHO_JOBS:-$(nproc)}

say() { printf '\033[1m==>\033[0m %s\n' "$*"; }
note() { printf '    %s\n' "$*"; }
die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

need_root() { [ "$(id -u)" = 0 ] || die "please run as root: $*"; }

# Packages of the argument list that dpkg does not report as installed, nor as provided by one that is.
missing_packages() {
  local name provided
  provided=$(dpkg-query -W -f='${db:Status-Status} ${Provides}\n' | sed -n 's/^installed //p' | tr ',' '\n' | sed 's/^ *//; s/ .*//')
  for name in "$@"; do
    dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null | grep -qx installed || grep -qx "$name" <<<"$provided" ||
      printf '%s\n' "$name"
  done
}

# run_logged LOG COMMAND...: quiet while it works, the end of its log when it does not.
run_logged() {
  local log=$1
  shift
  mkdir -p "$(dirname "$log")"
  local status=0
  "$@" >"$log" 2>&1 || status=$?
  [ "$status" = 0 ] && return 0
  tail -n "${SEKISHO_LOG_LINES:-60}" "$log" >&2
  printf '(whole log: %s)\n' "$log" >&2
  return "$status"
}

# configure DIR OPTIONS...: meson setup once; later calls only set what changed.
configure() {
  local dir=$1
  shift
  if [ -f "$root/$dir/build.ninja" ]; then
    local wanted="$*"
    [ "$(cat "$root/$dir/.sekisho-options" 2>/dev/null || true)" = "$wanted" ] && return 0
    run_logged "$root/$dir/setup.log" meson setup --reconfigure "$root/$dir" "$root" "$@" || return
  else
    run_logged "$root/$dir.setup.log" meson setup "$root/$dir" "$root" "$@" || return
    rm -f "$root/$dir.setup.log"
  fi
  printf '%s\n' "$*" >"$root/$dir/.sekisho-options"
}

# compile DIR TARGETS...: a line of progress every ten seconds, errors in full.
compile() {
  local dir=$1 log="$root/$1/compile.log" status=0
  shift
  (
    while sleep 10; do
      now=$(tail -n 1 "$log" 2>/dev/null | cut -c 1-110)
      [ "$now" = "${before:-}" ] || note "$now"
      before=$now
    done
  ) &
  local ticker=$!
  ninja -C "$root/$dir" -j "$jobs" "$@" >"$log" 2>&1 || status=$?
  kill "$ticker" 2>/dev/null || true
  wait "$ticker" 2>/dev/null || true
  if [ "$status" != 0 ]; then
    grep -vE '^\[[0-9]+/[0-9]+\] (Compiling|Linking|Generating)' "$log" | head -n 80 >&2
    printf '(whole log: %s)\n' "$log" >&2
  fi
  return "$status"
}
