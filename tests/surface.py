"""The public surface as plain data: every name that programs may use.

It is ordered by section, and within a section by the owner of the names.
"""

import functools
import inspect
from typing import Any

import numpy as np

import tinygrad_rnn as tg

LOADING = "state_dict load_state_dict"
FUNCTIONS = """
    add sub mul div pow neg abs sign square sqrt reciprocal exp expm1 log log1p sin cos
    tanh sigmoid relu maximum minimum clamp where masked_fill sum mean prod var std amax
    amin max min argmax argmin logsumexp cumsum norm matmul mm bmm mv dot outer einsum
    reshape view flatten squeeze unsqueeze transpose permute movedim expand broadcast_to
    cat concat stack split chunk unbind flip roll tile tril triu sort topk index_select
    gather take_along_dim narrow select masked_select nonzero median unique bincount
    cumprod diag index_fill scatter scatter_add floor round any all argsort logical_and
    logical_or logical_not eq ne lt le gt ge isnan isinf isfinite allclose
"""
# The functions that are no methods, as in PyTorch.
NO_METHODS = {"cat", "concat", "einsum", "stack"}
SURFACE: dict[str, dict[str, str]] = {
    "tg: tensors": {
        "tg": """
            tensor as_tensor from_numpy FloatTensor set_default_dtype float32 float64
            int32 int64 bool BoolTensor DoubleTensor IntTensor LongTensor int8 int16
            uint8 uint16 uint32 uint64 zeros ones full empty arange linspace eye
            zeros_like ones_like full_like rand randn randint randperm multinomial
            manual_seed Generator device Tensor from_dlpack cuda kernels
        """,
        "tg.Generator": "manual_seed get_state set_state",
        "tg.cuda": """
            is_available device_count synchronize current_device set_device device
            get_device_name mem_get_info memory_allocated memory_reserved empty_cache
            OutOfMemoryError
        """,
        "tg.Tensor": """
            data grad requires_grad is_leaf shape ndim dtype device T mT size dim numel
            item tolist numpy detach clone contiguous to cpu cuda float double long bool
            requires_grad_ copy_ fill_ zero_ add_ sub_ mul_ div_ clamp_ backward
            retain_grad register_hook __array__ __dlpack__ type type_as new_tensor
            to_device
        """,
    },
    "tg: functions": {"tg": FUNCTIONS},
    "tg: recording and gradients": {
        "tg": "no_grad enable_grad set_grad_enabled is_grad_enabled autograd utils",
        "tg.autograd": """
            backward grad gradcheck gradgradcheck detect_anomaly functional op
        """,
        "tg.autograd.functional": "jacobian hessian vjp jvp hvp",
        "tg.utils": "checkpoint draw gradient_flow",
        "tg.utils.checkpoint": "checkpoint",
    },
    "nn": {
        "tg": "nn",
        "tg.nn": """
            Module Parameter Sequential ModuleList ModuleDict Linear Embedding Dropout
            LayerNorm Tanh ReLU Sigmoid Softmax LogSoftmax Identity Flatten RNNCell
            LSTMCell GRUCell RNN LSTM GRU init functional utils MSELoss L1Loss
            SmoothL1Loss HuberLoss CrossEntropyLoss NLLLoss BCEWithLogitsLoss
            GradientClipping ParameterList GELU BCELoss KLDivLoss
        """,
        "tg.nn.Module": f"""
            parameters named_parameters buffers children modules named_modules {LOADING}
            train eval training to cpu cuda zero_grad requires_grad_ register_buffer
            apply num_parameters register_parameter add_module get_submodule
            register_forward_hook register_forward_pre_hook
        """,
        "tg.nn.init": """
            uniform_ normal_ constant_ zeros_ ones_ eye_ xavier_uniform_ xavier_normal_
            kaiming_uniform_ kaiming_normal_ orthogonal_ calculate_gain identity_
        """,
        "tg.nn.functional": """
            linear embedding dropout layer_norm softmax log_softmax tanh sigmoid relu
            leaky_relu elu silu softplus logsigmoid one_hot pad
        """,
        "tg.nn.Embedding": "from_pretrained",
        "tg.nn.utils": """
            clip_grad_norm_ clip_grad_value_ get_total_norm parameters_to_vector
            vector_to_parameters rnn
        """,
        "tg.nn.utils.rnn": """
            pad_sequence pack_padded_sequence pad_packed_sequence pack_sequence
            unpack_sequence PackedSequence
        """,
        "tg.nn.GradientClipping": "clip_gradients",
    },
    "optim": {
        "tg": "optim",
        "tg.optim": "SGD RMSprop Adagrad Adam AdamW lr_scheduler",
        "tg.optim.SGD": f"step zero_grad {LOADING} add_param_group",
        "tg.optim.lr_scheduler": """
            LambdaLR StepLR MultiStepLR ExponentialLR CosineAnnealingLR LinearLR
            OneCycleLR SequentialLR ReduceLROnPlateau
        """,
    },
    "data and checkpoints": {
        "tg": "data save load save_checkpoint load_checkpoint",
        "tg.data": "Vocabulary TextStreams sine_waves read_text encode_file",
        "tg.data.Vocabulary": "encode decode",
        "tg.nn.Module": "save_weights load_weights",
        "tg.utils": "data",
        "tg.utils.data": """
            DataLoader Dataset Subset TensorDataset default_collate random_split
            DistributedSampler
        """,
    },
    "many processes": {
        "tg": "distributed",
        "tg.distributed": """
            init_process_group is_available is_initialized is_mpi_available
            is_nccl_available get_backend get_rank get_world_size ReduceOp all_reduce
            broadcast all_gather all_gather_object broadcast_object_list barrier
            destroy_process_group
        """,
        "tg.nn": "parallel",
        "tg.nn.parallel": "DistributedDataParallel",
        "tg.nn.parallel.DistributedDataParallel": "no_sync",
        "tg.data.TextStreams": "shard",
        "tg.utils.data.DistributedSampler": "set_epoch",
    },
}
# Operators and protocols, and names that follow from PyTorch's.
MORE: dict[str, str] = {
    "tg.Tensor": """
        __add__ __sub__ __mul__ __truediv__ __floordiv__ __mod__ __pow__ __matmul__
        __and__ __or__ __radd__ __rsub__ __rmul__ __rtruediv__ __rfloordiv__ __rmod__
        __rpow__ __rmatmul__ __rand__ __ror__ __iadd__ __isub__ __imul__ __itruediv__
        __ifloordiv__ __imod__ __ipow__ __iand__ __ior__ __neg__ __abs__ __invert__
        __eq__ __ne__ __lt__ __le__ __gt__ __ge__ __getitem__ __setitem__ __len__
        __iter__ __bool__ __float__ __int__ __index__ __hash__ __deepcopy__ __repr__
        __dlpack_device__ __cuda_array_interface__ __array_namespace__ equal new_full
        new_ones new_zeros repeat t
        bernoulli_ detach_ expand_as is_cuda masked_fill_ new new_empty normal_ uniform_
        view_as ceil floor_divide remainder softmax log_softmax int grad_fn
    """,
    "tg": """
        Error CheckpointError long double float int inference_mode randn_like equal
        compile get_default_dtype is_tensor floor_divide remainder ceil clone softmax
        log_softmax categorical errors
    """,
    "tg.autograd": "FusedOp",
    "tg.engine.op.Op": "vjp",
    "tg.backend": "register",
    "tg.utils": "detach",
    "tg.utils.checkpoint": "checkpoint_sequence",
    "tg.errors": """
        ShapeError OptionError DTypeError IdError GraphError ExportError MissingFile
        OutOfMemoryError
        DimError NameMissing AttributeMissing NoAttribute LeftOut
    """,
    "tg.distributed": "mean_loss",
    "tg.optim": "Optimizer",
    "tg.optim.lr_scheduler": "LRScheduler",
    "tg.optim.lr_scheduler.LRScheduler": f"step get_last_lr {LOADING}",
    "tg.nn": "ELU LeakyReLU LogSigmoid ParameterDict SiLU Softplus Stepper",
    "tg.nn.Module": """
        named_children named_buffers get_parameter get_buffer register_module extra_repr
        float double forward misfits
    """,
    "tg.nn.LSTM": "flatten_parameters",
    "tg.nn.utils.rnn": "unpad_sequence",
    "tg.nn.utils.rnn.PackedSequence": """
        data batch_sizes sorted_indices unsorted_indices to cpu cuda float double
    """,
    "tg.nn.functional": """
        mse_loss l1_loss smooth_l1_loss huber_loss cross_entropy nll_loss
        binary_cross_entropy_with_logits binary_cross_entropy kl_div gelu
    """,
    "tg.data.Vocabulary": "__len__",
    "tg.data.TextStreams": f"__iter__ __len__ next_batch split {LOADING}",
}


def names():
    """Return all pairs of owner and name, each once: ``("tg.nn", "Linear")``."""
    groups = [pair for owners in SURFACE.values() for pair in owners.items()]
    groups += [
        ("tg.Tensor", " ".join(set(FUNCTIONS.split()) - NO_METHODS)),
        *MORE.items(),
    ]
    return sorted({(owner, name) for owner, text in groups for name in text.split()})


def found(path: str) -> Any:
    """Return what a dotted name stands for; raise AttributeError if it is nothing."""
    return functools.reduce(getattr, path.split(".")[1:], tg)


def exists(owner: str, name: str) -> bool:
    """Return whether the owner has the name."""
    try:
        return hasattr(found(owner), name)
    except AttributeError:
        return False


def parameters(thing: Any) -> dict[str, inspect.Parameter]:
    """Return the parameters of a call without ``self``; none of errors and C code."""
    is_error = inspect.isclass(thing) and issubclass(thing, Exception)
    is_foreign = inspect.isbuiltin(thing) or isinstance(thing, np.dtype)
    if not callable(thing) or is_error or is_foreign:
        return {}
    found = dict(inspect.signature(thing).parameters)
    for receiver in ("self", "cls"):
        found.pop(receiver, None)
    return found
