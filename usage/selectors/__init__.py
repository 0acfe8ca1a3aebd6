"""Questions about the book."""

from usage.selectors.ledger import SourceUse, uses_of_sessions

__all__ = ["SourceUse", "uses_of_sessions"]
