"""SQL as a syntax tree: read from `.sql` files in DuckDB's dialect, bound to typed values, rendered for any engine."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal, Self

import sqlglot
from sqlglot import exp

Value = None | bool | int | float | str
Dialect = Literal["duckdb", "clickhouse", "postgres"]


class StatementError(ValueError):
    """A statement that is not one SELECT, or that was rendered with a value still missing."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One SELECT. `$name` stands for a value or an expression, a plain table name may be replaced.

    Its tree is rendered once per engine with the places of `$name` left open; every value is a typed node of its own,
    rendered by the same dialect, and set into its place. (Copying and rendering whole trees cost 3-10 ms a statement.)
    """

    source: exp.Expr
    bound: Mapping[str, "Expression"] = field(default_factory=dict[str, "Expression"])
    renamed: Mapping[str, str] = field(default_factory=dict[str, str])
    added: Mapping[str, "Expression"] = field(default_factory=dict[str, "Expression"])
    further: "tuple[Statement, ...]" = ()  # whose rows follow
    before: "Mapping[str, Statement]" = field(default_factory=dict[str, "Statement"])  # its WITH clause
    passing: bool = False  # it is never asked again, so nothing of it is remembered

    @classmethod
    def of(cls, text: str) -> Self:
        """Parse DuckDB's dialect; anything but a single SELECT (or a union of them) is refused."""
        return cls(_parsed_select(text))

    @classmethod
    def of_passing(cls, text: str) -> Self:
        """The same of a text that names what goes, such as the parts of the log: it is not remembered."""
        return cls(_parsed_select.__wrapped__(text), passing=True)

    @classmethod
    def of_file(cls, path: Path) -> Self:
        """The statement of a `.sql` file."""
        return cls.of(path.read_text(encoding="utf-8"))

    def bind(self, **values: "Value | Expression") -> "Statement":
        """Put typed literals or expressions in place of `$name`."""
        return replace(self, bound={**self.bound, **{name: _expression(value) for name, value in values.items()}})

    def tables(self, **names: str) -> "Statement":
        """Read from other tables than it reads by now."""
        renamed = {name: names.get(read, read) for name, read in self.renamed.items()}
        further = tuple(each.tables(**names) for each in self.further)
        return replace(self, renamed={**names, **renamed}, further=further)

    def also(self, **expressions: "Expression") -> "Statement":
        """Return further columns."""
        return replace(self, added={**self.added, **expressions})

    def render(self, dialect: Dialect = "duckdb", *, pretty: bool = False) -> str:
        """The text for one engine."""
        text = " UNION ALL ".join(statement._text(dialect) for statement in (self, *self.further))
        if self.before:
            tables = (f"{name} AS ({table.render(dialect)})" for name, table in self.before.items())
            text = f"WITH {', '.join(tables)} {text}"
        return sqlglot.transpile(text, read=dialect, write=dialect, pretty=True)[0] if pretty else text

    def reads(self) -> frozenset[str]:
        """The names of the tables it reads."""
        names = frozenset(self.renamed.get(table.name, table.name) for table in self.source.find_all(exp.Table))
        return names.union(*(statement.reads() for statement in self.further))

    def _text(self, dialect: Dialect) -> str:
        opened = _opened.__wrapped__ if self.passing else _opened
        texts = opened(self.source, dialect, tuple(self.renamed.items()), tuple(self.added))
        bound = {**self.bound, **{_ADDED + name: value for name, value in self.added.items()}}
        missing = sorted({name for name in texts[1::2] if name not in bound})
        if missing:
            raise StatementError(f"no value is bound to {', '.join(missing)}")
        return "".join(bound[part].render(dialect) if index % 2 else part for index, part in enumerate(texts))


@dataclass(frozen=True, slots=True)
class Expression:
    """A part of a statement: a column, a condition, an amount."""

    tree: exp.Expr
    texts: dict[Dialect, str] = field(default_factory=dict[Dialect, str], compare=False, repr=False)  # once rendered

    @classmethod
    def of(cls, text: str, **values: "Value | Expression") -> "Expression":
        """Parse an expression in DuckDB's dialect, with `$name` bound as in `Statement.bind`."""
        parsed = _parsed_expression(text)
        if not values:
            return parsed
        tree = parsed.tree.copy()
        for node in list(tree.find_all(exp.Placeholder)):
            if node.name in values:
                put = _term(_expression(values[node.name]).tree).copy()
                if node is tree:
                    return cls(put)
                node.replace(put)
        return cls(tree)

    def render(self, dialect: Dialect) -> str:
        """The text for one engine, in brackets where it is more than one term."""
        if dialect not in self.texts:
            self.texts[dialect] = _term(self.tree).sql(dialect=dialect)
        return self.texts[dialect]


def column(name: str) -> Expression:
    """A column by a name that somebody else chose."""
    return Expression(exp.column(exp.to_identifier(name, quoted=True)))


def all_of(conditions: Iterable[Expression]) -> Expression:
    """Every condition holds; none at all is true."""
    return _joined(conditions, exp.And, exp.true())


