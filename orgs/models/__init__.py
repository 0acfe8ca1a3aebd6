from orgs.models.access import AccessLoss, License, LicenseGrant, Policy
from orgs.models.audit import AuditCheck, AuditEntry, AuditSeal, AuditText
from orgs.models.bulk import BulkChange
from orgs.models.mail import DeclinedMail, Notification, OutgoingMail
from orgs.models.organizations import (
    Address,
    Invitation,
    Membership,
    Organization,
    Team,
    TeamMember,
)
from orgs.models.people import Person
from orgs.models.policies import PolicyMark, PolicyOverride, PolicyTarget
from orgs.models.requests import MemberRequest
from orgs.models.tokens import Token
from orgs.models.webhooks import WebhookDelivery, WebhookEndpoint

__all__ = [
    "AccessLoss",
    "Address",
    "AuditCheck",
    "AuditEntry",
    "AuditSeal",
    "AuditText",
    "BulkChange",
    "DeclinedMail",
    "Invitation",
    "License",
    "LicenseGrant",
    "MemberRequest",
    "Membership",
    "Notification",
    "Organization",
    "OutgoingMail",
    "Person",
    "Policy",
    "PolicyMark",
    "PolicyOverride",
    "PolicyTarget",
    "Team",
    "TeamMember",
    "Token",
    "WebhookDelivery",
    "WebhookEndpoint",
]
