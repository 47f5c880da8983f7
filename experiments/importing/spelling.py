"""How a column's numbers are written, from the forms of its cells: one way for all, or the faults that prevent it."""

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from typing import Final

from events.engines.sql import Expression, Statement
from experiments.cube.statements import statement
from experiments.importing.request import DecimalSign

MISSING: Final = ("", "na", "n/a", "null", "(null)", "nan", "none", "nil", "-", "–", "—", "#n/a", "#nv", "\\n")
TRUTHS: Final = (
    "true", "t", "yes", "y", "on", "ja", "j", "wahr", "si", "sí", "sì", "oui", "vrai", "verdadero", "vero", "sim",
    "verdadeiro", "waar", "tak", "prawda", "ano", "igen", "sand", "sant", "kyllä", "да", "是",
)  # fmt: skip
FALSEHOODS: Final = (
    "false", "f", "no", "n", "off", "nein", "falsch", "non", "faux", "falso", "não", "nao", "nee", "onwaar", "nie",
    "fałsz", "ne", "nem", "nej", "falsk", "ei", "нет", "否",
)  # fmt: skip
CURRENCIES: Final = {  # as it is written → as it is told
    "€": "EUR", "$": "USD", "£": "GBP", "¥": "JPY", "₹": "INR", "₽": "RUB", "₩": "KRW", "₺": "TRY", "fr": "CHF",
    "zł": "PLN", "kč": "CZK", "ft": "HUF", "lei": "RON", "kr": "kr", "r$": "BRL", "us$": "USD", "a$": "AUD",
    "c$": "CAD",
}  # fmt: skip
CODES: Final = (
    "eur", "usd", "gbp", "jpy", "chf", "pln", "sek", "nok", "dkk", "czk", "huf", "ron", "bgn", "isk", "try", "inr",
    "cny", "krw", "brl", "mxn", "cad", "aud", "nzd", "zar", "sgd", "hkd", "ils", "uah", "rub",
)  # fmt: skip
_MONTHS: Final = "jan|feb|mar|mär|mrz|apr|may|mai|jun|jul|aug|sep|sept|oct|okt|nov|dec|dez"
_DATES: Final = (
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([ t].*)?|\d{1,2}[-/.]\d{1,2}[-/.](\d{2}|\d{4})( .*)?"
    rf"|\d{{1,2}}[-. ]*({_MONTHS})[a-z]*\.?([-. ]*\d{{2,4}})?|({_MONTHS})[a-z]*[-. ]*\d{{1,4}}"
)
_SIGNS: Final = "|".join(
    [*(rf"{c}\." for c in ("kr", "fr")), *sorted((c.replace("$", r"\$") for c in CURRENCIES), key=len, reverse=True)]
)
_MONEY: Final = rf"({_SIGNS}|{'|'.join(CODES)})"


_WORD: Final = (
    r"lower(trim(regexp_replace(replace($cell, '−', '-'), '[\s\x{00A0}\x{2007}\x{2009}\x{202F}]+', ' ', 'g')))"
)
_AMOUNT: Final = (  # without its currency, on whichever side that stands; `5,-` is 5
    rf"regexp_replace(trim(regexp_replace(regexp_replace($word, '^([-+(]?) ?{_MONEY} ?', '\1'), "
    rf"' ?{_MONEY}([-)]?)$', '\2')), '[.,] ?[-–—]+$', '')"
)
_UNSIGNED: Final = r"regexp_replace($amount, '^[-+(] ?|[ %)-]+$', '', 'g')"
_BARE: Final = (  # thousands apart by a space or an apostrophe, together
    r"CASE WHEN regexp_full_match($unsigned, '\d{1,3}([ ''’]\d{3})+([.,]\d*)?') "
    r"THEN regexp_replace($unsigned, '[ ''’]', '', 'g') ELSE $unsigned END"
)
_CURRENCY: Final = rf"regexp_extract($word, '{_MONEY}', 1)"
_NUMBER: Final = (
    "nullif(TRY_CAST(replace(replace($bare, $group, ''), $decimal, '.') AS DOUBLE), CAST('nan' AS DOUBLE)) "
    "* CASE WHEN starts_with($amount, '-') OR starts_with($amount, '(') OR ends_with($amount, '-') THEN -1 ELSE 1 END "
    "/ CASE WHEN contains($amount, '%') THEN 100 ELSE 1 END"
)


