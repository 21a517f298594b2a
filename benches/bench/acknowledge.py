"""A program for `type = "exec"` that parses every change, adds up what they cost, and keeps nothing."""

import json
import sys

total = 0.0
for line in sys.stdin:
    change = json.loads(line)
    if "commit" in change:
        print("ok", flush=True)
    else:
        total += (change["event"] or {}).get("total_cost") or 0.0
