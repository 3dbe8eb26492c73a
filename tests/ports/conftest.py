"""The programs import PyTorch: they are run by ``ported``, never collected."""

collect_ignore = ["programs"]
