"""A way to the database that a test can shut, so that nobody else's database is touched."""

import contextlib
import socket
import threading


class Proxy:
    """Passes bytes from a port of its own to another address, while it is open."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open = True
        self._links: set[socket.socket] = set()
        self._lock = threading.Lock()
        threading.Thread(target=self._serve, daemon=True).start()

    def shut(self) -> None:
        """Every connection breaks, and new ones are hung up on."""
        with self._lock:
            self._open = False
            links, self._links = self._links, set()
        for link in links:
            _break(link)

    def open(self) -> None:
        self._open = True

    def close(self) -> None:
        self.shut()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _address = self._listener.accept()
                self._welcome(client)

    def _welcome(self, client: socket.socket) -> None:
        with self._lock:
            if not self._open:
                _break(client)
                return
            server = socket.create_connection(self._target, timeout=10)
            server.settimeout(None)
            self._links |= {client, server}
        for source, target in ((client, server), (server, client)):
            threading.Thread(target=_pass_on, args=(source, target), daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    _break(source)
    _break(target)


def _break(link: socket.socket) -> None:
    with contextlib.suppress(OSError):
        link.shutdown(socket.SHUT_RDWR)
    link.close()
