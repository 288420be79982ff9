"""Sphinx settings. What describes code in the pages is written by generate.py; a test compares."""

import stmap_pipeline

project = "stmap"
author = "The stmap authors"
version = release = stmap_pipeline.__version__

extensions = ["myst_parser", "numpydoc", "sphinx.ext.autodoc"]
# the second one is of earlier versions
exclude_patterns = ["_build", "_generated"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# options and quoted values are shown as they are typed
smartquotes = False

html_theme = "furo"
html_title = f"stmap {version}"
html_static_path: list[str] = []
html_copy_source = False

autodoc_member_order = "bysource"
autodoc_typehints = "none"
# the numpydoc sections name each field with its unit; a second list of members would repeat them without
numpydoc_show_class_members = False


# autodoc documents what lies in a module; the pipeline's names are imported when they are first asked for
import stmap_pipeline.pipeline  # noqa: E402

for _name in stmap_pipeline.pipeline.__all__:
    setattr(stmap_pipeline.pipeline, _name, getattr(stmap_pipeline.pipeline, _name))
