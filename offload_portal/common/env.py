"""Typed readers of environment variables.

Each fails at start with one sentence that names the variable and says how to set it.
"""

import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off", ""}


def _refuse(name: str, value: str, cure: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"{name} is {value!r}. {cure}")


def text(name: str, default: str | None = None) -> str:
    """The variable's text; without a default it must be set."""
    value = os.environ.get(name, "")
    if value:
        return value
    if default is None:
        raise ImproperlyConfigured(f"{name} is not set. Set it in the environment, e.g. {name}=…")
    return default


def flag(name: str, default: bool = False) -> bool:
    """A switch: 1, true, yes, on or 0, false, no, off."""
    value = os.environ.get(name)
    if value is None:
        return default
    if value.lower() in _TRUE:
        return True
    if value.lower() in _FALSE:
        return False
    raise _refuse(name, value, f"Set it to 1 or 0, e.g. {name}=1")


def whole_number(
    name: str, default: int, *, least: int | None = None, most: int | None = None
) -> int:
    """An integer within its bounds, both inclusive."""
    value = os.environ.get(name, "")
    if not value:
        return default
    try:
        number = int(value)
    except ValueError:
        raise _refuse(name, value, f"Set it to a whole number, e.g. {name}={default}") from None
    if (least is not None and number < least) or (most is not None and number > most):
        bounds = f"from {least}" if most is None else f"from {least} to {most}"
        raise _refuse(name, value, f"Set it to a whole number {bounds}, e.g. {name}={default}")
    return number


def optional_whole_number(name: str, *, least: int = 1) -> int | None:
    """An integer of at least `least`, or None where the variable is not set."""
    if not os.environ.get(name):
        return None
    return whole_number(name, least, least=least)


def numbers(name: str, default: tuple[int, ...], *, least: int, most: int) -> tuple[int, ...]:
    """Whole numbers, separated by commas, each within the bounds."""
    value = os.environ.get(name, "")
    if not value:
        return default
    try:
        read = tuple(int(part) for part in value.split(","))
    except ValueError:
        read = ()
    if not read or any(not least <= number <= most for number in read):
        example = ",".join(map(str, default))
        cure = f"Set it to whole numbers from {least} to {most}, e.g. {name}={example}"
        raise _refuse(name, value, cure)
    return read


def names(name: str, default: tuple[str, ...] = ()) -> list[str]:
    """Words separated by commas."""
    value = os.environ.get(name, "")
    if not value:
        return list(default)
    return [part.strip() for part in value.split(",") if part.strip()]


def one_of(name: str, default: str, allowed: tuple[str, ...]) -> str:
    """One of a few words."""
    value = os.environ.get(name, "") or default
    if value not in allowed:
        raise _refuse(name, value, f"Set it to one of {', '.join(allowed)}, e.g. {name}={default}")
    return value


def address(name: str, default: str | None, schemes: tuple[str, ...]) -> str | None:
    """A URL with one of the schemes, or None."""
    value = os.environ.get(name, "") or default
    if value is None:
        return None
    scheme = value.partition("://")[0]
    if scheme not in schemes or "://" not in value:
        example = f"{name}={schemes[0]}://…"
        raise _refuse(name, value, f"Set it to an address that begins like {example}")
    return value


def folder(name: str, default: Path) -> Path:
    """A folder; it is made where it is missing."""
    path = Path(os.environ.get(name) or default).expanduser().resolve()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        cure = f"Name a folder that can be written, e.g. {name}=/var/lib/offload-portal"
        raise _refuse(name, str(path), f"{error.strerror}. {cure}") from error
    return path
