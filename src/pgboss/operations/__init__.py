"""Stories of several steps, told as generators that yield statements and receive rows.

Nothing here does I/O; the runners in ``drivers/`` do. Where an operation's statements must commit together it is
marked ``@atomic``.
"""
