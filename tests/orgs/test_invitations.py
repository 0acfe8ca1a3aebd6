"""Inviting and accepting (product.md rule 3)."""

import re
from datetime import timedelta

import pytest
from django.core import mail

from offload_portal.common.refusals import Refusal
from orgs import services
from orgs.enums import Event, Role
from orgs.models import AuditEntry, Invitation, Membership
from orgs.selectors.addresses import split_addresses
from orgs.selectors.invitations import Mark, offer_of, review_invitations
from orgs.services import outbox
from tests import factories
from tests.factories import actor
from tests.orgs.conftest import html_of

SECOND = timedelta(seconds=1)
TERM = timedelta(days=14)


def invite(place, owner, at, *emails, role=Role.MEMBER):
    done = services.invite(
        actor=actor(owner), at=at, organization=place, emails=list(emails), role=role
    )
    return [each.token for each in done.sent]


def accept(token, person, at):
    return services.accept_invitation(actor=actor(person), at=at, token=token, person=person)


def code_of(call, *arguments):
    with pytest.raises(Refusal) as refused:
        call(*arguments)
    return refused.value.code


@pytest.fixture
def ada(db):
    return factories.person("Ada", "ada@example.com")


@pytest.mark.parametrize(
    "text",
    [
        "a@x.org,b@x.org;c@x.org d@x.org\ne@x.org",
        " a@x.org ,, b@x.org\t;c@x.org\r\nd@x.org \n\n e@x.org;",
        "Email,Name\na@x.org,A\nb@x.org,B\nc@x.org,\nd@x.org\ne@x.org,E",
        '\ufeffname;email\nA;a@x.org\n"B; b";b@x.org\nC;c@x.org\nD;d@x.org\nE;e@x.org\n',
    ],
)
def test_a_list_may_be_pasted_in_any_of_these_ways(text):
    assert split_addresses(text) == ("a@x.org", "b@x.org", "c@x.org", "d@x.org", "e@x.org")


def test_the_review_marks_each_address(place, owner, at, ada):
    factories.actor(ada)
    invite(place, owner, at, "waiting@example.com")
    lines = review_invitations(
        place,
        [
            "New@Example.com",
            "no-address",
            "new@example.com",
            owner.email.upper(),
            "waiting@example.com",
            "x" * 250 + "@example.com",
        ],
        at,
    ).lines
    assert [line.mark for line in lines] == [
        Mark.NEW,
        Mark.INVALID,
        Mark.DUPLICATE,
        Mark.MEMBER,
        Mark.INVITED,
        Mark.INVALID,
    ]


@pytest.mark.usefixtures("mail_waits")
def test_a_thousand_at_once_and_not_one_more(place, owner, at, django_assert_max_num_queries):
    emails = [f"person{number}@example.com" for number in range(1_000)]
    assert code_of(invite, place, owner, at, *emails, "one@example.com") == "too_many_invitations"
    assert not Invitation.objects.exists()
    with django_assert_max_num_queries(60):
        tokens = invite(place, owner, at, *emails)
    assert not mail.outbox, "the request sends nothing"
    assert outbox.deliver(at=at, most=1_000).sent == 1_000
    assert len(set(tokens)) == len({message.to[0] for message in mail.outbox}) == 1_000


def test_nothing_typed_is_refused(place, owner, at):
    assert code_of(invite, place, owner, at) == "invalid"


def test_the_mail_has_the_link_and_the_database_only_its_digest(place, owner, at, ada):
    (token,) = invite(place, owner, at, "ada@example.com")
    (message,) = mail.outbox
    assert message.to == ["ada@example.com"]
    assert message.subject == "Join Northwind on Offload Portal"
    for body in (str(message.body), html_of(message)):
        assert re.search(rf"http://localhost:\d+/invitations/{token}/", body)
        assert owner.name in body
    invitation = Invitation.objects.get()
    assert token not in str(invitation.__dict__)
    assert token not in str(list(AuditEntry.objects.values()))
    assert "ada@example.com" not in str(list(AuditEntry.objects.values()))


@pytest.mark.parametrize(
    ("late", "works"), [(TERM - SECOND, True), (TERM, False), (TERM + SECOND, False)]
)
def test_a_link_works_until_its_last_second(place, owner, at, ada, late, works):
    (token,) = invite(place, owner, at, ada.email)
    if works:
        assert accept(token, ada, at + late).role == Role.MEMBER
    else:
        assert code_of(accept, token, ada, at + late) == "invitation_expired"
        assert not Membership.objects.filter(person=ada).exists()


def test_a_link_works_once(place, owner, at, ada):
    (token,) = invite(place, owner, at, ada.email, role=Role.EDITOR)
    assert accept(token, ada, at).role == Role.EDITOR
    assert code_of(accept, token, ada, at) == "invitation_used"
    assert Membership.objects.filter(person=ada).count() == 1


