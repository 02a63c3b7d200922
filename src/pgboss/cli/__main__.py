"""``python -m pgboss.cli``: the command where its script is not on the PATH."""

from pgboss.cli import main

if __name__ == "__main__":
    main()
