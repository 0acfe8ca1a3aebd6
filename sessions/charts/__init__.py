"""Pictures of sessions. Each carries the same numbers as a table."""

from sessions.charts.activity import popular_images_chart, top_users_chart, usage_trend_chart
from sessions.charts.course import course_chart
from sessions.charts.resources import resources_chart
from sessions.charts.timeline import timeline_chart

__all__ = [
    "course_chart",
    "popular_images_chart",
    "resources_chart",
    "timeline_chart",
    "top_users_chart",
    "usage_trend_chart",
]
