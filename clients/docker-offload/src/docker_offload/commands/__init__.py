"""One module for each command; each function takes the app and what was typed."""
