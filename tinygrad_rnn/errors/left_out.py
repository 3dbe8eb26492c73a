"""PyTorch's names that are not here, with what to write instead, and their error.

The modules and Tensor raise it when somebody asks for a name that they lack. The
section "Not here" of docs/differences.md is this table as a page.
"""

import sys
from collections.abc import Callable, Collection, Iterable
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any, NamedTuple

from .kinds import LeftOut

_PACKAGE = __name__.partition(".")[0]

# An owner, indented below it lines of its names, and below these what to write instead.
# Names that are only called otherwise here stand as ``theirs=ours``.
_TEXT = """\
tg
    jit fx export
        tg.compile(function)
    vmap func
        a Python loop over the batch and tg.stack, or broadcasting
    float16 half bfloat16 HalfTensor BFloat16Tensor
        tg.float32; weights of 16 bits load as float32
    autocast amp GradScaler
        nothing; all is float32, unless you take float64
    complex complex64 complex128 cfloat cdouble view_as_real view_as_complex real \
    imag
        two real tensors
    sparse sparse_coo_tensor sparse_csr_tensor
        a dense tensor
    fft linalg special stft svd qr inverse det cholesky
        NumPy's function of t.detach().numpy(); its result has no history
    distributions
        tg.categorical, multinomial, randn, rand
    bernoulli
        (tg.rand(*size) < p).float()
    normal
        mean + std * tg.randn(*size)
    rand_like randint_like empty_like empty_strided
        tg.rand(*t.shape), tg.zeros_like(t)
    clip=clamp absolute=abs negative=neg multiply=mul subtract=sub divide=div \
    true_divide=div greater=gt greater_equal=ge less=lt less_equal=le not_equal=ne \
    swapaxes=transpose swapdims=transpose moveaxis=movedim ravel=flatten \
    numel=t.numel() t=t.T concatenate=cat argwhere=nonzero \
    count_nonzero=(t!=0).sum()
    fmod
        a - b * tg.div(a, b, rounding_mode='trunc'); remainder has the sign of the \
        divisor
    bitwise_and bitwise_or bitwise_not
        the operators & | ~
    logical_xor bitwise_xor
        a != b of bool tensors
    hstack vstack dstack column_stack
        tg.cat, tg.stack
    take
        t.flatten()[ids]
    hsplit vsplit tensor_split
        split, chunk
    meshgrid cartesian_prod combinations
        broadcasting: x[:, None] and y[None, :]
    trace kron cross tensordot inner chain_matmul vdot
        tg.einsum, as in 'ii->'
    addmm addmv addbmm baddbmm addcmul addcdiv lerp
        the sum written out: c + a @ b, c + a * b, a + w * (b - a)
    logaddexp
        tg.stack([a, b]).logsumexp(0)
    log2 log10 exp2 rsqrt
        x.log() / math.log(2), 2.0**x, x.sqrt().reciprocal()
    tan sinh cosh
        sin, cos and exp, combined
    hypot
        (x.square() + y.square()).sqrt()
    asin acos atan atan2 erf erfc erfinv lgamma digamma polygamma i0
        your own op over SciPy's or NumPy's function, see docs/adding-an-op.md
    trunc fix frac heaviside sgn copysign
        floor, sign, where
    nan_to_num
        tg.where(t.isnan(), 0.0, t); clamp for infinities
    searchsorted bucketize histc histogram quantile mode kthvalue cov corrcoef
        NumPy's function of t.detach().numpy(); its result has no history
    nansum
        t.masked_fill(t.isnan(), 0.0).sum()
    nanmean nanmedian
        t[~t.isnan()].mean(), t[~t.isnan()].median()
    cummax cummin logcumsumexp
        a loop over t.unbind(dim)
    aminmax var_mean std_mean
        amin and amax, var, std and mean
    isclose
        (a - b).abs() <= atol + rtol * b.abs(); allclose of them all
    diagonal diag_embed block_diag tril_indices triu_indices
        diag, tril, triu, t[i, j]
    repeat_interleave
        t[ids] with an id for each repeat
    index_add index_copy index_put masked_scatter scatter_reduce
        scatter_add, scatter, assignment by an index
    cdist pdist
        (x[:, None] - y[None]).norm(dim=-1)
    lstm gru rnn_tanh rnn_relu lstm_cell gru_cell
        nn.LSTM, nn.GRU, nn.RNN, and cells
    CharTensor ShortTensor ByteTensor HalfStorage
        tg.tensor(data, dtype=tg.int8), tg.int16, tg.uint8
    set_default_tensor_type set_default_device get_default_device
        tg.set_default_dtype, device=
    seed initial_seed get_rng_state set_rng_state random_
        tg.manual_seed, and get_state of a tg.Generator
    use_deterministic_algorithms backends
        nothing; results are the same in each run
    set_num_threads get_num_threads
        OMP_NUM_THREADS in the environment
    set_printoptions
        np.set_printoptions
    set_float32_matmul_precision
        nothing; products are of full precision
    finfo=np.finfo(x.dtype) iinfo=np.iinfo(x.dtype)
    Size
        a tuple: a shape is one
    dtype
        np.dtype: tg.float32 and its kin are NumPy's
    layout strided memory_format contiguous_format
        nothing; memory is laid out by the engine
    hub multiprocessing profiler package
        Python's own modules, such as cProfile
    onnx
        nothing yet; weights are safetensors files

tg.Tensor
    clip=clamp clip_=clamp_ absolute=abs negative=neg multiply=mul subtract=sub \
    divide=div true_divide=div swapaxes=transpose swapdims=transpose \
    moveaxis=movedim ravel=flatten nelement=numel argwhere=nonzero \
    count_nonzero=(t!=0).sum() trace=t.diag().sum() H=T mH=mT adjoint=mT \
    diagonal=diag is_floating_point=t.dtype.kind=='f' element_size=t.dtype.itemsize \
    itemsize=t.dtype.itemsize
    half bfloat16
        .float()
    short=to(tg.int16) char=to(tg.int8) byte=to(tg.uint8)
    fmod
        a - b * tg.div(a, b, rounding_mode='trunc'); remainder has the sign of the \
        divisor
    isclose
        (a - b).abs() <= atol + rtol * b.abs(); allclose of them all
    register_post_accumulate_grad_hook
        register_hook; its function takes the gradient, before it is added to grad
    cfloat cdouble
        two real tensors
    to_sparse to_dense coalesce is_sparse
        nothing; all tensors are dense
    real imag conj is_complex
        nothing; all tensors are real
    is_contiguous stride storage untyped_storage data_ptr storage_offset
        the array's: t.numpy().flags, t.numpy().strides
    reshape_as
        view_as
    unfold take
        slices and tg.stack, t.flatten()[ids]
    exp_ log_ tanh_ sigmoid_ relu_ sqrt_ abs_ neg_ pow_ round_ floor_ square_
        x = x.exp() and so on, or x.copy_(x.exp()) under no_grad()
    squeeze_ unsqueeze_ transpose_ t_ swapaxes_ resize_ resize_as_ set_
        x = x.squeeze() and so on
    scatter_ scatter_add_ index_fill_ index_add_ index_copy_ put_
        x = x.scatter(dim, index, src) and so on, or x[index] = value
    random_ exponential_
        t.copy_(tg.randint(n, t.shape)), t.copy_(-(1 - tg.rand(*t.shape)).log())
    index_add index_copy index_put masked_scatter scatter_reduce
        scatter_add, scatter, assignment by an index
    addmm addmv baddbmm addcmul addcdiv addcmul_ addcdiv_ lerp lerp_
        the sum written out: c + a @ b, c + a * b, a + w * (b - a)
    map_ apply_
        an op on the whole tensor
    log2 log10 exp2 rsqrt
        x.log() / math.log(2), 2.0**x, x.sqrt().reciprocal()
    tan sinh cosh
        sin, cos and exp, combined
    asin acos atan atan2 erf erfc lgamma
        your own op over SciPy's or NumPy's function, see docs/adding-an-op.md
    inverse det logdet svd qr cholesky quantile mode kthvalue histc
        NumPy's function of t.detach().numpy(); its result has no history
    nansum
        t.masked_fill(t.isnan(), 0.0).sum()
    nanmean
        t[~t.isnan()].mean()
    diag_embed
        t.diag() of each row, and tg.stack
    cummax cummin logcumsumexp aminmax
        a loop over t.unbind(dim), amin, amax
    repeat_interleave
        t[ids] with an id for each repeat
    pin_memory share_memory_ is_pinned is_shared record_stream
        nothing; leave the call out

tg.nn
    Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d Unfold Fold
        nn.Linear of windows, as in tg.stack([x[:, i : i + k] for i in range(n)])
    MaxPool1d MaxPool2d AvgPool1d AvgPool2d AdaptiveAvgPool1d AdaptiveMaxPool1d \
    AdaptiveAvgPool2d
        x.amax(dim), x.mean(dim)
    BatchNorm1d BatchNorm2d SyncBatchNorm GroupNorm InstanceNorm1d
        nn.LayerNorm, which normalizes other numbers together: train anew
    RMSNorm
        x / (x.square().mean(-1, keepdim=True) + eps).sqrt() * weight
    MultiheadAttention Transformer TransformerEncoder TransformerEncoderLayer \
    TransformerDecoder TransformerDecoderLayer
        attention by hand: (q @ k.mT / d**0.5).softmax(-1) @ v, with nn.Linear for \
        q, k, v
    EmbeddingBag
        embedding(ids).mean(1) of an nn.Embedding
    Bilinear
        tg.einsum('bi,oij,bj->bo', x, weight, y)
    Upsample PixelShuffle ConstantPad1d ZeroPad1d ReflectionPad1d
        x[ids], reshape, F.pad
    Unflatten=x.reshape(...)
    ReLU6 Hardtanh Hardsigmoid Hardswish SELU CELU Mish Softsign PReLU RReLU GLU \
    Softmin Softshrink Hardshrink Tanhshrink Threshold Softmax2d
        a Module of your own: clamp, where, tanh, sigmoid, nn.LeakyReLU, nn.ELU
    AlphaDropout FeatureAlphaDropout Dropout1d Dropout2d Dropout3d
        nn.Dropout, or a mask of your own
    CTCLoss TripletMarginLoss CosineEmbeddingLoss MarginRankingLoss MultiMarginLoss \
    HingeEmbeddingLoss SoftMarginLoss PoissonNLLLoss GaussianNLLLoss \
    MultiLabelSoftMarginLoss AdaptiveLogSoftmaxWithLoss
        the loss written out over Tensors
    CosineSimilarity PairwiseDistance
        (x * y).sum(-1) of normalised x and y, (x - y).norm(dim=-1)
    Buffer
        module.register_buffer(name, tensor)
    DataParallel
        nn.parallel.DistributedDataParallel, with a process for each device
    LazyLinear UninitializedParameter
        the layer with its sizes
    RNNBase RNNCellBase
        nn.RNN, nn.LSTM, nn.GRU, and cells
    quantized qat
        nothing; weights are float32 or float64

tg.nn.Module
    half bfloat16
        .float()
    type
        module.to(dtype)
    compile
        tg.compile(module)
    register_full_backward_hook register_full_backward_pre_hook \
    register_backward_hook
        output.register_hook(...) in a forward hook
    register_state_dict_pre_hook register_load_state_dict_pre_hook \
    register_load_state_dict_post_hook register_state_dict_post_hook get_extra_state \
    set_extra_state
        a dict around module.state_dict()
    set_submodule
        setattr(module.get_submodule(path), name, new)
    share_memory to_empty xpu mtia ipu
        nothing; to('cpu'), to('cuda')

tg.nn.functional
    conv1d conv2d conv3d conv_transpose1d unfold fold
        nn.Linear of windows, as in tg.stack([x[:, i : i + k] for i in range(n)])
    max_pool1d max_pool2d avg_pool1d avg_pool2d adaptive_avg_pool1d
        x.amax(dim), x.mean(dim)
    batch_norm group_norm instance_norm
        F.layer_norm, which normalizes other numbers together
    rms_norm
        x / (x.square().mean(-1, keepdim=True) + eps).sqrt()
    scaled_dot_product_attention multi_head_attention_forward
        (q @ k.mT / d**0.5).softmax(-1) @ v
    normalize
        x / x.norm(dim=1, keepdim=True).clamp(min=1e-12)
    cosine_similarity pairwise_distance
        (x * y).sum(-1) of normalised x and y, (x - y).norm(dim=-1)
    gumbel_softmax
        tg.categorical, or a softmax of logits and noise
    embedding_bag
        F.embedding(ids, weight).mean(1)
    bilinear
        tg.einsum('bi,oij,bj->bo', x, weight, y)
    interpolate upsample grid_sample pixel_shuffle
        x[ids], reshape
    relu6 hardtanh hardsigmoid hardswish selu celu mish softsign prelu rrelu glu \
    softmin softshrink hardshrink tanhshrink threshold
        clamp, where, tanh, sigmoid, F.leaky_relu, F.elu
    relu_ elu_ leaky_relu_
        x = F.relu(x) and so on
    alpha_dropout dropout1d dropout2d dropout3d feature_alpha_dropout
        F.dropout, or a mask of your own
    ctc_loss triplet_margin_loss cosine_embedding_loss margin_ranking_loss \
    multi_margin_loss hinge_embedding_loss soft_margin_loss poisson_nll_loss \
    gaussian_nll_loss
        the loss written out over Tensors

tg.nn.init
    trunc_normal_ sparse_ dirac_
        nn.init.normal_, then clamp_ under no_grad()
    uniform=uniform_ normal=normal_ constant=constant_ eye=eye_ \
    orthogonal=orthogonal_ xavier_uniform=xavier_uniform_ \
    xavier_normal=xavier_normal_ kaiming_uniform=kaiming_uniform_ \
    kaiming_normal=kaiming_normal_

tg.nn.utils
    clip_grad_norm=clip_grad_norm_
    weight_norm spectral_norm remove_weight_norm parametrize parametrizations prune
        the weight computed in forward()
    stateless skip_init fuse_conv_bn_eval
        module.load_state_dict(...)

tg.nn.utils.rnn
    invert_permutation
        permutation.argsort()

tg.optim
    LBFGS
        optim.Adam or optim.SGD; scipy.optimize over parameters_to_vector
    Adadelta Adamax NAdam RAdam ASGD Rprop Adafactor Muon
        optim.Adam, AdamW, RMSprop, Adagrad or SGD
    SparseAdam
        optim.Adam: gradients are dense
    swa_utils
        a mean of state_dicts

tg.optim.lr_scheduler
    CosineAnnealingWarmRestarts CyclicLR PolynomialLR ConstantLR MultiplicativeLR \
    ChainedScheduler
        LambdaLR(optimizer, lambda epoch: factor)
    _LRScheduler=LRScheduler

tg.utils
    tensorboard
        loss.item() into a list or a file, matplotlib
    benchmark cpp_extension
        cProfile, timeit

tg.utils.data
    IterableDataset ConcatDataset ChainDataset Sampler RandomSampler \
    SequentialSampler SubsetRandomSampler WeightedRandomSampler BatchSampler
        any object with __len__ and __getitem__; any iterable of indices as sampler=
    get_worker_info
        nothing; there are no workers

tg.distributed
    new_group split_group ProcessGroup GroupMember
        nothing; all ranks are one group
    reduce gather gather_object
        all_reduce, all_gather, all_gather_object; then read it on one rank
    scatter scatter_object_list
        broadcast, broadcast_object_list; then take a part
    reduce_scatter all_to_all all_to_all_single reduce_scatter_tensor
        all_reduce; then take a part
    all_gather_into_tensor=all_gather
    send recv isend irecv batch_isend_irecv P2POp
        mpi4py's own, beside this
    monitored_barrier=barrier
    Store TCPStore FileStore HashStore PrefixStore
        nothing; mpiexec says who takes part
    is_gloo_available is_xccl_available is_ucc_available is_torchelastic_launched
        is_mpi_available, is_nccl_available
    rpc fsdp tensor pipelining optim algorithms checkpoint elastic launch run
        nothing; nn.parallel.DistributedDataParallel has the whole model on every rank

tg.autograd
    Function
        tg.autograd.op, see docs/adding-an-op.md
    Variable
        a Tensor: tg.tensor(data, requires_grad=True)
    no_grad enable_grad set_grad_enabled inference_mode
        tg.no_grad, tg.enable_grad, tg.set_grad_enabled
    set_detect_anomaly profiler
        tg.autograd.detect_anomaly, cProfile
    forward_ad
        tg.autograd.functional.jvp

tg.cuda
    amp is_bf16_supported
        nothing; all is float32, unless you take float64
    manual_seed manual_seed_all seed
        tg.manual_seed: drawn on the host
    max_memory_allocated max_memory_reserved reset_peak_memory_stats memory_stats \
    memory_summary
        memory_allocated, memory_reserved, mem_get_info
    Stream Event stream current_stream get_device_properties get_device_capability
        CuPy's, such as cupy.cuda.Stream
    FloatTensor LongTensor
        tg.tensor(data, device='cuda')
"""

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


