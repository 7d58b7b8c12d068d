#!/usr/bin/env bash
# Runs clang-tidy (.clang-tidy) over C++ files: those named, else all that the preset compiles. Needs a built preset.
#   scripts/tidy.sh [--preset NAME] [FILE...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh
preset=dev
if [ "${1:-}" = --preset ]; then
  preset=${2:?"--preset needs a name"}
  shift 2
fi
tool=$(command -v clang-tidy-14 || command -v clang-tidy || true)
[ -n "$tool" ] || EXIT_CODE=3 die "clang-tidy is not installed (package clang-tidy)"
database=build/$preset/compile_commands.json
[ -f "$database" ] || EXIT_CODE=3 die "$database is not there: ./run build $preset makes it"
# Generated code is not ours to check. Flags that only g++ knows are no concern of clang's.
files=("$@")
[ $# -gt 0 ] || mapfile -t files < <(git ls-files -- "*.cc")
say "Checking ${#files[@]} files with $tool"
printf '%s\0' "${files[@]}" |
  xargs -0 -n 1 -P "$(build_jobs)" "$tool" -p "build/$preset" --quiet --extra-arg=-Wno-unknown-warning-option
