"""What only sessions know of use: its images and labels, for charging back.

A session counts whole for one image, the one whose containers ran longest in it, so that rows add
up to the ledger. `Session.main_image` is written down with the end.
"""

import uuid
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import (
    Case,
    DateTimeField,
    DurationField,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    TextField,
    Value,
    When,
)
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from orgs.models import Organization
from sessions.models import ContainerRun, Session
from usage.selectors import GroupBy, Grouping, UsageQuestion

LABEL = "label:"
MOST_LOOKED_AT = 1_000


def images_by_time(runs: QuerySet[ContainerRun], until: Any) -> QuerySet[Any, Any]:
    """Each image of the runs, the one that ran longest first; `until` is for runs that go on."""
    ran = ExpressionWrapper(
        Coalesce(F("exited_at"), until, output_field=DateTimeField()) - F("started_at"),
        output_field=DurationField(),
    )
    return runs.values("image").annotate(ran=Sum(ran)).order_by("-ran", "image")


def main_image(session: Session, until: datetime) -> str:
    """The image whose containers ran longest in the session; empty without containers."""
    runs = ContainerRun.objects.filter(session=session)
    found = images_by_time(runs, Value(until, output_field=DateTimeField()))
    return str(found.values_list("image", flat=True).first() or "")


def by_image() -> Grouping:
    runs = ContainerRun.objects.filter(
        organization=OuterRef("organization_id"), session=OuterRef("pk")
    )
    live = images_by_time(runs, F("session__pulse__last_activity_at")).values("image")[:1]
    image = Case(
        When(ended_at=None, then=Coalesce(Subquery(live), Value(""))), default=F("main_image")
    )
    sessions = Session.objects.filter(pk=OuterRef("session_id")).annotate(of=image)
    return Grouping("image", Coalesce(Subquery(sessions.values("of")), Value("")), _images)


def by_label(name: str) -> Grouping:
    sessions = Session.objects.filter(pk=OuterRef("session_id"))
    value = sessions.annotate(of=KeyTextTransform(name, "labels")).values("of")
    column = Coalesce(Subquery(value), Value(""), output_field=TextField())
    return Grouping(f"{LABEL}{name}", column, _labels)


def _images(
    organization: Organization, values: Iterable[Any], viewer: uuid.UUID | None
) -> dict[Any, tuple[str, str]]:
    return {value: (value, value or _("No container")) for value in values}


def _labels(
    organization: Organization, values: Iterable[Any], viewer: uuid.UUID | None
) -> dict[Any, tuple[str, str]]:
    return {value: (value, value or _("Without the label")) for value in values}


def grouping_of_word(word: str) -> Grouping | GroupBy:
    """What `group_by` names: `image`, `label:NAME`, or one of the book's own."""
    if word == "image":
        return by_image()
    if word.startswith(LABEL):
        return by_label(word.removeprefix(LABEL))
    return GroupBy(word)


def label_names(question: UsageQuestion, *, most: int) -> tuple[str, ...]:
    """The names of labels that the newest sessions of the range have most. One statement."""
    sessions = Session.objects.for_organization(question.organization).filter(
        created_at__lt=question.end
    )
    sessions = sessions.filter(Q(ended_at=None) | Q(ended_at__gte=question.start))
    if question.person_ids is not None:
        sessions = sessions.filter(person_id__in=question.person_ids)
    rows = sessions.exclude(labels={}).order_by("-created_at", "-id")
    newest = rows.values_list("labels", flat=True)[:MOST_LOOKED_AT]
    found = Counter(name for labels in newest for name in labels)
    return tuple(sorted(found, key=lambda name: (-found[name], name))[:most])
