"""SQL as a syntax tree: read from `.sql` files in DuckDB's dialect, bound to typed values, rendered for any engine."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Literal, Self

import sqlglot
from sqlglot import exp

Value = None | bool | int | float | str
Dialect = Literal["duckdb", "clickhouse", "postgres"]


class StatementError(ValueError):
    """A statement that is not one SELECT, or that was rendered with a value still missing."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One SELECT. `$name` stands for a value or an expression, a plain table name may be replaced.

    What was bound is put into a copy of the tree only when it is rendered: copying trees is what costs.
    """

    source: exp.Expression
    bound: Mapping[str, exp.Expression] = field(default_factory=dict[str, exp.Expression])
    renamed: Mapping[str, str] = field(default_factory=dict[str, str])
    added: Mapping[str, exp.Expression] = field(default_factory=dict[str, exp.Expression])

    @classmethod
    def of(cls, text: str) -> Self:
        """Parse DuckDB's dialect; anything but a single SELECT (or a union of them) is refused."""
        return cls(_parsed_select(text))

    def bind(self, **values: "Value | Expression") -> "Statement":
        """Put typed literals or expressions in place of `$name`."""
        return replace(self, bound={**self.bound, **{name: _node(value) for name, value in values.items()}})

    def tables(self, **names: str) -> "Statement":
        """Read from other tables than those named in the text."""
        return replace(self, renamed={**self.renamed, **names})

    def also(self, **expressions: "Expression") -> "Statement":
        """Return further columns."""
        return replace(self, added={**self.added, **{name: value.tree for name, value in expressions.items()}})

    def tree(self) -> exp.Expression:
        """A fresh tree with everything in its place."""
        tree = self.source.copy()
        for name, expression in self.added.items():
            tree.append("expressions", exp.alias_(expression.copy(), name, copy=False))
        for table in list(tree.find_all(exp.Table)) if self.renamed else ():
            if table.name in self.renamed:
                table.set("alias", table.args.get("alias") or exp.TableAlias(this=exp.to_identifier(table.name)))
                table.set("this", exp.to_identifier(self.renamed[table.name]))
        return _replaced(tree, self.bound)

    def render(self, dialect: Dialect = "duckdb", *, pretty: bool = False) -> str:
        """The text for one engine."""
        tree = self.tree()
        missing = sorted({node.name for node in tree.find_all(exp.Placeholder)})
        if missing:
            raise StatementError(f"no value is bound to {', '.join(missing)}")
        return tree.sql(dialect=dialect, pretty=pretty, copy=False)

    def reads(self) -> frozenset[str]:
        """The names of the tables it reads."""
        names = (table.name for table in self.source.find_all(exp.Table))
        return frozenset(self.renamed.get(name, name) for name in names)


@dataclass(frozen=True, slots=True)
class Expression:
    """A part of a statement: a column, a condition, an amount."""

    tree: exp.Expression

    @classmethod
    def of(cls, text: str, **values: "Value | Expression") -> Self:
        """Parse an expression in DuckDB's dialect, with `$name` bound as in `Statement.bind`."""
        parsed = _parsed_expression(text)
        return cls(
            _replaced(parsed.copy(), {name: _node(value) for name, value in values.items()}) if values else parsed
        )


def column(name: str) -> Expression:
    """A column by a name that somebody else chose."""
    return Expression(exp.column(exp.to_identifier(name, quoted=True)))


def load(path: Path) -> Statement:
    """The statement of a `.sql` file."""
    return Statement.of(path.read_text(encoding="utf-8"))


def all_of(conditions: Iterable[Expression]) -> Expression:
    """Every condition holds; none at all is true."""
    return _joined(conditions, exp.And, exp.true())


def any_of(conditions: Iterable[Expression]) -> Expression:
    """At least one condition holds; none at all is false."""
    return _joined(conditions, exp.Or, exp.false())


def union_all(statements: Sequence[Statement]) -> Statement:
    """The rows of all statements, one after the other."""
    tree = statements[0].tree()
    for statement in statements[1:]:
        tree = exp.Union(this=tree, expression=statement.tree(), distinct=False)
    return Statement(tree)


def with_tables(statement: Statement, tables: Mapping[str, Statement]) -> Statement:
    """One self-contained statement: those of `tables` that it reads, directly or not, become its WITH clause in order."""
    needed = _reachable(statement, tables)
    tree = statement.tree()
    for name in (name for name in tables if name in needed):
        tree = tree.with_(name, as_=tables[name].tree(), copy=False)  # pyright: ignore[reportAttributeAccessIssue]
    return Statement(tree)


def inline_table(columns: Mapping[str, Sequence[Value]]) -> Statement:
    """A small table written out in the statement itself, row by row."""
    names = list(columns)
    rows = list(zip(*columns.values(), strict=True))
    selects = [
        exp.select(*(exp.alias_(_node(value), name) for name, value in zip(names, row, strict=True))) for row in rows
    ]
    return union_all([Statement(select) for select in selects])


def _joined(conditions: Iterable[Expression], connector: type[exp.Connector], nothing: exp.Expression) -> Expression:
    different = dict.fromkeys(condition.tree for condition in conditions)
    nodes = [_node(Expression(tree)).copy() for tree in different if tree != exp.true() or connector is exp.Or]
    if not nodes:
        return Expression(nothing)
    joined = nodes[0]
    for node in nodes[1:]:
        joined = connector(this=joined, expression=node)
    return Expression(joined)


@cache
def _parsed_select(text: str) -> exp.Expression:
    trees = sqlglot.parse(text, dialect="duckdb")
    if len(trees) != 1 or not isinstance(trees[0], exp.Query):
        raise StatementError("only a single SELECT is run on the log")
    return trees[0]


@cache
def _parsed_expression(text: str) -> exp.Expression:
    return sqlglot.parse_one(text, dialect="duckdb", into=exp.Condition)


def _replaced(tree: exp.Expression, bound: Mapping[str, exp.Expression]) -> exp.Expression:
    """The same tree, changed in place."""
    for node in list(tree.find_all(exp.Placeholder)) if bound else ():
        if node.name in bound:
            put = bound[node.name].copy()
            if node is tree:
                return put
            node.replace(put)
    return tree


def _node(value: "Value | Expression") -> exp.Expression:
    match value:
        case Expression():
            whole = (exp.Column, exp.Literal, exp.Boolean, exp.Null, exp.Paren, exp.Cast, exp.Case, exp.Coalesce)
            return value.tree if isinstance(value.tree, whole) else exp.Paren(this=value.tree.copy())
        case None | bool() | str():
            return exp.convert(value)
        case int():
            return exp.cast(exp.convert(value), "BIGINT")
        case float():
            return exp.cast(exp.Literal.number(repr(value)), "DOUBLE")


def _reachable(statement: Statement, tables: Mapping[str, Statement]) -> set[str]:
    found: set[str] = set()
    waiting = [statement]
    while waiting:
        new = {name for name in waiting.pop().reads() if name in tables} - found
        found |= new
        waiting += [tables[name] for name in new]
    return found
