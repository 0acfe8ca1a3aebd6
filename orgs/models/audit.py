"""The audit log: who did what, on what, when, from where, before and after (rule 7).

An entry is written in the transaction of its change and never changes afterwards; PostgreSQL
refuses it by a trigger. A seal, written later, gives it a number and a place in a chain of hashes.
What names a person stands in texts, which can be erased: an entry holds their keyed digests.
"""

from django.db import models

from offload_portal.common.identifiers import uuid7
from orgs.enums import Event

DIGEST_LETTERS = 45
HASH_LETTERS = 64


def event_choices() -> list[tuple[str, object]]:
    """The closed list. A function, so that a new event needs no migration."""
    return list(Event.choices)


class AuditEntry(models.Model):
    """Holds identifiers and digests, never names, and no foreign keys: it outlives all of them.

    `origin` is a door's word ("sweep", "api") or the digest of a network address; `subject_name`
    the digest of what the subject was called then, "" where it has no name of its own.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization_id = models.UUIDField(null=True, blank=True)
    at = models.DateTimeField()
    actor_id = models.UUIDField(null=True, blank=True)
    event = models.CharField(max_length=40, choices=event_choices)
    subject_kind = models.CharField(max_length=24)
    subject_id = models.UUIDField(null=True, blank=True)
    subject_name = models.CharField(max_length=DIGEST_LETTERS, blank=True, default="")
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    origin = models.CharField(max_length=64, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["organization_id", "-at", "-id"], name="audit_newest"),
            models.Index(fields=["organization_id", "event", "-at"], name="audit_by_event"),
            models.Index(fields=["organization_id", "actor_id", "-at"], name="audit_by_actor"),
            models.Index(fields=["organization_id", "subject_id", "-at"], name="audit_by_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.event} at {self.at}"


class AuditText(models.Model):
    """What a digest in an entry stands for. Erasing a person deletes their rows.

    `person_id` is whom it names or whose it is, None where nobody is known (an invited address).
    """

    digest = models.CharField(max_length=DIGEST_LETTERS, primary_key=True)
    organization_id = models.UUIDField(null=True, blank=True)
    person_id = models.UUIDField(null=True, blank=True, db_index=True)
    text = models.TextField()

    class Meta:
        indexes = [models.Index(fields=["organization_id"], name="audit_text_of")]

    def __str__(self) -> str:
        return self.digest


class AuditSeal(models.Model):
    """An entry's number in its organization's chain, and the hash that binds it to the one before.

    `chain_id` is the organization, or CHAIN_OF_NONE for entries that concern none. Rows are only
    ever added. `key_id` says which AUDIT_KEY sealed.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    chain_id = models.UUIDField()
    number = models.PositiveBigIntegerField()
    entry_id = models.UUIDField(unique=True)
    previous = models.CharField(max_length=HASH_LETTERS, blank=True)
    hash = models.CharField(max_length=HASH_LETTERS)
    key_id = models.CharField(max_length=8)
    sealed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["chain_id", "number"], name="audit_seal_number_once")
        ]

    def __str__(self) -> str:
        return f"{self.number} of {self.chain_id}"


class AuditCheck(models.Model):
    """What the last verification of all chains found: `findings` is 0 where all was in order."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    at = models.DateTimeField()
    entries = models.PositiveBigIntegerField()
    unsealed = models.PositiveBigIntegerField()
    findings = models.PositiveIntegerField()

    class Meta:
        indexes = [models.Index(fields=["-at", "-id"], name="audit_check_newest")]

    def __str__(self) -> str:
        return f"{self.findings} findings at {self.at}"
