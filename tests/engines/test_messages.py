"""HTTP framing: whatever the pieces, the same bytes go through, and all have one meaning."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions.engines.door.calls import Kind, kind_of
from sessions.engines.door.messages import (
    LONGEST_HEAD,
    Answers,
    BadMessageError,
    Request,
    Requests,
)

SENT = (
    b"HEAD /_ping HTTP/1.1\r\nHost: d\r\n\r\n"
    b"POST /v1.50/build?t=a HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n3;x=y\r\na\r\n\r\n0\r\nTrailer: 1\r\n\r\n"
    b'POST /v1.50/containers/create HTTP/1.1\r\nContent-Length: 7\r\n\r\n{"a":1}'
    b"GET /v1.50/containers/json HTTP/1.1\r\nHost: d\r\n\r\n"
)
ANSWERED = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"  # to HEAD: no body
    b"HTTP/1.1 100 Continue\r\n\r\n"
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ndone\r\n0\r\n\r\n"
    b"HTTP/1.1 201 Created\r\nContent-Length: 3\r\n\r\nabc"
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 30\r\n\r\n"
)


def pieces_of(data, cuts):
    places = sorted({cut % len(data) for cut in cuts} | {0, len(data)})
    return [data[a:b] for a, b in pairwise(places)]


def request(method="GET", target="/", *, upgrades=False):
    return Request(method, target, kind_of(method, target), upgrades)


@given(st.lists(st.integers(0, 10_000), max_size=40))
def test_requests_are_counted_and_pass_unchanged_however_they_are_cut(cuts):
    seen: list[Request] = []
    requests = Requests(seen.append)
    passed = b"".join(part for piece in pieces_of(SENT, cuts) for part in requests.feed(piece))
    assert passed == SENT
    assert [(each.method, each.kind) for each in seen] == [
        ("HEAD", Kind.CALL),
        ("POST", Kind.BUILD),
        ("POST", Kind.CALL),
        ("GET", Kind.CALL),
    ]
    assert requests.between


@given(st.lists(st.integers(0, 10_000), max_size=40))
def test_answers_find_their_requests_however_they_are_cut(cuts):
    finished: list[Request] = []
    decided: list[bool] = []
    answers = Answers(finished.append, decided.append)
    methods = ("HEAD", "POST", "POST", "GET")
    for method in methods:
        answers.expect(request(method))
    passed = b"".join(part for piece in pieces_of(ANSWERED, cuts) for part in answers.feed(piece))
    assert passed == ANSWERED
    assert [each.method for each in finished] == list(methods)
    assert decided == []
    assert not answers.busy


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: +1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
        (b"GET / HTTP/1.1\r\nA: 1\r\n folded\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nA : 1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nA: 1\nB: 2\r\n\r\n", 400),
        (b"GET /\r\n\r\n", 400),
        (b"GET  / HTTP/1.1\r\n\r\n", 400),
        (b"CONNECT other:80 HTTP/1.1\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"GET / HTTP/1.1\r\nA: " + b"x" * LONGEST_HEAD + b"\r\n\r\n", 431),
        (b"x" * (LONGEST_HEAD + 1), 431),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"5" * 5_000, 400),
    ],
)
def test_what_is_ambiguous_is_refused(head, status):
    with pytest.raises(BadMessageError) as refused:
        list(Requests(lambda _request: None).feed(head))
    assert refused.value.status == status


def test_after_an_attach_bytes_wait_for_the_answer():
    requests = Requests(lambda _request: None)
    head = b"POST /containers/a/attach HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
    assert list(requests.feed(head + b"early")) == [head]
    assert requests.undecided
    assert list(requests.decide(raw=True)) == [b"early"]
    assert list(requests.feed(b"\r\nanything")) == [b"\r\nanything"]


def test_after_a_refused_attach_http_goes_on():
    seen: list[Request] = []
    requests = Requests(seen.append)
    head = b"POST /exec/a/start HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"
    again = b"GET /info HTTP/1.1\r\n\r\n"
    list(requests.feed(head + again))
    assert len(seen) == 1
    assert list(requests.decide(raw=False)) == [again]
    assert [each.target for each in seen] == ["/exec/a/start", "/info"]


@pytest.mark.parametrize(
    ("answer", "raw"),
    [
        (b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n", True),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", False),
    ],
)
def test_the_answer_decides_whether_http_has_ended(answer, raw):
    decided: list[bool] = []
    answers = Answers(lambda _request: None, decided.append)
    answers.expect(request("POST", "/exec/a/start"))
    assert b"".join(answers.feed(answer)) == answer
    assert decided == [raw]
    assert answers.raw is raw


@pytest.mark.parametrize(
    ("method", "target", "kind"),
    [
        ("GET", "/_ping", Kind.CALL),
        ("POST", "/v1.50/build?q=/events", Kind.BUILD),
        ("POST", "/session", Kind.BUILD),
        ("POST", "/grpc", Kind.BUILD),
        ("POST", "/v1.50/exec/abc/start", Kind.EXEC),
        ("POST", "/exec/abc/resize?h=1", Kind.CALL),
        ("POST", "/v1.50/containers/abc/attach?stream=1", Kind.ATTACH),
        ("POST", "/v1.50/images/create?fromImage=a", Kind.TRANSFER),
        ("POST", "/v1.50/images/registry.example.com/a/b/push", Kind.TRANSFER),
        ("PUT", "/containers/a/archive?path=/", Kind.TRANSFER),
        ("GET", "http://docker/v1.50/events", Kind.WATCH),
        ("GET", "/v1.50/containers/a/logs?follow=1", Kind.WATCH),
        ("POST", "/v1.50/containers/a/wait", Kind.WATCH),
        ("GET", "/v1.50/containers/json", Kind.CALL),
    ],
)
def test_kinds_of_calls(method, target, kind):
    assert kind_of(method, target) is kind
