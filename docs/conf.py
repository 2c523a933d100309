"""Sphinx: `python -m sphinx -W -q -b html docs docs/_build`. Fetches nothing."""

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

import docstrings  # noqa: E402  (beside this file)
import generated  # noqa: E402

import keras_cyclegan  # noqa: E402

project = "keras_cyclegan"
author = "the keras_cyclegan maintainers"
copyright = "the keras_cyclegan maintainers, Apache-2.0"
version = release = keras_cyclegan.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "generated"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

default_role = "py:obj"
napoleon_custom_sections = [("Call arguments", "params_style")]
napoleon_numpy_docstring = False
napoleon_use_rtype = False
autodoc_typehints = "none"  # they stand in the docstrings, with shapes
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = f"keras_cyclegan {version}"
html_static_path = ["_static"]
html_css_files = ["tables.css"]
html_copy_source = False
html_theme_options = {"top_of_page_buttons": []}
# No search engine, font or script of another host: the site can be read from a disk.


def setup(app):
    generated.write(Path(__file__).parent / "generated")
    # Before napoleon, which takes the sections of what is reStructuredText by then.
    app.connect("autodoc-process-docstring", docstrings.process, priority=400)
    app.connect("autodoc-process-signature", docstrings.constructor)
