"""A folder of definitions, a data directory and a clock: what the tests of the catalogue's keeper stand on."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from experiments.catalog.catalog import Catalog, catalog_of
from experiments.catalog.freeze import FreezeSources
from experiments.catalog.overrides import Action, Order, order
from experiments.catalog.publisher import CatalogKeeper
from experiments.catalog.reader import CatalogReader
from experiments.definitions.content import PublishedCatalog, content_version
from experiments.definitions.folder import read_folder


def catalog_in(folder: Path) -> Catalog:
    """The catalogue of a folder of definition files, as it would be served without a keeper."""
    content = read_folder(folder).complete()
    return catalog_of(
        PublishedCatalog(version=content_version(content), received_at=datetime.now(UTC), content=content)
    )


BANNER = """\
key: banner
status: running
variants:
  - {key: control, payload: {text: none}}
  - {key: threshold, payload: {text: free shipping}}
goal: purchase_rate
"""


@dataclass
class Shop:
    """One shop: its files, its keeper, and its time."""

    root: Path
    now: datetime = datetime(2026, 1, 10, 12, tzinfo=UTC)
    sources: FreezeSources = field(default_factory=FreezeSources)

    def __post_init__(self) -> None:
        self.definitions.mkdir(parents=True, exist_ok=True)
        self.keeper = self.new_keeper()

    @property
    def definitions(self) -> Path:
        """The marketer's folder."""
        return self.root / "definitions"

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.root / "data"

    def new_keeper(self) -> CatalogKeeper:
        """Another start of the supervisor over the same directories."""
        seconds = count()
        return CatalogKeeper(self.definitions, self.data, lambda: self.now, self.sources, lambda: 0.1 * next(seconds))

    def write(self, text: str, name: str = "banner.yaml") -> None:
        """Write a definition file."""
        (self.definitions / name).write_text(text, encoding="utf-8")

    def boot(self, **texts: str) -> CatalogReader:
        """Write files (`banner="..."`), boot the keeper, and follow it as a worker does."""
        for stem, text in texts.items():
            self.write(text, f"{stem}.yaml")
        self.keeper = self.new_keeper()
        self.keeper.boot()
        return CatalogReader(self.data)

    def settle(self) -> list[str]:
        """Poll as often as a change needs to be taken; the lines of what is wrong now."""
        for _ in range(3):
            self.keeper.poll()
        return [str(error) for error in self.keeper.errors]

    def edit(self, text: str, name: str = "banner.yaml") -> list[str]:
        """Write a file, and the lines that answer it."""
        self.write(text, name)
        return self.settle()

    def wait(self, **duration: float) -> None:
        """Let time pass (the arguments of timedelta)."""
        self.now += timedelta(**duration)

    def order(self, action: Action, key: str = "banner", variant: str | None = None) -> None:
        """Pause, resume or stop without the files."""
        order(self.data, CatalogReader(self.data).catalog, Order(key, action, variant), self.now)
        self.keeper.poll()

    def obey(self, *told: Order) -> None:
        """Give orders that come together to the keeper, as the supervisor does."""
        for each in told:
            self.keeper.order(each, self.now)
        self.keeper.hold(self.now)

    def archive(self) -> CatalogReader:
        """What the analysis sees."""
        return CatalogReader(self.data)
