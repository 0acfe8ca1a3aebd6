"""Pages for those who run the portal on their own machine: the mail it would have sent."""

from collections.abc import Callable
from functools import wraps

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_safe

from offload_portal.common import mail
from offload_portal.common.middleware import CONTENT_SECURITY_POLICY

WITH_OWN_FRAMES = f"{CONTENT_SECURITY_POLICY}; frame-src 'self'"
# A mail brings its own style; it runs nothing and fetches nothing.
MAIL_POLICY = "; ".join(
    ("default-src 'none'", "style-src 'unsafe-inline'", "img-src data:", "frame-ancestors 'self'")
)
# Links in a mail lead away from the frame, as they do from a mail program.
BASE = '<base target="_top">'

View = Callable[..., HttpResponse]


def only_in_development(view: View) -> View:
    @wraps(view)
    def guarded(request: HttpRequest, *arguments: str, **names: str) -> HttpResponse:
        if not settings.DEVELOPMENT_PAGES:
            raise Http404
        return view(request, *arguments, **names)

    return never_cache(require_safe(guarded))


@only_in_development
def mail_list(request: HttpRequest) -> HttpResponse:
    return render(request, "development/mail_list.html", {"mails": mail.kept_mails()})


@only_in_development
def mail_page(request: HttpRequest, name: str) -> HttpResponse:
    page = render(request, "development/mail.html", {"mail": _found(name)})
    page["Content-Security-Policy"] = WITH_OWN_FRAMES
    return page


@only_in_development
@xframe_options_sameorigin
def mail_html(request: HttpRequest, name: str) -> HttpResponse:
    """What the mail program would show, for the frame in the mail's page."""
    page = HttpResponse(BASE + _found(name).html)
    page["Content-Security-Policy"] = MAIL_POLICY
    return page


def _found(name: str) -> mail.KeptMail:
    found = mail.kept_mail(name)
    if found is None:
        raise Http404
    return found