class Row(NamedTuple):
    """Names of one owner, with what they are called here, if so, and what to write."""

    owner: str
    names: dict[str, str]
    instead: str


@cache
def rows() -> list[Row]:
    """Return the rows of the table, of which indentation says what a line is."""
    found: list[Row] = []
    owner = ""
    for line in _TEXT.splitlines():
        words = line.split()
        if line.startswith(" " * 8):
            found[-1] = found[-1]._replace(instead=" ".join(words))
        elif line.startswith(" " * 4):
            pairs = [word.partition("=") for word in words]
            names = {theirs: ours for theirs, _, ours in pairs}
            found.append(Row(owner, names, ""))
        elif line:
            owner = line
    return found


@cache
def table() -> dict[str, dict[str, str]]:
    """Return what to write instead of a name, by owner and name."""
    found: dict[str, dict[str, str]] = {}
    for row in rows():
        for theirs, ours in row.names.items():
            found.setdefault(row.owner, {})[theirs] = ours or row.instead
    return found


def page() -> str:
    """Return the table as Markdown: the section "Not here" of docs/differences.md."""
    lines = ["| PyTorch | instead |", "|---|---|"]
    for row in rows():
        theirs = ", ".join(f"`{name}`" for name in row.names)
        ours = row.instead or ", ".join(f"`{name}`" for name in row.names.values())
        cells = f"`{row.owner}`: {theirs}", ours
        left, right = [cell.replace("|", "\\|") for cell in cells]
        lines.append(f"| {left} | {right} |")
    return "\n".join(lines)


