"""All properties on many examples, drawn anew each time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_every_property_holds_on_many_examples():
    command = [sys.executable, "-m", "pytest", "-n", "0", "-q", str(Path(__file__).parent)]
    ran = subprocess.run(
        command,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "HYPOTHESIS_PROFILE": "many"},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout[-5000:]
