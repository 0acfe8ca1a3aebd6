"""From the portal's answer about an engine to files, and away again."""

import shutil
import uuid
from typing import Any

from docker_offload.docker import EngineFiles
from docker_offload.failures import Failure
from docker_offload.files import private_directory, write_private
from docker_offload.store import Store

PEM = "-----BEGIN "


def files_of(store: Store, session_id: str) -> EngineFiles:
    directory = store.keys / str(uuid.UUID(session_id))
    return EngineFiles(directory / "ca.pem", directory / "cert.pem", directory / "key.pem")


def has_files(files: EngineFiles) -> bool:
    return all(path.is_file() for path in (files.ca, files.certificate, files.key))


def keep(store: Store, session_id: str, engine: dict[str, Any]) -> EngineFiles:
    """Write certificates and key where only the user can read them.

    The portal gives the key once; where it was given before, the file of then is taken.
    """
    files = files_of(store, session_id)
    private_directory(store.keys)
    if engine.get("key"):
        write_private(files.key, _pem(engine, "key"))
    elif not files.key.is_file():
        # To another machine, or in an answer that was lost on its way.
        sentence = "The key of the session's engine was given before, and it is given once."
        raise Failure(sentence, "Stop the session, then start another one.")
    write_private(files.ca, _pem(engine, "ca"))
    write_private(files.certificate, _pem(engine, "certificate"))
    return files


def _pem(engine: dict[str, Any], name: str) -> str:
    text = engine.get(name)
    if not isinstance(text, str) or not text.lstrip().startswith(PEM):
        raise Failure(f"The portal gave no usable {name} of the engine.")
    return text


def address_of(engine: dict[str, Any]) -> str:
    """`tcp://NAME:PORT`; nothing else may come into docker's configuration."""
    host = engine.get("host")
    if not isinstance(host, str) or not host.startswith("tcp://") or not host.isprintable():
        raise Failure("The portal gave no usable address of the engine.")
    return host


def drop(store: Store) -> None:
    """Every key of every session: there is one session at most on a machine."""
    shutil.rmtree(store.keys, ignore_errors=True)
