"""Forms hold events as browsers write them; what somebody else makes of a form costs no more than its bytes."""

import base64

import httpx
import pytest
from servers.one_worker import OneWorker

from app.intake.forms import MOST_FIELDS, Wrapped, unwrapped

FORM = b"multipart/form-data; boundary=b"
FIELD = b'--b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n'
EVENT = b'{"event":"E"}'


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"".join(b"--b%d\r\ncontent-type: multipart/mixed; boundary=b%d\r\n\r\n" % (n, n + 1) for n in range(6_000)),
         b"multipart/form-data; boundary=b0"),
        (b"--b\r\n" + b"content-type: message/rfc822\r\n\r\n" * 15_000, FORM),
        (b"--b\r\n\r\nx", b"multipart/form-data; boundary=" + b"(" * 5_000),
        (b"--b\r\n\r\nx", b"multipart/form-data; " + b"(" * 4_000),
        (b"--b\r\n\r\nx\r\n" * 50_000 + b"--b--", FORM),
        (b'--b\r\ncontent-disposition: form-data; name="' + b"=?utf-8?q?a?= " * 30_000 + b'"\r\n\r\nx\r\n--b--', FORM),
        (b"--b\r\ncontent-disposition: form-data; " + b"a*0=b;" * 70_000 + b"\r\n\r\nx\r\n--b--", FORM),
        (b"--b\r\n\r\nx", b"multipart/form-data"),
    ],
)  # fmt: skip
def test_a_form_that_is_none_is_left_as_it_is(body: bytes, content_type: bytes) -> None:
    assert unwrapped(body, content_type) == Wrapped(body)


def test_a_form_holds_the_event_and_the_key_wherever_they_stand_among_its_fields() -> None:
    packed = base64.b64encode(EVENT)
    for fields in ([(b"data", packed), (b"writeKey", b"pk")], [(b"x", b""), (b"writeKey", b"pk"), (b"data", EVENT)]):
        body = b"".join(FIELD % field for field in fields) + b"--b--\r\n"
        for boundary in (FORM, b'Multipart/Form-Data; charset=utf-8; boundary="b"'):
            assert unwrapped(body, boundary) == Wrapped(EVENT, "pk")
    many = b"".join(FIELD % (b"x", b"y") for _ in range(MOST_FIELDS)) + FIELD % (b"data", packed) + b"--b--\r\n"
    assert unwrapped(many, FORM) == Wrapped(many)


def test_what_a_client_library_sends_as_a_form_is_read(worker: OneWorker) -> None:
    event = base64.b64encode(b'{"event":"E","anonymousId":"v-form"}').decode()
    with worker.client() as client:
        answer = client.post("/v1/track", files={"data": (None, event), "blob": ("data.bin", b"\r\n--\xff", "x/y")})
    assert (answer.status_code, answer.json()) == (httpx.codes.OK, {"success": True})
