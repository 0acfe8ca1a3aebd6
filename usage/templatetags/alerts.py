"""The words of alerts in templates: `{{ facts|alert_title }}`."""

from django import template

from usage.selectors import alert_words

register = template.Library()
register.filter("alert_title", alert_words.alert_title)
register.filter("alert_text", alert_words.alert_text)
register.filter("normal_text", alert_words.normal_text)
register.filter("day_text", alert_words.day_text)
