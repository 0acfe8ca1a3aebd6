"""Every e-mail, as HTML and as text, for people who write them. Where DEVELOPMENT_PAGES is on."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.clickjacking import xframe_options_sameorigin

from offload_portal.pages.development import BASE, MAIL_POLICY, WITH_OWN_FRAMES, only_in_development
from offload_portal.pages.email_samples import TO, Sample, samples
from orgs.services.mails import inlined


@only_in_development
def emails(request: HttpRequest) -> HttpResponse:
    page = render(request, "styleguide_emails.html", {"samples": samples(), "to": TO})
    page["Content-Security-Policy"] = WITH_OWN_FRAMES
    return page


@only_in_development
@xframe_options_sameorigin
def email_html(request: HttpRequest, name: str) -> HttpResponse:
    """What a mail program would show, for the frame in the page."""
    page = HttpResponse(BASE + inlined(_found(name).words))
    page["Content-Security-Policy"] = MAIL_POLICY
    return page


def _found(name: str) -> Sample:
    for sample in samples():
        if sample.name == name:
            return sample
    raise Http404
