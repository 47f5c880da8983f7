"""The templates, each beside its view, and how they are read: every text escaped, nothing missing passed over."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from app.dashboard import saying
from app.dashboard.charts import short
from experiments.wording.figures import bytes_text, count_text, duration_text, figure_text, lift_text, p_text, rate_text

FOLDERS: Final = (Path(__file__).parent, *(Path(__file__).parent / room for room in ("pages", "customers", "program")))
FILTERS: Final[Mapping[str, Any]] = {
    "bytes_text": bytes_text,
    "capital": saying.capital,
    "count_text": count_text,
    "day": saying.day,
    "duration_text": duration_text,
    "figure_text": figure_text,
    "lift_text": lift_text,
    "moment": saying.moment_said,
    "p_text": p_text,
    "rate_text": rate_text,
    "short": short,
}
"""How what an answer says is said: `{{ results.as_of | moment }}`."""


class Templates(Environment):
    """What renders templates: `answer.name` is the member of an object of JSON, which is looked for first."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        """The member of an object, or the attribute of what is none; what there is not is undefined."""
        try:
            return obj[attribute] if type(obj) is dict else getattr(obj, attribute)
        except (KeyError, AttributeError):
            return super().getattr(obj, attribute)


def environment(*others: Path) -> Environment:
    """What renders templates, of `others` folders too; what an answer lacks is an error, as an unknown name is."""
    found = Templates(
        loader=FileSystemLoader((*FOLDERS, *others)),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    filters: dict[str, Any] = found.filters
    names: dict[str, Any] = found.globals
    filters.update(FILTERS, json=json_text)
    names.update(saying=saying, number=figure, number_said=figure)
    return found


def figure(value: Any, text: str) -> Markup:
    """A number as every page, report and share has it: what is read, with the value of the answer that it says."""
    if value is None:
        return escape(text)
    told = json_text(value)
    if type(value) not in (int, float):  # no number has a character to escape
        told = escape(told)
    return Markup(f'<data value="{told}">{escape(text)}</data>')


def json_text(value: Any) -> str:
    """A value as the JSON answer has it; a text as it is, without quotes."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
