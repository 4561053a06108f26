"""Settings of the documentation: sphinx-build -W docs docs/_build."""

from annostat import __version__

project = "annostat"
author = "the annostat developers"
version = release = __version__
extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx_click",
]
exclude_patterns = ["_build", "studies", "data"]
html_theme = "furo"
html_title = f"annostat {__version__}"
myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3
autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
