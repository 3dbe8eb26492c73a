"""PyTorch's names that are not here, and what to write instead: plain data, and the
error.

The modules and Tensor raise from this table when somebody asks for a name that they
lack; the section "Not here" of docs/differences.md is this table as a page.
"""

import sys
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from .kinds import LeftOut

_PACKAGE = __name__.partition(".")[0]


class Row(NamedTuple):
    """Names of one owner, with a space between them, and what to write instead of them.

    Names that have another name here stand as ``theirs=ours``.
    """

    owner: str
    names: str
    instead: str = ""


CLOSE = "(a - b).abs() <= atol + rtol * b.abs(); allclose of them all"
COPY = "x = x.exp() and so on, or x.copy_(x.exp()) under no_grad()"
FMOD = (
    "a - b * tg.div(a, b, rounding_mode='trunc'); remainder has the sign of the divisor"
)
HOST = "NumPy's function of t.detach().numpy(); its result has no history"
LOOP = "a Python loop over the batch and tg.stack, or broadcasting"
OWN = "your own op over SciPy's or NumPy's function, see docs/adding-an-op.md"
WINDOWS = "nn.Linear of windows, as in tg.stack([x[:, i : i + k] for i in range(n)])"

ROWS = (
    # ------------------------------------------------------------ tg
    Row("tg", "compile jit fx export", "the plain function; a compiler is planned"),
    Row("tg", "vmap func", LOOP),
    Row(
        "tg",
        "float16 half bfloat16 HalfTensor BFloat16Tensor",
        "tg.float32; weights of 16 bits load as float32",
    ),
    Row(
        "tg",
        "autocast amp GradScaler",
        "nothing; all is float32, unless you take float64",
    ),
    Row(
        "tg",
        "complex complex64 complex128 cfloat cdouble view_as_real view_as_complex real imag",
        "two real tensors",
    ),
    Row("tg", "sparse sparse_coo_tensor sparse_csr_tensor", "a dense tensor"),
    Row("tg", "fft linalg special stft svd qr inverse det cholesky", HOST),
    Row("tg", "distributions", "tg.categorical, multinomial, randn, rand"),
    Row("tg", "bernoulli", "(tg.rand(*size) < p).float()"),
    Row("tg", "normal", "mean + std * tg.randn(*size)"),
    Row(
        "tg",
        "rand_like randint_like empty_like empty_strided",
        "tg.rand(*t.shape), tg.zeros_like(t)",
    ),
    Row(
        "tg",
        """clip=clamp absolute=abs negative=neg multiply=mul subtract=sub divide=div
        true_divide=div greater=gt greater_equal=ge less=lt less_equal=le
        not_equal=ne swapaxes=transpose swapdims=transpose moveaxis=movedim ravel=flatten
        numel=t.numel() t=t.T concatenate=cat argwhere=nonzero count_nonzero=(t!=0).sum()""",
    ),
    Row("tg", "fmod", FMOD),
    Row("tg", "bitwise_and bitwise_or bitwise_not", "the operators & | ~"),
    Row("tg", "logical_xor bitwise_xor", "a != b of bool tensors"),
    Row("tg", "hstack vstack dstack column_stack", "tg.cat, tg.stack"),
    Row("tg", "take", "t.flatten()[ids]"),
    Row("tg", "hsplit vsplit tensor_split", "split, chunk"),
    Row(
        "tg",
        "meshgrid cartesian_prod combinations",
        "broadcasting: x[:, None] and y[None, :]",
    ),
    Row(
        "tg",
        "trace kron cross tensordot inner chain_matmul vdot",
        "tg.einsum, as in 'ii->'",
    ),
    Row(
        "tg",
        "addmm addmv addbmm baddbmm addcmul addcdiv lerp",
        "the sum written out: c + a @ b, c + a * b, a + w * (b - a)",
    ),
    Row("tg", "logaddexp", "tg.stack([a, b]).logsumexp(0)"),
    Row(
        "tg",
        "log2 log10 exp2 rsqrt",
        "x.log() / math.log(2), 2.0**x, x.sqrt().reciprocal()",
    ),
    Row("tg", "tan sinh cosh", "sin, cos and exp, combined"),
    Row("tg", "hypot", "(x.square() + y.square()).sqrt()"),
    Row("tg", "asin acos atan atan2 erf erfc erfinv lgamma digamma polygamma i0", OWN),
    Row("tg", "trunc fix frac heaviside sgn copysign", "floor, sign, where"),
    Row("tg", "nan_to_num", "tg.where(t.isnan(), 0.0, t); clamp for infinities"),
    Row(
        "tg",
        "searchsorted bucketize histc histogram quantile mode kthvalue cov corrcoef",
        HOST,
    ),
    Row("tg", "nansum", "t.masked_fill(t.isnan(), 0.0).sum()"),
    Row("tg", "nanmean nanmedian", "t[~t.isnan()].mean(), t[~t.isnan()].median()"),
    Row("tg", "cummax cummin logcumsumexp", "a loop over t.unbind(dim)"),
    Row("tg", "aminmax var_mean std_mean", "amin and amax, var, std and mean"),
    Row("tg", "isclose", CLOSE),
    Row(
        "tg",
        "diagonal diag_embed block_diag tril_indices triu_indices",
        "diag, tril, triu, t[i, j]",
    ),
    Row("tg", "repeat_interleave", "t[ids] with an id for each repeat"),
    Row(
        "tg",
        "index_add index_copy index_put masked_scatter scatter_reduce",
        "scatter_add, scatter, assignment by an index",
    ),
    Row("tg", "cdist pdist", "(x[:, None] - y[None]).norm(dim=-1)"),
    Row(
        "tg",
        "lstm gru rnn_tanh rnn_relu lstm_cell gru_cell",
        "nn.LSTM, nn.GRU, nn.RNN, and cells",
    ),
    Row(
        "tg",
        "CharTensor ShortTensor ByteTensor HalfStorage",
        "tg.tensor(data, dtype=tg.int8), tg.int16, tg.uint8",
    ),
    Row(
        "tg",
        "set_default_tensor_type set_default_device get_default_device",
        "tg.set_default_dtype, device=",
    ),
    Row(
        "tg",
        "seed initial_seed get_rng_state set_rng_state random_",
        "tg.manual_seed, and get_state of a tg.Generator",
    ),
    Row(
        "tg",
        "use_deterministic_algorithms backends",
        "nothing; results are the same in each run",
    ),
    Row("tg", "set_num_threads get_num_threads", "OMP_NUM_THREADS in the environment"),
    Row("tg", "set_printoptions", "np.set_printoptions"),
    Row(
        "tg", "set_float32_matmul_precision", "nothing; products are of full precision"
    ),
    Row("tg", "finfo=np.finfo(x.dtype) iinfo=np.iinfo(x.dtype)"),
    Row("tg", "Size", "a tuple: a shape is one"),
    Row("tg", "dtype", "np.dtype: tg.float32 and its kin are NumPy's"),
    Row(
        "tg",
        "layout strided memory_format contiguous_format",
        "nothing; memory is laid out by the engine",
    ),
    Row(
        "tg",
        "hub multiprocessing profiler package",
        "Python's own modules, such as cProfile",
    ),
    Row("tg", "onnx", "nothing yet; weights are safetensors files"),
    # ------------------------------------------------------------ tg.Tensor
    Row(
        "tg.Tensor",
        """clip=clamp clip_=clamp_ absolute=abs negative=neg multiply=mul
        subtract=sub divide=div true_divide=div swapaxes=transpose
        swapdims=transpose moveaxis=movedim ravel=flatten nelement=numel argwhere=nonzero
        count_nonzero=(t!=0).sum() trace=t.diag().sum()
        H=T mH=mT adjoint=mT diagonal=diag
        is_floating_point=t.dtype.kind=='f'
        element_size=t.dtype.itemsize itemsize=t.dtype.itemsize""",
    ),
    Row("tg.Tensor", "half bfloat16", ".float()"),
    Row("tg.Tensor", "short=to(tg.int16) char=to(tg.int8) byte=to(tg.uint8)"),
    Row("tg.Tensor", "fmod", FMOD),
    Row("tg.Tensor", "isclose", CLOSE),
    Row(
        "tg.Tensor",
        "register_post_accumulate_grad_hook",
        "register_hook; its function takes the gradient, before it is added to grad",
    ),
    Row("tg.Tensor", "cfloat cdouble", "two real tensors"),
    Row(
        "tg.Tensor",
        "to_sparse to_dense coalesce is_sparse",
        "nothing; all tensors are dense",
    ),
    Row("tg.Tensor", "real imag conj is_complex", "nothing; all tensors are real"),
    Row(
        "tg.Tensor",
        "is_contiguous stride storage untyped_storage data_ptr storage_offset",
        "the array's: t.numpy().flags, t.numpy().strides",
    ),
    Row("tg.Tensor", "reshape_as", "view_as"),
    Row("tg.Tensor", "unfold take", "slices and tg.stack, t.flatten()[ids]"),
    Row(
        "tg.Tensor",
        "exp_ log_ tanh_ sigmoid_ relu_ sqrt_ abs_ neg_ pow_ round_ floor_ square_",
        COPY,
    ),
    Row(
        "tg.Tensor",
        "squeeze_ unsqueeze_ transpose_ t_ swapaxes_ resize_ resize_as_ set_",
        "x = x.squeeze() and so on",
    ),
    Row(
        "tg.Tensor",
        "scatter_ scatter_add_ index_fill_ index_add_ index_copy_ put_",
        "x = x.scatter(dim, index, src) and so on, or x[index] = value",
    ),
    Row(
        "tg.Tensor",
        "random_ exponential_",
        "t.copy_(tg.randint(n, t.shape)), -t.uniform_().log()",
    ),
    Row(
        "tg.Tensor",
        "index_add index_copy index_put masked_scatter scatter_reduce",
        "scatter_add, scatter, assignment by an index",
    ),
    Row(
        "tg.Tensor",
        "addmm addmv baddbmm addcmul addcdiv addcmul_ addcdiv_ lerp lerp_",
        "the sum written out: c + a @ b, c + a * b, a + w * (b - a)",
    ),
    Row("tg.Tensor", "map_ apply_", "an op on the whole tensor"),
    Row(
        "tg.Tensor",
        "log2 log10 exp2 rsqrt",
        "x.log() / math.log(2), 2.0**x, x.sqrt().reciprocal()",
    ),
    Row("tg.Tensor", "tan sinh cosh", "sin, cos and exp, combined"),
    Row("tg.Tensor", "asin acos atan atan2 erf erfc lgamma", OWN),
    Row(
        "tg.Tensor",
        "inverse det logdet svd qr cholesky quantile mode kthvalue histc",
        HOST,
    ),
    Row("tg.Tensor", "nansum", "t.masked_fill(t.isnan(), 0.0).sum()"),
    Row("tg.Tensor", "nanmean", "t[~t.isnan()].mean()"),
    Row("tg.Tensor", "diag_embed", "t.diag() of each row, and tg.stack"),
    Row(
        "tg.Tensor",
        "cummax cummin logcumsumexp aminmax",
        "a loop over t.unbind(dim), amin, amax",
    ),
    Row("tg.Tensor", "repeat_interleave", "t[ids] with an id for each repeat"),
    Row(
        "tg.Tensor",
        "pin_memory share_memory_ is_pinned is_shared record_stream",
        "nothing; leave the call out",
    ),
    # ------------------------------------------------------------ tg.nn
    Row(
        "tg.nn",
        "Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d Unfold Fold",
        WINDOWS,
    ),
    Row(
        "tg.nn",
        """MaxPool1d MaxPool2d AvgPool1d AvgPool2d AdaptiveAvgPool1d AdaptiveMaxPool1d
        AdaptiveAvgPool2d""",
        "x.amax(dim), x.mean(dim)",
    ),
    Row(
        "tg.nn",
        "BatchNorm1d BatchNorm2d SyncBatchNorm GroupNorm InstanceNorm1d RMSNorm",
        "nn.LayerNorm",
    ),
    Row(
        "tg.nn",
        """MultiheadAttention Transformer TransformerEncoder TransformerEncoderLayer
        TransformerDecoder TransformerDecoderLayer""",
        "attention by hand: (q @ k.mT / d**0.5).softmax(-1) @ v, with nn.Linear for q, k, v",
    ),
    Row("tg.nn", "EmbeddingBag", "embedding(ids).mean(1) of an nn.Embedding"),
    Row("tg.nn", "Bilinear", "tg.einsum('bi,oij,bj->bo', x, weight, y)"),
    Row(
        "tg.nn",
        "Upsample PixelShuffle ConstantPad1d ZeroPad1d ReflectionPad1d",
        "x[ids], reshape, F.pad",
    ),
    Row("tg.nn", "Unflatten=x.reshape(...)"),
    Row(
        "tg.nn",
        """ReLU6 Hardtanh Hardsigmoid Hardswish SELU CELU Mish Softsign PReLU RReLU GLU
        Softmin Softshrink Hardshrink Tanhshrink Threshold Softmax2d""",
        "a Module of your own: clamp, where, tanh, sigmoid, nn.LeakyReLU, nn.ELU",
    ),
    Row(
        "tg.nn",
        "AlphaDropout FeatureAlphaDropout Dropout1d Dropout2d Dropout3d",
        "nn.Dropout, or a mask of your own",
    ),
    Row(
        "tg.nn",
        """CTCLoss TripletMarginLoss CosineEmbeddingLoss MarginRankingLoss
        MultiMarginLoss HingeEmbeddingLoss SoftMarginLoss PoissonNLLLoss GaussianNLLLoss
        MultiLabelSoftMarginLoss AdaptiveLogSoftmaxWithLoss""",
        "the loss written out over Tensors",
    ),
    Row(
        "tg.nn",
        "CosineSimilarity PairwiseDistance",
        "(x * y).sum(-1) of normalised x and y, (x - y).norm(dim=-1)",
    ),
    Row("tg.nn", "Buffer", "module.register_buffer(name, tensor)"),
    Row("tg.nn", "DataParallel", "the module itself, on one device"),
    Row("tg.nn", "LazyLinear UninitializedParameter", "the layer with its sizes"),
    Row("tg.nn", "RNNBase RNNCellBase", "nn.RNN, nn.LSTM, nn.GRU, and cells"),
    Row("tg.nn", "quantized qat", "nothing; weights are float32 or float64"),
    Row("tg.nn.Module", "half bfloat16", ".float()"),
    Row("tg.nn.Module", "type", "module.to(dtype)"),
    Row("tg.nn.Module", "compile", "the module itself; a compiler is planned"),
    Row(
        "tg.nn.Module",
        """register_full_backward_hook register_full_backward_pre_hook
        register_backward_hook""",
        "output.register_hook(...) in a forward hook",
    ),
    Row(
        "tg.nn.Module",
        """register_state_dict_pre_hook register_load_state_dict_pre_hook
        register_load_state_dict_post_hook register_state_dict_post_hook get_extra_state
        set_extra_state""",
        "a dict around module.state_dict()",
    ),
    Row(
        "tg.nn.Module",
        "set_submodule",
        "setattr(module.get_submodule(path), name, new)",
    ),
    Row(
        "tg.nn.Module",
        "share_memory to_empty xpu mtia ipu",
        "nothing; to('cpu'), to('cuda')",
    ),
    # ------------------------------------------------------------ tg.nn.functional
    Row(
        "tg.nn.functional", "conv1d conv2d conv3d conv_transpose1d unfold fold", WINDOWS
    ),
    Row(
        "tg.nn.functional",
        "max_pool1d max_pool2d avg_pool1d avg_pool2d adaptive_avg_pool1d",
        "x.amax(dim), x.mean(dim)",
    ),
    Row(
        "tg.nn.functional",
        "batch_norm group_norm instance_norm rms_norm",
        "F.layer_norm",
    ),
    Row(
        "tg.nn.functional",
        "scaled_dot_product_attention multi_head_attention_forward",
        "(q @ k.mT / d**0.5).softmax(-1) @ v",
    ),
    Row(
        "tg.nn.functional",
        "normalize",
        "x / x.norm(dim=-1, keepdim=True).clamp(min=1e-12)",
    ),
    Row(
        "tg.nn.functional",
        "cosine_similarity pairwise_distance",
        "(x * y).sum(-1) of normalised x and y, (x - y).norm(dim=-1)",
    ),
    Row(
        "tg.nn.functional",
        "gumbel_softmax",
        "tg.categorical, or a softmax of logits and noise",
    ),
    Row("tg.nn.functional", "embedding_bag", "F.embedding(ids, weight).mean(1)"),
    Row("tg.nn.functional", "bilinear", "tg.einsum('bi,oij,bj->bo', x, weight, y)"),
    Row(
        "tg.nn.functional",
        "interpolate upsample grid_sample pixel_shuffle",
        "x[ids], reshape",
    ),
    Row(
        "tg.nn.functional",
        """relu6 hardtanh hardsigmoid hardswish selu celu mish softsign prelu
        rrelu glu softmin softshrink hardshrink tanhshrink threshold""",
        "clamp, where, tanh, sigmoid, F.leaky_relu, F.elu",
    ),
    Row("tg.nn.functional", "relu_ elu_ leaky_relu_", "x = F.relu(x) and so on"),
    Row(
        "tg.nn.functional",
        "alpha_dropout dropout1d dropout2d dropout3d feature_alpha_dropout",
        "F.dropout, or a mask of your own",
    ),
    Row(
        "tg.nn.functional",
        """ctc_loss triplet_margin_loss cosine_embedding_loss
        margin_ranking_loss multi_margin_loss hinge_embedding_loss soft_margin_loss
        poisson_nll_loss gaussian_nll_loss""",
        "the loss written out over Tensors",
    ),
    # ------------------------------------------------------------ the rest of tg.nn
    Row(
        "tg.nn.init",
        "trunc_normal_ sparse_ dirac_",
        "nn.init.normal_, then clamp_ under no_grad()",
    ),
    Row(
        "tg.nn.init",
        """uniform=uniform_ normal=normal_ constant=constant_ eye=eye_
        orthogonal=orthogonal_ xavier_uniform=xavier_uniform_ xavier_normal=xavier_normal_
        kaiming_uniform=kaiming_uniform_ kaiming_normal=kaiming_normal_""",
    ),
    Row("tg.nn.utils", "clip_grad_norm=clip_grad_norm_"),
    Row(
        "tg.nn.utils",
        """weight_norm spectral_norm remove_weight_norm parametrize
        parametrizations prune""",
        "the weight computed in forward()",
    ),
    Row(
        "tg.nn.utils",
        "stateless skip_init fuse_conv_bn_eval",
        "module.load_state_dict(...)",
    ),
    Row("tg.nn.utils.rnn", "invert_permutation", "permutation.argsort()"),
    # ------------------------------------------------------------ tg.optim
    Row(
        "tg.optim",
        "LBFGS",
        "optim.Adam or optim.SGD; scipy.optimize over parameters_to_vector",
    ),
    Row(
        "tg.optim",
        "Adadelta Adamax NAdam RAdam ASGD Rprop Adafactor Muon",
        "optim.Adam, AdamW, RMSprop, Adagrad or SGD",
    ),
    Row("tg.optim", "SparseAdam", "optim.Adam: gradients are dense"),
    Row("tg.optim", "swa_utils", "a mean of state_dicts"),
    Row(
        "tg.optim.lr_scheduler",
        """CosineAnnealingWarmRestarts CyclicLR PolynomialLR ConstantLR
        MultiplicativeLR ChainedScheduler""",
        "LambdaLR(optimizer, lambda epoch: factor)",
    ),
    Row("tg.optim.lr_scheduler", "_LRScheduler=LRScheduler"),
    # ------------------------------------------------------------ tg.utils
    Row("tg.utils", "tensorboard", "loss.item() into a list or a file, matplotlib"),
    Row("tg.utils", "benchmark cpp_extension", "cProfile, timeit"),
    Row(
        "tg.utils.data",
        """IterableDataset ConcatDataset ChainDataset Sampler RandomSampler
        SequentialSampler SubsetRandomSampler WeightedRandomSampler BatchSampler""",
        "any object with __len__ and __getitem__; any iterable of indices as sampler=",
    ),
    Row("tg.utils.data", "get_worker_info", "nothing; there are no workers"),
    # ------------------------------------------------------------ tg.autograd, tg.cuda
    Row("tg.autograd", "Function", "tg.autograd.op, see docs/adding-an-op.md"),
    Row("tg.autograd", "Variable", "a Tensor: tg.tensor(data, requires_grad=True)"),
    Row(
        "tg.autograd",
        "no_grad enable_grad set_grad_enabled inference_mode",
        "tg.no_grad, tg.enable_grad, tg.set_grad_enabled",
    ),
    Row(
        "tg.autograd",
        "set_detect_anomaly profiler",
        "tg.autograd.detect_anomaly, cProfile",
    ),
    Row("tg.autograd", "forward_ad", "tg.autograd.functional.jvp"),
    Row(
        "tg.cuda",
        "amp is_bf16_supported",
        "nothing; all is float32, unless you take float64",
    ),
    Row(
        "tg.cuda",
        "manual_seed manual_seed_all seed",
        "tg.manual_seed: drawn on the host",
    ),
    Row(
        "tg.cuda",
        "set_device current_device device",
        "device='cuda:1' where a tensor is made",
    ),
    Row(
        "tg.cuda",
        """empty_cache memory_allocated max_memory_allocated memory_summary Stream Event
        get_device_name get_device_properties""",
        "CuPy's, such as cupy.get_default_memory_pool()",
    ),
    Row("tg.cuda", "FloatTensor LongTensor", "tg.tensor(data, device='cuda')"),
)

