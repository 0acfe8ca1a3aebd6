"""The meter for operators: how late it is, who is near a bound, what does not fit together."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from offload_portal.common import heartbeat
from offload_portal.pages.operating import OperatorFrame, operator_page
from sessions.selectors.meter_state import meter_state


@require_safe
@operator_page("meter")
def meter(request: HttpRequest, frame: OperatorFrame) -> HttpResponse:
    context = frame.context(
        state=meter_state(frame.at),
        beat=heartbeat.last_beat("meter"),
        every=settings.METER_EVERY_SECONDS,
        late=2 * settings.METER_EVERY_SECONDS,
    )
    return render(request, "operators/meter.html", context)
