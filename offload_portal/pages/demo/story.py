"""What the owners of the demonstration do: found, subscribe, invite, grant, set limits."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from allauth.account.models import EmailAddress

from offload_portal.common.actors import Actor
from offload_portal.pages.demo.cast import Company, Part
from orgs import services as orgs_services
from orgs.models import Organization, Person
from orgs.services import PolicyChange
from sessions.services import change_allowance
from usage import services as usage_services
from usage.enums import OnDemand
from usage.models import Plan

SIZES = ("standard", "large")


@dataclass
class Founded:
    """An organization as it grows. `people` are by mailbox."""

    company: Company
    password: str
    organization: Organization | None = None
    people: dict[str, Person] = field(default_factory=dict)

    @property
    def place(self) -> Organization:
        if self.organization is None:
            raise LookupError(f"{self.company.name} is not founded yet.")
        return self.organization

    @property
    def owner(self) -> Actor:
        return Actor(self.people[self.company.parts[0].mailbox].pk, "demo")

    def sign_up(self, part: Part, at: datetime) -> Person:
        """A person with a confirmed address, as after the link in the mail was followed."""
        person = Person.objects.create_user(
            f"{part.mailbox}@{self.company.domain}",
            self.password if part.signs_in else None,
            name=part.name,
            zone=self.company.zone,
            joined_at=at,
        )
        EmailAddress.objects.create(user=person, email=person.email, verified=True, primary=True)
        self.people[part.mailbox] = person
        return person

    def found(self, at: datetime) -> None:
        owner = self.sign_up(self.company.parts[0], at)
        self.organization = orgs_services.create_organization(
            actor=self.owner,
            at=at,
            person=owner,
            name=self.company.name,
            slug=self.company.slug,
            zone=self.company.zone,
        )

    def subscribe(self, at: datetime, plan: str, committed: int | None = None) -> None:
        self._metered(
            at,
            lambda at: usage_services.subscribe(
                actor=self.owner,
                at=at,
                organization=self.place,
                plan=Plan.objects.get(slug=plan),
                committed_compute_seconds=committed,
            ),
        )

    def limit(self, at: datetime, microusd: int, reason: str) -> None:
        self._metered(
            at,
            lambda at: usage_services.set_on_demand(
                actor=self.owner,
                at=at,
                organization=self.place,
                mode=OnDemand.LIMITED,
                limit_microusd=microusd,
                reason=reason,
            ),
        )

    def _metered(self, at: datetime, change: Callable[[datetime], object]) -> None:
        change_allowance(organization=self.place, at=at, change=change)
        self.place.refresh_from_db()

    def set_policy(self, at: datetime) -> None:
        change = PolicyChange(
            offload="enabled",
            idle_timeout_seconds=self.company.idle_timeout_seconds,
            idle_timeout_least_seconds=60,
            idle_timeout_most_seconds=3_600,
            engine_sizes=(*SIZES, "gpu") if self.company.gpu else SIZES,
            gpu_allowed=self.company.gpu,
            longest_session_seconds=None,
            sessions_per_person=1,
            keep_alive_most_seconds=3 * 3_600,
        )
        orgs_services.update_policy(actor=self.owner, at=at, organization=self.place, change=change)

    def invite(self, at: datetime, part: Part) -> Person:
        """Invite somebody, who signs up and accepts an hour later."""
        address = f"{part.mailbox}@{self.company.domain}"
        invited = orgs_services.invite(
            actor=self.owner,
            at=at,
            organization=self.place,
            emails=[address],
            role=part.role,
        )
        later = at + timedelta(hours=1)
        person = self.sign_up(part, later)
        orgs_services.accept_invitation(
            actor=Actor(person.pk, "demo"), at=later, token=invited.sent[0].token, person=person
        )
        return person

    def make_teams(self, at: datetime) -> None:
        for name, mailboxes in self.company.teams:
            orgs_services.create_team(
                actor=self.owner,
                at=at,
                organization=self.place,
                name=name,
                person_ids=[self.people[mailbox].pk for mailbox in mailboxes],
            )

    def grant(self, at: datetime, person: Person | None = None) -> None:
        """A license for one person, or for everybody who is and will be a member."""
        if person is None:
            orgs_services.grant_to_all(actor=self.owner, at=at, organization=self.place)
        else:
            orgs_services.grant_to_person(
                actor=self.owner, at=at, organization=self.place, person=person
            )
