"""Finds the networks of `keras.applications` by name."""

import inspect

import keras


def find_application(name, *others):
    """Find a network of `keras.applications`.

    Args:
        name: str, `"MobileNetV2"` for example.
        *others: what else the user could have named, for the error.

    Returns:
        The function that makes the network, and the one that preprocesses its images.

    Raises:
        ValueError: there is no network of that name.
    """
    modules = {
        network: module
        for _, module in inspect.getmembers(keras.applications, inspect.ismodule)
        for network, _ in inspect.getmembers(module, inspect.isfunction)
        if network[0].isupper()
    }
    if name not in modules:
        raise ValueError(
            f"Expected {', '.join(others)}, or a network of keras.applications: "
            f"{', '.join(modules)}. Received {name!r}."
        )
    return getattr(modules[name], name), modules[name].preprocess_input
