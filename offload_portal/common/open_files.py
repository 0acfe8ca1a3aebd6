"""How many files and connections a process may have open."""

import resource


def allow_many_open_files() -> None:
    """As many as the system allows: the usual 1,024 are fewer than a thousand clients need."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
