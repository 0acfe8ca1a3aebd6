"""Questions about the book."""

from usage.selectors.ledger import SourceUse, unpaid_of_session, uses_of_sessions

__all__ = ["SourceUse", "unpaid_of_session", "uses_of_sessions"]
