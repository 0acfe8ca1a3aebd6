"""Mail that goes out, and news in the portal.

The database is the truth about mail: a message is written in the transaction of the change that
it tells of, and whoever claims its row sends it.
"""

from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from offload_portal.common.identifiers import uuid7
from orgs.enums import MailState, NewsKind
from orgs.models.organizations import Organization


def news_choices() -> list[tuple[str, object]]:
    """The closed list. A function, so that a new kind needs no migration."""
    return list(NewsKind.choices)


class OutgoingMailQuerySet(models.QuerySet["OutgoingMail"]):
    def due(self, at: datetime) -> Self:
        """Those whose turn it is at the instant, the longest due first."""
        return self.filter(state=MailState.WAITING, next_attempt_at__lte=at).order_by(
            "next_attempt_at", "id"
        )

    def troubled(self) -> Self:
        """Those that could not be sent: given up, or tried in vain so far. Newest first."""
        waiting_again = Q(state=MailState.WAITING, attempts__gt=0)
        return self.filter(Q(state=MailState.FAILED) | waiting_again).order_by("-created_at", "-id")


class OutgoingMail(models.Model):
    """One message to one address. `sealed` is what it says, links with secrets among it.

    It is emptied as soon as nobody needs it: when the message has been sent.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(
        Organization, models.CASCADE, null=True, blank=True, related_name="+"
    )
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="+"
    )
    kind = models.CharField(max_length=24, choices=news_choices)
    to = models.EmailField(max_length=254)
    sealed = models.TextField(blank=True)
    state = models.CharField(max_length=8, choices=MailState.choices, default=MailState.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField()
    next_attempt_at = models.DateTimeField()
    claimed_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    # Retries end a day after this: the writing, or the last time somebody sent it again.
    asked_at = models.DateTimeField()
    last_error = models.CharField(max_length=200, blank=True)

    objects = OutgoingMailQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(
                fields=["next_attempt_at", "id"],
                condition=Q(state=MailState.WAITING),
                name="outgoing_mail_waiting",
            ),
            models.Index(
                fields=["organization", "-created_at"],
                condition=~Q(state=MailState.SENT),
                name="outgoing_mail_troubled",
            ),
            models.Index(fields=["created_at"], name="outgoing_mail_age"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state=MailState.SENT, sent_at__isnull=False, sealed="")
                | (~Q(state=MailState.SENT) & Q(sent_at=None)),
                name="outgoing_mail_sent_is_emptied",
            ),
            models.CheckConstraint(
                condition=~Q(state=MailState.SENDING) | Q(claimed_at__isnull=False),
                name="outgoing_mail_sending_is_claimed",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}: {self.state}"


class NotificationQuerySet(models.QuerySet["Notification"]):
    def of_person(self, person: models.Model) -> Self:
        """Newest first."""
        return self.filter(person=person).order_by("-at", "-id")

    def unread(self) -> Self:
        return self.filter(read_at=None)


class Notification(models.Model):
    """News for one person in the portal; its words are made when it is shown.

    `facts` is the context of the kind's text, `link` a path in the portal. `about` is whom it
    names, so that it goes when they are erased.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(
        Organization, models.CASCADE, null=True, blank=True, related_name="+"
    )
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    about = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="+"
    )
    kind = models.CharField(max_length=24, choices=news_choices)
    facts = models.JSONField(default=dict)
    link = models.CharField(max_length=300, blank=True)
    at = models.DateTimeField()
    read_at = models.DateTimeField(null=True, blank=True)

    objects = NotificationQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["person", "-at", "-id"], name="notification_newest"),
            models.Index(fields=["person"], condition=Q(read_at=None), name="notification_unread"),
            models.Index(fields=["at"], name="notification_age"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} for {self.person_id}"


class DeclinedMail(models.Model):
    """A kind of news that a person doesn't want by e-mail; it stands in the portal all the same."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    kind = models.CharField(max_length=24, choices=news_choices)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["person", "kind"], name="declined_mail_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kind}, declined by {self.person_id}"
