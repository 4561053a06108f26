"""Settings of the documentation: sphinx-build -W docs docs/_build."""

from docutils import nodes
from latex2mathml.converter import convert

from annostat import __version__

project = "annostat"
author = "the annostat developers"
version = release = __version__
extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "sphinx_click",
]
exclude_patterns = ["_build", "studies", "data"]
html_theme = "furo"
html_math_renderer = "mathml"  # browsers draw it by themselves: no script from elsewhere
html_title = f"annostat {__version__}"
myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3
templates_path = ["_templates"]
autosummary_generate = True
autosummary_ignore_module_all = False  # a page for each name that a module offers, no others
autosummary_imported_members = True
autodoc_typehints = "none"
default_role = "py:obj"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False


def keep_bars(app, what, name, obj, options, lines):
    """Keep |D| what it is: bars mean something else in reStructuredText, except in code."""
    example = False
    for i, line in enumerate(lines):
        example = line.lstrip().startswith(">>>") or (example and bool(line.strip()))
        if not example:
            parts = line.split("``")
            parts[::2] = [part.replace("|", r"\|") for part in parts[::2]]
            lines[i] = "``".join(parts)


def inline_formula(writer, node):
    """Write a formula within a line."""
    writer.body.append(convert(node.astext()))
    raise nodes.SkipNode


def formula(writer, node):
    """Write a formula on a line of its own."""
    drawn = convert(node.astext(), display="block")
    writer.body.append(f'<div style="padding: .5rem 0">{drawn}</div>')
    raise nodes.SkipNode


def setup(app):
    """Connect what Sphinx has no setting for."""
    app.connect("autodoc-process-docstring", keep_bars, priority=900)
    app.add_html_math_renderer("mathml", (inline_formula, None), (formula, None))
