# SPDX-License-Identifier: Apache-2.0
"""Makes Keras models fit a microcontroller while they train, and writes the C that runs them.

The public names are resolved when they are first used, so that `import shrinkfit` imports no TensorFlow.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from shrinkfit.audio.listen import check_sound, listen
    from shrinkfit.audio.listener import Listener
    from shrinkfit.audio.verifier import Verifier
    from shrinkfit.check.compare import check
    from shrinkfit.check.loaded import load
    from shrinkfit.check.profile import profile
    from shrinkfit.device import Budget, Device, devices, get_device
    from shrinkfit.errors import ShrinkfitError
    from shrinkfit.fit.callback import FitDevice
    from shrinkfit.graph.simulate import run as simulate
    from shrinkfit.price.cost import price
    from shrinkfit.price.parts import price_all
    from shrinkfit.read.keras_model import read_keras
    from shrinkfit.read.tflite import read_tflite
    from shrinkfit.report.fitted import plot_fit, summary
    from shrinkfit.write.export import export

_HOMES = {
    "Budget": ("shrinkfit.device", "Budget"),
    "Device": ("shrinkfit.device", "Device"),
    "FitDevice": ("shrinkfit.fit.callback", "FitDevice"),
    "Listener": ("shrinkfit.audio.listener", "Listener"),
    "ShrinkfitError": ("shrinkfit.errors", "ShrinkfitError"),
    "Verifier": ("shrinkfit.audio.verifier", "Verifier"),
    "check": ("shrinkfit.check.compare", "check"),
    "check_sound": ("shrinkfit.audio.listen", "check_sound"),
    "devices": ("shrinkfit.device", "devices"),
    "export": ("shrinkfit.write.export", "export"),
    "get_device": ("shrinkfit.device", "get_device"),
    "listen": ("shrinkfit.audio.listen", "listen"),
    "load": ("shrinkfit.check.loaded", "load"),
    "plot_fit": ("shrinkfit.report.fitted", "plot_fit"),
    "price": ("shrinkfit.price.cost", "price"),
    "price_all": ("shrinkfit.price.parts", "price_all"),
    "profile": ("shrinkfit.check.profile", "profile"),
    "read_keras": ("shrinkfit.read.keras_model", "read_keras"),
    "read_tflite": ("shrinkfit.read.tflite", "read_tflite"),
    "simulate": ("shrinkfit.graph.simulate", "run"),
    "summary": ("shrinkfit.report.fitted", "summary"),
}
_VERB_ROOMS = ("check", "price")

__all__ = [
    "Budget",
    "Device",
    "FitDevice",
    "Listener",
    "ShrinkfitError",
    "Verifier",
    "__version__",
    "check",
    "check_sound",
    "devices",
    "export",
    "get_device",
    "listen",
    "load",
    "plot_fit",
    "price",
    "price_all",
    "profile",
    "read_keras",
    "read_tflite",
    "simulate",
    "summary",
]


def _public(name: str) -> Any:
    module, attribute = _HOMES[name]
    return getattr(import_module(module), attribute)


class _VerbRoom(ModuleType):
    """A room that is called like the function it is named after: price(...) is price.cost.price(...)."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return _public(self.__name__.rpartition(".")[2])(*args, **kwargs)


class _Package(ModuleType):
    """Importing shrinkfit.price.arena makes Python file the room as shrinkfit.price, over the function of
    that name. The one place where this is put right: such a room becomes callable as it is filed."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _VERB_ROOMS and type(value) is ModuleType:
            value.__class__ = _VerbRoom
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


# Type checkers see the imports above, and that there is nothing else.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name in _VERB_ROOMS:
            return import_module(f"shrinkfit.{name}")
        if name in _HOMES:
            value = globals()[name] = _public(name)
            return value
        did_you_mean = import_module("shrinkfit.errors").did_you_mean
        raise AttributeError(f"module 'shrinkfit' has no attribute {name!r}{did_you_mean(name, __all__)}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
