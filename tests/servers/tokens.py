"""User tokens as a shop's backend makes them, and the key that a worker under test verifies them by."""

import base64
import time
from typing import Any

import jwt

TOKEN_SECRET = b"a shop's own secret of 32 bytes and more"
TOKEN_KEY = f"shop:HS256:{base64.urlsafe_b64encode(TOKEN_SECRET).decode()}"


def user_token(user_id: str, secret: bytes = TOKEN_SECRET, kid: str | None = "shop", **claims: Any) -> str:
    """A token of an hour; `claims` replace its own, those of None are left out."""
    now = int(time.time())
    whole = {"sub": user_id, "aud": "resonate", "iat": now, "exp": now + 3_600} | claims
    told = {name: value for name, value in whole.items() if value is not None}
    return jwt.encode(told, secret, "HS256", headers=None if kid is None else {"kid": kid})
