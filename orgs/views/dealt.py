"""What became of licenses, as sentences to add to what was done."""

from django.utils.translation import ngettext

from orgs.services import Settled


def dealt(done: Settled) -> str:
    """How many got a license, wait for one, or lost theirs."""
    parts = []
    if done.given:
        count = len(done.given)
        parts.append(
            ngettext("%(count)s got a license.", "%(count)s got a license each.", count)
            % {"count": f"{count:,}"}
        )
    if done.queued:
        count = len(done.queued)
        parts.append(
            ngettext("%(count)s waits for one.", "%(count)s wait for one.", count)
            % {"count": f"{count:,}"}
        )
    if done.lost:
        count = len(done.lost)
        parts.append(
            ngettext("%(count)s lost a license.", "%(count)s lost their licenses.", count)
            % {"count": f"{count:,}"}
        )
    return "".join(f" {part}" for part in parts)
