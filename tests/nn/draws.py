"""What tests of nn draw: sizes, seeds, shapes and normal numbers."""

import numpy as np
from hypothesis import strategies as st

seeds = st.integers(0, 2**32)


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


reductions = st.sampled_from(["mean", "sum", "none"])
leads = st.sampled_from([(), (1,), (4,), (3, 2), (2, 3, 2)])
sizes = st.integers(1, 4)
flags = st.booleans()
