"""Whether time tells who has an account (target R17): signing in, signing up, a new password.

    python -m tests.benchmarks.enumeration [--tries 500]

Known and unknown addresses take turns, A B A B, over the portal's own code with argon2 on an SQLite
of its own. Prints the medians and the z of the Mann-Whitney test: within ±2.58, two samples of this
size can't be told apart at 1 %.
"""

import argparse
import math
import os
import secrets
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence

TOLD_APART = 2.58
PASSWORD = "a long benchmark password"


def mann_whitney_z(first: Sequence[float], second: Sequence[float]) -> float:
    """How many standard deviations the ranks of `first` lie from chance; + where it is slower."""
    ranked = sorted([(value, 0) for value in first] + [(value, 1) for value in second])
    ranks = sum(place for place, (_value, side) in enumerate(ranked, 1) if side == 0)
    n, m = len(first), len(second)
    mean = n * (n + m + 1) / 2
    return (ranks - mean) / math.sqrt(n * m * (n + m + 1) / 12)


def measure(tries: int, ask: Callable[[str], float], known: str) -> str:
    for _ in range(5):
        ask(known)
        ask(nobody())
    pairs = [(ask(known), ask(nobody())) for _ in range(tries)]
    first, second = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    z = mann_whitney_z(first, second)
    medians = [1_000 * statistics.median(each) for each in (first, second)]
    verdict = "the same" if abs(z) <= TOLD_APART else "TOLD APART"
    return f"known {medians[0]:7.1f} ms  unknown {medians[1]:7.1f} ms  z {z:+.2f}  {verdict}"


def timed(path: str, body: dict[str, str]) -> float:
    from django.core.cache import cache
    from django.test import Client

    cache.clear()  # else the limits answer
    client = Client()
    begun = time.perf_counter()
    answer = client.post(path, body)
    taken = time.perf_counter() - begun
    if answer.status_code not in (200, 302):
        raise SystemExit(f"{path} answered {answer.status_code}: the run is void.")
    return taken


def prepare() -> str:
    """A portal with one person; their address."""
    os.environ["PORTAL_TEST_DATA"] = tempfile.mkdtemp(prefix="portal-enumeration-")
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.environment"
    import django
    from django.test.utils import override_settings, setup_test_environment

    django.setup()
    setup_test_environment()
    # The tests hash fast; here the time of the real thing counts.
    slow = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
    override_settings(PASSWORD_HASHERS=slow, EVEN_ANSWER_MILLISECONDS=250).enable()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    from tests import factories

    known = factories.person("Ada", "ada@example.com")
    known.set_password(PASSWORD)
    known.save()
    return known.email


def nobody() -> str:
    return f"n{secrets.token_hex(6)}@example.com"


def sign_in(email: str) -> float:
    return timed("/account/login/", {"login": email, "password": "wrong"})


def sign_up(email: str) -> float:
    words = {"name": "Ada", "password1": PASSWORD, "password2": PASSWORD}
    return timed("/account/signup/", {**words, "email": email})


def new_password(email: str) -> float:
    return timed("/account/password/reset/", {"email": email})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tries", type=int, default=500)
    tries = parser.parse_args().tries
    known = prepare()
    for name, ask in (("sign-in", sign_in), ("sign-up", sign_up), ("reset", new_password)):
        print(f"{name:8} {measure(tries, ask, known)}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
