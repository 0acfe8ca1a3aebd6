"""How often images were used: by sessions of a period, and of the one before it."""

from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Case, IntegerField, Value, When

from sessions.models import ContainerRun
from sessions.models.session import SessionQuerySet

MOST_LISTED = 24


@dataclass(frozen=True, slots=True)
class ImageUse:
    """An image reference and how often it was used."""

    image: str
    sessions: int
    runs: int
    users: int


@dataclass(frozen=True, slots=True)
class ImagesUsed:
    """`most` has the most used of the period, at most MOST_LISTED; `images` counts all of them."""

    most: tuple[ImageUse, ...]
    images: int
    images_before: int


def images_used(sessions: SessionQuerySet, start: datetime, least_people: int) -> ImagesUsed:
    """Of sessions that started in the period from `start` on or in the one before it.

    Images that fewer than `least_people` used are counted, not listed. One statement.
    """
    is_now = Case(
        When(created_at__gte=start, then=Value(1)), default=Value(0), output_field=IntegerField()
    )
    asked = sessions.annotate(is_now=is_now).order_by().values_list("id", "person_id", "is_now")
    try:
        text, given = asked.query.sql_with_params()
    except EmptyResultSet:  # no session can be of nobody
        return ImagesUsed((), 0, 0)
    runs = connection.ops.quote_name(ContainerRun._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            # By session, then by person: counting distinct ones of all runs would sort them all.
            f"WITH asked(session, person, now) AS ({text}),"  # noqa: S608 - composed of the ORM's own text
            " one AS (SELECT r.image, a.now, a.person, COUNT(*) AS runs"
            f" FROM asked a JOIN {runs} r ON r.session_id = a.session"
            " GROUP BY r.image, a.now, a.session, a.person),"
            " own AS (SELECT image, now, COUNT(*) AS sessions, SUM(runs) AS runs FROM one"
            " GROUP BY image, now, person),"
            " used AS (SELECT image, now, SUM(sessions) AS sessions, SUM(runs) AS runs,"
            " COUNT(*) AS people FROM own GROUP BY image, now),"
            " placed AS (SELECT image, now, sessions, runs, people,"
            " COUNT(*) OVER (PARTITION BY now) AS images,"
            " ROW_NUMBER() OVER (PARTITION BY now ORDER BY"
            " CASE WHEN people >= %s THEN 0 ELSE 1 END, sessions DESC, runs DESC, image) AS place"
            " FROM used)"
            " SELECT image, now, sessions, runs, people, images FROM placed"
            " WHERE place = 1 OR (now = 1 AND place <= %s) ORDER BY now DESC, place",
            [*given, least_people, MOST_LISTED],
        )
        rows = cursor.fetchall()
    counts = {int(row[1]): int(row[5]) for row in rows}
    most = [ImageUse(row[0], int(row[2]), int(row[3]), int(row[4])) for row in rows if row[1]]
    listed = tuple(use for use in most if use.users >= least_people)
    return ImagesUsed(listed, counts.get(1, 0), counts.get(0, 0))
