"""What stands before the first request: tables, static files, and the demonstration."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import CommandError, call_command, get_commands
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from orgs.models import Person

SIGN_INS = "demo-sign-ins.txt"
Tell = Callable[[str], None]


def prepare(tell: Tell) -> None:
    """Bring the database and the static files up to date; quick when they are."""
    migrate(tell)
    collect_static(tell)


def migrate(tell: Tell) -> None:
    if settings.MIGRATE_DATABASE_URL:
        _migrate_as_owner(tell, settings.MIGRATE_DATABASE_URL)
        return
    try:
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if plan:
            tell(f"Preparing the database ({len(plan)} migrations)…")
            call_command("migrate", interactive=False, verbosity=0)
        call_command("createcachetable", verbosity=0)
    except DatabaseError as error:
        raise CommandError(_one_line("The database could not be prepared", error)) from error
    except Exception as error:
        raise CommandError(_one_line("A migration failed", error)) from error


def _migrate_as_owner(tell: Tell, address: str) -> None:
    """In processes of their own, whose DATABASE_URL is the owner's; then grant to our own role."""
    tell("Preparing the database as its owner…")
    role = str(connection.settings_dict["USER"])
    surroundings = {**os.environ, "DATABASE_URL": address}
    surroundings.pop("MIGRATE_DATABASE_URL", None)
    for command in (
        ["migrate", "--no-input", "-v0"],
        ["createcachetable"],
        ["grant_database_role", role],
    ):
        done = subprocess.run(
            [sys.executable, str(settings.BASE_DIR / "manage.py"), *command],
            env=surroundings,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            why = (done.stderr.strip().splitlines() or ["it gave no reason"])[-1]
            raise CommandError(f"`{command[0]}` as the database's owner failed: {why}")


def _one_line(what: str, error: Exception) -> str:
    why = " ".join(str(error).split()) or type(error).__name__
    return f"{what}: {why} Nothing was started; see `manage.py migrate` for all of it."


def collect_static(tell: Tell) -> None:
    """Collect, hash and compress the static files where they changed since the last time."""
    mark = Path(settings.STATIC_ROOT) / ".fingerprint"
    fingerprint = _static_fingerprint()
    if mark.is_file() and mark.read_text() == fingerprint:
        return
    tell("Collecting static files…")
    call_command("collectstatic", interactive=False, verbosity=0)
    mark.write_text(fingerprint)


def _static_fingerprint() -> str:
    seen = hashlib.sha256()
    for finder in get_finders():
        for path, storage in finder.list(None):
            facts = Path(storage.path(path)).stat()
            seen.update(f"{path} {facts.st_size} {facts.st_mtime_ns}\n".encode())
    return seen.hexdigest()


def seed(tell: Tell) -> None:
    """On the first start: the demonstration, unless DEMO=0."""
    if not settings.DEMO or Person.objects.exists() or "seed_demo" not in get_commands():
        return
    tell("Making the demonstration: 90 days of two organizations. This happens once.")
    call_command("seed_demo")


def sign_ins() -> str:
    """The demonstration's sign-ins, as they were made at seeding; empty without one."""
    path = Path(settings.DATA_DIR) / SIGN_INS
    return path.read_text(encoding="utf-8").rstrip() if path.is_file() else ""
