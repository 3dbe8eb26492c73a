"""What layers are made of: settings, parameters, and functions as modules."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from ...convert import as_dtype
from ...creation import empty, get_default_dtype
from ...errors import DTypeError
from ...errors.tensor_checks import check_options, check_tensors
from .. import init
from ..construction import LayerType
from ..module import Module
from ..parameter import Parameter


class Layer(Module, metaclass=LayerType):
    """What layers share: settings, which are checked and then attributes."""

    def __init__(self, **settings: Any) -> None:
        super().__init__()
        self._keep(**settings)

    def _keep(self, **settings: Any) -> None:
        check_options(self._name, **settings)
        self._kept = (*self.__dict__.get("_kept", ()), *settings)
        for name, value in settings.items():
            keep = self.register_buffer if name.endswith("weight") else self.__setattr__
            keep(name, value)

    def _parameter(
        self, shape: Sequence[int], device: Any, dtype: Any, is_wanted: bool = True
    ) -> Any:
        """A parameter whose values are still to be drawn; None where it is not wanted."""
        found = get_default_dtype() if dtype is None else as_dtype(dtype, self._name)
        if found.kind != "f":
            raise DTypeError(
                f"{self._name}: dtype is {found}, expected float32 or float64"
            )
        return (
            Parameter(empty(*shape, dtype=found, device=device)) if is_wanted else None
        )

    def _draw_uniform(self, names: Sequence[str], fan: int) -> None:
        for name in names:
            if (parameter := getattr(self, name)) is not None:
                init.uniform_(parameter, -(fan**-0.5), fan**-0.5)

    def extra_repr(self) -> str:
        shown = [name for name in self._kept if not name.endswith("weight")]
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)


class Functional(Layer):
    """A function as a module: ``class M(Functional, of=f)``; its settings are what f is
    called with.

    The tensors come first: the input, and the target of a loss.
    """

    function: ClassVar[Callable[..., Any]]

    def __init_subclass__(
        cls, of: Callable[..., Any] | None = None, **kwargs: Any
    ) -> None:
        super().__init_subclass__(**kwargs)
        if of is not None:  # else it is that of the class above
            cls.function = of

    def forward(self, *inputs: Any) -> Any:
        check_tensors(
            self._name, **dict(zip(("input", "target"), inputs, strict=False))
        )
        return type(self).function(
            *inputs, **{name: getattr(self, name) for name in self._kept}
        )
