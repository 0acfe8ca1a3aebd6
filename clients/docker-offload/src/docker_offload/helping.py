"""Help in docker's style."""

from docker_offload import SUMMARY
from docker_offload.catalog import COMMANDS
from docker_offload.options import Command, Flag

COMMAND_COLUMN = 12
KINDS = {"string": "string", "list": "list", "duration": "duration", "bool": ""}


def overview() -> str:
    lines = ["Usage:  docker offload COMMAND", "", SUMMARY, "", "Commands:"]
    lines += [f"  {command.name:<{COMMAND_COLUMN}}{command.summary}" for command in COMMANDS]
    return "\n".join([*lines, "", "Run 'docker offload COMMAND --help' for more information."])


def of_command(command: Command) -> str:
    lines = [f"Usage:  {command.usage}", "", command.summary]
    if command.more:
        lines += ["", command.more]
    if command.examples:
        lines += ["", "Examples:", *(f"  $ {example}" for example in command.examples)]
    if command.flags:
        lines += ["", "Options:", *_options(command.flags)]
    return "\n".join(lines)


def _options(flags: tuple[Flag, ...]) -> list[str]:
    heads = [_head(flag) for flag in flags]
    column = max(len(head) for head in heads) + 3
    return [
        head.ljust(column) + flag.help + _default(flag)
        for head, flag in zip(heads, flags, strict=True)
    ]


def _head(flag: Flag) -> str:
    short = f"-{flag.short}, " if flag.short else "    "
    return f"  {short}--{flag.name} {KINDS[flag.kind]}".rstrip()


def _default(flag: Flag) -> str:
    return f" (default {flag.shown_default})" if flag.shown_default else ""


def after_mistake(command: Command | None) -> str:
    """What docker prints below the sentence about a wrong flag or argument."""
    usage = command.usage if command else "docker offload COMMAND"
    where = f"docker offload {command.name}" if command else "docker offload"
    return f"\nUsage:  {usage}\n\nRun '{where} --help' for more information"
