"""Addresses as people bring them: pasted, from spreadsheets, odd and forged (rule 3)."""

import codecs

import pytest
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile

from offload_portal.common.refusals import Refusal
from orgs import services
from orgs.models import Invitation, License, LicenseGrant
from orgs.selectors.addresses import addresses_in_file, is_address, plain_domain, split_addresses
from orgs.selectors.invitations import Mark, review_invitations
from tests import factories
from tests.factories import actor

TWO = ("ada@example.com", "bob@example.com")
COMMAS = "name,email\nAda,ada@example.com\nBob,bob@example.com\n"
SEMICOLONS = "Name;E-Mail;email\r\nÄda;x;ada@example.com\r\nBob;y;bob@example.com\r\n"


@pytest.mark.parametrize(
    "data",
    [
        COMMAS.encode(),
        codecs.BOM_UTF8 + COMMAS.encode(),
        SEMICOLONS.encode("cp1252"),
        SEMICOLONS.encode("utf-16"),
        codecs.BOM_UTF16_BE + SEMICOLONS.encode("utf-16-be"),
        b"sep=;\r\n" + SEMICOLONS.encode(),
        b"email\tname\nada@example.com\tAda\nbob@example.com\tBob",
        b'email,note\n"ada@example.com","two\nlines, and a comma"\nbob@example.com,\n,empty\n',
        b" Email ,name\nada@example.com,A\nbob@example.com,B\n",
    ],
)
def test_csv_as_programs_write_it_is_read(data):
    assert addresses_in_file(data) == TWO


@pytest.mark.parametrize(
    ("data", "cure"),
    [
        (b"PK\x03\x04 a workbook", "CSV UTF-8"),
        (b"name,mail\nAda,ada@example.com", "email"),
        (b"", "email"),
        (b"\x81\x8d\x00\x00", "UTF-8"),
        (codecs.BOM_UTF8 + b"\xff\xfe\xfd", "UTF-8"),
        (b"email\n" + b"a" * 1_000_001, "1 MB"),
    ],
)
def test_files_that_can_not_be_read_are_refused_with_the_cure(data, cure):
    with pytest.raises(Refusal) as refused:
        addresses_in_file(data)
    assert cure in refused.value.sentence
    assert refused.value.errors["file"]


@pytest.mark.parametrize(
    "text",
    ["a@x.org,b@x.org", "a@x.org; b@x.org", "a@x.org\nb@x.org", "\ufeffa@x.org\tb@x.org,,;"],
)
def test_a_pasted_list_is_split(text):
    assert split_addresses(text) == ("a@x.org", "b@x.org")


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("ada@example.com", True),
        ("ada+x@example.co.uk", True),
        ("ada@bücher.example", True),
        ("a@b", False),
        ("a@localhost", False),
        ("ada@", False),
        ("@example.com", False),
        ("ada@exa mple.com", False),
        ("аda@example.com", False),
        ("x" * 250 + "@x.org", False),
        ("🚀@example.com", False),
    ],
)
def test_what_is_an_address(text, good):
    assert is_address(text) is good


def test_a_look_alike_domain_shows_itself():
    assert plain_domain("ada@аcme.com") == "xn--cme-5cd.com"
    assert plain_domain("ada@acme.com") == ""


@pytest.mark.django_db
def test_case_and_composition_make_no_second_address(place, owner, at):
    typed = ["Ada@Example.com", "ada@example.com", "ADA@BÜCHER.example", "ada@bu\u0308cher.example"]
    marks = [line.mark for line in review_invitations(place, typed, at).lines]
    assert marks == [Mark.NEW, Mark.DUPLICATE, Mark.NEW, Mark.DUPLICATE]
    services.invite(actor=actor(owner), at=at, organization=place, emails=typed)
    assert {message.to[0] for message in mail.outbox} == {"ada@example.com", "ada@bücher.example"}
    marks = [line.mark for line in review_invitations(place, typed[:1], at).lines]
    assert marks == [Mark.INVITED]