def _amount(cell: Expression) -> Expression:
    return Expression.of(_AMOUNT, word=Expression.of(_WORD, cell=cell))


def _bare(cell: Expression) -> Expression:
    return Expression.of(_BARE, unsigned=Expression.of(_UNSIGNED, amount=_amount(cell)))


def any_of_these(word: str, words: Iterable[str]) -> str:
    """Whether a word is one of them."""
    listed = ", ".join("'" + each.replace("'", "''") + "'" for each in words)
    return f"{word} IN ({listed})"


def forms_statement(name: str, cell: Expression) -> Statement:
    """The forms of a column by name; `cell` is its text in the table `cells`."""
    text = Expression.of("d.cell")
    word = Expression.of(_WORD, cell=text)
    return statement("table_forms").bind(
        cell=cell,
        word=word,
        bare=_bare(text),
        currency=Expression.of(_CURRENCY, word=word),
        percent=Expression.of("contains($word, '%')", word=word),
        missing=Expression.of(any_of_these("b.word", MISSING)),
        truths=Expression.of(any_of_these("b.word", TRUTHS)),
        falsehoods=Expression.of(any_of_these("b.word", FALSEHOODS)),
        header=" ".join(name.split()).lower(),
        dates=Expression.of(f"regexp_full_match(b.word, '{_DATES}')"),
    )


def number_in(cell: Expression, decimal: DecimalSign) -> Expression:
    """A cell as a number, NULL where it is none."""
    group = "." if decimal == "," else ","
    return Expression.of(_NUMBER, bare=_bare(cell), amount=_amount(cell), group=group, decimal=decimal)


_SURE: Final[dict[DecimalSign, str]] = {".": "point", ",": "comma"}
_NUMBERS: Final = ("bit", "whole", "point", "comma", "point_or_group", "comma_or_group")
_WORDS: Final = ("true", "false")
_RIGHT: Final = "correct it, or leave the cell empty and say --missing drop"
_WRONG: Final = {  # form → what is wrong with it, and what would be right
    "true": ("is no number, as the others are", _RIGHT),
    "false": ("is no number, as the others are", _RIGHT),
    "infinite": ("is no finite number", _RIGHT),
    "spreadsheet_error": ("is an error of the spreadsheet, no number", "mend its formula and save again"),
    "time": ("is a time, no number", "write it in seconds"),
    "date": (
        "is a date, no number",
        "spreadsheets make dates of numbers such as 3.4: format the column as number and save again",
    ),
    "text": ("is no number", _RIGHT),
}


@dataclass(frozen=True, slots=True)
class Form:
    """Cells of one form in a column: how many rows have it, the first of them (from 0), and what stands there."""

    name: str
    rows: int
    first: int
    cell: str | None
    currency: str | None = None
    percent: bool = False
    spellings: tuple[str, ...] = ()  # of words for yes and no

    @property
    def money(self) -> str | None:
        """The currency's name, however it is written."""
        written = None if self.currency is None else self.currency.rstrip(".")
        return None if written is None else CURRENCIES.get(written, written.upper())


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a table: a sentence, and the first row (from 0) that it is about."""

    text: str
    row: int | None = None


@dataclass(frozen=True, slots=True)
class Spelling:
    """How the cells of a column are written; `words` where it holds yes and no.

    `example` is a number that another reading would have taken for another one, or for none.
    """

    decimal: DecimalSign = "."
    words: tuple[Form, ...] = ()
    example: str | None = None

    def number(self, cell: Expression) -> Expression:
        """A cell as a number, NULL where it is missing."""
        if not self.words:
            return number_in(cell, self.decimal)
        cases: list[str] = []
        for word, value in (("true", "1.0"), ("false", "0.0")):
            spelt = [each for form in self.words if form.name == word for each in form.spellings]
            cases += [f"WHEN {any_of_these('$cell', spelt)} THEN {value}"] if spelt else []
        return Expression.of(f"CASE {' '.join(cases)} ELSE TRY_CAST($cell AS DOUBLE) END", cell=cell)


def sure_signs(forms: Iterable[Form]) -> Set[DecimalSign]:
    """The decimal signs that no other reading of a column's cells allows."""
    names = {form.name for form in forms}
    return {sign for sign, name in _SURE.items() if name in names}


