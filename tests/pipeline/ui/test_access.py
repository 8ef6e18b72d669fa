import pytest
from asgi import call

from pipeline.ui import access
from pipeline.ui.access import Guard

TOKEN = "a token of some length"


async def inner(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"inside"})


@pytest.fixture(autouse=True)
def _no_wait(monkeypatch):
    monkeypatch.setattr(access, "_SECONDS_AFTER_A_WRONG_TOKEN", 0)


def test_headers_forbid_inline_scripts_and_other_sites():
    answer = call(Guard(inner), "/")
    assert answer.status == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe-inline" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("host", ["localhost:8700", "127.0.0.1", "[::1]:8700", "LOCALHOST"])
def test_loopback_is_answered(host):
    assert call(Guard(inner), "/", host=host).status == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example:8700", "", "[::1"])
def test_a_name_that_was_bound_to_this_address_is_not(host):
    answer = call(Guard(inner), "/", host=host)
    assert answer.status == 421
    assert b"inside" not in answer.body


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:9999"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "none"},
    ],
)
def test_other_sites_cannot_post(headers):
    assert call(Guard(inner), "/", b"", **headers).status == 403


@pytest.mark.parametrize(
    "headers", [{}, {"origin": "http://localhost:8700", "sec_fetch_site": "same-origin"}]
)
def test_our_own_pages_and_programs_can_post(headers):
    assert call(Guard(inner), "/", b"", **headers).status == 200


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/", {}),
        ("/?token=wrong", {}),
        ("/?token=", {}),
        ("/?token=%ff%C3%A4", {}),
        ("/", {"cookie": "siamese_ui=wrong"}),
        ("/", {"cookie": f"siamese_ui={TOKEN}"}),
        ("/", {"authorization": "Bearer wrong"}),
        ("/static/page.js", {}),
    ],
)
def test_without_the_token_nothing_is_answered(path, headers):
    answer = call(Guard(inner, token=TOKEN), path, **headers)
    assert answer.status == 401
    assert "Token required" in answer.text
    assert "inside" not in answer.text


def test_the_first_visit_brings_the_token_and_gets_a_cookie():
    guard = Guard(inner, token=TOKEN)
    welcome = call(guard, f"//review?token={TOKEN.replace(' ', '+')}&a=1&b=%3Cx%3E")
    assert welcome.headers["refresh"] == "0; url=/review?a=1&b=%3Cx%3E"
    cookie = welcome.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert TOKEN not in cookie
    value = cookie.partition(";")[0]
    assert call(guard, "/", cookie=value).body == b"inside"
    # Of any name of this machine, since the cookie is that name's own.
    assert call(guard, "/", cookie=value, host="build-machine:8700").body == b"inside"
    assert call(guard, "/", b"", cookie=value, origin="http://evil.example").status == 403


def test_programs_send_the_token_as_a_header():
    assert call(Guard(inner, token=TOKEN), "/", authorization=f"Bearer {TOKEN}").status == 200
