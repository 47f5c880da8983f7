"""The templates, each beside its view, and how they are read: every text escaped, nothing missing passed over."""

from pathlib import Path
from typing import Any, Final

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from app.dashboard import saying
from app.dashboard.charts import short
from experiments.wording.figures import bytes_text, count_text, duration_text, figure_text, lift_text, p_text, rate_text

FOLDERS: Final = (Path(__file__).parent, Path(__file__).parent / "pages")


def environment(*others: Path) -> Environment:
    """What renders templates, of `others` folders too; what an answer lacks is an error, as an unknown name is."""
    found = Environment(
        loader=FileSystemLoader((*FOLDERS, *others)),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    found.filters["json"] = json_text
    for say in (
        bytes_text,
        count_text,
        duration_text,
        figure_text,
        lift_text,
        p_text,
        rate_text,
        short,
        saying.moment,
        saying.day,
        saying.capital,
    ):
        found.filters[say.__name__] = say
    found.globals["saying"] = saying
    found.globals |= {"number": number, "number_said": number}
    return found


def number(value: Any, text: str) -> Markup:
    """A number as every page, report and share has it: what is read, with the value of the answer that it says."""
    if value is None:
        return escape(text)
    return Markup(f'<data value="{escape(json_text(value))}">{escape(text)}</data>')


def json_text(value: Any) -> str:
    """A value as the JSON answer has it; a text as it is, without quotes."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
