"""Prints how long a translation takes by runtime, and frames a second of the shipped presets.

    python benchmarks/inference.py                                  # the paper's network at 256²
    python benchmarks/inference.py --sizes 1024 --batches 1 8 --widths 32
    python benchmarks/inference.py --presets horse2zebra glyphs --sizes 128 256 512

Each runtime is a process of its own, fed uint8 images and asked for uint8 images, one after the
other, and a time is the median. `bare network` is the generator's own TensorFlow graph, without
rounding, padding and tiles. Memory is the process's peak beyond what its imports take. The PyTorch
network is that of `torch_step.py`, in inference mode.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import machine

RUNTIMES = {
    "bare network": {"kind": "bare"},
    "`translate`": {"kind": "translate"},
    "`translate`, bfloat16": {"kind": "translate", "dtype": "mixed_bfloat16"},
    "SavedModel": {"kind": "tf_saved_model"},
    "ONNX Runtime": {"kind": "onnx"},
    "LiteRT": {"kind": "litert"},
    "OpenVINO, float32": {"kind": "openvino", "precision": "f32"},
    "OpenVINO, its own choice": {"kind": "openvino"},
    "PyTorch eager": {"kind": "pytorch"},
    "PyTorch eager, channels last": {"kind": "pytorch", "channels_last": True},
    "PyTorch compiled": {"kind": "pytorch", "compiled": True},
    "PyTorch eager, bfloat16": {"kind": "pytorch", "channels_last": True, "bfloat16": True},
}
DEFAULT = [name for name in RUNTIMES if "compiled" not in name]
HEADER = (
    "network | image | batch | runtime | ms a batch | processor ms | images a second | peak memory "
    "| first"
)


def main():
    options = parse()
    print(f"{machine.describe()}.\n\n| {HEADER} |\n|{'---|' * (HEADER.count('|') + 1)}", flush=True)
    sources = [{"preset": name} for name in options.presets]
    if not options.presets:
        sources = [{"width": w, "blocks": options.blocks} for w in options.widths]
    for source in sources:
        with tempfile.TemporaryDirectory() as folder:
            names = [name for name in options.runtimes if export_for(name, source, folder)]
            for size in options.sizes:
                for batch in options.batches:
                    compare(
                        names,
                        {**source, "folder": folder, "size": size, "batch": batch},
                        options.seconds,
                    )


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[256])
    parser.add_argument("--batches", type=int, nargs="+", default=[1])
    parser.add_argument("--widths", type=int, nargs="+", default=[64])
    parser.add_argument("--blocks", type=int, default=9)
    parser.add_argument("--presets", nargs="+", default=[], help="In place of a new network.")
    parser.add_argument("--runtimes", nargs="+", choices=RUNTIMES, default=DEFAULT)
    parser.add_argument("--seconds", type=float, default=4.0, help="For each runtime.")
    return parser.parse_args()


def export_for(name, source, folder):
    """Write what a runtime loads; whether it can run here at all."""
    kind = RUNTIMES[name]["kind"]
    if kind == "pytorch":
        return "preset" not in source  # its networks are not those of a preset
    if kind in ("bare", "translate") or target(folder, kind).exists():
        return True
    worker = machine.Worker(__file__, {**source, "kind": "export", "format": kind, "to": folder})
    worker.close()
    if worker.facts is None or not target(folder, kind).exists():
        print(f"{name}: not installed, or it can't be exported for", file=sys.stderr)
        return False
    return True


def target(folder, kind):
    return Path(folder, "litert.tflite" if kind == "litert" else kind)


def compare(names, given, at_least):
    """One size and batch, runtime after runtime."""
    network = given.get("preset") or f"width {given['width']}, {given['blocks']} blocks"
    for name in names:
        worker = machine.Worker(__file__, {**given, **RUNTIMES[name]})
        cells = [network, f"{given['size']}²", str(given["batch"]), name]
        if worker.facts is None:
            print(f"| {' | '.join(cells)} | doesn't run ||||||", flush=True)
            continue
        seconds, end = [], time.perf_counter() + at_least
        while len(seconds) < 5 or time.perf_counter() < end:
            seconds.append(worker.ask())
        median, used = (statistics.median(one) for one in zip(*seconds, strict=True))
        cells += [
            f"{median * 1000:.0f}",
            f"{used * 1000:.0f}",
            f"{given['batch'] / median:.1f}",
            f"{worker.ask('memory') / 2**20:.0f} MiB",
            f"{worker.facts['first_step']:.1f} s",
        ]
        print(f"| {' | '.join(cells)} |", flush=True)
        worker.close()


# --- in a process of its own --------------------------------------------------------------------


def work(given):
    import numpy as np

    kind = given["kind"]
    if kind == "export":
        return export(given)
    shape = (given["batch"], given["size"], given["size"], 3)
    images = np.random.default_rng(0).integers(0, 256, shape, "uint8")
    run, base = LOADERS[kind](given)
    machine.serve(lambda: run(images), {"base": base})


def make_model(given):
    from keras_cyclegan import CycleGAN, networks

    dtype = given.get("dtype", "float32")
    if "preset" in given:
        return CycleGAN.from_preset(given["preset"], dtype=dtype)
    generator = networks.ResNetGenerator(
        (256, 256, 3), filters=given["width"], num_blocks=given["blocks"], dtype=dtype
    )
    return CycleGAN(generator, None, None, None)


def export(given):
    path = target(given["to"], given["format"])
    make_model(given).export(path, format=given["format"], direction="a_to_b")
    machine.serve(lambda: None, {"base": 0})


def load_bare(given):
    import tensorflow as tf

    base = machine.memory_now()
    generator = make_model(given).generator_ab
    graph = tf.function(lambda x: generator(x, training=False))
    return lambda images: graph(images.astype("float32") / 127.5 - 1.0).numpy(), base


def load_translate(given):
    import tensorflow  # noqa: F401

    base = machine.memory_now()
    model = make_model(given)
    return lambda images: model.translate(images), base


def load_saved_model(given):
    import tensorflow as tf

    base = machine.memory_now()
    served = tf.saved_model.load(str(target(given["folder"], given["kind"])))
    return lambda images: served.a_to_b(images).numpy(), base


def load_onnx(given):
    import onnxruntime

    base = machine.memory_now()
    path = target(given["folder"], given["kind"]) / "a_to_b.onnx"
    session = onnxruntime.InferenceSession(path)
    return lambda images: session.run(None, {"images": images})[0], base


def load_litert(given):
    from ai_edge_litert.interpreter import Interpreter

    base = machine.memory_now()
    path = str(target(given["folder"], given["kind"]))
    runner = Interpreter(path, num_threads=os.cpu_count()).get_signature_runner("a_to_b")
    return lambda images: runner(images=images)["output_0"], base


def load_openvino(given):
    import openvino

    base = machine.memory_now()
    path = target(given["folder"], given["kind"]) / "a_to_b.xml"
    hints = {"INFERENCE_PRECISION_HINT": given["precision"]} if "precision" in given else {}
    compiled = openvino.Core().compile_model(path, "CPU", hints)
    return lambda images: compiled(images)[0], base


def load_pytorch(given):
    import torch
    from torch_step import generator

    base = machine.memory_now()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    layout = torch.channels_last if given.get("channels_last") else torch.contiguous_format
    network = generator(given["width"], given["blocks"], "transposed").eval()
    network = network.to(device, memory_format=layout)
    if given.get("compiled"):
        network = torch.compile(network)

    @torch.inference_mode()
    def run(images):
        x = torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1.0
        with torch.autocast(device, torch.bfloat16, enabled=given.get("bfloat16", False)):
            x = network(x.contiguous(memory_format=layout))
        pixels = ((x.float() + 1.0) * 127.5).round().clamp(0, 255).to(torch.uint8)
        return pixels.permute(0, 2, 3, 1).cpu().numpy()

    return run, base


LOADERS = {
    "bare": load_bare,
    "translate": load_translate,
    "tf_saved_model": load_saved_model,
    "onnx": load_onnx,
    "litert": load_litert,
    "openvino": load_openvino,
    "pytorch": load_pytorch,
}

if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        work(json.loads(sys.argv[2]))
    else:
        main()
