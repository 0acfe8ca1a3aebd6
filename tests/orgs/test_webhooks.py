"""Webhooks: signed, tried again, and never sent into the portal's own network."""

import base64
import hmac
import http.server
import ipaddress
import json
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from offload_portal.common.refusals import Refusal
from orgs.gateways import webhooks as gateway
from orgs.models import AuditEntry, WebhookDelivery
from orgs.services import publishing, webhooks
from tests.factories import actor
from tests.usage.worlds import on_demand

EVENTS = ["limit.changed"]
OTHER_SECRET = "whsec_" + base64.b64encode(b"other").decode()


class Server(http.server.ThreadingHTTPServer):
    """What its receiver got, and what it is to say."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Receiver)
        self.got: list[Any] = []
        self.says: tuple[int, dict[str, str], bytes] = (204, {}, b"")
        self.url = f"http://127.0.0.1:{self.server_port}/hook?a=b"


class Receiver(http.server.BaseHTTPRequestHandler):
    """Answers as it was told to and keeps what it got."""

    server: Server

    def do_POST(self):
        length = int(self.headers["Content-Length"])
        self.server.got.append((dict(self.headers), self.rfile.read(length).decode()))
        status, headers, body = self.server.says
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            self.server.got.append("cut")

    def log_message(self, *_words):
        """Nothing on the terminal."""


@pytest.fixture
def receiver(settings):
    settings.WEBHOOK_ALLOW_HTTP = True
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def _no_worker(monkeypatch):
    monkeypatch.setattr(publishing, "hint", lambda: None)
    monkeypatch.setattr(webhooks, "hint", lambda: None)


@pytest.fixture
def endpoint(organization, owner, at, receiver):
    return webhooks.add_endpoint(
        actor=actor(owner), at=at, organization=organization, url=receiver.url, events=EVENTS
    )


@pytest.fixture
def changed(endpoint, organization, owner, at):
    on_demand(organization, owner, at, "limited", 20)
    return WebhookDelivery.objects.get()


def is_signed(secret, headers, body):
    """The check as Standard Webhooks describes it to receivers."""
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body}".encode()
    key = base64.b64decode(secret.removeprefix("whsec_"))
    wanted = "v1," + base64.b64encode(hmac.new(key, content, "sha256").digest()).decode()
    return wanted in headers["webhook-signature"].split(" ")


def only():
    return WebhookDelivery.objects.get()


pytestmark = pytest.mark.django_db


def test_a_change_is_sent_signed_in_the_words_of_the_standard(endpoint, changed, receiver, at):
    assert webhooks.deliver(at=at) == 1
    ((headers, body),) = receiver.got
    assert is_signed(endpoint.secret, headers, body)
    assert not is_signed(OTHER_SECRET, headers, body)
    assert headers["webhook-timestamp"] == str(int(at.timestamp()))
    told = json.loads(body)
    assert (told["type"], told["timestamp"]) == ("limit.changed", "2026-03-11T12:00:00Z")
    assert told["data"]["limit_microusd"] == 20_000_000
    assert (only().state, only().status) == ("delivered", 204)
    assert webhooks.deliver(at=at + timedelta(days=1)) == 0


def test_what_was_not_asked_for_is_not_sent(endpoint, organization, at):
    publishing.publish(organization_id=organization.pk, event="top_up.bought", at=at, data={})
    assert not WebhookDelivery.objects.exists()


def test_a_change_that_is_undone_sends_nothing(endpoint, organization, owner, at):
    with pytest.raises(Refusal):
        on_demand(organization, owner, at, "limited", -1)
    assert not WebhookDelivery.objects.exists()


def test_both_secrets_sign_until_the_day_is_over(
    endpoint, changed, organization, owner, at, receiver
):
    new = webhooks.rotate_secret(
        actor=actor(owner), at=at, organization=organization, endpoint_id=endpoint.endpoint.pk
    )
    for late, old_signs in ((86_399, True), (86_400, False), (86_401, False)):
        WebhookDelivery.objects.update(state="waiting", delivered_at=None)
        webhooks.deliver(at=at + timedelta(seconds=late))
        headers, body = receiver.got[-1]
        assert is_signed(new.secret, headers, body)
        assert is_signed(endpoint.secret, headers, body) is old_signs


def test_it_is_tried_nine_times_within_a_day(changed, receiver, at):
    receiver.says = (500, {}, b"broken")
    now = at
    for delay in webhooks.DELAYS:
        assert webhooks.deliver(at=now) == 1
        assert webhooks.deliver(at=now + timedelta(seconds=delay - 1)) == 0
        now += timedelta(seconds=delay)
    assert webhooks.deliver(at=now) == 1
    assert (only().state, only().attempts, only().answer) == ("failed", 9, "broken")
    assert now - at <= timedelta(days=1)


@pytest.mark.parametrize(("asked", "waits"), [("120", 120), ("1", 5), ("x", 5), ("999999", 21_600)])
def test_a_receiver_may_ask_for_time(changed, receiver, at, asked, waits):
    receiver.says = (429, {"Retry-After": asked}, b"")
    webhooks.deliver(at=at)
    assert only().next_attempt_at == at + timedelta(seconds=waits)


def test_a_receiver_that_is_gone_is_switched_off_and_owners_are_told(
    changed, endpoint, receiver, at, outbox, owner
):
    receiver.says = (410, {}, b"")
    webhooks.deliver(at=at)
    endpoint.endpoint.refresh_from_db()
    assert not endpoint.endpoint.is_enabled
    assert only().state == "failed"
    assert [message.to for message in outbox] == [[owner.email]]


@pytest.mark.parametrize(("late", "enabled"), [(-1, True), (0, False), (1, False)])
def test_a_receiver_that_fails_for_five_days_is_switched_off(
    changed, endpoint, receiver, at, late, enabled
):
    receiver.says = (500, {}, b"")
    row = endpoint.endpoint
    type(row).objects.update(failing_since=at - timedelta(days=5) - timedelta(seconds=late))
    webhooks.deliver(at=at)
    row.refresh_from_db()
    assert row.is_enabled is enabled


def test_a_success_ends_the_failing(changed, endpoint, at):
    type(endpoint.endpoint).objects.update(failing_since=at)
    webhooks.deliver(at=at)
    endpoint.endpoint.refresh_from_db()
    assert endpoint.endpoint.failing_since is None


def test_a_redirect_is_not_followed(changed, receiver, at):
    receiver.says = (302, {"Location": receiver.url}, b"")
    webhooks.deliver(at=at)
    assert len(receiver.got) == 1
    assert (only().state, only().status) == ("waiting", 302)


def test_of_five_megabytes_only_the_beginning_is_read(receiver):
    receiver.says = (200, {}, b"x" * 5_000_000)
    assert len(gateway.post(receiver.url, b"{}", {}).text) == gateway.MOST_ANSWER_BYTES


def test_a_receiver_that_hangs_is_cut_off(receiver, monkeypatch):
    monkeypatch.setattr(gateway, "TOTAL_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(gateway.UnreachableError):
            gateway.post(f"http://127.0.0.1:{port}/", b"{}", {})


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"


@pytest.mark.parametrize("said_first", [HEAD, b"HTTP/1.1 "], ids=["body", "head"])
def test_a_receiver_that_drips_is_cut_off_by_the_whole_time(receiver, monkeypatch, said_first):
    """Each byte comes in time for itself; all of them together do not. A status counts."""
    monkeypatch.setattr(gateway, "TOTAL_SECONDS", 0.3)
    cut = threading.Event()

    def drip(waits):
        link, _address = waits.accept()
        with link:
            link.sendall(said_first)
            while not cut.wait(0.02):
                try:
                    link.sendall(b"x")
                except OSError:
                    cut.set()

    with socket.create_server(("127.0.0.1", 0)) as waits:
        dripping = threading.Thread(target=drip, args=(waits,), daemon=True)
        dripping.start()
        url = f"http://127.0.0.1:{waits.getsockname()[1]}/"
        if said_first is HEAD:
            assert gateway.post(url, b"{}", {}).status == 200
        else:
            with pytest.raises(gateway.UnreachableError):
                gateway.post(url, b"{}", {})
        dripping.join(10)
        # The connection was closed from here, or it would go on for two thousand seconds.
        assert cut.is_set()


def test_a_name_is_resolved_once_and_the_checked_address_is_connected_to(receiver, monkeypatch):
    asked = []

    def rebinding(host, port, **_more):
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "10.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    real = socket.create_connection
    connected = []

    def connect(address, **more):
        connected.append(address[0])
        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        return real(address, **more)

    resolve = socket.getaddrinfo  # the numbers of the address itself are looked up with it
    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    monkeypatch.setattr(socket, "create_connection", connect)
    url = f"http://hooks.example.com:{receiver.server_port}/"
    assert gateway.post(url, b"{}", {}).status == 204
    assert (asked, connected) == (["hooks.example.com"], ["127.0.0.1"])
    assert receiver.got[0][0]["Host"] == f"hooks.example.com:{receiver.server_port}"


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "0.0.0.1", "224.0.0.1", "239.1.1.1", "255.255.255.255", "240.0.0.1", "192.0.0.192",
        "::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "fec0::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "2002:a00:1::",
        "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1",
    ],
)  # fmt: skip
def test_no_address_of_an_own_network_is_reached(text):
    assert not gateway.is_allowed(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", ["93.184.216.34", "2606:2800:220:1::1", "64:ff9b::5db8:d822"])
def test_public_addresses_are_reached(text):
    assert gateway.is_allowed(ipaddress.ip_address(text))


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f.1", "[::1]", "localhost"])
def test_localhost_is_refused_however_it_is_written(host):
    with pytest.raises(gateway.UnreachableError):
        gateway.post(f"https://{host}/", b"{}", {})


@pytest.mark.parametrize(
    "url",
    ["http://example.com/", "ftp://example.com/", "https://", "https://a:b@example.com/", "x",
     "https://example.com/#a", "https://example.com:99999/", "https://example.com/a b",
     "https://example.com/\r\nHost: x"],
)  # fmt: skip
def test_what_is_no_address_of_a_receiver_is_refused(organization, owner, at, url):
    with pytest.raises(Refusal) as refused:
        webhooks.add_endpoint(
            actor=actor(owner), at=at, organization=organization, url=url, events=EVENTS
        )
    assert refused.value.status == 400


def test_a_replay_is_a_delivery_of_its_own_with_the_same_body(
    changed, organization, owner, at, receiver
):
    webhooks.deliver(at=at)
    again = webhooks.replay(
        actor=actor(owner), at=at, organization=organization, delivery_id=changed.pk
    )
    webhooks.deliver(at=at)
    (first, second) = receiver.got
    assert first[1] == second[1]
    assert second[0]["webhook-id"] == f"msg_{again.pk.hex}" != first[0]["webhook-id"]


def test_who_dies_while_sending_leaves_a_claim_that_ends(changed, at):
    WebhookDelivery.objects.update(state="sending", claimed_at=at)
    assert webhooks.deliver(at=at + webhooks.LEASE - timedelta(seconds=1)) == 0
    assert webhooks.deliver(at=at + webhooks.LEASE) == 1


def test_secrets_are_sealed_and_no_audit_entry_has_the_address(endpoint, receiver):
    assert endpoint.secret not in endpoint.endpoint.secret
    entry = AuditEntry.objects.get(event="webhook.added")
    assert entry.after["host"] == "127.0.0.1"
    assert receiver.url not in str(entry.after)


@pytest.fixture
def trusted(receiver, settings, tmp_path):
    """The receiver speaks TLS as hooks.example.com, with a certificate that is trusted."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hooks.example.com")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("hooks.example.com")]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = Encoding.PEM
    whole = made.public_bytes(pem) + key.private_bytes(pem, PrivateFormat.PKCS8, NoEncryption())
    path = tmp_path / "receiver.pem"
    path.write_bytes(whole)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    receiver.socket = context.wrap_socket(receiver.socket, server_side=True)
    settings.WEBHOOK_ALLOW_HTTP = False
    return path


@pytest.fixture
def _named(monkeypatch):
    """Every name leads to this machine."""

    def there(_host, port, *_asked, **_more):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", there)


@pytest.mark.usefixtures("_named")
@pytest.mark.parametrize(
    ("host", "is_trusted", "answers"),
    [
        ("hooks.example.com", True, True),
        ("other.example.com", True, False),
        ("hooks.example.com", False, False),
    ],
)
def test_tls_is_checked_against_the_name_and_not_the_address(
    trusted, receiver, settings, host, is_trusted, answers
):
    settings.WEBHOOK_CA_FILE = str(trusted) if is_trusted else ""
    url = f"https://{host}:{receiver.server_port}/"
    if answers:
        assert gateway.post(url, b"{}", {}).status == 204
        return
    with pytest.raises(gateway.UnreachableError, match="certificate"):
        gateway.post(url, b"{}", {})
    assert receiver.got == []
