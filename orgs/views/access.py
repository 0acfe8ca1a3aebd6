"""Access: to whom it is granted, the pool, the queue."""

import uuid
from collections.abc import Collection

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from orgs import services
from orgs.frames import OWNERS, SEERS, Frame, organization_page
from orgs.models import License
from orgs.policies import check_can_change_access
from orgs.selectors import access_overview, member_rows, members_matching, who_loses
from orgs.views.hints import why_not
from orgs.views.parsing import identifiers, member_filter, page_of


@organization_page("access", roles=SEERS)
def access(request: HttpRequest, frame: Frame) -> HttpResponse:
    """Mode, pool, queue, and every member with the grants that give a license."""
    wanted = member_filter(request, frame.membership)
    page = page_of(request, members_matching(frame.organization, wanted))
    context = frame.context(
        access=access_overview(frame.organization),
        page=page,
        rows=member_rows(frame.organization, list(page.object_list), frame.at),
        wanted=wanted,
        filtered=bool(wanted.search or wanted.access),
        hint=why_not(check_can_change_access, frame),
    )
    return render(request, "orgs/access.html", context)


@require_POST
@organization_page("access", roles=OWNERS)
def give_to_all(request: HttpRequest, frame: Frame) -> HttpResponse:
    done = services.grant_to_all(actor=frame.actor, at=frame.at, organization=frame.organization)
    messages.success(request, _("All members have access.") + _dealt(done))
    return _back(frame)


@organization_page("access", roles=OWNERS)
def select_members(request: HttpRequest, frame: Frame) -> HttpResponse:
    """From "all members" to "selected": choose who keeps access, see who loses it."""
    if request.method == "POST":
        keep = _holders(frame) if request.POST.get("keep") == "everyone" else []
        services.revoke_all(
            actor=frame.actor, at=frame.at, organization=frame.organization, keep=keep
        )
        messages.success(request, _("Access is for selected members now."))
        return _back(frame)
    if not access_overview(frame.organization).all_members:
        return _back(frame)
    preview = who_loses(frame.organization, at=frame.at, all_members=True)
    return render(request, "orgs/select_members.html", frame.context(preview=preview))


def _holders(frame: Frame) -> Collection[uuid.UUID]:
    rows = License.objects.filter(organization=frame.organization)
    return list(rows.order_by("granted_at", "id").values_list("person_id", flat=True))


@require_POST
@organization_page("access", roles=OWNERS)
def give(request: HttpRequest, frame: Frame) -> HttpResponse:
    """Select members."""
    chosen = identifiers(request)
    done = services.grant_to_persons(
        actor=frame.actor, at=frame.at, organization=frame.organization, person_ids=chosen
    )
    _say_given(request, chosen, done)
    return _back(frame)


def _say_given(request: HttpRequest, chosen: Collection[uuid.UUID], done: services.Settled) -> None:
    if not chosen:
        messages.warning(request, _("Select members first."))
        return
    count = len(chosen)
    sentence = ngettext("%(count)s member is selected.", "%(count)s members are selected.", count)
    messages.success(request, sentence % {"count": count} + _dealt(done))


def _dealt(done: services.Settled) -> str:
    """How many got a license and how many wait, as sentences to add."""
    parts = []
    if done.given:
        count = len(done.given)
        parts.append(
            ngettext("%(count)s got a license.", "%(count)s got a license each.", count)
            % {"count": count}
        )
    if done.queued:
        count = len(done.queued)
        parts.append(
            ngettext("%(count)s waits for one.", "%(count)s wait for one.", count)
            % {"count": count}
        )
    return "".join(f" {part}" for part in parts)


@require_POST
@organization_page("access", roles=OWNERS)
def take(request: HttpRequest, frame: Frame) -> HttpResponse:
    """Show who would lose access and who keeps it by another grant, then do it."""
    chosen = identifiers(request)
    if not chosen:
        messages.warning(request, _("Select members first."))
        return _back(frame)
    if "confirmed" in request.POST:
        done = services.revoke_persons(
            actor=frame.actor, at=frame.at, organization=frame.organization, person_ids=chosen
        )
        messages.success(request, _lost(done))
        return _back(frame)
    preview = who_loses(frame.organization, at=frame.at, person_ids=chosen)
    context = frame.context(preview=preview, chosen=chosen)
    return render(request, "orgs/take_access.html", context)


def _lost(done: services.Settled) -> str:
    count = len(done.lost)
    if not count:
        return _("The selection is taken back; nobody lost a license.")
    sentence = ngettext(
        "%(count)s member has lost access.", "%(count)s members have lost access.", count
    )
    return sentence % {"count": count} + _dealt(done)


def _back(frame: Frame) -> HttpResponse:
    return redirect("orgs:access", frame.organization.slug)
