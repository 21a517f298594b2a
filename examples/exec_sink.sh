#!/bin/sh
# A sink for `claude-token-monitor` in shell: appends every change to a file of its day.
#
#     [sinks.mine]
#     type = "exec"
#     command = ["sh", "exec_sink.sh", "/var/log/claude"]
#
# A line on standard input is one change; {"commit":REVISION} ends a batch and wants one line as an answer:
# `ok`, `retry WHY`, `reject WHY` or `refuse WHY`. A batch may come again.

directory=${1:-.}
failed=

while IFS= read -r line; do
    case $line in
    '{"commit":'*)
        if [ -n "$failed" ]; then echo "retry cannot write to $directory"; else echo ok; fi
        failed=
        ;;
    *)
        printf '%s\n' "$line" >>"$directory/$(date -u +%F).jsonl" || failed=1
        ;;
    esac
done