def test_a_link_is_for_the_invited_address_only(place, owner, at, ada, stranger):
    (token,) = invite(place, owner, at, ada.email)
    with pytest.raises(Refusal) as refused:
        accept(token, stranger, at)
    assert refused.value.code == "invitation_for_another_address"
    assert ada.email in refused.value.sentence
    assert stranger.email in refused.value.sentence
    accept(token, ada, at)


def test_a_second_address_counts_once_it_is_confirmed(place, owner, at, ada):
    from allauth.account.models import EmailAddress

    other = EmailAddress.objects.create(user=ada, email="ada@work.example", verified=False)
    (token,) = invite(place, owner, at, "ada@work.example")
    assert code_of(accept, token, ada, at) == "invitation_for_another_address"
    other.verified = True
    other.save()
    accept(token, ada, at)


def test_sending_again_makes_a_new_link_with_a_new_term(place, owner, at, ada):
    (old,) = invite(place, owner, at, ada.email)
    invitation = Invitation.objects.get()
    later = at + timedelta(days=20)
    sent = services.resend_invitation(
        actor=actor(owner), at=later, organization=place, invitation_id=invitation.pk
    )
    assert code_of(accept, old, ada, later) == "invitation_unknown"
    assert sent.invitation.expires_at == later + TERM
    accept(sent.token, ada, later + TERM - SECOND)


def test_a_link_that_was_taken_back_no_longer_works(place, owner, at, ada):
    (token,) = invite(place, owner, at, ada.email)
    invitation = Invitation.objects.get()
    arguments = {
        "actor": actor(owner), "at": at, "organization": place, "invitation_id": invitation.pk
    }  # fmt: skip
    services.revoke_invitation(**arguments)
    assert code_of(accept, token, ada, at) == "invitation_revoked"
    assert code_of(lambda: services.revoke_invitation(**arguments)) == "invitation_revoked"
    assert code_of(lambda: services.resend_invitation(**arguments)) == "invitation_revoked"


def test_an_expired_invitation_makes_room_for_a_new_one(place, owner, at, ada):
    (old,) = invite(place, owner, at, ada.email)
    assert invite(place, owner, at + TERM - SECOND, ada.email) == []
    (new,) = invite(place, owner, at + TERM, ada.email)
    assert code_of(accept, old, ada, at + TERM) == "invitation_revoked"
    accept(new, ada, at + TERM)


def test_the_link_says_what_it_offers(place, owner, at, ada):
    (token,) = invite(place, owner, at, ada.email, role=Role.EDITOR)
    offer = offer_of(token, at)
    assert offer is not None
    assert (offer.organization_name, offer.role, offer.state) == ("Northwind", "editor", "open")
    late = offer_of(token, at + TERM)
    assert late is not None
    assert late.state == "expired"
    assert offer_of("nothing", at) is None
    assert offer_of("\udcff" * 400, at) is None


def test_who_joined_another_way_keeps_their_role(place, owner, at, ada):
    (token,) = invite(place, owner, at, ada.email, role=Role.MEMBER)
    Membership.objects.create(organization=place, person=ada, role=Role.EDITOR, joined_at=at)
    assert accept(token, ada, at).role == Role.EDITOR


def test_invitations_of_another_organization_are_not_found(place, owner, at, ada, stranger):
    invite(place, owner, at, ada.email)
    other = factories.organization(stranger)
    with pytest.raises(Refusal) as refused:
        services.revoke_invitation(
            actor=actor(stranger),
            at=at,
            organization=other,
            invitation_id=Invitation.objects.get().pk,
        )
    assert refused.value.status == 404


@pytest.mark.parametrize("role", [Role.EDITOR, Role.MEMBER])
def test_only_owners_invite(place, join, at, role):
    other = join(place, "Other", role)
    assert code_of(invite, place, other, at, "x@example.com") == "not_an_owner"


def test_each_step_leaves_an_entry(place, owner, at, ada):
    (token,) = invite(place, owner, at, ada.email)
    accept(token, ada, at + SECOND)
    events = AuditEntry.objects.filter(organization_id=place.pk).order_by("at", "id")
    assert [entry.event for entry in events] == [
        Event.ORGANIZATION_CREATED,
        Event.INVITATION_SENT,
        Event.MEMBER_JOINED,
    ]


def test_an_invitation_is_written_in_the_readers_language(place, owner, at, ada):
    ada.language = "zh-hans"
    ada.save()
    invite(place, owner, at, ada.email)
    assert 'lang="zh-hans"' in html_of(mail.outbox[0])


def test_a_mail_server_that_is_away_does_not_undo_the_invitation(
    place, owner, at, settings, monkeypatch
):
    from django.core.mail.backends.locmem import EmailBackend

    def away(backend, messages):
        raise ConnectionRefusedError("nobody there")

    monkeypatch.setattr(EmailBackend, "send_messages", away)
    assert len(invite(place, owner, at, "ada@example.com")) == 1
    assert Invitation.objects.count() == 1
