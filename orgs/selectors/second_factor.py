"""Who has a second factor, and where one is asked of everyone (rule 26)."""

from allauth.mfa.models import Authenticator

from orgs.models import Organization, Person


def has_second_factor(person: Person) -> bool:
    """Whether an authenticator app is set up; recovery codes alone are none."""
    apps = Authenticator.objects.filter(user_id=person.pk, type=Authenticator.Type.TOTP)
    return bool(apps.exists())


def lacks_second_factor(organization: Organization, person: Person) -> bool:
    """Whether the organization asks for one that the person has not set up."""
    return organization.requires_second_factor and not has_second_factor(person)


def members_without(organization: Organization) -> int:
    """How many members have none: whom a requirement would lead to setting one up."""
    apps = Authenticator.objects.filter(type=Authenticator.Type.TOTP).values("user_id")
    return organization.memberships.exclude(person_id__in=apps).count()
