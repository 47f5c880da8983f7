"""The walls of the house: who may import whom, the one door of each vendor, and the rules that keep rooms small."""

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest
from oracles.house import House, circle
from oracles.walls import DOORS, MAY_IMPORT
from servers.patience import VAIN_SECONDS

REPOSITORY = Path(__file__).parents[1]

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
REQUESTS = ("app/delivery/", "app/http/", "app/identity/", "app/limits/", "app/routes/", "app/serving/", "app/worker/",
            "events/dialects/", "events/ingest/", "experiments/assignment/")  # fmt: skip
WIDE = {"experiments/statistics": 17}  # folders of more than 12 modules
LONG: dict[str, int] = {}  # modules of more than 400 lines, and how many they may have
SHORT = {
    "app/backup/last_run.py",
    "app/dashboard/pages/glossary.py",
    "app/dashboard/pages/metrics.py",
    "app/dashboard/pages/operations.py",
    "app/dashboard/paging.py",
    "events/tallies/remedies.py",
    # modules of less than 60 lines that are a thought of their own
    "app/control/frames.py",
    "app/intake/paths.py",
    "events/authority.py",
    "events/dialects/exposures.py",
    "events/dialects/names.py",
    "events/gauges.py",
    "events/parts/arrow.py",
    "events/store/keys.py",
    "events/store/memory.py",
    "events/views/identifiers.py",
    "experiments/catalog/heard.py",
    "experiments/statistics/multiplicity.py",
    "experiments/statistics/roots.py",
    "kit/suggestions.py",
    "kit/urls.py",
    "recommender/evaluation/attribution.py",
    "recommender/training/sparse.py",
}
ENTRIES = {"app.cli.main", "app.describing.answers"}  # that a person starts; the rest is imported by another one
HIDING = (
    "app/processes/", "app/cli/", "app/worker/recommendations.py", "app/worker/resources.py",
    "app/dashboard/rendering.py", "app/reports/rendering.py", "app/surveys/asking.py", "recommender/evaluation/",
)  # fmt: skip
# Public names of routes, commands and dialects that several modules may define.
VERBS = {
    "doctor",
    "main",
    "metrics",
    "pause",
    "plan",
    "preview",
    "read_event",
    "report",
    "results",
    "resume",
    "ship",
    "start",
    "stop",
    "train",
    "verify",
}
ONLY_IN = {  # pattern → the places that may say it, why
    r"\b(create_task|ensure_future|TaskGroup)\b": ("kit/tasks.py",),
    # memory that several processes write; models are mapped to be read
    r"\b(mmap|memfd_create|memmap|shared_memory)\b|\bmmap_mode\b(?!=\"r\")": ("app/runtime/board.py",),
    r"\.write_text\(|\.write_bytes\(|\bopen\([^)\n]*[\"'][wax+]b?\+?[\"']|\bos\.(replace|link)\b|\bflock\b": (
        "kit/files.py",
        "events/parts/",
        "events/store/",
        "app/cli/results.py",  # the file that a person named
    ),
    r"\b(subprocess|create_subprocess_exec|prctl)\b": ("kit/child.py",),
    r"\bparquet\.\w|\bread_parquet\b|\bread_digests\b|\bfromfile\b": (  # else `Contents` reads it, once verified
        "events/parts/",
        "events/engines/",  # DuckDB is given paths that were verified
    ),
    r"\b(umask|gettempdir|SO_PEERCRED)\b|\.chmod\(": ("kit/private.py", "app/serving/sockets.py"),
    r"\b(AF_UNIX|open_unix_\w+|start_unix_\w+)\b": (
        "app/analysis/",
        "app/processes/notify.py",
        "app/control/",
        "app/serving/sockets.py",
        "events/store/",
    ),
    r"\bget_close_matches\b": ("kit/suggestions.py",),
    # what can be no id: whoever asks for it reads ids a second time, and otherwise than all others
    r"\bSHARED_IDS\b|\[object Object\]|\b0{8}-0{4}-0{4}-0{4}-0{12}\b|\bMAX_ID_BYTES\b": (
        "kit/values.py",
        "experiments/targeting/javascript.py",  # what JavaScript writes of an object, in conditions
    ),
    # the service's own address: who else reads it would be believed by nobody behind a proxy, or by everybody
    r"(?i)\bb[\"']host[\"']|headers(?:\.get\(|\[)[\"']host\b|x-forwarded-(?!for)|[\"']forwarded[\"']|\burl\.(?:scheme|netloc|hostname|port)\b|\bbase_url\b"
    r"|(?:scope|fixed)(?:\.get\(|\[)[\"']scheme[\"']": (
        "app/http/address.py",
        "app/serving/framing.py",  # that there is one Host
        "app/serving/protocol.py",
        "app/runtime/settings.py",  # the parts of a configured address
        "experiments/targeting/attributes.py",  # of the pages that visitors look at
        "experiments/page/redirects.py",
        "app/demo/",
    ),
    r"\b86_?400(_000)*\b|[*/] ?1_000_000\b|\b1_000_000 [*/]": ("kit/time.py",),  # seconds and microseconds
}
COUNTING = {"monotonic", "monotonic_ns", "perf_counter", "process_time", "thread_time", "sleep"}  # of `time`
WALL_CLOCKS = {
    "email.utils.formatdate", "uuid.uuid1",
    *(f"datetime.{kind}.{read}" for kind in ("datetime", "date") for read in ("now", "today", "utcnow")),
}  # fmt: skip
HELPERS_USED_ONCE = 0.53  # at most this share of the private helpers
MOST_MODULES, MOST_LINES = 458, 74_200

