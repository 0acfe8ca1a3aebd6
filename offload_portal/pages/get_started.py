"""From a terminal to a session: the exact commands for a person's own accounts."""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from offload_portal.pages import start_commands as commands
from offload_portal.pages.home import preferred_of, remember
from orgs.frames import Frame, organization_page, person_of
from orgs.selectors import organizations_of
from sessions.selectors.accounts import AccountView, account_views
from sessions.services.places import EXTERNAL, provider_now


@dataclass(frozen=True, slots=True)
class AccountRow:
    """One organization that may pay, as the list of them shows it."""

    view: AccountView
    current: bool
    whom: tuple[dict[str, str], ...]

    @property
    def session_url(self) -> str:
        """The page of the session that runs there, or ""."""
        if not self.view.running:
            return ""
        slug = self.view.account.organization.slug
        return reverse("pages:session", args=[slug, self.view.running[0].id])


@require_safe
@login_required
def start_somewhere(request: HttpRequest) -> HttpResponse:
    """For links that know no organization: the one last used, else the first, else the welcome."""
    found = organizations_of(person_of(request))
    if not found:
        return redirect("pages:organizations")
    preferred = preferred_of(request, found) or found[0]
    return redirect("pages:get_started", slug=preferred.slug)


@require_safe
@organization_page("start")
def get_started(request: HttpRequest, frame: Frame) -> HttpResponse:
    """What `/accounts` says to clients, with what to type."""
    remember(request, frame.organization.slug)
    rows = _rows(request, frame)
    start = start_of(frame.organization.slug, several=len(rows) > 1)
    external = brings_own_engine(frame.at)
    context = frame.context(
        accounts=rows,
        account=next(row for row in rows if row.current),
        tabs=_tabs(rows),
        external=external,
        once=commands.machine_steps(start),
        each_time=commands.metering_steps(start) if external else commands.session_steps(start),
        script=commands.script(start),
        reports=commands.report_commands(start) if external else [],
    )
    return render(request, "pages/get_started.html", context)


def start_of(slug: str, *, several: bool) -> commands.Start:
    """With one account nothing need be named."""
    return commands.Start(settings.PORTAL_URL, slug if several else "", slug)


def brings_own_engine(at: datetime) -> bool:
    """Whether a session that starts now gets no engine of the portal."""
    return provider_now(at) == EXTERNAL


def _rows(request: HttpRequest, frame: Frame) -> list[AccountRow]:
    return [
        AccountRow(
            view,
            view.account.organization.pk == frame.organization.pk,
            tuple(view.refusal.extra.get("contacts", ())) if view.refusal else (),
        )
        for view in account_views(person_of(request), frame.at)
    ]


def _tabs(rows: list[AccountRow]) -> list[dict[str, object]]:
    return [
        {
            "label": row.view.account.organization.name,
            "url": reverse("pages:get_started", args=[row.view.account.organization.slug]),
            "current": row.current,
            "count": None,
        }
        for row in rows
    ]
