"""scikit-learn without scipy.stats, which it imports at once and hardly uses: a third of its import, and 17 MB."""

import sys
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

_NAME = "scipy.stats"


class _Deferred:
    """Something in scipy.stats, looked up when it is first called or asked for a part of it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return getattr(_imported(), self._name)(*arguments, **options)

    def __getattr__(self, part: str) -> Any:
        return getattr(getattr(_imported(), self._name), part)


class _Stand(ModuleType):
    """What stands in for scipy.stats while others import it."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Deferred(name)


def _imported() -> ModuleType:
    _remove_stand()
    return import_module(_NAME)


def _remove_stand() -> None:
    if isinstance(sys.modules.get(_NAME), _Stand):
        del sys.modules[_NAME]


@cache
def import_estimators() -> None:
    """Import scikit-learn's ensembles, so that what they take from scipy.stats is imported when it is first used.

    Afterwards scipy.stats is imported as ever by whoever asks for it.
    """
    if _NAME not in sys.modules and "sklearn" not in sys.modules:
        sys.modules[_NAME] = _Stand(_NAME)
    try:
        import_module("sklearn.ensemble")
    finally:
        _remove_stand()
