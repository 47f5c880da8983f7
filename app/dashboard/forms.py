"""What a form sends: read once, from a page of our own, by who is signed in."""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from fastapi import Request

from app.dashboard.signed_in import Signed


async def posted(request: Request, signed: Signed) -> Mapping[str, str]:
    """The fields of a form. Raises Problem 403 where it is not one of our pages that sends it, or not this session's,
    and 413 where it is too large.
    """
    assert signed.form_token
    return dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
