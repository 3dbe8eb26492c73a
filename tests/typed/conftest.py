"""What is only for type checkers is never imported."""

collect_ignore = ["wrong.py"]
