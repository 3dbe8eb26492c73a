"""What each rank of tests/distributed/test_ranks.py runs: ``ranks.py NAME``."""

import os
import signal
import sys
import time
from datetime import timedelta

import numpy as np
from distributed import equality

import tinygrad_rnn as tg
import tinygrad_rnn.nn.functional as F
from tinygrad_rnn import nn

dist = tg.distributed


def calls():
    """Every call, with arrays that MPI itself carries."""
    rank, size = dist.get_rank(), dist.get_world_size()
    for dtype in ("float32", "float64", "int64", "int32", "uint8"):
        for shape in ((), (3,), (2, 3), (0,), (1000, 700)):
            x = tg.full(shape, rank + 1, dtype=dtype)
            dist.all_reduce(x)
            assert (x == size * (size + 1) // 2).all(), (dtype, shape)
            x.fill_(rank + 1)
            dist.all_reduce(x, dist.ReduceOp.MAX)
            assert (x == size).all()
            x.fill_(rank)
            dist.broadcast(x, src=size - 1)
            assert (x == size - 1).all()
    x = tg.full((2,), float(rank))
    dist.all_reduce(x, dist.ReduceOp.AVG)
    assert x.tolist() == [(size - 1) / 2] * 2
    found = [tg.zeros(2, dtype=tg.bool) for _ in range(size)]
    dist.all_gather(found, tg.tensor([rank == 0, True]))
    assert [t.tolist() for t in found] == [[r == 0, True] for r in range(size)]
    objects = [None] * size
    dist.all_gather_object(objects, {"rank": rank})
    assert objects == [{"rank": r} for r in range(size)]
    given = [rank, "text"]
    dist.broadcast_object_list(given, src=size - 1)
    assert given == [size - 1, "text"]
    dist.barrier()


def equal():
    """A hundred steps of each optimizer: as one process makes them, to 1e-12."""
    rank, size = dist.get_rank(), dist.get_world_size()
    for seed, name in enumerate(equality.OPTIMIZERS):
        run = (name, seed, 4 * size, 2, seed % 2 == 0, 100)
        found = equality.states(equality.parts_of(rank, *run))
        everyone = [None] * size
        dist.all_gather_object(everyone, [x.tobytes() for x in found.values()])
        assert everyone == [everyone[0]] * size  # bit for bit
        if seed % size == rank:  # the others go on meanwhile
            expected = equality.states(equality.one_process(*run))
            for key, value in expected.items():
                np.testing.assert_allclose(found[key], value, rtol=1e-12, atol=1e-12)


def compiled():
    """A compiled step replays the averaging: bit for bit as the plain step."""
    rank, size = dist.get_rank(), dist.get_world_size()
    results = []
    for wrap in (lambda step: step, tg.compile):
        tg.manual_seed(0)
        model = equality.Model()
        parallel = nn.parallel.DistributedDataParallel(model)
        optimizer = tg.optim.Adam(model.parameters())

        def step(x, y, parallel=parallel, model=model, optimizer=optimizer):
            logits = parallel(x).flatten(0, 1)
            total = F.cross_entropy(logits, y.flatten(), reduction="sum")
            loss = dist.mean_loss(total, (y != -100).sum())
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.1)
            optimizer.step()
            dist.all_reduce(shown := loss.detach() / size)
            return shown

        step, losses = wrap(step), []
        rng = np.random.default_rng(rank)
        for _ in range(50):
            ids = tg.tensor(rng.integers(0, equality.LETTERS, (5, 3)))
            losses.append(step(ids[:-1], ids[1:]).item())
        results.append([losses, *(p.tolist() for p in model.parameters())])
    assert results[0] == results[1]
    assert step.cache_info().hits == 48
    everyone = [None] * size
    dist.all_gather_object(everyone, results[0])
    assert everyone == [everyone[0]] * size


def seeds():
    """Models of different seeds are made equal; of different shapes, refused."""
    rank, size = dist.get_rank(), dist.get_world_size()
    tg.manual_seed(rank)
    model = nn.parallel.DistributedDataParallel(nn.Linear(3, 2)).module
    everyone = [None] * size
    dist.all_gather_object(everyone, model.weight.tolist())
    assert everyone == [everyone[0]] * size
    try:
        nn.parallel.DistributedDataParallel(nn.Linear(3, 2 + (rank == size - 1)))
    except tg.errors.ShapeError as error:
        assert f"rank {size - 1} weight of float32, shape (3, 3)" in str(error)
    else:
        raise AssertionError


def _steps(what):
    """Train; the last rank does something in the midst of it."""
    model = nn.parallel.DistributedDataParallel(nn.Linear(3, 2))
    for step in range(10**9):
        model(tg.ones(1, 3)).sum().backward()
        if step == 50 and dist.get_rank() == dist.get_world_size() - 1:
            what()


def raises():
    def fail():
        raise RuntimeError("out of luck")

    _steps(fail)


def leaves():
    _steps(lambda: sys.exit(3))


def killed():
    _steps(lambda: os.kill(os.getpid(), signal.SIGKILL))


def hangs():
    _steps(lambda: time.sleep(1000))


def finishes():
    """The last rank has fewer batches than the others."""

    def finish():
        dist.destroy_process_group()
        sys.exit()

    _steps(finish)


def busy():
    """A rank that is late is no rank that left, nor one that forgot to say goodbye."""
    if dist.get_rank() == 0:
        time.sleep(2.5)
    dist.barrier()
    if dist.get_rank() == 0:
        time.sleep(2.5)
        print("done", flush=True)
        return True  # without destroy_process_group, as the others


if __name__ == "__main__":
    name = sys.argv[1]
    seconds = 3 if name == "hangs" else 1000
    dist.init_process_group("mpi", timeout=timedelta(seconds=seconds))
    globals()[name]()
    if name != "busy":
        dist.destroy_process_group()
