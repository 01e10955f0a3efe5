"""Sphinx settings: MyST pages, API pages from docstrings, no network."""

import importlib.metadata

project = "hybrid-qproj"
author = "hybrid-qproj developers"
release = importlib.metadata.version("hybrid-qproj")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
html_theme = "furo"
# Tables that results.md includes.
exclude_patterns = ["_build", "results"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_use_ivar = True
