"""Recording modes: each thread and each task has its own, and nothing leaks out of a
block.
"""

import asyncio
import contextvars
import inspect
import sys
import threading

import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.engine import mode

MODES = {
    "no_grad": (tg.no_grad, False),
    "enable_grad": (tg.enable_grad, True),
    "set_grad_enabled(False)": (lambda: tg.set_grad_enabled(False), False),
    "set_grad_enabled(True)": (lambda: tg.set_grad_enabled(True), True),
}
every_mode = pytest.mark.parametrize("name", MODES)


def records():
    """Whether ops are recorded, seen at an op and told by the switch."""
    recorded = (tg.ones(1, requires_grad=True) * 2.0).requires_grad
    assert recorded == tg.is_grad_enabled()
    return recorded


@pytest.fixture(params=[True, False], ids=["outside on", "outside off"])
def outside(request):
    with tg.set_grad_enabled(request.param):
        yield request.param


@every_mode
def test_a_block(name, outside):
    make, inside = MODES[name]
    with make():
        assert records() is inside
    assert records() is outside


@every_mode
def test_nested_blocks(name, outside):
    make, inside = MODES[name]
    with tg.no_grad():
        with make():
            with tg.enable_grad():
                assert records()
            assert records() is inside
        assert not records()
    assert records() is outside


@every_mode
def test_an_exception_puts_the_switch_back(name, outside):
    with pytest.raises(KeyError), MODES[name][0]():
        raise KeyError
    assert records() is outside


def test_one_object_entered_twice(outside):
    mode = tg.no_grad()
    with mode:
        with mode, tg.enable_grad():
            pass
        assert not records()
    assert records() is outside
    with mode:
        assert not records()
    assert records() is outside


def test_set_grad_enabled_as_a_statement():
    tg.set_grad_enabled(False)
    try:
        assert not records()
    finally:
        tg.set_grad_enabled(True)
    assert records()


def test_set_grad_enabled_takes_what_is_true_or_false():
    with tg.set_grad_enabled(0):
        assert not records()
        with tg.set_grad_enabled(1):
            assert records()


# ---------------------------------------------------------------- decorators


@every_mode
def test_a_decorated_function(name, outside):
    make, inside = MODES[name]

    @make()
    def function(a, *, b):
        """Says."""
        return records(), a, b

    assert records() is outside  # the decoration itself changes nothing
    assert function(1, b=2) == (inside, 1, 2)
    assert records() is outside
    assert function.__name__ == "function"
    assert function.__doc__ == "Says."


def test_a_decorator_without_parentheses(outside):
    @tg.no_grad
    def off(x):
        return records(), x

    @tg.enable_grad
    def on():
        yield records()

    assert off(2) == (False, 2)
    assert next(on()) is True
    assert records() is outside
    assert off.__name__ == "off"


def test_a_decorated_function_may_raise_and_recurse(outside):
    @tg.no_grad()
    def down(n):
        assert not records()
        if not n:
            raise KeyError
        down(n - 1)

    with pytest.raises(KeyError):
        down(5)
    assert records() is outside


def test_a_decorated_method():
    class Model:
        @tg.no_grad()
        def predict(self, x):
            return x * self.scale

        scale = tg.ones(1, requires_grad=True)

    assert not Model().predict(tg.ones(1)).requires_grad


@every_mode
def test_a_decorated_generator(name, outside):
    """Inside it is as decorated, at each yield as the caller has it."""
    make, inside = MODES[name]
    seen = []

    @make()
    def generator():
        try:
            seen.append(records())
            received = yield "first"
            seen.append((records(), received))
            try:
                yield "second"
            except KeyError:
                seen.append(records())
            yield "third"
            return "value"
        finally:
            seen.append(records())

    assert inspect.isgenerator(g := generator())
    assert next(g) == "first"
    assert records() is outside
    with tg.set_grad_enabled(not outside):  # the caller's mode may change between
        assert g.send("sent") == "second"
        assert records() is not outside
    assert g.throw(KeyError()) == "third"
    assert records() is outside
    with pytest.raises(StopIteration) as stop:
        next(g)
    assert stop.value.value == "value"
    assert records() is outside
    assert seen == [inside, (inside, "sent"), inside, inside]