def error(owner: str, name: str, names: Callable[[], Iterable[str]]) -> AttributeError:
    """Return the error for a name that an owner lacks; ``names`` gives those it has."""
    if name.startswith("__"):  # Python and other libraries ask for protocols
        return AttributeError(f"{owner} has no attribute {name!r}")
    return LeftOut(name, lambda: _message(owner, name, names()))


def _message(owner: str, name: str, names: Iterable[str]) -> str:
    """Say what to write instead of a name, where it is, or which names are like it."""
    lacking = f"{owner}.{name} is not here"
    if instead := table().get(owner, {}).get(name):
        return f"{lacking}; instead: {instead}"
    if homes := homes_of(name):
        return f"{lacking}; it is {' or '.join(homes)}"
    return f"{lacking}{names_like(name, names)}; see docs/differences.md"


def names_like(name: str, names: Iterable[str]) -> str:
    """Return the end of a message: up to three public names that are like a name."""
    from difflib import get_close_matches  # not for those whose names are right

    public = [known for known in names if not known.startswith("_")]
    close = ", ".join(get_close_matches(name, public, 3))
    return f"; names like it: {close}" if close else ""


def homes_of(name: str) -> list[str]:
    """Return where modules have a name, as in ``tg.nn.functional.one_hot``."""
    homes = []
    for owner in [*table(), "tg.data"]:
        module = sys.modules.get(owner.replace("tg", _PACKAGE, 1))
        if module is not None and name in _public_names(module):
            homes.append(f"{owner}.{name}")
    return homes


def _public_names(module: ModuleType) -> Iterable[str]:
    """Return ``__all__``, or else the names that a module defines itself."""
    if (listed := vars(module).get("__all__")) is not None:
        return [*listed]
    return [
        name
        for name, value in vars(module).items()
        if getattr(value, "__module__", "") == module.__name__
        and not name.startswith("_")
    ]


def getter(
    owner: str, namespace: dict[str, Any], lazy: Collection[str] = ()
) -> Callable[[str], ModuleType]:
    """Return the ``__getattr__`` of a module, which raises for names it lacks.

    Args:
        owner: The module's name in messages.
        namespace: Its names.
        lazy: Modules inside, which are imported when somebody asks for them.
    """

    def find_or_raise(name: str) -> ModuleType:
        if name in lazy:
            return import_module(f"{namespace['__name__']}.{name}")
        raise error(owner, name, lambda: namespace.get("__all__", namespace))

    return find_or_raise


def instead_of_argument(name: str) -> str:
    """Return what to write instead of an argument; "" if nothing is known."""
    found = ARGUMENTS.get(name, "")
    return f"{found}=" if found.isidentifier() else found
