#!/usr/bin/env bash
# Formats every C++ file that git knows, or with --check only says which ones differ (exit code 1).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh
tool=$(command -v clang-format-14 || command -v clang-format || true)
[ -n "$tool" ] || EXIT_CODE=3 die "clang-format is not installed (package clang-format)"
sources() { git ls-files -z --cached --others --exclude-standard -- '*.h' '*.cc'; }
case ${1:-} in
  --check)
    say "Checking format"
    sources | xargs -0 -r -P "$(nproc)" -n 16 "$tool" --dry-run --Werror ||
      die "the files above are not formatted: run scripts/format.sh" ;;
  "") sources | xargs -0 -r "$tool" -i ;;
  *) EXIT_CODE=2 die "usage: scripts/format.sh [--check]" ;;
esac
