"""`docker offload version`."""

import json
import platform

from docker_offload import VERSION
from docker_offload.app import App
from docker_offload.options import Given


def version(app: App, given: Given) -> int:
    python = platform.python_version()
    if given["json"]:
        found = {"version": f"v{VERSION}", "python": python, "api": "v1"}
        app.terminal.say(json.dumps(found))
    elif given["short"]:
        app.terminal.say(f"v{VERSION}")
    else:
        app.terminal.say(f"Docker Offload v{VERSION} (Python {python}, API v1)")
    return 0