@pytest.mark.django_db
@pytest.mark.usefixtures("clock")
def test_a_file_is_reviewed_then_sent_with_team_and_license(place, owner, client_of, at):
    order = {"actor": actor(owner), "at": at, "organization": place}
    team = services.create_team(name="Web", **order)
    client, url = client_of(owner), f"/organizations/{place.slug}/members/invite/"
    chosen = {"role": "member", "team": str(team.pk), "with_license": "on"}
    file = SimpleUploadedFile("people.csv", SEMICOLONS.encode("cp1252"))
    page = client.post(url, {**chosen, "emails": "", "file": file})
    assert "2 will be invited" in page.content.decode()
    assert not Invitation.objects.exists()
    client.post(url, {**chosen, "emails": page.context["typed"], "step": "send"})
    rows = Invitation.objects.order_by("email").values_list("email", "team", "with_license")
    assert list(rows) == [(address, team.pk, True) for address in TWO]


@pytest.mark.django_db
@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("rows", [1_000, 1_001])
def test_a_thousand_rows_and_not_one_more(place, owner, client_of, rows):
    text = "email\n" + "\n".join(f"p{number}@example.com" for number in range(rows))
    file = SimpleUploadedFile("people.csv", text.encode())
    url = f"/organizations/{place.slug}/members/invite/"
    answer = client_of(owner).post(url, {"role": "member", "emails": "", "file": file})
    assert answer.status_code == (200 if rows == 1_000 else 400)


@pytest.mark.django_db
@pytest.mark.parametrize(("free", "state"), [(1, "held"), (0, "queued")])
def test_both_learn_what_became_of_the_license(place, owner, pool, at, outbox, free, state):
    """It was not reserved: who finds none waits, and inviter and invited are told."""
    pool(place, free)
    ada = factories.person("Ada")
    order = {"actor": actor(owner), "at": at, "organization": place}
    team = services.create_team(name="Web", **order)
    token = services.invite(
        emails=[ada.email], team_id=team.pk, with_license=True, **order
    ).sent[0].token  # fmt: skip
    outbox.clear()
    services.accept_invitation(actor=actor(ada), at=at, token=token, person=ada)
    assert License.objects.get(person=ada).state == state
    assert LicenseGrant.objects.get(person=ada).granted_by == owner
    assert team.members.get().person == ada
    told = {message.to[0]: str(message.body) for message in outbox if "joined" in message.subject}
    assert list(told) == [owner.email]
    assert ("hold a license" if free else "place 1 in the queue") in told[owner.email]
    assert ada.email in [message.to[0] for message in outbox]


@pytest.mark.django_db
def test_a_team_that_is_gone_leaves_the_invitation_good(place, owner, at):
    ada = factories.person("Ada")
    order = {"actor": actor(owner), "at": at, "organization": place}
    team = services.create_team(name="Web", **order)
    token = services.invite(emails=[ada.email], team_id=team.pk, **order).sent[0].token
    services.delete_team(team_id=team.pk, **order)
    assert services.accept_invitation(actor=actor(ada), at=at, token=token, person=ada)


@pytest.mark.django_db
def test_who_returns_after_being_removed_begins_anew(place, owner, pool, join, at):
    """Neither the old role nor the old grants come back with them."""
    pool(place, 5)
    ada = join(place, "Ada", "editor")
    order = {"actor": actor(owner), "at": at, "organization": place}
    services.grant_to_person(person=ada, **order)
    services.remove_member(person=ada, **order)
    token = services.invite(emails=[ada.email], **order).sent[0].token
    back = services.accept_invitation(actor=actor(ada), at=at, token=token, person=ada)
    assert back.role == "member"
    assert not License.objects.filter(person=ada).exists()


@pytest.mark.django_db
def test_many_are_resent_and_taken_back_at_once(place, owner, at, outbox):
    order = {"actor": actor(owner), "at": at, "organization": place}
    sent = services.invite(emails=[f"p{number}@x.org" for number in range(5)], **order).sent
    ids = [each.invitation.pk for each in sent]
    outbox.clear()
    services.revoke_invitations(ids=ids[:1], **order)
    again = services.resend_invitations(ids=ids, **order)
    assert (len(again), len(outbox)) == (4, 4)
    assert len(services.revoke_invitations(ids=ids, **order)) == 4
    assert not Invitation.objects.open().exists()
