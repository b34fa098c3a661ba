"""scikit-learn's ensembles without what they import at once and hardly use: half of the memory of their import."""

import sys
from importlib import import_module
from importlib.util import find_spec
from threading import Lock
from types import ModuleType
from typing import Any

_NAMES = (  # a module in one of them, as _scorer, would be imported otherwise; each after what it is a part of
    "numpy.f2py",
    "numpy.testing",
    "scipy.stats",
    "scipy.interpolate",
    "sklearn.metrics",
    "sklearn.metrics._scorer",
    "sklearn.neighbors",
    "sklearn.linear_model",
    "sklearn.model_selection",
)
_LOCK = Lock()


class _Deferred:
    """Something in a module, looked up when it is first used."""

    def __init__(self, module: str, name: str) -> None:
        self._module, self._name = module, name

    def _find(self) -> Any:
        _remove_stands()
        return getattr(import_module(self._module), self._name)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self._find()(*arguments, **options)

    def __contains__(self, item: object) -> bool:
        return item in self._find()

    def __getattr__(self, part: str) -> Any:
        _refuse_special(part)
        return getattr(self._find(), part)


class _Stand(ModuleType):
    """What stands in for a module while others import it; its parts can be imported without it."""

    def __getattr__(self, name: str) -> Any:
        _refuse_special(name)
        return _Deferred(self.__name__, name)


def _refuse_special(name: str) -> None:
    """Let Python, which asks for names such as __path__ and __bases__, go without them."""
    if name.startswith("__"):
        raise AttributeError(name)


def _stand_in(name: str) -> None:
    spec, stand = find_spec(name), _Stand(name)
    stand.__path__ = spec.submodule_search_locations or [] if spec else []
    sys.modules[name] = stand
    setattr(*_place(name), stand)


def _remove_stands() -> None:
    for name in reversed(_NAMES):
        if isinstance(stand := sys.modules.get(name), _Stand):
            del sys.modules[name]
            whole, part = _place(name)
            if vars(whole).get(part) is stand:
                delattr(whole, part)


def _place(name: str) -> tuple[ModuleType, str]:
    """Return what a module is a part of, and its name there."""
    whole, _, part = name.rpartition(".")
    return sys.modules[whole], part


def import_estimators() -> None:
    """Import scikit-learn's ensembles, so that what they take from the modules above is imported when it is first used.

    Afterwards these modules are imported as ever by whoever asks for them.
    """
    with _LOCK:
        try:
            if "sklearn" not in sys.modules:
                for name in _NAMES:
                    if name not in sys.modules:
                        _stand_in(name)
            import_module("sklearn.ensemble")
        finally:
            _remove_stands()
