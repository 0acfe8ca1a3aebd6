"""What makes the harness strict (style.md's "the harness is a guardian").

Django is lenient where a test should fail: an unknown variable renders as nothing, a slice of an
unordered queryset gives any rows, and on-commit callbacks never run inside a test's transaction.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from django.conf import settings
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import QuerySet
from django.db.transaction import Atomic
from django.template.base import Node
from django.template.defaultfilters import default, default_if_none

OWN_APPS = {"orgs", "usage", "offload_sessions", "api", "common", "pages"}
OPTIONAL = {default, default_if_none}


class UnknownVariable(str):
    """What Django asks when a template's variable is unknown: our own templates fail.

    False to the templates of others, which lean on Django's leniency. In ours, an optional value
    says so with `default`, or is asked for with `if`.
    """

    __slots__ = ()

    def __bool__(self) -> bool:
        asking = sys._getframe(1)
        if asking.f_code.co_name != "resolve":
            return False
        expression = asking.f_locals["self"]
        origin = _template_of(asking)
        ours = origin and Path(origin).is_relative_to(Path(settings.BASE_DIR) / "templates")
        if ours and not any(filter_ in OPTIONAL for filter_, _ in expression.filters):
            pytest.fail(f"{origin} names {expression.var!s}, which nothing gave it.")
        return False


def _template_of(frame: FrameType | None) -> str | None:
    """The file of the innermost node that is being rendered."""
    while frame is not None:
        if frame.f_code.co_name == "render_annotated":
            node = frame.f_locals["self"]
            if isinstance(node, Node) and node.origin:
                return str(node.origin.name)
        frame = frame.f_back
    return None


def ordered_slices(patch: pytest.MonkeyPatch) -> None:
    """A slice of our rows needs an order, or it may show one twice and another never."""
    take = QuerySet.__getitem__

    def checked(rows: "QuerySet[Any]", key: Any) -> Any:
        if (
            rows._result_cache is None
            and rows.model._meta.app_label in OWN_APPS
            and not rows.ordered
        ):
            pytest.fail(f"A queryset of {rows.model.__name__} is sliced without an order.")
        return take(rows, key)

    patch.setattr(QuerySet, "__getitem__", checked)


def _only_the_tests(connection: BaseDatabaseWrapper) -> bool:
    """Whether every open transaction is the test's own, so that the code under test has none."""
    return bool(connection.atomic_blocks) and all(
        getattr(block, "_from_testcase", False) for block in connection.atomic_blocks
    )


def real_commits(patch: pytest.MonkeyPatch) -> None:
    """On-commit callbacks run when the code's own outermost transaction ends, as in production."""
    leave = Atomic.__exit__
    register = BaseDatabaseWrapper.on_commit

    def run(connection: BaseDatabaseWrapper) -> None:
        while connection.run_on_commit:
            connection.run_on_commit.pop(0)[1]()

    def leave_and_run(block: Atomic, *error: Any) -> None:
        leave(block, *error)
        connection = connections[block.using or "default"]
        if error[0] is None and not connection.needs_rollback and _only_the_tests(connection):
            run(connection)

    def register_or_run(
        connection: BaseDatabaseWrapper, callback: Callable[[], object], robust: bool = False
    ) -> None:
        if _only_the_tests(connection):
            callback()
        else:
            register(connection, callback, robust)

    patch.setattr(Atomic, "__exit__", leave_and_run)
    patch.setattr(BaseDatabaseWrapper, "on_commit", register_or_run)
