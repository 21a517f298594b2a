#!/bin/sh
# The REST API of `claude-token-monitor` with curl and jq: what the last days cost, and which models and projects did it.
#
#     examples/api.sh [URL] [DAYS]
#     TOKEN=$(claude-token-monitor auth token) examples/api.sh    # where there is a password
set -eu
url=${1:-http://127.0.0.1:51888}
days=${2:-7}

ask() {
    # A header from standard input, so that the token is on no command line that others may see.
    printf '%s\n' "${TOKEN:+Authorization: Bearer $TOKEN}" | curl --fail --silent --show-error --max-time 30 -H @- "$url/api/v1/$1"
}

current=$(ask stats/current)
daily=$(ask "stats/trends?period=daily&days=$days")
projects=$(ask "stats/projects?limit=5")

echo "All time:"
printf '%s\n' "$current" |
    jq -r '.totals | "  \(.total_tokens) tokens in \(.requests) responses, $\(.total_cost // 0 | . * 100 | round / 100)"'

echo "The last $days days:"
printf '%s\n' "$daily" | jq -r '.data[] | "  \(.date)  \(.total_tokens) tokens  $\(.cost // 0 | . * 100 | round / 100)"'

echo "Models:"
printf '%s\n' "$current" | jq -r '.models | to_entries | sort_by(-.value.total_tokens)[] | "  \(.key)  \(.value.total_tokens)"'

echo "Projects of the last 30 days:"
printf '%s\n' "$projects" | jq -r '.data[] | "  \(.project)  \(.total_tokens)"'