Rule = Callable[[House], Iterator[str]]


def walls(house: House) -> Iterator[str]:
    """Between folders there are exactly the arrows of the table."""
    for folder, targets in sorted(house.folder_arrows.items()):
        for target in sorted((targets - {"kit"}) ^ MAY_IMPORT.get(folder, set())):
            yield f"{folder} {'imports' if target in targets else 'no longer imports'} {target}"
        if "kit" in targets and folder == "experiments/statistics":
            yield f"{folder} imports kit"
    yield from sorted(f"{folder} is not in the table" for folder in house.folder_arrows.keys() - MAY_IMPORT.keys())


def doors(house: House) -> Iterator[str]:
    """Each vendor is imported by the files of its door alone."""
    for module in house.modules.values():
        for name in sorted(
            {found.module for found in module.imports} | {f"{f.module}.{f.name}" for f in module.imports}
        ):
            vendors = [vendor for vendor in DOORS if name == vendor or name.startswith(f"{vendor}.")]
            if vendors and not any(fnmatch(module.place, door) for vendor in vendors for door in DOORS[vendor]):
                yield f"{module.place} imports {name}"


def no_circles(house: House) -> Iterator[str]:
    """Neither modules nor folders import each other in a circle, imports inside functions included."""
    yield from (
        f"circle of {' and '.join(found)}" for found in map(circle, (house.arrows, house.folder_arrows)) if found
    )


def imports_in_the_open(house: House) -> Iterator[str]:
    """Functions import only where a command or a process would otherwise load what it does not use."""
    for module in house.modules.values():
        if not module.place.startswith(HIDING):
            yield from (
                f"{module.place} imports {found.module} in a function" for found in module.imports if found.hidden
            )


def sizes(house: House) -> Iterator[str]:
    """Folders of at most 12 modules, modules of 60 to 400 lines, save those named above."""
    for folder, count in Counter(module.folder for module in house.modules.values()).items():
        if count > WIDE.get(folder, 12):
            yield f"{folder} has {count} modules"
    lines = sum(module.lines for module in house.modules.values())
    if len(house.modules) > MOST_MODULES or lines > MOST_LINES:
        yield f"the product has {len(house.modules)} modules of {lines} lines"
    for module in house.modules.values():
        if module.lines > LONG.get(module.place, 400):
            yield f"{module.place} has {module.lines} lines"
        if module.lines < 60 and module.place not in SHORT:
            yield f"{module.place} has only {module.lines} lines"
    short = {module.place for module in house.modules.values() if module.lines < 60}
    yield from sorted(f"{place} is not short any more" for place in SHORT - short)


def annexes(house: House) -> Iterator[str]:
    """A short module that only one neighbour imports belongs in that neighbour."""
    for name, importers in house.importers.items():
        module = house.modules[name]
        if module.lines < 60 and len(importers) == 1 and house.modules[next(iter(importers))].folder == module.folder:
            yield f"{module.place} belongs in {house.modules[next(iter(importers))].place}"


