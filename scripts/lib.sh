# shellcheck shell=bash
# Shared by the shell scripts: messages and the machine's size. Source it; it defines functions only.

say() { printf '\033[1m==>\033[0m %s\n' "$*"; }
[ -t 1 ] || say() { printf '==> %s\n' "$*"; }
warn() { printf 'warning: %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit "${EXIT_CODE:-1}"; }

# Compile jobs: one a core, but no more than memory allows, since a file that includes LibTorch takes up to 1.7 GB.
build_jobs() {
  local cores memory_kb by_memory
  cores=$(nproc)
  memory_kb=$(awk '/^MemAvailable:/ {print $2}' /proc/meminfo 2>/dev/null)
  by_memory=$(( ${memory_kb:-4194304} / 1887437 ))
  [ "$by_memory" -ge 1 ] || by_memory=1
  [ "$by_memory" -lt "$cores" ] && echo "$by_memory" || echo "$cores"
}
