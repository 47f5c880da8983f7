"""Addresses of pages, put together."""

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit


def with_parameter(url: str, name: str, value: str) -> str:
    """An address with this parameter in its query, in place of any of that name; of an empty one, the query alone.

    Raises ValueError for what is no address, such as one whose host has a bracket too many.
    """
    parts = urlsplit(url)
    query = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] != name]
    return urlunsplit(parts._replace(query=urlencode([*query, (name, value)])))
