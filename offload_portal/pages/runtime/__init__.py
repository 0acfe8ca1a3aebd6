"""One command that starts everything: its lock, its preparations, its children."""