def test_a_generator_that_is_closed_or_dropped(outside):
    seen = []

    @tg.set_grad_enabled(not outside)
    def generator():
        try:
            yield 1
        finally:
            seen.append(records())

    g = generator()
    next(g)
    g.close()
    assert records() is outside
    g = generator()
    next(g)
    del g
    assert records() is outside
    assert seen == [not outside] * 2


def test_a_generator_that_raises_and_one_that_delegates(outside):
    @tg.no_grad()
    def inner():
        yield records()
        raise KeyError("inside")

    def outer():
        yield records()
        yield from inner()

    g = outer()
    assert next(g) is outside
    assert next(g) is False
    with pytest.raises(KeyError, match="inside"):
        next(g)
    assert records() is outside


def test_two_generators_in_turns(outside):
    @tg.no_grad()
    def off():
        while True:
            yield records()

    @tg.enable_grad()
    def on():
        while True:
            yield records()

    for one, two, _ in zip(off(), on(), range(3), strict=False):
        assert (one, two) == (False, True)
        assert records() is outside


def test_a_decorated_coroutine(outside):
    @tg.set_grad_enabled(not outside)
    async def coroutine():
        before = records()
        await asyncio.sleep(0)
        return before, records()

    async def main():
        result = await coroutine()
        return result, records()

    assert asyncio.run(main()) == ((not outside, not outside), outside)


def test_an_asynchronous_generator_is_refused():
    async def generator():
        yield 1

    with pytest.raises(
        TypeError, match=r"no_grad: .*asynchronous generator 'generator'.*with no_grad"
    ):
        tg.no_grad()(generator)


# ---------------------------------------------------------------- threads and tasks


def test_threads_have_their_own_switch():
    inside, done, seen = threading.Event(), threading.Event(), []

    def other():
        inside.wait()
        seen.append(records())  # the other thread's block is not ours
        with tg.no_grad():
            seen.append(records())
        done.set()

    thread = threading.Thread(target=other)
    thread.start()
    with tg.no_grad():
        inside.set()
        assert done.wait(10)
        assert not records()
    thread.join()
    assert seen == [True, False]
    assert records()


def test_a_decorated_function_in_many_threads():
    barrier, wrong = threading.Barrier(4), []

    @tg.no_grad()
    def off():
        barrier.wait()
        if records():
            wrong.append("on")

    def run():
        for _ in range(20):
            off()
            if not records():
                wrong.append("off")

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_tasks_have_their_own_switch():
    async def task(mode, turns):
        with tg.set_grad_enabled(mode):
            for _ in range(turns):
                await asyncio.sleep(0)
                assert records() is mode
        assert records()

    async def main():
        await asyncio.gather(*(task(i % 2 == 0, 5 + i) for i in range(6)))
        assert records()

    asyncio.run(main())


def test_a_task_begins_with_the_mode_of_its_maker():
    async def child():
        return records()

    async def main():
        with tg.no_grad():
            task = asyncio.create_task(child())
        return await task, records()

    assert asyncio.run(main()) == (False, True)


def run_in_turns(functions):
    """Run generators in a thread each, one step of each at a time, to the last step."""
    turns, seen = [threading.Semaphore(0) for _ in functions], []

    def run(i):
        for value in functions[i]():
            seen.append(value)
            turns[(i + 1) % len(turns)].release()
            turns[i].acquire()
        turns[(i + 1) % len(turns)].release()

    def begin(i):
        turns[i].acquire()
        run(i)

    threads = [threading.Thread(target=begin, args=(i,)) for i in range(len(functions))]
    for thread in threads:
        thread.start()
    turns[0].release()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    return seen


