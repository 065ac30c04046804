"""`python -m autrainer_ext`: the command line `autrainer-ext`."""

from autrainer_ext_plugins.cli import main

if __name__ == "__main__":
    main()
