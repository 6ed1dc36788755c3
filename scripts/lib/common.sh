# Places and helpers that the scripts share; sourced, never run.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# shellcheck shell=bash

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
export LLMOPT_CACHE="${LLMOPT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/llmopt}"
export LLMOPT_CORPORA="${LLMOPT_CORPORA:-$root/../shared/corpora}"
venv="$LLMOPT_CACHE/venv"

# die TEXT: one line on standard error, then exit 1.
die() {
  echo "error: $*" >&2
  exit 1
}

# say TEXT: a heading between the steps of a script.
say() { printf '\n== %s\n' "$*"; }
