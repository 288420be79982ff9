"""Tables of a report: the page shows them, and ``--format`` writes the same numbers as JSON, CSV or LaTeX."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from stmap_pipeline.evaluation.result import without_nan
from stmap_pipeline.files import atomic_write_text
from stmap_pipeline.shards.tables import Column, Kind, write_table

Format = Literal["json", "csv", "latex"]
UNKNOWN = "\N{EN DASH}"
#: The same number stands in style.css.
BRIEF = 300


@dataclass(frozen=True, slots=True)
class Field:
    """A column of a table.

    Parameters
    ----------
    name : str
        Key in the rows, with its unit at the end: ``error_bpm``.
    heading : str
        What stands above the column.
    unit, description : str
    kind : {"str", "int", "float"}
    digits : int
        Decimals that are shown; files have all of them.
    signed : bool
        Whether a plus is shown.

    Examples
    --------
    >>> Field("error_bpm", "error", "bpm", "estimate minus truth", "float", 1, signed=True).show(0.25)
    '+0.2'
    """

    name: str
    heading: str
    unit: str = ""
    description: str = ""
    kind: Kind = "str"
    digits: int = 0
    signed: bool = False

    @property
    def numeric(self) -> bool:
        """Whether the column holds numbers, or a number with its interval."""
        return self.kind != "str"

    def show(self, value: Any) -> str:
        """Write a value for a reader; an unknown one is a dash. A text in a column of numbers stands as it is."""
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return UNKNOWN
        if isinstance(value, str) or not self.numeric:
            return str(value)
        if isinstance(value, float) and math.isinf(value):
            return "\N{INFINITY}" if value > 0 else "\N{MINUS SIGN}\N{INFINITY}"
        return fixed_text(value, self.digits if self.kind == "float" else 0, signed=self.signed)


@dataclass(frozen=True, slots=True)
class Table:
    """A table with title and caption.

    Parameters
    ----------
    name : str
        Id on the page and name of the file: letters, digits and ``_``.
    title, caption : str
    fields : sequence of Field
    rows : sequence of mapping
        By :attr:`Field.name`; what a row lacks is unknown. Two more keys are no columns: ``mark``, a word on where all numbers of the row
        come from, such as ``simulated``, and ``tone``, ``good`` or ``bad``, by which the page colors the mean absolute error.
    sort_by : str
        The column by which the rows are sorted already; the page then lets a reader sort by any. Empty: no sorting.
    descending : bool
    links : mapping of str to str
        Address for a value of the first column.
    images : mapping of str to str
        Data URI for a value of the first column: a small image beside it.
    image_alt : str
        Alternative text of such an image.
    search : bool
        Whether the page offers to filter the rows.

    Examples
    --------
    >>> table = Table("t", "Errors", "", [Field("who", "who"), Field("mae_bpm", "MAE", "bpm", "", "float", 1)], [{"who": "POS"}])
    >>> [one.show(table.rows[0].get(one.name)) for one in table.fields] == ["POS", UNKNOWN]
    True
    """

    name: str
    title: str
    caption: str
    fields: Sequence[Field]
    rows: Sequence[Mapping[str, Any]]
    sort_by: str = ""
    descending: bool = False
    links: Mapping[str, str] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)
    image_alt: str = ""
    search: bool = False

    @property
    def brief(self) -> bool:
        """Whether the page has the first rows alone until it is asked for all: a thousand rows take a second to open."""
        return bool(self.sort_by) and len(self.rows) > BRIEF

    @property
    def first_rows(self) -> Sequence[Mapping[str, Any]]:
        """Rows that the page shows at once."""
        return self.rows[:BRIEF] if self.brief else self.rows

    @property
    def later_rows(self) -> Sequence[Mapping[str, Any]]:
        """Rows that it shows when it is asked for all, sorted or searched."""
        return self.rows[BRIEF:] if self.brief else ()

    @property
    def mark(self) -> str:
        """The mark that all rows share, which stands once, at the title; empty where rows differ, and each has its own."""
        return "" if self.mixed or not self.rows else str(self.rows[0].get("mark", ""))

    @property
    def mixed(self) -> bool:
        """Whether rows differ in their mark, so that each has its own and the title none."""
        return len({row.get("mark", "") for row in self.rows}) > 1

    def sorting(self, one: Field) -> str:
        """Return the value of ``aria-sort`` for a column."""
        if one.name != self.sort_by:
            return "none"
        return "descending" if self.descending else "ascending"


def number_text(value: float) -> str:
    r"""Write a number with separators of thousands and a true minus.

    Examples
    --------
    >>> number_text(12000), number_text(-2.5) == "\N{MINUS SIGN}2.5"
    ('12,000', True)
    """
    return f"{value:,.10g}".replace("-", "\N{MINUS SIGN}")


def fixed_text(value: float, digits: int = 1, *, signed: bool = False) -> str:
    r"""Write a number with so many decimals and a true minus; a zero has no sign.

    Examples
    --------
    >>> fixed_text(1234.0), fixed_text(0.25, signed=True), fixed_text(-0.04, signed=True)
    ('1,234.0', '+0.2', '0.0')
    """
    text = f"{value:{'+' if signed else ''},.{digits}f}"
    return re.sub(r"^[+-](?=0(\.0*)?$)", "", text).replace("-", "\N{MINUS SIGN}")


def visible(text: str) -> str:
    """Replace what no page can hold: control characters, and bytes of a file name that are no text.

    Examples
    --------
    >>> visible("caf" + chr(0xDCE9) + chr(0)) == "caf" + 2 * chr(0xFFFD)
    True
    """
    return text if text.isprintable() else "".join(one if _allowed(one) else "\ufffd" for one in text)


def _allowed(one: str) -> bool:
    return one in "\n\t" or (ord(one) >= 32 and not 0x7F <= ord(one) < 0xA0 and not 0xD800 <= ord(one) < 0xE000)


def write_tables(tables: Sequence[Table], target: Path, kind: Format, *, about: Mapping[str, Any]) -> None:
    """Write tables for another program or a paper.

    Parameters
    ----------
    tables : sequence of Table
    target : Path
        A file for ``json`` and ``latex``; a folder, with one CSV and its dictionary of columns for each table, for ``csv``.
    kind : {"json", "csv", "latex"}
    about : mapping
        Where the numbers come from, and whether they are simulated.

    Raises
    ------
    OutputError
        Where the system refuses to write.

    Examples
    --------
    >>> import tempfile
    >>> table = Table("errors", "Errors", "", [Field("mae_bpm", "MAE", "bpm", "", "float", 1)], [{"mae_bpm": float("nan")}])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_tables([table], Path(folder) / "a.json", "json", about={"simulated": True})
    ...     json.loads((Path(folder) / "a.json").read_text())["tables"]["errors"]["rows"]
    [{'mae_bpm': None}]
    """
    if kind == "csv":
        for one in tables:
            columns = [Column(each.name, each.unit, each.description or each.heading, each.kind) for each in one.fields]
            write_table(target / f"{one.name}.csv", columns, one.rows)
        atomic_write_text(target / "about.json", json.dumps(without_nan(about), indent=1, ensure_ascii=False) + "\n")
    elif kind == "json":
        content = {"about": about, "tables": {one.name: _as_json(one) for one in tables}}
        atomic_write_text(target, json.dumps(without_nan(content), indent=1, ensure_ascii=False) + "\n")
    else:
        atomic_write_text(target, to_latex(tables, about))


def to_latex(tables: Sequence[Table], about: Mapping[str, Any]) -> str:
    r"""Write tables for LaTeX with the packages ``booktabs`` and ``longtable``.

    Examples
    --------
    >>> table = Table("t", "5 % & more", "", [Field("who", "who")], [{"who": "p001_v1"}])
    >>> print(to_latex([table], {}))
    % needs \usepackage{booktabs,longtable}
    <BLANKLINE>
    \begin{longtable}{l}
    \caption{5 \% \& more}\label{tab:t}\\
    \toprule
    who\\
    \midrule
    \endhead
    p001\_v1\\
    \bottomrule
    \end{longtable}
    <BLANKLINE>
    """
    parts = [r"% needs \usepackage{booktabs,longtable}"]
    parts += [f"% {key}: {' '.join(str(value).split())}" for key, value in about.items()]
    for one in tables:
        title = marked(one.title, one.mark or ("simulated" if about.get("simulated") and not one.mixed else ""))
        heads = [latex_text(f"{each.heading} ({each.unit})" if each.unit else each.heading) for each in one.fields]
        kinds = "".join("r" if each.numeric else "l" for each in one.fields)
        lines = [
            "",
            rf"\begin{{longtable}}{{{kinds}}}",
            rf"\caption{{{latex_text(title)}}}\label{{tab:{one.name}}}\\",
            r"\toprule",
            " & ".join(heads) + r"\\",
            r"\midrule",
            r"\endhead",
            *(" & ".join(map(latex_text, _cells(one, row))) + r"\\" for row in one.rows),
            r"\bottomrule",
            r"\end{longtable}",
        ]
        parts += lines
    return "\n".join(parts) + "\n"


def marked(text: str, mark: str) -> str:
    """Write a text with a mark behind it.

    Examples
    --------
    >>> marked("POS", "simulated"), marked("POS", "")
    ('POS (simulated)', 'POS')
    """
    return f"{text} ({mark})" if mark else text


def _cells(table: Table, row: Mapping[str, Any]) -> list[str]:
    """Write the cells of a row, the first one with the mark of the row."""
    first, *more = (one.show(row.get(one.name)) for one in table.fields)
    return [marked(first, row.get("mark", "") if table.mixed else ""), *more]


_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "\N{MINUS SIGN}": "$-$",
    "\N{EN DASH}": "--",
    **{one: f"\\{one}" for one in "&%$#_{}"},
}


def latex_text(text: str) -> str:
    r"""Escape a text for LaTeX.

    Examples
    --------
    >>> latex_text("a_b & 5 %\n\\input{x}")
    'a\\_b \\& 5 \\% \\textbackslash{}input\\{x\\}'
    """
    return "".join(_LATEX.get(one, one if one.isprintable() else " ") for one in text)


def _as_json(table: Table) -> dict[str, Any]:
    columns = [{"name": one.name, "unit": one.unit, "description": one.description or one.heading} for one in table.fields]
    return {"title": table.title, "caption": table.caption, "columns": columns, "rows": table.rows}


def percent(share: float) -> str:
    """Write a share for a reader.

    Examples
    --------
    >>> percent(0.9344), percent(1.0), percent(0.0004)
    ('93 %', '100 %', '0.04 %')
    """
    value = 100 * share
    if not math.isfinite(value):
        return UNKNOWN
    # neither "100 %" where something is missing nor "0 %" where something is there
    near_end = 0 < value < 1 or 99 <= value < 100
    return f"{number_text(float(f'{value:.2f}' if near_end else f'{value:.0f}'))} %"
