"""`docker offload accounts`."""

import json
from typing import Any

from docker_offload.app import App
from docker_offload.bar import head_of
from docker_offload.options import Given
from docker_offload.terminal import table

HEAD = ["ACCOUNT", "NAME", "ROLE", "CAN START", "LEFT"]


def accounts(app: App, given: Given) -> int:
    rows = app.portal().accounts()
    if given["format"] == "json":
        app.terminal.say(json.dumps({"accounts": rows}, indent=2, ensure_ascii=False))
        return 0
    if not rows:
        app.terminal.note("You belong to no organization yet.")
        return 0
    for line in table([HEAD, *(_row(row) for row in rows)]):
        app.terminal.say(line)
    for row in rows:
        if not row["can_start"]:
            app.terminal.note(f"{row['slug']}: {row['detail']} ({row['code']})")
    return 0


def _row(row: dict[str, Any]) -> list[str]:
    slug = f"{row['slug']} *" if row.get("is_default") else row["slug"]
    can = "yes" if row["can_start"] else "no"
    if row.get("running_session"):
        can = "running"
    return [slug, row["name"], row["role"], can, head_of(row["allowance"])]
