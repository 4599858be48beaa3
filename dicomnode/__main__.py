"""`python -m dicomnode` is the `dicomnode` command."""

from .cli import main

if __name__ == "__main__":
    main()