# Arguments that are called otherwise here, or are not here, for wrong calls of methods.
ARGUMENTS = {
    "a": "input",
    "axes": "dims",
    "axis": "dim",
    "ddof": "correction",
    "keepdims": "keepdim",
    "alpha": "a product, as in x + alpha * y",
    "inplace": "y = f(x), as all functions give a new tensor",
    "memory_format": "nothing in its place",
    "out": "y = f(x), as all functions give a new tensor",
    "unbiased": "correction=1 or correction=0",
}

LEFT_OUT: dict[str, dict[str, str]] = {}
for _row in ROWS:
    for _name in _row.names.split():
        _theirs, _, _ours = _name.partition("=")
        LEFT_OUT.setdefault(_row.owner, {})[_theirs] = _ours or _row.instead


def page() -> str:
    """The table as Markdown, a row each: what the section "Not here" of differences.md
    holds.
    """
    lines = ["| PyTorch | instead |", "|---|---|"]
    for row in ROWS:
        pairs = [name.partition("=") for name in row.names.split()]
        names = ", ".join(f"`{theirs}`" for theirs, _, _ in pairs)
        ours = row.instead or ", ".join(f"`{ours}`" for _, _, ours in pairs)
        cells = [f"`{row.owner}`: {names}", ours]
        lines.append(
            f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
        )
    return "\n".join(lines)


