"""The book as JSON."""

from dataclasses import asdict
from typing import Any

from usage.api.shapes import AllowanceShape, PlanShape
from usage.selectors import AllowanceView, PlanTerms, UsageSums


def allowance_json(view: AllowanceView) -> dict[str, Any]:
    return dict(AllowanceShape(view).data)


def plan_json(plan: PlanTerms) -> dict[str, Any]:
    return dict(PlanShape(plan).data)


def sums_json(sums: UsageSums) -> dict[str, int]:
    return asdict(sums)
