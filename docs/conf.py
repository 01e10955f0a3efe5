"""Sphinx settings: MyST pages whose code is run, API pages from docstrings, no network."""

import importlib.metadata
import os

# Pages are built without a network, and show no progress bars.
os.environ |= {"HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1", "PYTHONWARNINGS": "ignore:IProgress not found"}

project = "hybrid-qproj"
author = "hybrid-qproj developers"
release = importlib.metadata.version("hybrid-qproj")
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode", "sphinx-mathjax-offline"]
html_theme = "furo"
html_title = "hybrid-qproj"
# Tables that results.md includes.
exclude_patterns = ["_build", "results", "README.md"]
# Each build runs the code of every page, so that none can go stale, and fails where it fails.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_execution_timeout = 600
nb_merge_streams = True
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_use_ivar = True
