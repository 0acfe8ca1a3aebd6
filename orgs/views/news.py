"""News in the portal, and what of it comes by e-mail."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from offload_portal.common.actors import Actor
from offload_portal.common.periods import cut_to_second
from offload_portal.common.refusals import Refusal
from orgs.enums import NewsKind
from orgs.frames import OWNERS, Frame, actor_of, organization_page, person_of
from orgs.selectors.news import NewsRow, mail_kinds, news_page, troubled_mail
from orgs.services import news, outbox
from orgs.services.mails import headline, revived, unsubscribed
from orgs.views.parsing import identifier_or_none, identifiers


@require_safe
@login_required
def notifications(request: HttpRequest) -> HttpResponse:
    """One's own news, newest first."""
    after = identifier_or_none(request.GET.get("older", ""))
    page = news_page(person_of(request), after)
    context = {"rows": [_shown(row) for row in page.rows], "older": page.older, "at": _now()}
    return render(request, "orgs/notifications.html", {**context, "organization": None})


def _now() -> Any:
    return cut_to_second(timezone.now())


def _shown(row: NewsRow) -> dict[str, Any]:
    title, text = headline(row.kind, revived(row.facts))
    return {"row": row, "title": title, "text": text}


@require_POST
@login_required
def open_notification(request: HttpRequest, notification_id: Any) -> HttpResponse:
    """Mark it as read and go where it leads."""
    try:
        link = news.read_one(
            actor=actor_of(request),
            at=_now(),
            person=person_of(request),
            notification_id=notification_id,
        )
    except Refusal as refusal:
        raise Http404(refusal.sentence) from refusal
    return redirect(link)


@require_POST
@login_required
def read_all(request: HttpRequest) -> HttpResponse:
    news.read_all(actor=actor_of(request), at=_now(), person=person_of(request))
    return redirect("orgs:notifications")


@login_required
def mail_choices(request: HttpRequest) -> HttpResponse:
    """What comes by e-mail. What is for one's safety always does."""
    person = person_of(request)
    if request.method == "POST":
        chosen = [kind for kind in NewsKind if kind in request.POST.getlist("kind")]
        # What isn't shown to this person stays as it is.
        hidden = set(NewsKind) - {each.kind for each in mail_kinds(person)}
        news.choose_mail(
            actor=actor_of(request), at=_now(), person=person, by_mail={*chosen, *hidden}
        )
        messages.success(request, _("Your choice is saved."))
        return redirect("orgs:mail_choices")
    return render(request, "orgs/mail_choices.html", {"kinds": mail_kinds(person)})


@csrf_exempt
@never_cache
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Decline a kind of news from its mail, signed in or not; mail programs post here (RFC 8058).

    The link's signature says who and what; opening it changes nothing.
    """
    found = unsubscribed(token)
    if found is None:
        raise Http404(_("This link leads nowhere: part of it is missing."))
    person_id, kind = found
    if request.method == "POST":
        try:
            actor = Actor(person_id, str(request.META.get("REMOTE_ADDR", "")))
            news.decline_mail(actor=actor, at=_now(), person_id=person_id, kind=kind)
        except Refusal as refusal:
            raise Http404(refusal.sentence) from refusal
    context = {"kind": kind.label, "done": request.method == "POST"}
    return render(request, "orgs/unsubscribe.html", context)


@organization_page("settings", roles=OWNERS)
def mail(request: HttpRequest, frame: Frame) -> HttpResponse:
    """Mail that could not be sent, to be sent again."""
    if request.method == "POST":
        chosen = identifiers(request, "mail")
        if not chosen:
            messages.warning(request, _("Select mails first."))
            return redirect("orgs:mail", frame.organization.slug)
        count = outbox.send_again(
            actor=frame.actor, at=frame.at, organization=frame.organization, mail_ids=chosen
        )
        sentence = ngettext(
            "%(count)s mail is on its way again.", "%(count)s mails are on their way again.", count
        )
        messages.success(request, sentence % {"count": count})
        return redirect("orgs:mail", frame.organization.slug)
    return render(request, "orgs/mail.html", frame.context(rows=troubled_mail(frame.organization)))
