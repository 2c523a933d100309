"""Prints the size and the fidelity of each export: formats by weights.

    python benchmarks/export_table.py --preset glyphs

Needs the extras onnx, litert and openvino. The difference to `translate` is in grey levels, over
noise and smooth images of several sizes, by the pixel endpoint of the generator A→B.
"""

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np

SIZES = ((64, 64), (96, 72), (45, 130))


def main():
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from keras_cyclegan import CycleGAN
    from keras_cyclegan.export.formats import FORMATS

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="glyphs")
    model = CycleGAN.from_preset(parser.parse_args().preset)
    images = [make(*size, model.generator_ab.input_shape[-1]) for size in SIZES for make in KINDS]
    expected = [model.translate(image).astype(int) for image in images]

    print("| format | weights | size | mean difference | largest |")
    print("|---|---|---|---|---|")
    for format, known in FORMATS.items():
        for weights in known.weights:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "exported")
                model.export(path, format=format, weights=weights, direction="a_to_b")
                run = RUNTIMES[format](path)
                found = [
                    np.abs(np.asarray(run(image[None]))[0] - whole)
                    for image, whole in zip(images, expected, strict=True)
                ]
                mean = np.mean([difference.mean() for difference in found])
                largest = max(difference.max() for difference in found)
                row = (format, weights, f"{size(path) / 1e6:.2f} MB", f"{mean:.3f}", str(largest))
                print("| " + " | ".join(row) + " |", flush=True)


def noise(height, width, channels):
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), "uint8")


def smooth(height, width, channels):
    rows, columns = np.ogrid[:height, :width]
    waves = np.sin(rows / 7)[..., None] + np.cos(columns[..., None] / 11 + np.arange(channels))
    return (127.5 + 63 * waves).astype("uint8")


KINDS = (noise, smooth)


def size(path):
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def run_saved_model(path):
    import tensorflow as tf

    served = tf.saved_model.load(str(path))  # its variables live as long as it
    return lambda images: served.a_to_b(images)


def run_onnx(path):
    from onnxruntime import InferenceSession

    session = InferenceSession(path / "a_to_b.onnx")
    return lambda images: session.run(["output_0"], {"images": images})[0]


def run_litert(path):
    from ai_edge_litert.interpreter import Interpreter

    run = Interpreter(str(path)).get_signature_runner("a_to_b")
    return lambda images: run(images=images)["output_0"]


def run_openvino(path):
    import openvino

    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(path / "a_to_b.xml", "CPU", exact)
    return lambda images: compiled({"images": images})["output_0"]


RUNTIMES = {
    "tf_saved_model": run_saved_model,
    "onnx": run_onnx,
    "litert": run_litert,
    "openvino": run_openvino,
}

if __name__ == "__main__":
    main()
