"""The guides as they were written, for programs and language models: `/llms.txt` lists what `/guides/NAME.md` serve.

They come with the package (`app/guides` is the folder `docs`). What a guide shows of the repository besides (pictures,
sources) is not served: such a link becomes its words.
"""

import asyncio
import posixpath
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Annotated, Final, NamedTuple

from fastapi import APIRouter, Depends, Path
from fastapi.responses import PlainTextResponse, Response

from app.http.errors import Problem
from app.routes.dependencies import Asked, Worker, key_if_any
from kit.suggestions import did_you_mean

router = APIRouter(include_in_schema=False, dependencies=[Depends(key_if_any)])

FOLDER: Final = files("app") / "guides"
MARKDOWN: Final = "text/markdown; charset=utf-8"
LINK: Final = re.compile(r"!?\[([^\]]*)\]\(([^)\s]+)\)")
SENTENCE: Final = re.compile(r".+?[.:](?=\s|$)", re.DOTALL)
REASONS: Final = "decisions/"
HEAD: Final = """\
# Resonate

> Open A/B testing and personalisation API: messages, events, statistics and recommendations in one service.

An agent needs a key with the scope `read_results` (`Authorization: Bearer sk_…`). `GET /v1/experiments` lists all
experiments with a sentence each; `GET /v1/experiments/KEY/results?detail=brief` says of one what to do, with three
numbers a metric. Say a `sentence` as it is: it holds how sure it is.

## The HTTP API

- [openapi.json]({address}/openapi.json): every route with its types, each member described, and examples
- [docs]({address}/docs): the same as a page
"""


class Guide(NamedTuple):
    """A guide: its name (`statistics`, `decisions/power-by-quadrature`), its title and first sentence."""

    name: str
    title: str
    summary: str

    def listed(self, address: str) -> str:
        """Its line of `/llms.txt`."""
        return f"- [{self.title}]({address}/guides/{self.name}.md): {self.summary}"


@cache
def guides() -> dict[str, Guide]:
    """All guides by their names, those of how to do something before those of why it is so."""
    found = [_guide(name, text) for name, text in _texts(FOLDER, "")]
    return {each.name: each for each in sorted(found, key=lambda each: (each.name.startswith(REASONS), each.name))}


def text_of(name: str) -> str:
    """A guide as it is served. Raises Problem 404."""
    if name not in guides():
        other = did_you_mean(name, guides(), "; GET /llms.txt lists them")
        raise Problem(404, "unknown_guide", f"there is no guide named {name[:100]}{other}")
    folder = posixpath.dirname(name)

    def led(link: re.Match[str]) -> str:
        words, target = link.groups()
        place = posixpath.normpath(posixpath.join(folder, target.partition("#")[0]))
        stays = "://" in target or target.startswith("#") or place.removesuffix(".md") in guides()
        return link[0] if stays and not link[0].startswith("!") else words

    return LINK.sub(led, (FOLDER / f"{name}.md").read_text(encoding="utf-8"))


@router.get("/llms.txt")
async def llms(asked: Asked, worker: Worker) -> PlainTextResponse:
    """What there is to read, as llmstxt.org has it."""
    address = worker.addresses.of(asked.scope, asked.headers)
    found = await asyncio.to_thread(guides)
    how = [each.listed(address.url) for each in found.values() if not each.name.startswith(REASONS)]
    why = [each.listed(address.url) for each in found.values() if each.name.startswith(REASONS)]
    text = "\n".join([HEAD.format(address=address.url), "## Guides\n", *how, "\n## Optional\n", *why, ""])
    return PlainTextResponse(text, headers={"cache-control": address.caching})


@router.get("/guides/{name:path}.md")
async def guide(name: Annotated[str, Path(max_length=200)]) -> Response:
    text = await asyncio.to_thread(text_of, name)
    return Response(text, media_type=MARKDOWN, headers={"cache-control": "public, max-age=60"})


def _texts(folder: Traversable, above: str) -> Iterator[tuple[str, str]]:
    for each in folder.iterdir():
        if each.is_dir():
            yield from _texts(each, f"{above}{each.name}/")
        elif each.name.endswith(".md"):
            yield f"{above}{each.name.removesuffix('.md')}", each.read_text(encoding="utf-8")


def _guide(name: str, text: str) -> Guide:
    """By its first heading, and the first sentence below it."""
    title, _, rest = text.removeprefix("# ").partition("\n")
    paragraph = " ".join(LINK.sub(r"\1", rest.strip().partition("\n\n")[0]).split())
    first = SENTENCE.match(paragraph)
    return Guide(name, title.strip(), first[0].removesuffix(":") if first else paragraph[:200])
