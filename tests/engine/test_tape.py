"""The tape: what a program says."""

import tinygrad_rnn as tg


def source_of(function, *args):
    """The source of a program, without spaces at line ends."""
    compiled = tg.compile(function)
    for _ in range(2):
        compiled(*args)
    return compiled.program()


def test_a_program_reads_as_the_calls_in_order():
    source = source_of(lambda x, n: (x * n).exp().sum(), tg.ones(2, 3), 2)
    body = source.partition("report_warnings")[2].splitlines()[1:]
    assert [text.strip() for text in body] == [
        "v1 = multiply(cpu, v0, 2)",
        "del v0",
        "v2 = exp(cpu, v1)",
        "del v1",
        "v3 = asarray(sum_2(cpu, v2, axis=None, keepdims=False))",
        "del v2",
        "u0 = Version()",
        "return wrap(v3, version=u0)",
    ]


def test_results_that_share_memory_share_their_counter():
    compiled = tg.compile(lambda x: ((y := x * 2), y.detach()))
    for _ in range(3):
        one, two = compiled(tg.ones(2))
        one.add_(1.0)
        assert two.tolist() == [3.0, 3.0]
        assert one.version is two.version