SHARED = {
    "no_grad": tg.no_grad,
    "enable_grad": tg.enable_grad,
    "inference_mode": tg.inference_mode,
    "set_grad_enabled": lambda: tg.set_grad_enabled(False),
}
every_shared = pytest.mark.parametrize("name", SHARED)


@every_shared
def test_one_object_in_two_threads_whose_modes_differ(name):
    """Each leaves the block in the mode in which it came, whichever of them leaves
    first.
    """
    with tg.set_grad_enabled(True):
        shared = SHARED[name]()
    inside = name == "enable_grad"

    def steps(mode):
        with tg.set_grad_enabled(mode):
            yield records() is mode
            with shared:
                yield records() is inside
            yield records() is mode
        yield records()

    seen = run_in_turns([lambda: steps(True), lambda: steps(False)])
    assert seen == [True] * 8


@every_shared
def test_one_object_in_eight_tasks_whose_modes_differ(name):
    with tg.set_grad_enabled(True):
        shared = SHARED[name]()
    inside = name == "enable_grad"

    async def task(mode, turns):
        with tg.set_grad_enabled(mode):
            for _ in range(3):
                with shared:
                    for _ in range(turns):
                        await asyncio.sleep(0)
                        assert records() is inside
                assert records() is mode
                await asyncio.sleep(0)
        assert records()

    async def main():
        await asyncio.gather(*(task(i % 2 == 0, 1 + i % 3) for i in range(8)))
        assert records()

    asyncio.run(main())


def test_one_object_within_itself_in_two_threads():
    shared = tg.no_grad()

    def steps(mode):
        with tg.set_grad_enabled(mode), shared:
            yield records() is False
            with tg.enable_grad(), shared:
                yield records() is False
            yield records() is False
            try:
                with tg.enable_grad(), shared:
                    yield records() is False
                    raise KeyError
            except KeyError:
                yield records() is False
        yield records()

    assert run_in_turns([lambda: steps(True), lambda: steps(False)]) == [True] * 12


def test_two_generators_leave_their_blocks_in_another_order(outside):
    """As in PyTorch: each goes back to what was before its own block."""
    shared = tg.set_grad_enabled(outside)

    def block(mode):
        with mode:
            yield records()

    one, two = block(tg.set_grad_enabled(not outside)), block(shared)
    assert [next(one), next(two)] == [not outside, outside]
    assert next(one, None) is None
    assert next(two, None) is None
    assert records() is (not outside)  # as two found it
    with shared:
        pass
    assert records() is (not outside)


def test_an_object_entered_twice_ends_innermost_first_after_another_block_has_ended():
    outer, inner = tg.no_grad(), tg.enable_grad()

    def enter_and_leave():
        outer.__enter__()
        inner.__enter__()  # it was off before
        inner.__enter__()  # it was on before
        outer.__exit__(None, None, None)
        inner.__exit__(None, None, None)
        assert records()
        inner.__exit__(None, None, None)
        assert not records()

    contextvars.copy_context().run(enter_and_leave)


def test_a_block_that_ends_in_another_thread_changes_nothing_there():
    def block():
        with tg.no_grad():
            yield

    generator = block()
    next(generator)  # leaks into this thread, as in PyTorch
    try:
        seen = []

        def close():
            with tg.enable_grad():
                generator.close()
                seen.append(records())
            with tg.no_grad():
                seen.append(records())
            seen.append(records())

        thread = threading.Thread(target=close)
        thread.start()
        thread.join()
        assert seen == [True, False, True]
        assert not records()
    finally:
        tg.set_grad_enabled(True)


def test_a_set_grad_enabled_that_is_entered_later_or_elsewhere():
    later = tg.set_grad_enabled(False)
    tg.set_grad_enabled(True)
    with later:
        assert not records()
    assert records()
    with later:
        assert not records()
    assert records()
    with tg.no_grad():
        with later:
            pass
        assert not records()  # not what it was when it was made
    shared = tg.set_grad_enabled(False)
    with shared:
        pass
    with tg.no_grad():
        with shared:
            pass
        assert not records()
    shared = tg.set_grad_enabled(False)

    def elsewhere():
        with shared:
            yield records() is False
        yield records()

    assert run_in_turns([elsewhere]) == [True, True]
    with shared:
        pass
    assert records()