def error(owner: str, name: str, names: Callable[[], Iterable[str]]) -> AttributeError:
    """The error for a name that an owner lacks; ``names`` gives those that it has."""
    if name.startswith("__"):  # Python and other libraries ask for protocols
        return AttributeError(f"{owner} has no attribute {name!r}")
    return LeftOut(
        owner, name, LEFT_OUT.get(owner, {}).get(name), names, lambda: homes_of(name)
    )


def homes_of(name: str) -> list[str]:
    """Where public modules have a name, as in ``tg.nn.functional.one_hot``."""
    homes = []
    for owner in [*LEFT_OUT, "tg.data"]:
        module = sys.modules.get(owner.replace("tg", _PACKAGE, 1))
        if module is not None and name in _public(module):
            homes.append(f"{owner}.{name}")
    return homes


def _public(module: Any) -> Iterable[str]:
    """The names that a module has for its users."""
    names: Iterable[str] | None = vars(module).get("__all__")
    if names is None:
        own = vars(module).items()
        here = [k for k, v in own if getattr(v, "__module__", "") == module.__name__]
        names = [name for name in here if not name.startswith("_")]
    return names


def getter(owner: str, namespace: dict[str, Any]) -> Callable[[str], Any]:
    """The ``__getattr__`` of a module: it raises the error for each name that is not
    there.
    """

    def missing(name: str) -> Any:
        raise error(owner, name, lambda: namespace.get("__all__", namespace))

    return missing


def instead_of_argument(name: str) -> str:
    """What to write instead of an argument, for a message; empty if nothing is known."""
    found = ARGUMENTS.get(name, "")
    return f"{found}=" if found.isidentifier() else found
