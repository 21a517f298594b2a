#!/bin/sh
# Prints the directory of Claude Code, for CLAUDE_DIR in .env:
#
#     echo "CLAUDE_DIR=$(scripts/detect-claude-dir.sh)" >>.env
#
# The program knows where to look (`doctor --print-claude-dir`). Where it is not installed, the usual places are tried.
set -eu
for program in "${CLAUDE_TOKEN_MONITOR:-}" claude-token-monitor "$(dirname "$0")/../target/release/claude-token-monitor"; do
    if command -v "$program" >/dev/null 2>&1; then
        found=$("$program" --log-level off doctor --print-claude-dir) || break
        printf '%s\n' "$found" | head -n 1
        exit 0
    fi
done
# Git Bash on Windows has the last two.
for directory in "${HOME:-}/.claude" "/c/Users/${USER:-${USERNAME:-}}/.claude" "${USERPROFILE:-}/.claude"; do
    if [ -d "$directory/projects" ]; then
        printf '%s\n' "$directory"
        exit 0
    fi
done
echo "error: no directory of Claude Code was found; set CLAUDE_DIR in .env" >&2
exit 1
