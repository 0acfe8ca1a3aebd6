"""A connection as the application's own database role, which has just been given its rights."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.db import connection

from offload_portal.common.database_roles import grant_to


@contextmanager
def application_role() -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    role, password = f"portal_app_{secrets.token_hex(4)}", secrets.token_hex(8)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'")
    try:
        grant_to(role)
        grant_to(role)
        parameters = connection.get_connection_params()
        with psycopg.connect(
            host=parameters.get("host"),
            port=parameters.get("port"),
            dbname=parameters["dbname"],
            user=role,
            password=password,
            autocommit=True,
        ) as link:
            yield link
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP OWNED BY {role}")
            cursor.execute(f"DROP ROLE {role}")
