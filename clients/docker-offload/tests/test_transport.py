"""A company's certificate authority and proxy, and what must not follow a redirect."""

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from certificates import company_files
from fakes import FakePortal, serve

from docker_offload.commands.reaching import shake_hands
from docker_offload.failures import Failure, Unreachable, Untrusted
from docker_offload.transport import Transport, is_loopback


@pytest.fixture
def company(tmp_path):
    return company_files(tmp_path)


@pytest.fixture
def secure(company):
    """A portal behind the company's certificate; its address."""
    portal = FakePortal()
    server = serve(portal)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(company.certificate, company.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None
    yield f"https://localhost:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_a_companys_authority_is_told_by_a_file(bare, secure, company):
    bare.env["DOCKER_OFFLOAD_PORTAL"] = secure
    failed = bare("login")
    assert failed.code == 1
    assert "is not trusted" in failed.err
    assert "docker offload config cacert FILE" in failed.err
    assert bare("config", "cacert", str(company.ca)).code == 0
    found = bare("diagnose").out
    assert f"{secure} answers" in found


def test_or_by_the_environment(secure, company, monkeypatch):
    with pytest.raises(Untrusted):
        Transport().send("GET", secure)
    monkeypatch.setenv("SSL_CERT_FILE", str(company.ca))
    assert Transport().send("GET", f"{secure}/.well-known/openid-configuration").status == 200


def test_a_file_without_certificates_says_so(tmp_path):
    (tmp_path / "x.pem").write_text("nothing")
    with pytest.raises(Failure, match="can't be read"):
        Transport(str(tmp_path / "x.pem"))


@pytest.fixture
def proxy(monkeypatch):
    """What the company's proxy was asked for; it answers everything itself."""
    asked = []

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.command, self.path))
            self.send_response(200)
            self.end_headers()

        def do_CONNECT(self):
            asked.append((self.command, self.path))
            self.send_error(403)

        def log_message(self, *args):
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{server.server_address[1]}")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    yield asked
    server.shutdown()
    server.server_close()


def test_the_companys_proxy_is_used(proxy):
    assert Transport().send("GET", "http://portal.test/x").status == 200
    with pytest.raises(Unreachable):
        Transport().send("GET", "https://portal.test/x")
    assert proxy == [("GET", "http://portal.test/x"), ("CONNECT", "portal.test:443")]


def test_but_not_for_this_machine_or_what_is_excepted(proxy, portal, monkeypatch):
    Transport().send("GET", f"{portal.address}/.well-known/openid-configuration")
    monkeypatch.setenv("no_proxy", "portal.test")
    with pytest.raises(Unreachable):
        Transport().send("GET", "http://portal.test:9/x", timeout=0.2)
    assert proxy == []


def test_a_token_follows_no_redirect(machine, portal):
    moved = (302, {}, {"Location": f"{portal.address}/stolen"})
    portal.scripted["GET", "/api/v1/accounts"] = [moved]
    failed = machine("accounts")
    assert failed.code == 1
    assert "sends you on to" in failed.err
    assert not portal.calls("GET", "/stolen")


@pytest.mark.parametrize(
    ("host", "is_own"),
    [("localhost", True), ("a.localhost", True), ("::1", True), ("127.9.9.9", True),
     ("portal.test", False), ("10.0.0.1", False)],
)  # fmt: skip
def test_what_is_this_machine(host, is_own):
    assert is_loopback(host) is is_own


def test_shaking_hands_with_the_engines_door_asks_it_nothing(company):
    said = shake_hands("tcp://localhost:1", company)
    assert said
    assert shake_hands("nonsense", company) == "no address"


def test_a_door_that_takes_the_certificate(company, secure):
    assert shake_hands(secure.replace("https", "tcp"), company) == ""
