"""Pages of people, organizations and access: parse, one call, render."""
