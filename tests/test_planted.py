"""Each row of bugs.py fits the package, so that planted.py can plant it."""

from planted import BUGS, BUGS_IN_C, ROOT, match, tokens


def test_every_row_can_be_planted():
    bugs = [*BUGS, *BUGS_IN_C]
    flaws = {str(bug): bug.flaw() for bug in bugs}
    assert not {name: flaw for name, flaw in flaws.items() if flaw}
    assert all(bug.piece != bug.planted for bug in bugs)
    assert all((ROOT / "tests" / bug.tests.split()[0]).exists() for bug in bugs)
    assert len({*map(str, BUGS_IN_C)}) == len(BUGS_IN_C) > 12


def test_there_are_enough_and_no_two_are_one():
    pieces = {(bug.function, bug.piece) for bug in BUGS}
    assert len(pieces) == len({*map(str, BUGS)}) == len(BUGS) >= 200


def test_a_row_outlives_another_layout_and_other_names_of_variables():
    given = tokens("total = xp.add(  # of both\n    here, g,\n)")
    names = {"out": "total", "xp": "xp", "x": "here", "g": "g"}
    assert match("out = xp.add(x, g)", given) == names
    for other in ("out = xp.add(x, x)", "out = xp.mul(x, g)", "out.sum = add(x, g)"):
        assert match(other, given) is None
