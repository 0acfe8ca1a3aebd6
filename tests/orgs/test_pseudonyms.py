"""A person's code in an organization: always the same, and nothing that leads back."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgs.enums import PrivacyMode
from orgs.privacy import is_enough, is_veiled, pseudonym_of

PLACE, PERSON = uuid.UUID(int=1), uuid.UUID(int=2)


def test_it_is_the_same_each_time_and_another_elsewhere() -> None:
    one = pseudonym_of(PLACE, PERSON)
    assert one == pseudonym_of(PLACE, PERSON)
    assert one != pseudonym_of(uuid.UUID(int=3), PERSON)
    assert one.id != PERSON
    assert one.name == f"Person {one.code}"


def test_another_key_gives_other_codes(settings) -> None:
    before = pseudonym_of(PLACE, PERSON)
    settings.AUDIT_KEY = "another key"
    assert pseudonym_of(PLACE, PERSON).code != before.code


@given(st.uuids(), st.uuids())
def test_a_code_is_two_times_three_letters_that_read_alike_nothing(
    place: uuid.UUID, person: uuid.UUID
) -> None:
    code = pseudonym_of(place, person).code
    assert len(code) == 7
    assert code[3] == "-"
    assert not set(code) & set("01AEIOUY")


def test_twenty_thousand_people_have_as_many_codes() -> None:
    people = [uuid.UUID(int=number) for number in range(20_000)]
    codes = {pseudonym_of(PLACE, person).id for person in people}
    assert len(codes) == 20_000


@pytest.mark.parametrize("mode", PrivacyMode.values)
def test_everyone_sees_themselves(mode: str) -> None:
    assert not is_veiled(mode, PERSON, PERSON)
    assert is_veiled(mode, PERSON, None) is (mode != "named")


@pytest.mark.parametrize(("people", "enough"), [(0, False), (4, False), (5, True), (6, True)])
def test_five_people_are_a_group(people: int, enough: bool) -> None:
    assert is_enough(people) is enough
