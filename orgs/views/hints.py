"""Why a page's actions are not the reader's: the same words as the refusal."""

from collections.abc import Callable
from typing import TypeVar

from offload_portal.common.refusals import Refusal
from orgs.frames import Frame
from orgs.selectors import Viewer, viewer_of

T = TypeVar("T")


def why_not(check: Callable[[Viewer], None], frame: Frame) -> str:
    """The refusal's sentence, or "" where the reader may."""
    if frame.is_owner:
        return ""
    return reason(check, viewer_of(frame.organization, frame.membership.person_id))


def reason(check: Callable[[T], None], about: T) -> str:
    """The sentence with which the check refuses, or ""."""
    try:
        check(about)
    except Refusal as refusal:
        return refusal.sentence
    return ""