def one_name_one_thing(house: House) -> Iterator[str]:
    """No public name is defined by two modules."""
    places: dict[str, list[str]] = {}
    for module in house.modules.values():
        for name in set(module.defined):
            places.setdefault(name, []).append(module.place)
    for name, found in sorted(places.items()):
        if len(found) > 1 and not name.startswith("_") and name not in VERBS | {"logger", "router", "commands"}:
            yield f"{name} is defined in {', '.join(found)}"


def one_place(house: House) -> Iterator[str]:
    """What must be said in one place only is said there."""
    for pattern, places in ONLY_IN.items():
        for module in house.modules.values():
            if not module.place.startswith(places):
                yield from (f"{module.place}: {match[0]}" for match in re.finditer(pattern, module.code))


def everything_is_used(house: House) -> Iterator[str]:
    """Every module is imported by another one, or is an entry."""
    texts = "\n".join(module.text for module in house.modules.values())
    for name, importers in house.importers.items():
        if not importers and name not in ENTRIES and f'"{name}"' not in texts:
            yield f"{name} is imported by nobody"


def helpers_earn_their_name(house: House) -> Iterator[str]:
    """Few private helpers serve a single call."""
    uses = [count for module in house.modules.values() for count in module.helpers.values()]
    share = sum(count == 1 for count in uses) / len(uses)
    if share > HELPERS_USED_ONCE:
        yield f"{share:.1%} of {len(uses)} private helpers are used once"


def words_in_inner_functions(house: House) -> Iterator[str]:
    """What a function of a request's way defines inside itself is annotated by words: `X | Y` would be put together
    anew for every request, in microseconds.
    """
    for module in house.modules.values():
        if not module.place.startswith(REQUESTS):
            continue
        functions = [node for node in ast.walk(module.tree) if isinstance(node, FUNCTIONS)]
        inner = {found for each in functions for found in ast.walk(each) if found is not each}
        for function in [each for each in functions if each in inner]:
            said = [function.returns, *(argument.annotation for argument in function.args.args)]
            if any(isinstance(each, (ast.BinOp, ast.Subscript)) for each in said):
                yield f"{module.place} composes an annotation of {function.name} for each request"


def one_wall_clock(house: House) -> Iterator[str]:
    """The wall clock is read in one module; of `time` the others use what counts, and what waits."""
    for module in house.modules.values():
        if module.place != "kit/time.py" and re.search(r"^\s*(from|import) .*(time|uuid|email)", module.text, re.M):
            for name in sorted(module.in_full):
                library, _, read = name.partition(".")
                if name in WALL_CLOCKS or (library == "time" and read and read not in COUNTING):
                    yield f"{module.place} reads the wall clock by {name}"


RULES: tuple[Rule, ...] = (
    walls, doors, no_circles, imports_in_the_open, sizes, annexes, one_name_one_thing, one_place, everything_is_used,
    helpers_earn_their_name, words_in_inner_functions, one_wall_clock,
)  # fmt: skip


@pytest.fixture(scope="module")
def house() -> House:
    """The house as it stands."""
    return House.standing(REPOSITORY)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps_its_rules(rule: Rule, house: House) -> None:
    assert list(rule(house)) == []


