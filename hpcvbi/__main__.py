"""`python -m hpcvbi` is the command line."""

from hpcvbi.cli import main

main()
