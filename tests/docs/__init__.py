"""The documentation, followed as a reader would follow it."""
