"""What a person sees: results on stdout, everything about them on stderr."""

import os
import select
import sys
from collections.abc import Mapping
from typing import TextIO

from docker_offload.failures import Failure

CLEAR_LINE = "\r\x1b[K"


class Terminal:
    """Styles and questions only where a terminal is; a pipe gets plain lines."""

    def __init__(
        self,
        env: Mapping[str, str] | None = None,
        out: TextIO | None = None,
        err: TextIO | None = None,
        source: TextIO | None = None,
    ) -> None:
        self.env = os.environ if env is None else env
        self.out, self.err = out or sys.stdout, err or sys.stderr
        self.source = source or sys.stdin
        self._progress = False

    @property
    def is_interactive(self) -> bool:
        """Somebody can be asked."""
        return self.source is not None and self.source.isatty() and self.err.isatty()

    @property
    def is_live(self) -> bool:
        """The output may be drawn anew in place."""
        return self.out.isatty() and self.env.get("TERM") != "dumb"

    @property
    def has_colour(self) -> bool:
        return self.is_live and not self.env.get("NO_COLOR")

    @property
    def has_blocks(self) -> bool:
        """Whether the output can write block characters."""
        return "utf" in (getattr(self.out, "encoding", "") or "").lower()

    def styled(self, text: str, style: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self.has_colour and text else text

    def say(self, text: str = "") -> None:
        self._end_progress()
        self._write(self.out, text + "\n")

    def note(self, text: str) -> None:
        self._end_progress()
        self._write(self.err, text + "\n")

    def progress(self, text: str) -> None:
        """One line that the next one replaces; nothing where nobody watches."""
        if self.err.isatty():
            self._write(self.err, CLEAR_LINE + text)
            self._progress = True

    def ask(self, question: str) -> str:
        """One line that was typed; Failure where the input has ended."""
        self._end_progress()
        self._write(self.err, question)
        line = self.source.readline()
        if not line:
            raise Failure("No answer came.")
        return line.strip()

    def typed_within(self, seconds: float) -> str | None:
        """A line that was typed within so many seconds; None where none was."""
        ready, _, _ = select.select([self.source], [], [], max(0.0, seconds))
        return self.source.readline().strip() if ready else None

    def _end_progress(self) -> None:
        if self._progress:
            self._write(self.err, CLEAR_LINE)
            self._progress = False

    def _write(self, stream: TextIO, text: str) -> None:
        try:
            stream.write(text)
        except UnicodeEncodeError:
            encoding = stream.encoding or "ascii"
            stream.write(text.encode(encoding, "replace").decode(encoding))
        stream.flush()


def table(rows: list[list[str]]) -> list[str]:
    """Lines with columns as docker prints them: three spaces between."""
    from docker_offload.words import padded, width

    columns = [max(width(row[number]) for row in rows) for number in range(len(rows[0]))]
    lines = ("   ".join(map(padded, row, columns)) for row in rows)
    return [line.rstrip() for line in lines]
