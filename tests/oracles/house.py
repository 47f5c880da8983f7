"""The house as its sources tell it: modules, imports and names, read as text, so that a breach can be planted."""

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

PACKAGES = ("app", "events", "experiments", "kit", "recommender")


@dataclass(frozen=True, slots=True)
class Import:
    """One imported name: the module it names as far as the house knows it, and whether a function hides it."""

    module: str
    name: str
    hidden: bool


class Module:
    """One file: its dotted name, its folder as the table writes it, and what stands in it."""

    def __init__(self, place: str, text: str) -> None:
        self.place = place
        self.text = text
        self.name = place.removesuffix(".py").replace("/", ".")
        self.folder = place.rpartition("/")[0]
        self.lines = len(text.splitlines())

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.place)

    @cached_property
    def imports(self) -> list[Import]:
        return list(self._imports(self.tree, hidden=False))

    def _imports(self, node: ast.AST, hidden: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from (Import(alias.name, "", hidden) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                yield from (Import(child.module or "", alias.name, hidden) for alias in child.names)
            inside = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef))
            yield from self._imports(child, hidden or inside)

    @cached_property
    def in_full(self) -> set[str]:
        """Every name that is imported, and what is said of one, by its full name: `datetime.datetime.now`."""
        called: dict[str, str] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                within = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
                called |= {alias.asname or alias.name: f"{within}{alias.name}" for alias in node.names}
        attributes = [
            ast.unparse(node).partition(".") for node in ast.walk(self.tree) if isinstance(node, ast.Attribute)
        ]
        return {*called.values(), *(f"{called[first]}.{rest}" for first, _, rest in attributes if first in called)}

    @cached_property
    def defined(self) -> list[str]:
        """The functions and classes at the top of the file."""
        names: list[str] = []
        for node in self.tree.body:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                names.append(node.name)
        return names

    @cached_property
    def code(self) -> str:
        """The text without comments and texts of several lines."""
        return re.sub(r'"""[\s\S]*?"""|#[^\n"]*$', "", self.text, flags=re.M)

    @cached_property
    def helpers(self) -> dict[str, int]:
        """Each private function, also of a class, and how often its name stands in the file besides its definition."""
        functions = [node for node in ast.walk(self.tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
        private = {node.name for node in functions if re.match(r"_[a-z]", node.name)}
        words = Counter(re.findall(r"\w+", self.text))
        return {name: words[name] - 1 for name in private}


class House:
    """All modules of the product by name."""

    def __init__(self, modules: Iterable[Module]) -> None:
        self.modules = {module.name: module for module in modules}

    @classmethod
    def standing(cls, repository: Path) -> "House":
        """The house as it stands in the repository, without the empty `__init__.py`."""
        paths = [path for package in PACKAGES for path in sorted((repository / package).rglob("*.py"))]
        return cls(
            Module(path.relative_to(repository).as_posix(), path.read_text())
            for path in paths
            if path.name != "__init__.py"
        )

    def with_text(self, place: str, text: str) -> "House":
        """The same house with a text added to one file, which may be new; the others are as they were read."""
        standing = {module.place: module for module in self.modules.values()}
        before = standing[place].text if place in standing else ""
        return House({**standing, place: Module(place, f"{before}\n{text}\n")}.values())

    def target(self, found: Import) -> str | None:
        """The module of ours that an import reaches, if it is one."""
        inner = f"{found.module}.{found.name}"
        return inner if inner in self.modules else found.module if found.module in self.modules else None

    @cached_property
    def arrows(self) -> dict[str, set[str]]:
        """Module → the modules of ours that it imports, inside functions too."""
        return {
            name: {target for found in module.imports if (target := self.target(found)) and target != name}
            for name, module in self.modules.items()
        }

    @cached_property
    def folder_arrows(self) -> dict[str, set[str]]:
        """Folder → the other folders that its modules import."""
        arrows: dict[str, set[str]] = {module.folder: set() for module in self.modules.values()}
        for name, targets in self.arrows.items():
            folder = self.modules[name].folder
            arrows[folder] |= {self.modules[target].folder for target in targets} - {folder}
        return arrows

    @cached_property
    def importers(self) -> dict[str, set[str]]:
        """Module → the modules that import it."""
        found: dict[str, set[str]] = {name: set() for name in self.modules}
        for name, targets in self.arrows.items():
            for target in targets:
                found[target].add(name)
        return found


def circle(arrows: Mapping[str, set[str]]) -> list[str]:
    """One circle of nodes that import each other, empty where there is none."""
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        return error.args[1]
    return []