LINES = "x = 1\n" * 70
PLANTED: list[tuple[Rule, str, str, str]] = [
    (
        walls,
        "events/writer/writer.py",
        "from experiments.catalog.catalog import Catalog",
        "imports experiments/catalog",
    ),
    (walls, "experiments/readout/read.py", "from recommender.ranking.rank import x", "imports recommender/ranking"),
    (walls, "experiments/statistics/power.py", "def f():\n    from kit.time import DAY_SECONDS", "imports kit"),
    (walls, "app/new/room.py", LINES, "app/new is not in the table"),
    (doors, "app/management/results.py", "import redis.asyncio", "imports redis.asyncio"),
    (doors, "recommender/ranking/rank.py", "from scipy import stats", "imports scipy"),
    (doors, "experiments/readout/read.py", "from scipy import sparse", "imports scipy.sparse"),
    (doors, "experiments/cube/cube.py", "import duckdb", "imports duckdb"),
    (doors, "events/writer/writer.py", "def f():\n    import pyarrow", "imports pyarrow"),
    (no_circles, "events/parts/part.py", "from events.writer.writer import Writer", "circle of"),
    (no_circles, "kit/files.py", "def f():\n    from kit.child import ask", "circle of"),
    (imports_in_the_open, "events/log/export.py", "def f():\n    import json", "imports json in a function"),
    (sizes, "events/log/export.py", "x = 1\n" * 400, "lines"),
    (sizes, "events/log/new.py", "x = 1", "has only"),
    (one_name_one_thing, "events/log/export.py", "class Catalog: ...", "Catalog is defined in"),
    (one_place, "events/log/export.py", "asyncio.create_task(x)", "create_task"),
    (one_place, "events/log/export.py", "import mmap", "mmap"),
    (one_place, "events/log/export.py", 'np.load(path, mmap_mode="r+")', "mmap_mode"),
    (one_place, "events/log/export.py", 'path.open("wb")', "open("),
    (one_place, "events/log/export.py", "os.replace(a, b)", "os.replace"),
    (one_place, "events/log/export.py", "import subprocess", "subprocess"),
    (one_place, "events/log/export.py", "parquet.ParquetFile(part.path)", "parquet.P"),
    (one_place, "events/deletes/hidden.py", "read_digests(part.digests)", "read_digests"),
    (one_place, "events/log/export.py", "x = 86_400", "86_400"),
    (everything_is_used, "events/log/alone.py", LINES, "imported by nobody"),
    (
        words_in_inner_functions,
        "app/routes/ofrep.py",
        "def f():\n    def g() -> int | None: ...",
        "composes an annotation of g",
    ),
    *(
        (one_wall_clock, "events/log/export.py", text, "reads the wall clock")
        for text in (
            "import time\nx = time.time()",
            "import time as t\ndef f(now=t.time_ns): ...",
            "from time import time",
            "import time\nx = time.localtime()",
            "from datetime import UTC, datetime\nx = datetime.now(UTC)",
            "import datetime as d\nx = d.datetime.now",
            "from datetime import date as day\nx = day.today().year",
        )
    ),
    (
        helpers_earn_their_name,
        "events/log/export.py",
        "".join(f"def _once{n}(): ...\n_once{n}()\n" for n in range(2000)),
        "are used once",
    ),
]


@pytest.mark.parametrize(
    ("rule", "place", "text", "said"),
    PLANTED,
    ids=[f"{rule.__name__}-{number}" for number, (rule, *_) in enumerate(PLANTED)],
)
def test_a_planted_breach_is_seen(rule: Rule, place: str, text: str, said: str, house: House) -> None:
    found = list(rule(house.with_text(place, text)))
    assert any(said in breach for breach in found), found


def test_a_short_module_with_one_neighbour_is_seen(house: House) -> None:
    planted = house.with_text("events/log/tiny.py", "x = 1").with_text(
        "events/log/export.py", "from events.log import tiny"
    )
    assert list(annexes(planted)) == ["events/log/tiny.py belongs in events/log/export.py"]


@pytest.mark.parametrize("package", ["app", "events", "experiments", "kit", "recommender"])
def test_init_files_are_empty(package: str) -> None:
    assert [str(path) for path in (REPOSITORY / package).rglob("__init__.py") if path.stat().st_size] == []


def test_nothing_is_read_from_above_the_packages(house: House) -> None:
    above = re.compile(r"__file__.*(parents|\.parent\.parent|pardir|\.\.)")
    assert [module.place for module in house.modules.values() if above.search(module.text)] == []


TOO_HEAVY_TO_ASSIGN = {"scipy", "duckdb", "pyarrow", "statsmodels", "sqlglot", "pandas"}


@pytest.mark.parametrize("module", ["experiments.assignment.assign", "experiments.assignment.payload", "app.main"])
def test_what_assigns_loads_neither_scipy_nor_duckdb(module: str) -> None:
    code = f"import sys, {module}; print(*sorted(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=VAIN_SECONDS
    )
    assert TOO_HEAVY_TO_ASSIGN.isdisjoint(loaded.stdout.split())
