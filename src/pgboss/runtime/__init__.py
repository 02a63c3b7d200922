"""What every background duty stands on: the one periodic loop, growing pauses after errors, daemon threads."""
