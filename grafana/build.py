#!/usr/bin/env python3
"""Writes dashboards/*.json from source/*.py. With --check it writes nothing and fails where a file is out of step."""

import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE / "source"))

import compatibility  # noqa: E402
import health  # noqa: E402
import usage  # noqa: E402

DASHBOARDS = {"usage.json": usage, "exporter-health.json": health, "compatibility.json": compatibility}


def main():
    check, stale = "--check" in sys.argv[1:], []
    for name, source in DASHBOARDS.items():
        path = HERE / "dashboards" / name
        text = json.dumps(source.build(), indent=2, ensure_ascii=False) + "\n"
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if not check:
            path.write_text(text, encoding="utf-8")
    print("\n".join(stale))
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
