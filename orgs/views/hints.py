"""Why a page's actions are not the reader's: the same words as the refusal."""

from collections.abc import Callable

from offload_portal.common.refusals import Refusal
from orgs.frames import Frame
from orgs.selectors import Viewer, viewer_of


def why_not(check: Callable[[Viewer], None], frame: Frame) -> str:
    """The refusal's sentence, or "" where the reader may."""
    if frame.is_owner:
        return ""
    try:
        check(viewer_of(frame.organization, frame.membership.person_id))
    except Refusal as refusal:
        return refusal.sentence
    return ""
