"""One request to a receiver that somebody else chose, so that it can't reach our own network.

The name is resolved once; every address it has must be a public one, and the connection goes to
the address that was checked. Nothing is followed, and time and size are bounded.
"""

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
NAT64 = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))
# Of the protocols themselves, one cloud's metadata among them; Python takes some for public.
NEVER = (ipaddress.ip_network("192.0.0.0/24"), ipaddress.ip_network("192.88.99.0/24"))
CONNECT_SECONDS, READ_SECONDS, TOTAL_SECONDS = 5, 10, 15
MOST_ANSWER_BYTES = 16 * 1024
PORTS = {"https": 443, "http": 80}


class UnreachableError(Exception):
    """No answer came; the sentence is for the owner's log."""


class ForbiddenAddressError(UnreachableError):
    """The receiver is none that the portal may speak to."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where an address of the web leads, before it is resolved."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Answer:
    """`text` is the beginning of the body, at most 16 KiB."""

    status: int
    text: str
    retry_after: str = ""


def target_of(url: str) -> Target:
    """ForbiddenAddressError says what is wrong with it."""
    if not url.isascii() or any(character <= " " for character in url):
        raise ForbiddenAddressError(_("The address has characters that must be encoded."))
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS.get(parts.scheme, 0)
    except ValueError:
        raise ForbiddenAddressError(_("This is no address of the web.")) from None
    schemes = ("https", "http") if settings.WEBHOOK_ALLOW_HTTP else ("https",)
    if parts.scheme not in schemes:
        raise ForbiddenAddressError(_("The address must begin with https://."))
    if not parts.hostname or parts.username is not None or parts.fragment:
        raise ForbiddenAddressError(_("Give a host, and neither a name nor a fragment."))
    with contextlib.suppress(ValueError):
        if not is_allowed(ipaddress.ip_address(parts.hostname)):
            raise ForbiddenAddressError(_("The host's address is none that webhooks may reach."))
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, parts.hostname, port, path)


def is_allowed(address: Address) -> bool:
    """A public address, or one in a network that the operator allows."""
    networks = [ipaddress.ip_network(each) for each in settings.WEBHOOK_ALLOWED_NETWORKS]
    if any(address in network for network in networks if network.version == address.version):
        return True
    inner = _inner(address)
    if inner is not None:
        return is_allowed(inner)
    if isinstance(address, ipaddress.IPv6Address) and (address.is_site_local or _is_nat(address)):
        return False
    if isinstance(address, ipaddress.IPv4Address) and any(address in each for each in NEVER):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _is_nat(address: ipaddress.IPv6Address) -> bool:
    return any(address in network for network in NAT64)


def _inner(address: Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that one of version 6 leads to (mapped, 6to4, Teredo, NAT64)."""
    if not isinstance(address, ipaddress.IPv6Address):
        return None
    if address in NAT64[0]:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)


def resolved(target: Target) -> str:
    """The checked address to connect to. A name with any forbidden address is forbidden."""
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise UnreachableError("The host's name can't be resolved.") from None
    texts = [str(one[4][0]).partition("%")[0] for one in found]
    if not texts or not all(is_allowed(ipaddress.ip_address(text)) for text in texts):
        raise ForbiddenAddressError(_("The host's address is none that webhooks may reach."))
    return texts[0]


def post(url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    """Send once; UnreachableError where no answer came in time."""
    target = target_of(url)
    address = resolved(target)
    try:
        with _connected(target, address) as sock:
            return _exchanged(target, sock, body, headers)
    except (OSError, http.client.HTTPException, ValueError) as trouble:
        raise UnreachableError(_sentence(trouble)) from trouble


def _sentence(trouble: Exception) -> str:
    if isinstance(trouble, TimeoutError):
        return "The receiver did not answer in time."
    if isinstance(trouble, ssl.SSLError):
        return "The receiver's certificate or TLS was not accepted."
    return f"The connection failed ({type(trouble).__name__})."


@contextlib.contextmanager
def _connected(target: Target, address: str) -> Iterator[socket.socket]:
    """A connection to the checked address, cut off when the time for everything is over."""
    plain = socket.create_connection((address, target.port), timeout=CONNECT_SECONDS)
    with contextlib.closing(plain), _limited(lambda: plain.shutdown(socket.SHUT_RDWR)):
        sock = plain
        if target.scheme == "https":
            context = ssl.create_default_context(cafile=settings.WEBHOOK_CA_FILE or None)
            sock = context.wrap_socket(plain, server_hostname=target.host)
        with contextlib.closing(sock), _limited(lambda: sock.shutdown(socket.SHUT_RDWR)):
            sock.settimeout(READ_SECONDS)
            yield sock


@contextlib.contextmanager
def _limited(cut: Callable[[], None]) -> Iterator[None]:
    def cut_off() -> None:
        with contextlib.suppress(OSError):
            cut()

    timer = threading.Timer(TOTAL_SECONDS, cut_off)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _exchanged(
    target: Target, sock: socket.socket, body: bytes, headers: Mapping[str, str]
) -> Answer:
    connection = http.client.HTTPConnection(target.host, target.port)
    connection.sock = sock
    connection.putrequest("POST", target.path, skip_host=True, skip_accept_encoding=True)
    for name, value in _headers(target, body, headers):
        connection.putheader(name, value)
    connection.endheaders(body)
    with contextlib.closing(connection.getresponse()) as response:
        text = response.read(MOST_ANSWER_BYTES).decode("utf-8", "replace")
        return Answer(response.status, text, response.getheader("Retry-After") or "")


def _headers(target: Target, body: bytes, more: Mapping[str, str]) -> Sequence[tuple[str, str]]:
    return [
        ("Host", target.authority),
        ("User-Agent", "Offload-Portal-Webhooks/1"),
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("Connection", "close"),
        *more.items(),
    ]
