"""What kind of thing a call to Docker's API is, by its method and path.

Every request is a call, a ping too: rule 9 makes no exception, and none has to be explained. What
differs is whether the session counts as running for as long as the answer is under way.
"""

import re
from enum import StrEnum
from urllib.parse import parse_qs


class Kind(StrEnum):
    """`CALL` is short, `WATCH` may last but holds nothing awake; the others hold the session."""

    CALL = "call"
    WATCH = "watch"
    BUILD = "build"
    EXEC = "exec"
    ATTACH = "attach"
    TRANSFER = "transfer"

    @property
    def holds(self) -> bool:
        """Whether the session is running while a stream of this kind is open."""
        return self not in (Kind.CALL, Kind.WATCH)


VERSION = re.compile(r"^/v\d+\.\d+(?=/)")
# Docker takes over the connection for these: what follows is no HTTP any more.
HIJACKED = re.compile(r"^/(containers/[^/]+/attach(/ws)?|exec/[^/]+/start|session|grpc)$")
KINDS = tuple(
    (method, re.compile(f"^(?:{path})$"), kind)
    for method, path, kind in (
        ("POST", r"/build", Kind.BUILD),
        ("POST", r"/session|/grpc", Kind.BUILD),
        ("POST", r"/commit", Kind.BUILD),
        ("POST", r"/exec/[^/]+/start", Kind.EXEC),
        ("POST", r"/containers/[^/]+/attach", Kind.ATTACH),
        ("GET", r"/containers/[^/]+/attach/ws", Kind.ATTACH),
        ("POST", r"/images/(create|load|.+/push)", Kind.TRANSFER),
        ("GET", r"/images/(get|.+/get)", Kind.TRANSFER),
        ("GET", r"/containers/[^/]+/(archive|export)", Kind.TRANSFER),
        ("PUT", r"/containers/[^/]+/archive", Kind.TRANSFER),
        ("POST", r"/plugins/(pull|.+/push|.+/upgrade)", Kind.TRANSFER),
        ("GET", r"/events", Kind.WATCH),
        ("GET", r"/containers/[^/]+/(logs|stats|top)", Kind.WATCH),
        ("GET", r"/services/[^/]+/logs|/tasks/[^/]+/logs", Kind.WATCH),
        ("POST", r"/containers/[^/]+/wait", Kind.WATCH),
    )
)


def path_of(target: str) -> str:
    """The target of a request without its query, its host and the version of the API."""
    path = target.partition("?")[0]
    if "://" in path[:8]:
        path = "/" + path.partition("://")[2].partition("/")[2]
    return VERSION.sub("", path)


def is_build(method: str, target: str) -> bool:
    """Whether it builds an image by the classic builder, which tells the image's name."""
    return method == "POST" and path_of(target) == "/build"


def built_image(target: str) -> str:
    """The first name that a build gets (`?t=`); empty where it gets none."""
    return parse_qs(target.partition("?")[2]).get("t", [""])[0]


def kind_of(method: str, target: str) -> Kind:
    path = path_of(target)
    for asked, pattern, kind in KINDS:
        if method == asked and pattern.match(path):
            return kind
    return Kind.CALL


def may_hijack(target: str) -> bool:
    """Whether Docker may answer this with 200 and then speak no HTTP (an old client's attach)."""
    return bool(HIJACKED.match(path_of(target)))
