#!/usr/bin/env python3
"""A sink for `claude-token-monitor` in Python: adds every response to a table of SQLite, once.

    [sinks.mine]
    type = "exec"
    command = ["python3", "exec_sink.py", "usage.sqlite"]

A line on standard input is one change; `{"commit": REVISION}` ends a batch and wants one line as an answer:
`ok`, `retry WHY`, `reject WHY` or `refuse WHY`. A batch may come again: the table is keyed by the id of the response.
"""

import json
import sqlite3
import sys


def main(path):
    database = sqlite3.connect(path)
    database.execute(
        "CREATE TABLE IF NOT EXISTS usage (id TEXT PRIMARY KEY, revision INTEGER, timestamp TEXT, model TEXT,"
        " project TEXT, total_tokens INTEGER, total_cost REAL)"
    )
    for line in sys.stdin:
        change = json.loads(line)
        if "commit" in change:
            try:
                database.commit()
            except sqlite3.OperationalError as error:
                print("retry", error, flush=True)
                continue
            print("ok", flush=True)
        elif change["change"] == "retraction":
            database.execute("DELETE FROM usage WHERE id = ?", (change["id"],))
        else:
            event = change["event"]
            database.execute(
                "INSERT OR REPLACE INTO usage VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    change["id"],
                    change["revision"],
                    event["timestamp"],
                    event["model"],
                    event["project"],
                    event["total_tokens"],
                    event.get("total_cost"),
                ),
            )


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "usage.sqlite")
