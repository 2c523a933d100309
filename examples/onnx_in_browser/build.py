"""Gather a page that translates in the browser: no server computes, nothing leaves the machine.

    pip install "keras-cyclegan[onnx]"     # and npm, for onnxruntime-web
    python build.py --preset glyphs site
    python -m http.server --directory site # then open http://localhost:8000

What lies in `site` afterwards is the whole of it: the page, ONNX Runtime's WebAssembly and one ONNX
file a direction. Any static web server will do, offline too. The camera is for pages from localhost
or over https, which is a browser's rule.
"""

import json
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

import typer

import keras_cyclegan as kcg

HERE = Path(__file__).parent
PAGE = ("index.html", "style.css", "page.js", "worker.js")
RUNTIME = "onnxruntime-web@1.30.0"
RUNTIME_FILES = (  # the smallest of its builds; it brings others for GPUs
    "ort.wasm.min.mjs",
    "ort-wasm-simd-threaded.mjs",
    "ort-wasm-simd-threaded.wasm",
)


def main(out: Path, preset: str = "horse2zebra", weights: str = "float32"):
    kcg.import_keras_quietly()
    model = kcg.CycleGAN.from_preset(preset)
    out.mkdir(parents=True, exist_ok=True)
    for name in PAGE:
        shutil.copy(HERE / name, out / name)
    gather_runtime(out / "runtime")
    models = {}
    for direction, generator in zip(("a_to_b", "b_to_a"), model.generators(), strict=True):
        if generator is not None:
            models[direction] = f"{direction}.onnx"
            path, options = out / models[direction], {"weights": weights, "overwrite": True}
            model.export(path, format="onnx", direction=direction, **options)
    facts = {"name": Path(preset).name, "models": models}
    (out / "models.json").write_text(json.dumps(facts, indent=2))
    megabytes = sum(file.stat().st_size for file in out.rglob("*") if file.is_file()) / 1e6
    print(f"{out}: {megabytes:.0f} MB. Try it: python -m http.server --directory {out}")


def gather_runtime(folder):
    """Take the files of ONNX Runtime that the page loads out of npm's package."""
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit(f"{RUNTIME} comes by npm, which is not installed: see https://nodejs.org")
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        subprocess.run(
            [npm, "pack", "--silent", RUNTIME], cwd=place, check=True, stdout=subprocess.DEVNULL
        )
        [archive] = Path(place).glob("*.tgz")
        with tarfile.open(archive) as package:
            for name in RUNTIME_FILES:
                content = package.extractfile(f"package/dist/{name}").read()
                (folder / name).write_bytes(content)


if __name__ == "__main__":
    typer.run(main)
