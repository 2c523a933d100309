"""Every public name says the types of what it takes; `mypy` checks what they say."""

import inspect

import pytest

import keras_cyclegan

METHODS = ("__init__", "translate", "reconstruct", "export", "from_preset", "save_to_preset")


def public_functions():
    """`(name, function)` of all public functions, and of what builds and uses public classes."""
    public = {name: getattr(keras_cyclegan, name) for name in keras_cyclegan.__all__}
    found = {
        f"{module.__name__}.{name}": getattr(module, name)
        for module in (keras_cyclegan, *filter(inspect.ismodule, public.values()))
        for name in module.__all__
    }
    for name, value in found.items():
        if inspect.isfunction(value):
            yield pytest.param(value, id=name)
        elif inspect.isclass(value):
            for method in METHODS:
                function = inspect.getattr_static(value, method, None)
                function = getattr(function, "__func__", function)
                if getattr(function, "__module__", "").startswith("keras_cyclegan"):
                    yield pytest.param(function, id=f"{name}.{method}")


@pytest.mark.parametrize("function", list(public_functions()))
def test_every_parameter_has_a_type(function):
    parameters = inspect.signature(function).parameters.values()
    untyped = [one.name for one in parameters if one.annotation is one.empty]
    untyped = [name for name in untyped if name not in ("self", "cls")]
    assert not untyped