def spelled(
    column: str, forms: Sequence[Form], decimal: DecimalSign | None, elsewhere: Set[DecimalSign]
) -> tuple[Spelling, list[Fault]]:
    """How a column is written, and what is wrong with it, its missing cells aside.

    `decimal` is what was asked for, `elsewhere` the signs that the other columns are sure of.
    """
    there = [form for form in forms if form.name != "missing"]
    words = tuple(form for form in there if form.name in _WORDS)
    if words and all(form.name in (*_WORDS, "bit") for form in there):
        return Spelling(words=words), []
    faults: list[Fault] = []
    repeated = summed([form for form in there if form.name == "header"])
    if repeated is not None:
        told = f"the header stands here once more ({such(repeated.rows)}); two tables were put together: remove the row"
        faults.append(Fault(told, repeated.first))
    for name, (wrong, right) in _WRONG.items():
        if (form := summed([form for form in there if form.name == name])) is not None:
            faults.append(Fault(f"{_cell(form, column)} {wrong} ({such(form.rows)}); {right}", form.first))
    numbers = [form for form in there if form.name in _NUMBERS]
    sign, doubts = _decimal(column, numbers, decimal, elsewhere)
    plain = ("bit", "whole", "point") if sign == "," else ("bit", "whole", "point", "point_or_group")
    odd = [form for form in numbers if form.name not in plain or form.currency or form.percent]
    example = odd[0].cell if odd else None
    return Spelling(sign, (), example), [*faults, *doubts, *_mixed(column, numbers)]


def _decimal(
    column: str, numbers: Sequence[Form], asked: DecimalSign | None, elsewhere: Set[DecimalSign]
) -> tuple[DecimalSign, list[Fault]]:
    """The decimal sign of a column: the one asked for, or that which its cells show, or all other columns."""
    by_name = {name: summed([form for form in numbers if form.name == name]) for name in _NUMBERS}
    comma, point, doubtful = by_name["comma"], by_name["point"], by_name["comma_or_group"]
    if asked is not None:
        wrong = comma if asked == "." else point
        if wrong is None:
            return asked, []
        told = f"{_cell(wrong, column)} does not fit --decimal {asked} ({such(wrong.rows)}); correct it"
        return asked, [Fault(told, wrong.first)]
    if comma is not None and point is not None:
        told = f"{_cell(comma, column)} has a decimal comma ({such(comma.rows)}), {point.cell!r} a decimal point"
        return ".", [Fault(f"{told} ({point.rows}); write them alike", comma.first)]
    sure = sure_signs(numbers) or (elsewhere if len(elsewhere) == 1 else set[DecimalSign]())
    if sure or doubtful is None:
        return ("," if sure == {","} else "."), []
    whole, part = str(doubtful.cell).replace(",", ""), str(doubtful.cell).replace(",", ".")
    told = f"{_cell(doubtful, column)} can be {whole} or {part} ({such(doubtful.rows)})"
    return ".", [Fault(f"{told}; say --decimal . for {whole}, --decimal , for {part}", doubtful.first)]


def _mixed(column: str, numbers: Sequence[Form]) -> list[Fault]:
    """Amounts in several currencies, and numbers of which only some are percents."""
    faults: list[Fault] = []
    money = list(dict.fromkeys(form.money for form in numbers if form.money))
    if len(money) > 1:
        other = next(form for form in numbers if form.money == money[1])
        told = f"{_cell(other, column)} is in {money[1]}, others in {money[0]}"
        faults.append(Fault(f"{told} ({such(other.rows)}); convert them to one currency", other.first))
    percents = summed([form for form in numbers if form.percent])
    others = summed([form for form in numbers if not form.percent])
    if percents is not None and others is not None:
        told = f"{_cell(percents, column)} has a percent sign ({such(percents.rows)}), {others.cell!r} has none"
        faults.append(Fault(f"{told} ({others.rows}); write them alike", percents.first))
    return faults


def summed(forms: Sequence[Form]) -> Form | None:
    """Several forms as one: all of their rows, the first of them; None of none."""
    if not forms:
        return None
    first = min(forms, key=lambda form: form.first)
    return Form(first.name, sum(form.rows for form in forms), first.first, first.cell)


def _cell(form: Form, column: str) -> str:
    return f"{str(form.cell)[:40]!r} in column {column}"


def such(rows: int) -> str:
    """How many rows are like the one that is named."""
    return f"{rows} such row{'s' if rows != 1 else ''}"
