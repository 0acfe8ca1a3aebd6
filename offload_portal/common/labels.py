"""What a label of a session may be called: people charge back by it, so it is short and plain."""

import re

MOST_LABELS, MOST_NAME_LETTERS, MOST_VALUE_LETTERS = 20, 63, 255
# Begins with a letter, so that it can't be taken for a place in a list.
NAME_PATTERN = rf"^[A-Za-z][A-Za-z0-9._/-]{{0,{MOST_NAME_LETTERS - 1}}}$"
PAIR_PATTERN = NAME_PATTERN.removesuffix("$") + r"=[^\x00-\x1f\x7f-\x9f]*$"


def is_name(text: str) -> bool:
    return re.fullmatch(NAME_PATTERN, text) is not None
