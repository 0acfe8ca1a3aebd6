"""Images that are built again and again in one day."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db.models import Count, DurationField, ExpressionWrapper, F, Sum
from django.db.models.functions import TruncDate

from orgs.privacy import LEAST_GROUP
from sessions.models import BuildRun
from sessions.selectors.scope import Scope

LEAST_A_DAY = 12
LEAST_SECONDS = 1_800


@dataclass(frozen=True, slots=True)
class RebuiltImage:
    """The local day on which an image was built for longest, and how long all of it took there.

    `days` is on how many days of the period it was built as often.
    """

    image: str
    day: date
    builds: int
    seconds: int
    days: int
    all_builds: int
    all_seconds: int


def rebuilt_image(scope: Scope) -> RebuiltImage | None:
    """The image with most time on days of at least a dozen builds; None where there is none.

    Of the sessions that started in the period. One statement.
    """
    took = ExpressionWrapper(F("finished_at") - F("started_at"), output_field=DurationField())
    rows: Any = (
        BuildRun.objects.filter(session__in=scope.started().values("pk"))
        .filter(finished_at__isnull=False)
        .exclude(image="")
        .annotate(day=TruncDate("started_at", tzinfo=scope.zone))
        .values("image", "day")
        .annotate(
            count=Count("pk"),
            took=Sum(took),
            people=Count("session__person_id", distinct=True),
        )
        .filter(count__gte=LEAST_A_DAY, people__gte=LEAST_GROUP if scope.is_aggregate else 0)
        .order_by("image", "day")
    )
    by_image: dict[str, list[Any]] = {}
    for row in rows:
        by_image.setdefault(row["image"], []).append(row)
    found = [_rebuilt(image, days) for image, days in by_image.items()]
    often = [image for image in found if image.all_seconds >= LEAST_SECONDS]
    return max(often, key=lambda image: (image.all_seconds, image.image), default=None)


def _rebuilt(image: str, days: list[Any]) -> RebuiltImage:
    worst = max(days, key=lambda row: (row["took"], row["count"]))
    return RebuiltImage(
        image=image,
        day=worst["day"],
        builds=worst["count"],
        seconds=worst["took"] // timedelta(seconds=1),
        days=len(days),
        all_builds=sum(row["count"] for row in days),
        all_seconds=sum((row["took"] for row in days), timedelta(0)) // timedelta(seconds=1),
    )
