"""The engine host: agent, door and watcher in one process (`manage.py engines`)."""
