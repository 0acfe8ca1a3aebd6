"""Questions about sessions."""

from sessions.selectors.activity import ActivitySummary, Figures, activity_summary
from sessions.selectors.insights import Insights, insights
from sessions.selectors.lists import (
    SessionKey,
    SessionPage,
    ended_in_second,
    filter_for,
    filter_in,
    find_own_reading,
    find_own_session,
    find_reading,
    find_session,
    find_session_in,
    person_with_sessions,
    session_page,
    session_view,
    view_by_id,
)
from sessions.selectors.reading import Reading
from sessions.selectors.views import PromptView, SessionView, view_of_new, views_of

__all__ = [
    "ActivitySummary",
    "Figures",
    "Insights",
    "PromptView",
    "Reading",
    "SessionKey",
    "SessionPage",
    "SessionView",
    "activity_summary",
    "ended_in_second",
    "filter_for",
    "filter_in",
    "find_own_reading",
    "find_own_session",
    "find_reading",
    "find_session",
    "find_session_in",
    "insights",
    "person_with_sessions",
    "session_page",
    "session_view",
    "view_by_id",
    "view_of_new",
    "views_of",
]
