"""`python -m toolkit` is `postmortem`."""

from toolkit.cli import main

main()
