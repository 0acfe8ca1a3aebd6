"""HTTP over the standard library: proxies and certificates of the company, no redirects."""

import http.client
import ipaddress
import json
import platform
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import Any

from docker_offload import VERSION
from docker_offload.failures import Failure, Unreachable, Untrusted

MOST_BYTES = 32 * 1024 * 1024
AGENT = f"docker-offload/{VERSION} ({platform.system().lower()}; {platform.machine()})"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Message = field(repr=False)
    body: bytes = field(repr=False)  # may hold tokens and keys

    def json(self) -> Any:
        """The decoded body; None where it is no JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def retry_after(self) -> int | None:
        text = self.headers.get("Retry-After", "").strip()
        return int(text) if text.isdecimal() and len(text) < 8 else None


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A token must not follow a redirect to somewhere else."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


def is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def trust(cacert: str) -> ssl.SSLContext:
    """The system's authorities, those of SSL_CERT_FILE, and the file that was configured."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if cacert:
        try:
            context.load_verify_locations(cafile=cacert)
        except (OSError, ssl.SSLError) as error:
            sentence = f"The certificates in {cacert} can't be read: {error}."
            raise Failure(sentence, "See `docker offload config cacert`.") from error
    return context


class Transport:
    """Sends one request at a time. Errors are Unreachable (try again) or Untrusted (don't)."""

    def __init__(self, cacert: str = "") -> None:
        https = urllib.request.HTTPSHandler(context=trust(cacert))
        self._through = urllib.request.build_opener(https, _NoRedirects)
        nothing = urllib.request.ProxyHandler({})
        self._straight = urllib.request.build_opener(nothing, https, _NoRedirects)

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout: float = 20,
    ) -> Answer:
        request = urllib.request.Request(url, data=body, method=method)  # noqa: S310 - checked
        request.add_header("User-Agent", AGENT)
        for name, value in (headers or {}).items():
            request.add_unredirected_header(name, value)
        host = urllib.parse.urlsplit(url).hostname or ""
        # As the docker client: nothing on this machine itself goes through a proxy.
        opener = self._straight if is_loopback(host) else self._through
        try:
            with opener.open(request, timeout=timeout) as response:
                return _read(response.status, response)
        except urllib.error.HTTPError as error:
            with error:
                return _read(error.code, error)
        except (OSError, http.client.HTTPException) as error:
            raise _failure(url, error) from None


def _read(status: int, response: Any) -> Answer:
    body = response.read(MOST_BYTES + 1)
    if len(body) > MOST_BYTES:
        raise Failure("The portal's answer is larger than 32 MiB.")
    return Answer(status, response.headers, body)


def _failure(url: str, error: Exception) -> Failure:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    parts = urllib.parse.urlsplit(url)
    where = f"{parts.scheme}://{parts.netloc}"
    if isinstance(reason, ssl.SSLCertVerificationError):
        sentence = f"The certificate of {where} is not trusted: {reason.verify_message}."
        hint = "For a company's own authority: docker offload config cacert FILE."
        return Untrusted(sentence, hint)
    if isinstance(reason, TimeoutError):
        return Unreachable(f"{where} did not answer in time.")
    text = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    return Unreachable(f"{where} can't be reached: {text.rstrip('.')}.")
