"""The table of `planted.py` fits the package: it cannot plant what it does not find."""

from planted import BUGS, ROOT, source_of


def test_every_row_can_be_planted():
    sources = {bug.file: source_of(bug) for bug in BUGS}
    flaws = {str(bug): bug.flaw(sources[bug.file]) for bug in BUGS}
    assert not {name: flaw for name, flaw in flaws.items() if flaw}
    assert all(bug.piece != bug.planted for bug in BUGS)
    assert all((ROOT / "tests" / bug.tests.split()[0]).exists() for bug in BUGS)


def test_there_are_enough_and_no_two_are_one():
    assert (
        len({(bug.file, bug.piece) for bug in BUGS})
        == len({*map(str, BUGS)})
        == len(BUGS)
        >= 60
    )
