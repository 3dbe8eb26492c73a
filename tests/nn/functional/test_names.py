"""The names of nn.functional."""

import tinygrad_rnn.nn.functional as F


def test_no_name_is_there_but_those_that_are_listed():
    """Helpers are not public functions."""
    own = [
        name
        for name, thing in vars(F).items()
        if callable(thing) and not name.startswith("_")
    ]
    assert sorted(own) == sorted(F.__all__)
    assert all(getattr(F, name).__doc__ for name in own)
