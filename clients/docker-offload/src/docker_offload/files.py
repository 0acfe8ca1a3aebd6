"""Files that only the user can read, written whole or not at all, and locks between shells."""

import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from docker_offload.clock import Clock
from docker_offload.failures import Failure

PRIVATE_FILE, PRIVATE_DIRECTORY = 0o600, 0o700
BUSY_PAUSE = 0.1


def private_directory(path: Path) -> Path:
    try:
        path.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
        if path.stat().st_mode & 0o077:
            path.chmod(PRIVATE_DIRECTORY)
    except OSError as error:
        raise Failure(f"{path} can't be used: {error.strerror}.") from error
    return path


def write_private(path: Path, text: str) -> None:
    """Replace the file in one step; at no instant may anybody else read it."""
    private_directory(path.parent)
    new = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        number = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError as error:
        raise Failure(f"{path} can't be written: {error.strerror}.") from error
    finally:
        new.unlink(missing_ok=True)


def read_json(path: Path) -> dict[str, Any]:
    """What the file holds; empty where it is missing or somebody spoilt it."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (ValueError, UnicodeDecodeError):
        return {}
    except OSError as error:
        raise Failure(f"{path} can't be read: {error.strerror}.") from error
    return found if isinstance(found, dict) else {}


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    write_private(path, json.dumps(value, indent=2, sort_keys=True) + "\n")


@contextlib.contextmanager
def locked(path: Path, clock: Clock, patience: float) -> Iterator[bool]:
    """Hold the lock; False where another process kept it for `patience` seconds.

    The system gives the lock back when its process ends, however that ends.
    """
    private_directory(path.parent)
    number = os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
    try:
        yield _take(number, clock, clock.seconds() + patience)
    finally:
        os.close(number)


def _take(number: int, clock: Clock, until: float) -> bool:
    while True:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if clock.seconds() >= until:
                return False
            clock.sleep(BUSY_PAUSE)
        else:
            return True
