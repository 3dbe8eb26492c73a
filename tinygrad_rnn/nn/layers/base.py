"""What layers are made of: settings, parameters, and functions as modules."""

from collections.abc import Iterable
from typing import Any, ClassVar

from ...convert import as_dtype
from ...creation import empty, get_default_dtype
from ...errors import DTypeError
from ...errors.tensor_checks import check_options, check_tensors
from ...tensor import Tensor
from ...types import DeviceLike, DType, Function, Setting, Shape
from .. import init
from ..construction import LayerType
from ..module import Module
from ..parameter import Parameter


class Layer(Module, metaclass=LayerType):
    """Base of the package's layers: settings are checked, kept and shown by repr."""

    _setting_names: tuple[str, ...] = ()

    def __init__(self, **settings: Setting) -> None:
        super().__init__()
        self._add_settings(**settings)

    def _add_settings(self, **settings: Setting) -> None:
        """Check settings by the rules of errors/tensor_checks.py and keep them.

        A setting is an attribute of its name. Weights of classes or elements are
        buffers, so that they move with the layer.
        """
        check_options(self._name, **settings)
        self._setting_names = (*self._setting_names, *settings)
        for name, value in settings.items():
            if name.endswith("weight"):
                self.register_buffer(name, value)
            else:
                setattr(self, name, value)

    def _new_parameter(
        self, shape: Shape, device: DeviceLike, dtype: DType, wanted: bool = True
    ) -> Any:
        """Return a parameter whose values are not set yet; None unless it is wanted."""
        dtype = get_default_dtype() if dtype is None else as_dtype(dtype, self._name)
        if dtype.kind != "f":
            raise DTypeError(
                f"{self._name}: dtype is {dtype}, expected float32 or float64"
            )
        if not wanted:
            return None
        return Parameter(empty(*shape, dtype=dtype, device=device))

    def _draw_uniform(self, parameters: Iterable[Tensor | None], fan: int) -> None:
        """Draw values uniformly within 1 / sqrt(fan) of 0."""
        bound = fan**-0.5
        for parameter in parameters:
            if parameter is not None:
                init.uniform_(parameter, -bound, bound)

    def extra_repr(self) -> str:
        shown = [name for name in self._setting_names if not name.endswith("weight")]
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)


class Functional(Layer):
    """Base of modules that call one function: ``class M(Functional, of=function)``.

    The function takes the tensors that the module is called with (an input, and the
    target of a loss), and then the module's settings by name.
    """

    _function: ClassVar[Function]

    def __init_subclass__(cls, of: Function | None = None, **kwargs: Setting) -> None:
        super().__init_subclass__(**kwargs)
        if of is not None:  # else the function of the class above
            cls._function = of

    def forward(self, *inputs: Tensor) -> Tensor:
        named = zip(("input", "target"), inputs, strict=False)
        check_tensors(self._name, **dict(named))
        settings = {name: getattr(self, name) for name in self._setting_names}
        return type(self)._function(*inputs, **settings)
