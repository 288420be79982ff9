"""A page: one HTML file that asks for nothing outside of itself.

How a report is made of this package::

    figure = figures.histogram("hr", "Heart rates", "Good: ...", edges, [Bars("as recorded", "s1", counts)], ...)
    table = tables.Table("quality", "Recordings", "Worst first.", fields, rows, sort_by="snr_db")
    page = Page(title, lead, [Section("hr", "Heart rates"), ...], about=provenance.About(...), simulated=True)
    html = render("maps.html", page, figure=figure, table=table)

A template in ``templates/`` extends ``base.html`` and fills its block ``main`` with the macros of ``macros.html``: ``section``,
``figure``, ``figures`` (a grid), ``table``, ``stats``, ``facts``, ``recording``. Whatever is put out by ``{{ }}`` is escaped; only
the markup of a :class:`~.figures.Figure` is taken as it is, since :mod:`.svg` escapes every text. A style attribute or an event
handler has no effect: the content security policy of the page admits one style sheet and one script, by their hashes.

Jinja2 comes with the extra ``plot`` and is imported when a page is rendered, not before.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from stmap_pipeline.errors import StmapError
from stmap_pipeline.report.provenance import About
from stmap_pipeline.report.svg import visible
from stmap_pipeline.version import __version__

if TYPE_CHECKING:
    from jinja2 import Environment

GENERATOR = f"stmap {__version__}"


@dataclass(frozen=True, slots=True)
class Section:
    """An entry of the page's contents: the id of a section, and its title."""

    name: str
    title: str


@dataclass(frozen=True, slots=True)
class Stat:
    """A number that is shown large, with its words; ``tone`` is ``""``, ``good`` or ``bad``."""

    value: str
    label: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """What the frame of a page needs to know.

    Parameters
    ----------
    title : str
    lead : str
        What this is, in one sentence below the title.
    sections : sequence of Section
        In the order of the page; methods and provenance are added where ``about`` is given.
    about : About, optional
        Methods, references and provenance; they stand last.
    simulated : bool
        Says so at the top, and beside each figure and table.
    back : (str, str), optional
        Address and name of the page that this one belongs to.
    banner : str
        What to say at the top of simulated data, where it is not what every page says.
    """

    title: str
    lead: str = ""
    sections: Sequence[Section] = ()
    about: About | None = None
    simulated: bool = False
    back: tuple[str, str] | None = None
    banner: str = ""


def render(template: str, page: Page, **content: Any) -> str:
    """Write a page.

    Parameters
    ----------
    template : str
        Name of a file in ``templates/``.
    page : Page
    **content
        What the template needs beside it.

    Raises
    ------
    StmapError
        Where Jinja2 is not installed.

    Examples
    --------
    >>> html = render("base.html", Page("<b>maps</b>", simulated=True))
    >>> "&lt;b&gt;maps&lt;/b&gt;" in html, "simulated" in html, "Content-Security-Policy" in html
    (True, True, True)
    """
    style, script = _text("style.css"), _text("script.js")
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        environment()
        .get_template(template)
        .render(page=page, style=style, script=script, policy=policy, generator=GENERATOR, **content)
    )


@cache
def environment() -> Environment:
    """Give the templates, with every value escaped.

    Raises
    ------
    StmapError
        Where Jinja2 is not installed.

    Examples
    --------
    >>> environment().from_string("{{ one }}").render(one="<script>")
    '&lt;script&gt;'
    """
    try:
        from jinja2 import Environment, FunctionLoader, StrictUndefined
    except ImportError:
        raise StmapError('a report needs Jinja2, which is not installed: pip install "stmap[plot]"') from None

    return Environment(
        loader=FunctionLoader(_text),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # markup is a subclass of str and stays what it is
        finalize=lambda value: visible(value) if type(value) is str else value,
    )


@cache
def _text(name: str) -> str:
    return files("stmap_pipeline.report").joinpath("templates", name).read_text("utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