def any_of(conditions: Iterable[Expression]) -> Expression:
    """At least one condition holds; none at all is false."""
    return _joined(conditions, exp.Or, exp.false())


def equals_any(text: str, values: Iterable[str]) -> Expression:
    """An expression equals one of some texts."""
    return Expression(
        exp.In(this=_parsed_expression(text).tree.copy(), expressions=[exp.convert(each) for each in values])
    )


def union_all(statements: Sequence[Statement]) -> Statement:
    """The rows of all statements, one after the other."""
    return replace(statements[0], further=(*statements[0].further, *statements[1:]))


def with_tables(statement: Statement, tables: Mapping[str, Statement]) -> Statement:
    """One self-contained statement: those of `tables` that it reads, also by way of others, become its WITH clause."""
    needed: set[str] = set()
    waiting = [statement]
    while waiting:
        new = {name for name in waiting.pop().reads() if name in tables} - needed
        needed |= new
        waiting += [tables[name] for name in new]
    return replace(statement, before={name: table for name, table in tables.items() if name in needed})


def inline_table(columns: Mapping[str, Sequence[Value]], *, passing: bool = False) -> Statement:
    """A small table written out in the statement itself, row by row; `passing` where its rows are of one moment."""
    names = list(columns)
    rows = list(zip(*columns.values(), strict=True))
    selects = [
        exp.select(*(exp.alias_(_literal(value), name) for name, value in zip(names, row, strict=True))) for row in rows
    ]
    return union_all([Statement(select, passing=passing) for select in selects])


def _joined(conditions: Iterable[Expression], connector: type[exp.Connector], nothing: exp.Expr) -> Expression:
    different = dict.fromkeys(condition.tree for condition in conditions)
    nodes = [_term(tree).copy() for tree in different if tree != exp.true() or connector is exp.Or]
    if not nodes:
        return Expression(nothing)
    joined = nodes[0]
    for node in nodes[1:]:
        joined = connector(this=joined, expression=node)
    return Expression(joined)


@lru_cache(maxsize=512)
def _parsed_select(text: str) -> exp.Expr:
    trees = sqlglot.parse(text, dialect="duckdb")
    if len(trees) != 1 or not isinstance(trees[0], exp.Query):
        raise StatementError("only a single SELECT is run on the log")
    return trees[0]


@lru_cache(maxsize=512)
def _parsed_expression(text: str) -> Expression:
    return Expression(sqlglot.parse_one(text, dialect="duckdb", into=exp.Condition))


_BIGINT: Final = exp.DataType.build("BIGINT")  # building one costs as much as a small statement
_DOUBLE: Final = exp.DataType.build("DOUBLE")
_ADDED: Final = "added_"
_PLACE: Final = re.compile(r"bind_place_(\w+?)_end_place")


@lru_cache(maxsize=4096)
def _opened(
    source: exp.Expr, dialect: Dialect, renamed: tuple[tuple[str, str], ...], added: tuple[str, ...]
) -> tuple[str, ...]:
    """The rendered text, cut at its places: text, name, text, name, …, text."""
    tree = source.copy()
    for name in added:
        tree.append("expressions", exp.alias_(exp.column(f"bind_place_{_ADDED}{name}_end_place"), name, copy=False))
    names = dict(renamed)
    for table in list(tree.find_all(exp.Table)) if names else ():
        if table.name in names:
            table.set("alias", table.args.get("alias") or exp.TableAlias(this=exp.to_identifier(table.name)))
            table.set("this", exp.to_identifier(names[table.name]))
    for node in list(tree.find_all(exp.Placeholder)):
        node.replace(exp.column(f"bind_place_{node.name}_end_place"))
    if dialect == "clickhouse":
        _name_columns(tree)
    return tuple(_PLACE.split(tree.sql(dialect=dialect, copy=False)))


def _name_columns(tree: exp.Expr) -> None:
    """ClickHouse calls a column of a join `table.column` unless it is given its plain name."""
    for select in tree.find_all(exp.Select):
        for column in list(select.expressions):
            named = isinstance(column, exp.Column) and not isinstance(column.this, exp.Star)
            if named and not _PLACE.search(column.name):
                column.replace(exp.alias_(column.copy(), column.name, copy=False))


def _expression(value: "Value | Expression") -> Expression:
    return value if isinstance(value, Expression) else Expression(_literal(value))


def _term(tree: exp.Expr) -> exp.Expr:
    """The tree, in brackets unless it is a single term."""
    single = (exp.Column, exp.Literal, exp.Boolean, exp.Null, exp.Paren, exp.Cast, exp.Case, exp.Coalesce)
    return tree if isinstance(tree, single) else exp.Paren(this=tree.copy())


def _literal(value: Value) -> exp.Expr:
    match value:
        case None | bool() | str():
            return exp.convert(value)
        case int():
            return exp.Cast(this=exp.convert(value), to=_BIGINT.copy())
        case float():
            return exp.Cast(this=exp.Literal.number(repr(value)), to=_DOUBLE.copy())
