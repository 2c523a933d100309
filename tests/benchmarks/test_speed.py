"""The command that runs all benchmarks of speed; each of them is started, none is waited for."""

import pathlib
import subprocess
import sys

import pytest

BENCHMARKS = pathlib.Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def speed(script):
    return script("speed")


def test_a_table_is_printed_and_kept_also_of_one_that_fails(speed, tmp_path, capfd, monkeypatch):
    script = tmp_path / "half.py"
    script.write_text("print('| half |', flush=True)\nraise SystemExit(3)\n")
    monkeypatch.setattr(speed, "COMMANDS", {"half": [str(script)]})
    monkeypatch.setattr(sys, "argv", ["speed.py", str(tmp_path / "tables")])
    assert speed.main() == "Not measured to the end: half."
    assert (tmp_path / "tables" / "half.md").read_text().endswith("half.py`\n\n| half |\n")
    assert "| half |" in capfd.readouterr().out


def test_each_command_has_the_options_that_it_is_given(speed):
    for name, (script, *options) in speed.COMMANDS.items():
        text = (BENCHMARKS / script).read_text()
        for option in options + speed.WHOLE[name]:
            if option.startswith("--"):
                assert f'"{option}"' in text, (script, option)
    assert subprocess.run([sys.executable, BENCHMARKS / "speed.py"], capture_output=True).returncode


@pytest.mark.parametrize(
    ("line", "kind", "milliseconds", "flops"),
    [
        (
            "convolution,jit_bf16:avx512_core_bf16,backward_weights,src:bf16:a:blocked:aBcd16b::f0 "
            "wei:bf16:ap:blocked:ABcd16b16a::f0,attr-scratchpad:user,alg:convolution_direct,"
            "mb2_ic32oc3_ih70oh64kh7sh1dh0ph0_iw38ow32kw7sw1dw0pw0,0.944824",
            "their gradients to weights",
            0.944824,
            2 * 2 * 32 * 3 * (64 * 32) * 7 * 7,
        ),
        (
            "deconvolution,conv:any+jit,backward_data,src:bf16:a:blocked:aBcd16b::f0,,"
            "alg:deconvolution_direct,mb1_ic64oc32_ih32oh64kh3sh2dh0ph1_iw16ow32kw3sw2dw0pw1,0.25",
            "their gradients to images",
            0.25,
            2 * 64 * 32 * (32 * 16) * 3 * 3,
        ),
        ("reorder,jit:uni,undef,src:bf16::blocked:abcd::f0,,,32x3x7x7,0.5", "reordering", 0.5, 0),
    ],
)
def test_a_profile_reads_what_onednn_says(script, line, kind, milliseconds, flops):
    line = f"onednn_verbose,v1,primitive,exec,cpu,{line}\n"
    assert script("step_profile").read(line) == (kind, milliseconds, flops)
