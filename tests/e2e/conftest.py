"""A browser and the running stacks. Each stack serves one module."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.e2e import browsing, stack


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing.chromium() as opened:
        yield opened


@pytest.fixture(scope="module", params=["embedded", "production"])
def portal(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[stack.Stack]:
    folder: Path = tmp_path_factory.mktemp(request.param)
    if request.param == "embedded":
        with stack.embedded(folder) as running:
            yield running
    else:
        with stack.production(folder, f"portal_e2e_{os.getpid()}") as running:
            yield running
