"""The demonstration: a fake fleet that uses the portal for 90 days, through its services.

Nothing here writes a row of a session, an entry or a license: people are invited and accept,
owners subscribe and set limits, clients start, report and stop. Deterministic for a seed and an
end.
"""

from offload_portal.pages.demo.making import DAYS, LEAST_DAYS, Made, make

__all__ = ["DAYS", "LEAST_DAYS", "Made", "make"]
