"""How Sphinx builds the site: `make docs`. Nothing is fetched, by the build or by its pages."""

project = "postmortem-toolkit"
extensions = ["myst_parser"]
html_theme = "furo"
html_title = project
html_show_copyright = False
html_show_sourcelink = False
exclude_patterns = ["_build", "notebooks", "examples"]
myst_heading_anchors = 3
# Samples of formats are plain text; Pygments would guess.
highlight_language = "none"
