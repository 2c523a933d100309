"""How many examples a property is tried on: few, always the same, or with `many` more, drawn anew.

`HYPOTHESIS_PROFILE=many pytest tests/properties` tries 300 of each.
"""

import os

import pytest

hypothesis = pytest.importorskip("hypothesis", reason="pip install hypothesis")
HealthCheck, settings = hypothesis.HealthCheck, hypothesis.settings

CHECKS = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
for name, options in {
    "few": {"derandomize": True, "max_examples": 10, "database": None},
    "many": {"max_examples": 300, "print_blob": True},
}.items():
    settings.register_profile(name, deadline=None, suppress_health_check=CHECKS, **options)
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "few")
settings.load_profile(PROFILE)


def examples(few, many=300):
    """The decorator of a property that costs more, or less, than others."""
    return settings(max_examples=many if PROFILE == "many" else few)