def test_statements_in_a_loop_keep_nothing():
    """Only blocks are remembered, and none that is over."""
    with tg.no_grad():
        entered = mode._entered.get()
        for i in range(100):
            tg.set_grad_enabled(i % 2 == 0)
            with tg.enable_grad():
                pass
        assert mode._entered.get() is entered
    assert records()


def test_a_copied_context_keeps_its_mode():
    with tg.no_grad():
        context = contextvars.copy_context()
    assert context.run(records) is False
    assert records()


def test_backward_in_threads():
    """Graphs of several threads at once: births are one counter, all else is each one's
    own.
    """
    wrong = []

    def run(k):
        for _ in range(30):
            x = tg.tensor([float(k)], requires_grad=True)
            y = x
            for _ in range(20):
                y = y * 1.0 + 0.0
            (y * y).sum().backward()
            if x.grad.item() != 2 * k:
                wrong.append(x.grad.item())

    threads = [threading.Thread(target=run, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# ---------------------------------------------------------------- modes and backward


def test_backward_works_inside_no_grad():
    x = tg.ones(2, requires_grad=True)
    y = (x * x).sum()
    with tg.no_grad():
        y.backward()
        assert not records()
    assert x.grad.tolist() == [2, 2]
    assert not x.grad.requires_grad


def test_create_graph_inside_no_grad_records_the_walk():
    x = tg.tensor(3.0, requires_grad=True)
    y = x**3
    with tg.no_grad():
        (g,) = tg.autograd.grad(y, x, create_graph=True)
        assert not records()
    assert tg.autograd.grad(g, x)[0].item() == 18


def test_backward_puts_the_switch_back_after_an_error():
    x = tg.ones(2, requires_grad=True)
    x.register_hook(lambda g: 1 / 0)
    for create in (False, True):
        with pytest.raises(ZeroDivisionError):
            x.sum().backward(create_graph=create)
        assert records()


def walked_with_an_interrupt(walk, at):
    """Walk; raise KeyboardInterrupt where Python runs handlers: a call begins, one in C
    has ended.
    """
    left = at

    def profile(frame, event, arg):
        nonlocal left
        if event in ("call", "c_return"):
            left -= 1
            if left == 0:
                raise KeyboardInterrupt

    x = tg.tensor([2.0, 3.0], requires_grad=True)
    y = (x * x).sum()
    sys.setprofile(profile)
    try:
        walk(x, y)
    except KeyboardInterrupt:
        return True
    finally:
        sys.setprofile(None)
    return left <= 0


@pytest.mark.parametrize(
    "walk",
    [
        pytest.param(lambda x, y: y.backward(), id="backward"),
        pytest.param(lambda x, y: y.backward(inputs=[x]), id="inputs"),
        pytest.param(lambda x, y: tg.autograd.grad(y, x), id="grad"),
    ],
)
# a generator's end
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_ctrl_c_in_a_walk_leaves_the_mode(walk):
    places = 0
    while walked_with_an_interrupt(walk, places + 1):
        left_on = tg.is_grad_enabled()
        tg.set_grad_enabled(True)
        assert left_on, f"recording is off after an interrupt at place {places}"
        places += 1
    assert places > 20


def test_hooks_record_under_create_graph_alone():
    x, seen = tg.ones(2, requires_grad=True), []
    x.register_hook(lambda g: seen.append(tg.is_grad_enabled()))
    x.sum().backward()
    x.grad = None
    x.sum().backward(create_graph=True)
    for create in (False, True):
        tg.autograd.grad(x.sum(), x, create_graph=create)
    assert seen == [False, True, False, True]
