"""A page: one HTML file that loads nothing from a network.

A template in ``templates/`` extends ``base.html``, fills its blocks ``contents`` and ``main`` with the macros of ``macros.html``, and holds the
titles and captions of figures; Python computes their charts and tables. All output of ``{{ }}`` is escaped, except the JSON of a chart,
since :mod:`.charts` escapes every text in it.

plotly.js is inside the page, packed, and is unpacked when the first chart comes into view; many pages in one folder share one file
(:data:`LIBRARY_FILE`). The content security policy of a page admits these scripts by their hashes and no address of any network.

Jinja2 and plotly come with the extra ``plot`` and are imported when a page is rendered, not before.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from stmap_pipeline.errors import ExtraMissingError
from stmap_pipeline.report.tables import visible
from stmap_pipeline.version import __version__

if TYPE_CHECKING:
    from jinja2 import Environment

GENERATOR = f"stmap {__version__}"
LIBRARY_FILE = "plotly.min.js"


@dataclass(frozen=True, slots=True)
class About:
    """The last two sections of a page.

    Parameters
    ----------
    methods : sequence of str
        Paragraphs for the methods section of a paper, made from the configuration.
    references : sequence of str
        BibTeX entries.
    facts : sequence of (str, str)
        Provenance: name and value.
    """

    methods: Sequence[str]
    references: Sequence[str]
    facts: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Stat:
    """A number that is shown large, with its label; ``tone`` is ``""``, ``good`` or ``bad``."""

    value: str
    label: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Title and last sections of a page.

    Parameters
    ----------
    title : str
    lead : str
        What this is, in one sentence below the title.
    about : About, optional
        Methods, references and provenance; they stand last.
    simulated : bool
        Says so at the top, and beside each figure and table.
    back : (str, str), optional
        Address and name of the page that this one belongs to.
    before, after : (str, str), optional
        Address and name of the pages beside this one.
    banner : str
        What to say at the top of simulated data, where it is not what every page says.
    """

    title: str
    lead: str = ""
    about: About | None = None
    simulated: bool = False
    back: tuple[str, str] | None = None
    before: tuple[str, str] | None = None
    after: tuple[str, str] | None = None
    banner: str = ""


def render(template: str, page: Page, *, shared: bool = False, **content: Any) -> str:
    """Write a page.

    Parameters
    ----------
    template : str
        Name of a file in ``templates/``.
    page : Page
    shared : bool
        Whether plotly.js lies beside the page as :data:`LIBRARY_FILE`, and not inside it.
    **content
        What the template needs beside it.

    Raises
    ------
    ExtraMissingError
        Where Jinja2 or plotly is not installed.

    Examples
    --------
    >>> html = render("base.html", Page("<b>maps</b>", simulated=True))
    >>> "&lt;b&gt;maps&lt;/b&gt;" in html, "simulated" in html, "Content-Security-Policy" in html
    (True, True, True)
    """
    script = _text("script.js")
    scripts = f"{_hash(script)} 'self'" if shared else f"{_hash(script)} {_packed_library()[1]}"
    return (
        environment()
        .get_template(template)
        .render(
            page=page,
            style=_text("style.css"),
            script=script,
            library="" if shared else _packed_library()[0],
            library_file=LIBRARY_FILE,
            # plotly.js places its elements by style attributes
            policy=f"default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src {scripts}; base-uri 'none'; form-action 'none'",
            generator=GENERATOR,
            **content,
        )
    )


def library() -> str:
    """Read plotly.js.

    Raises
    ------
    ExtraMissingError
        Where plotly is not installed.

    Examples
    --------
    >>> library().startswith("/**")
    True
    """
    try:
        return files("plotly").joinpath("package_data", LIBRARY_FILE).read_text("utf-8")
    except ModuleNotFoundError:
        raise _missing("plotly") from None


@cache
def environment() -> Environment:
    """Return the templates, with every value escaped.

    Raises
    ------
    ExtraMissingError
        Where Jinja2 is not installed.

    Examples
    --------
    >>> environment().from_string("{{ one }}").render(one="<script>")
    '&lt;script&gt;'
    """
    try:
        from jinja2 import Environment, FunctionLoader, StrictUndefined
    except ImportError:
        raise _missing("Jinja2") from None

    templates = Environment(
        loader=FunctionLoader(_text),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # markup is a subclass of str and stays what it is
        finalize=lambda value: visible(value) if type(value) is str else value,
    )
    templates.filters["g"] = "{:g}".format
    return templates


def check_extra() -> None:
    """Check that a page can be written, before the work that goes into it.

    Raises
    ------
    ExtraMissingError
        Where Jinja2 or plotly is not installed.

    Examples
    --------
    >>> check_extra()
    """
    environment()
    if find_spec("plotly") is None:
        raise _missing("plotly")


def _missing(name: str) -> ExtraMissingError:
    return ExtraMissingError(f'a report needs {name}, which is not installed: pip install "stmap[plot]"')


@cache
def _packed_library() -> tuple[str, str]:
    """plotly.js, compressed to a third, and the hash that admits it."""
    text = library()
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode(), _hash(text)


@cache
def _text(name: str) -> str:
    return files("stmap_pipeline.report").joinpath("templates", name).read_text("utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
