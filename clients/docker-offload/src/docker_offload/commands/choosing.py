"""Which account pays."""

from typing import Any

from docker_offload.app import App
from docker_offload.failures import Failure

Account = dict[str, Any]


def choose(app: App, wanted: str | None, accounts: list[Account]) -> Account:
    """The one asked for, the only one, the person's default, else ask where a terminal is.

    Unknown names are left to the portal's answer only after its own list was read.
    """
    if not accounts:
        raise Failure("You belong to no organization, so nothing can pay for a session.")
    if wanted:
        return _named(wanted, accounts)
    if len(accounts) == 1:
        return accounts[0]
    default = [row for row in accounts if row.get("is_default")]
    if default:
        return default[0]
    if not app.terminal.is_interactive:
        names = ", ".join(row["slug"] for row in accounts)
        raise Failure("There are several accounts.", f"Pass --account with one of: {names}")
    return _asked(app, accounts)


def _named(wanted: str, accounts: list[Account]) -> Account:
    found = [row for row in accounts if wanted in (row["slug"], row["name"])]
    if len(found) == 1:
        return found[0]
    names = ", ".join(row["slug"] for row in accounts)
    raise Failure(f"You have no account {wanted}.", f"Your accounts: {names}")


def _asked(app: App, accounts: list[Account]) -> Account:
    terminal = app.terminal
    terminal.note("Which account pays for the session?")
    for number, row in enumerate(accounts, 1):
        why_not = "" if row["can_start"] else f"  ({row['detail']})"
        terminal.note(f"  {number}  {row['name']} ({row['slug']}){why_not}")
    for _try in range(3):
        typed = terminal.ask(f"Account [1-{len(accounts)}]: ")
        if typed.isdecimal() and 1 <= int(typed) <= len(accounts):
            return accounts[int(typed) - 1]
        named = [row for row in accounts if typed and typed in (row["slug"], row["name"])]
        if named:
            return named[0]
    raise Failure("No account was chosen.")
