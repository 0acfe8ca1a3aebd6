"""The number beside the bell."""

from typing import Any

from django import template

from orgs.models import Person
from orgs.selectors.news import unread_count

register = template.Library()


@register.simple_tag(takes_context=True)
def unread_news(context: dict[str, Any]) -> int:
    """How many news the reader has not read.

    An organization's page knows it from its frame; others ask, once for each page.
    """
    if "unread_news" in context:
        return int(context["unread_news"])
    request = context["request"]
    if not isinstance(request.user, Person):
        return 0
    if not hasattr(request, "unread_news"):
        request.unread_news = unread_count(request.user)
    return int(request.unread_news)
