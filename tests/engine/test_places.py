"""Lines of the user's code, for messages."""

import weakref
from functools import partial

from tinygrad_rnn import nn
from tinygrad_rnn.engine.places import definition, line_that_changes, user_line


def first_line(function):
    return f"{__file__}:{function.__code__.co_firstlineno}"


def test_the_users_line_is_not_one_of_a_library():
    """weakref.finalize calls it from its own file."""
    kept = nn.Module()
    assert user_line().startswith(f"{__file__}:")
    assert weakref.finalize(kept, user_line)().startswith(f"{__file__}:")


def test_definitions():
    def function(x):
        return x

    class Model(nn.Module):
        def forward(self, x):
            return x

        def method(self, x):
            return x

    class Called:
        def __call__(self, x):
            return x

    assert definition(function) == first_line(function)
    assert definition(partial(partial(function), 1)) == first_line(function)
    assert definition(Model()) == first_line(Model.forward)
    assert definition(Model().method) == first_line(Model.method)
    assert definition(Called()) == first_line(Called.__call__)
    assert definition(len) == ""


def test_the_line_that_changes_a_name():
    def function(x, count, values, other):
        x = values[0]
        other.append(2)
        other[0].attribute.append(4)
        (lambda: values.append(3))()
        values.attribute = 3  # an assignment, which is surer than the lines around it
        other[0].attribute.append(5)
        count[0] += 1
        return x

    first = function.__code__.co_firstlineno
    for names, offset in (
        ({"attribute"}, 5),
        ({"values"}, 4),
        ({"count"}, 7),
        ({"other"}, 2),
    ):
        expected = f"{__file__}:{first + offset}"
        assert line_that_changes([function], names) == expected, names
    assert line_that_changes([function], {"x"}) == ""
    assert line_that_changes([], {"x"}) == ""
