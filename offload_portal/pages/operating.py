"""The frame of the operators' pages: staff only, for everybody else they do not exist.

    @operator_page("engines")
    def engines(request: HttpRequest, frame: OperatorFrame) -> HttpResponse:
        return render(request, "operators/engines.html", frame.context(now=...))

A new page gets a line in SECTIONS; the navigation shows each.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Concatenate, ParamSpec
from zoneinfo import ZoneInfo

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse_lazy
from django.utils import timezone
from django.utils.translation import gettext_lazy

from offload_portal.common.periods import cut_to_second
from orgs.frames import person_of, second_factor_missing
from orgs.selectors.second_factor import has_second_factor
from orgs.zones import zone_or_utc

# The name of a section, its label and its address, in the order of the navigation.
SECTIONS = (
    ("organizations", gettext_lazy("Organizations"), reverse_lazy("pages:operators_organizations")),
    ("people", gettext_lazy("People"), reverse_lazy("pages:operators_people")),
    ("engines", gettext_lazy("Engines"), reverse_lazy("pages:operators_engines")),
    ("meter", gettext_lazy("Meter"), reverse_lazy("pages:operators_meter")),
    ("records", gettext_lazy("Records"), reverse_lazy("admin:index")),
)
P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class OperatorFrame:
    """What every operators' page knows. `at` is the one reading of the clock."""

    section: str
    at: datetime
    zone: ZoneInfo

    def context(self, **more: Any) -> dict[str, Any]:
        return {
            "organization": None,
            "operator_sections": [
                {"label": label, "url": url, "current": name == self.section}
                for name, label, url in SECTIONS
            ],
            "at": self.at,
            "zone_name": str(self.zone),
            **more,
        }


OperatorView = Callable[Concatenate[HttpRequest, OperatorFrame, P], HttpResponse]


def operator_page(section: str) -> Callable[[OperatorView[P]], Callable[..., HttpResponseBase]]:
    """Signed out goes to sign-in; who is no operator gets 404, as for any unknown address.

    An operator without a second factor is led to setting one up.
    """

    def decorate(view: OperatorView[P]) -> Callable[..., HttpResponseBase]:
        def framed(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            person = person_of(request)
            if not person.is_staff:
                raise Http404
            if not has_second_factor(person):
                return second_factor_missing(request)
            frame = OperatorFrame(section, cut_to_second(timezone.now()), zone_or_utc(person.zone))
            with timezone.override(frame.zone):
                return view(request, frame, *args, **kwargs)

        functools.update_wrapper(framed, view)
        return login_required(framed)

    return decorate
