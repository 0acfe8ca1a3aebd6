"""Closed lists of words in `orgs`."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    """A person's role in an organization (product.md rule 2).

    A billing manager is a member who sees what is used and changes what is paid, nothing else.
    """

    OWNER = "owner", _("Owner")
    EDITOR = "editor", _("Editor")
    BILLING = "billing", _("Billing manager")
    MEMBER = "member", _("Member")


def sees_everything(role: str) -> bool:
    """Owners and editors see everything of the organization (rule 2)."""
    return role in (Role.OWNER, Role.EDITOR)


def sees_usage(role: str) -> bool:
    """Who sees what the whole organization uses and pays."""
    return role in (Role.OWNER, Role.EDITOR, Role.BILLING)


def pays(role: str) -> bool:
    """Who changes the subscription, committed usage, top-ups and limits."""
    return role in (Role.OWNER, Role.BILLING)


class PrivacyMode(models.TextChoices):
    """How insights show what people did; `orgs.privacy` has what each means."""

    NAMED = "named", _("Named: owners and editors see who did what")
    PSEUDONYMOUS = "pseudonymous", _("Pseudonymous: each person is a code")
    AGGREGATE = "aggregate", _("Aggregate: sums of five people or more")


class GrantKind(models.TextChoices):
    """To whom a grant gives a license (rule 4)."""

    ALL = "all", _("All members")
    TEAM = "team", _("Team")
    PERSON = "person", _("Person")


class LicenseState(models.TextChoices):
    HELD = "held", _("Licensed")
    QUEUED = "queued", _("Waiting for a license")


class OffloadSwitch(models.TextChoices):
    """Whether clients may use Offload (rule 6)."""

    ALWAYS_ENABLED = "always_enabled", _("Always enabled")
    ENABLED = "enabled", _("Enabled")
    DISABLED = "disabled", _("Disabled")
    ALWAYS_DISABLED = "always_disabled", _("Always disabled")
    USER_DEFINED = "user_defined", _("User defined")


class EngineSizeName(models.TextChoices):
    """Engine sizes that a policy may allow; `usage.rates` has their multipliers (rule 16)."""

    STANDARD = "standard", _("Standard: 4 vCPU, 8 GiB")
    LARGE = "large", _("Large: 8 vCPU, 16 GiB, counts double")
    GPU = "gpu", _("GPU: 4 vCPU, 16 GiB, one GPU, counts six times")


class TokenKind(models.TextChoices):
    PERSONAL = "personal", _("Personal")
    ORGANIZATION = "organization", _("Organization")


class Scope(models.TextChoices):
    """What a token may do (api.md, "Who is calling")."""

    SESSIONS = "sessions", _("Start, watch and stop your own sessions")
    ORG_READ = "org:read", _("Read the organization")
    ORG_WRITE = "org:write", _("Change the organization")
    USAGE_READ = "usage:read", _("Read usage")


class NewsKind(models.TextChoices):
    """What people are told. Each value names its text: `templates/emails/VALUE.txt`."""

    ACCOUNT = "account", _("Your account and its security")
    INVITATION = "invitation", _("Invitations to organizations")
    LICENSE_GIVEN = "license_given", _("You get access")
    LICENSE_QUEUED = "license_queued", _("You wait for a license")
    LICENSE_LOST = "license_lost", _("You lose access")
    LICENSES_WANTED = "licenses_wanted", _("Members wait for a license")
    INVITATION_ACCEPTED = "invitation_accepted", _("Somebody accepts your invitation")
    OFFLOAD_OFF = "offload_off", _("A policy switches Offload off for you")
    REQUEST_MADE = "request_made", _("A member asks for something")
    REQUEST_ANSWERED = "request_answered", _("Your request is answered")
    ORGANIZATION_DELETED = "organization_deleted", _("An organization of yours is deleted")
    SIGN_IN_CHANGED = "sign_in_changed", _("An operator changes how you sign in")
    USAGE_ALERT = "usage_alert", _("Use comes near a limit")
    USAGE_NORMAL = "usage_normal", _("Use is below its limit again")
    WEBHOOK_OFF = "webhook_off", _("A webhook is switched off")
    ACTIVITY_REPORT = "activity_report", _("Reports that were asked for")


# These come by e-mail whatever a person chose: without them nobody could get in, or stay safe.
ALWAYS_BY_MAIL = frozenset(
    {
        NewsKind.ACCOUNT,
        NewsKind.INVITATION,
        NewsKind.ORGANIZATION_DELETED,
        NewsKind.SIGN_IN_CHANGED,
    }
)
# These are for owners; others have nothing to choose there.
FOR_OWNERS = frozenset(
    {NewsKind.LICENSES_WANTED, NewsKind.INVITATION_ACCEPTED, NewsKind.REQUEST_MADE}
)


class RequestKind(models.TextChoices):
    """What a refused member may ask for (rule 26)."""

    ACCESS = "access", _("Access")
    HOURS = "hours", _("More compute time")
    SESSION_LENGTH = "session_length", _("Longer sessions")


class RequestState(models.TextChoices):
    OPEN = "open", _("Open")
    APPROVED = "approved", _("Approved")
    DECLINED = "declined", _("Declined")
    WITHDRAWN = "withdrawn", _("Withdrawn")


class WebhookEvent(models.TextChoices):
    """What receivers may ask for; names of audit events are theirs."""

    SESSION_STARTED = "session.started", _("Session started")
    SESSION_ENDED = "session.ended", _("Session ended")
    ALERT_RAISED = "alert.raised", _("Alert")
    ALERT_OVER = "alert.over", _("Alert is over")
    LIMIT_CHANGED = "limit.changed", _("On-demand limit changed")
    CAP_CHANGED = "cap.changed", _("Cap changed")
    SUBSCRIPTION_STARTED = "subscription.started", _("Subscription started")
    SUBSCRIPTION_CHANGED = "subscription.changed", _("Subscription changed")
    SUBSCRIPTION_CANCELLED = "subscription.cancelled", _("Subscription cancelled")
    SUBSCRIPTION_RESUMED = "subscription.resumed", _("Subscription resumed")
    COMMITMENT_CHANGED = "commitment.changed", _("Committed usage changed")
    TOP_UP_BOUGHT = "top_up.bought", _("Top-up bought")
    LEDGER_CORRECTED = "ledger.corrected", _("Ledger corrected")


class WebhookStyle(models.TextChoices):
    """What a receiver takes: the event itself, or a line of text for a chat."""

    STANDARD = "standard", _("The event as JSON (Standard Webhooks)")
    SLACK = "slack", _("A line for Slack, Mattermost, Rocket.Chat or Teams")
    DISCORD = "discord", _("A line for Discord")


class DeliveryState(models.TextChoices):
    WAITING = "waiting", _("Waiting")
    SENDING = "sending", _("Being sent")
    DELIVERED = "delivered", _("Delivered")
    FAILED = "failed", _("Failed")


class MailState(models.TextChoices):
    WAITING = "waiting", _("Waiting")
    SENDING = "sending", _("Being sent")
    SENT = "sent", _("Sent")
    FAILED = "failed", _("Not sent")


class MemberAct(models.TextChoices):
    """What an owner may do with many members at once."""

    ROLE = "role", _("Change the role")
    GRANT = "grant", _("Give access")
    TAKE = "take", _("Take access away")
    TEAM_ADD = "team_add", _("Add to a team")
    TEAM_REMOVE = "team_remove", _("Take out of a team")
    REMOVE = "remove", _("Remove from the organization")


class BulkKind(models.TextChoices):
    """What was done to many members in one step."""

    ROLE = "role", _("Role changed")
    GRANT = "grant", _("Access granted")
    TAKE = "take", _("Access taken away")
    TEAM_ADD = "team_add", _("Added to a team")
    TEAM_REMOVE = "team_remove", _("Taken out of a team")


class Event(models.TextChoices):
    """The closed list of audit events, `subject.act` (rule 7)."""

    PERSON_SIGNED_UP = "person.signed_up", _("Person signed up")
    PERSON_CHANGED = "person.changed", _("Person changed")
    PERSON_ERASED = "person.erased", _("Person erased")
    PERSON_EXPORTED = "person.exported", _("Own data downloaded")
    PERSON_SWITCHED = "person.switched", _("Sign-in switched on or off")
    SECOND_FACTOR_ADDED = "second_factor.added", _("Second factor set up")
    SECOND_FACTOR_REMOVED = "second_factor.removed", _("Second factor removed")
    ORGANIZATION_CREATED = "organization.created", _("Organization created")
    ORGANIZATION_CHANGED = "organization.changed", _("Organization changed")
    ORGANIZATION_DELETED = "organization.deleted", _("Organization deleted")
    OPERATOR_ACTED = "operator.acted", _("Operator acted")
    MEMBER_JOINED = "member.joined", _("Member joined")
    MEMBER_ROLE_CHANGED = "member.role_changed", _("Member's role changed")
    MEMBER_REMOVED = "member.removed", _("Member removed")
    TEAM_CREATED = "team.created", _("Team created")
    TEAM_RENAMED = "team.renamed", _("Team renamed")
    TEAM_DELETED = "team.deleted", _("Team deleted")
    TEAM_MEMBER_ADDED = "team.member_added", _("Member added to a team")
    TEAM_MEMBER_REMOVED = "team.member_removed", _("Member removed from a team")
    INVITATION_SENT = "invitation.sent", _("Invitation sent")
    INVITATION_RESENT = "invitation.resent", _("Invitation sent again")
    INVITATION_REVOKED = "invitation.revoked", _("Invitation revoked")
    ACCESS_GRANTED = "access.granted", _("Access granted")
    ACCESS_REVOKED = "access.revoked", _("Access revoked")
    ACCESS_EXPIRED = "access.expired", _("Access expired")
    BULK_UNDONE = "bulk.undone", _("Change of many members undone")
    LICENSE_GIVEN = "license.given", _("License given")
    LICENSE_QUEUED = "license.queued", _("License queued")
    LICENSE_LOST = "license.lost", _("License lost")
    POLICY_CHANGED = "policy.changed", _("Policy changed")
    POLICY_ADDED = "policy.added", _("Policy for teams or people added")
    POLICY_REMOVED = "policy.removed", _("Policy for teams or people removed")
    POLICY_ENDED = "policy.ended", _("Policy for teams or people ended")
    REQUEST_MADE = "request.made", _("Request made")
    REQUEST_WITHDRAWN = "request.withdrawn", _("Request withdrawn")
    REQUEST_APPROVED = "request.approved", _("Request approved")
    REQUEST_DECLINED = "request.declined", _("Request declined")
    MAIL_RESENT = "mail.resent", _("Mail sent again")
    TOKEN_CREATED = "token.created", _("Token created")
    TOKEN_REVOKED = "token.revoked", _("Token revoked")
    SUBSCRIPTION_STARTED = "subscription.started", _("Subscription started")
    SUBSCRIPTION_CHANGED = "subscription.changed", _("Subscription changed")
    SUBSCRIPTION_CANCELLED = "subscription.cancelled", _("Subscription cancelled")
    SUBSCRIPTION_RESUMED = "subscription.resumed", _("Subscription resumed")
    COMMITMENT_CHANGED = "commitment.changed", _("Committed usage changed")
    LIMIT_CHANGED = "limit.changed", _("On-demand limit changed")
    CAP_CHANGED = "cap.changed", _("Cap changed")
    REPORT_SCHEDULED = "report.scheduled", _("Report scheduled")
    REPORT_ENDED = "report.ended", _("Report ended")
    INSIGHTS_VIEWED = "insights.viewed", _("Insights of named people looked at")
    INSIGHTS_EXPORTED = "insights.exported", _("Insights of named people downloaded")
    WEBHOOK_ADDED = "webhook.added", _("Webhook added")
    WEBHOOK_CHANGED = "webhook.changed", _("Webhook changed")
    WEBHOOK_ROTATED = "webhook.rotated", _("Webhook's secret changed")
    WEBHOOK_REMOVED = "webhook.removed", _("Webhook removed")
    ALERTS_CHANGED = "alerts.changed", _("Alerts changed")
    TOP_UP_BOUGHT = "top_up.bought", _("Top-up bought")
    LEDGER_CORRECTED = "ledger.corrected", _("Ledger corrected")
    SESSION_STARTED = "session.started", _("Session started")
    SESSION_ENDED = "session.ended", _("Session ended")
    ENGINE_KEY_GIVEN = "session.key_given", _("Key of a session's engine given")
