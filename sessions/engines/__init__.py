"""Engines behind sessions: what a host does for them, and how to reach them."""
