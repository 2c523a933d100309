"""Translates many files by many processes, on one machine or on a cluster, with Ray Data."""

import logging
import math
import os
from pathlib import Path

import keras

from keras_cyclegan.arguments import to_install
from keras_cyclegan.files.atomic import remove_abandoned
from keras_cyclegan.inference.files import translate_file
from keras_cyclegan.inference.memory import share_memory

FILES_PER_TASK = 16  # a task costs Ray milliseconds, and is repeated if its worker dies
ATTEMPTS = 3  # after which a file that kills its worker is given up


def translate_files_on_ray(
    model, pairs, skip_existing=False, side_by_side=False, workers=None, **options
):
    """Translate files as `translate_files` does, with one copy of the model for each worker.

    The files are the same, byte for byte, with one exception: workers share a machine's memory, so
    that they may cut an image into tiles that one process alone would translate as a whole. Then
    pixels may differ by one level.

    It joins the Ray cluster of `RAY_ADDRESS` or of this machine, or starts one on this machine. On
    a cluster, every node must reach the images under the same path and have keras_cyclegan
    installed; the weights are sent. A worker that dies is replaced: files that it had written are
    kept, and the file that it was translating is tried again, up to three times in all.

    Args:
        model: `CycleGAN`.
        pairs: pairs of paths, see `plan_files`.
        skip_existing, side_by_side: see `translate_files`.
        workers: int. Number of workers. None, the default, takes one for each GPU of the cluster,
            or for each CPU where there is no GPU.
        **options: arguments of `CycleGAN.translate`.

    Yields:
        `(source, target, error)` for each pair, where `error` is None or text, in the order in
        which they are finished.

    Raises:
        ImportError: Ray is not installed.
    """
    ray = import_ray()
    started = not ray.is_initialized()
    if started:
        ray.init(log_to_driver=False)
    try:
        for i, error in _results(
            ray, model, pairs, workers, (skip_existing, side_by_side, options)
        ):
            yield *pairs[i], error
    finally:
        if started:
            ray.shutdown()
        remove_abandoned(*{target.parent for _, target in pairs})  # of workers that were killed


def import_ray():
    """Import Ray and Ray Data, with Ray's usage reports turned off."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise ImportError(
            f'The engine "ray" needs Ray Data: {to_install("ray")}. ({error})'
        ) from error
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    return ray


def _results(ray, model, pairs, workers, options):
    gpus = int(ray.cluster_resources().get("GPU", 0))
    cpus = int(ray.cluster_resources().get("CPU", 1))
    workers = min(workers or gpus or cpus, len(pairs))
    machines = sum(node["Alive"] for node in ray.nodes())
    tasks = max(math.ceil(len(pairs) / FILES_PER_TASK), min(len(pairs), 4 * workers))
    ledger = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(Ledger).remote()
    rows = [  # with absolute paths, because workers have other working directories
        {"index": i, "source": str(source.absolute()), "target": str(target.absolute())}
        for i, (source, target) in enumerate(pairs)
    ]
    dataset = ray.data.from_items(rows, override_num_blocks=tasks)
    dataset.context.enable_progress_bars = False
    translated = dataset.map(
        Translator,
        fn_constructor_args=(ray.put(model), ledger, options, math.ceil(workers / machines)),
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_cpus=1,
        num_gpus=1 if gpus else 0,
        runtime_env={"env_vars": {"KERAS_BACKEND": keras.backend.backend()}},
    )
    for row in translated.iter_rows():
        yield row["index"], row["error"] or None


class Translator:
    """A worker, which translates file after file with its copy of the model."""

    def __init__(self, model, ledger, options, workers_here=1):
        share_memory(workers_here)
        self.ray = import_ray()
        self.model = self.ray.get(model)
        self.ledger = ledger
        self.skip_existing, self.side_by_side, self.options = options

    def __call__(self, row):
        source, target = Path(row["source"]), Path(row["target"])
        attempt, error = self.ray.get(self.ledger.begin.remote(row["index"]))
        if error is None and attempt > ATTEMPTS:
            error = f"Its worker died {ATTEMPTS} times while it was translated."
        if error is None:
            error = translate_file(
                self.model, source, target, self.skip_existing, self.side_by_side, **self.options
            )
        error = str(error or "")
        self.ray.get(self.ledger.finish.remote(row["index"], error))
        return {"index": row["index"], "error": error}


class Ledger:
    """Records attempts and results in a process of its own, because workers may die."""

    __module__ = "__main__"  # Ray then sends the code, and that process needn't import Keras

    def __init__(self):
        self.attempts = {}
        self.outcomes = {}

    def begin(self, index):
        """Count an attempt at a file; return the number of attempts, and the result if any.

        The result is the text of the error, `""` without an error, or None for an unfinished file.
        """
        if index not in self.outcomes:
            self.attempts[index] = self.attempts.get(index, 0) + 1
        return self.attempts[index], self.outcomes.get(index)

    def finish(self, index, error):
        self.outcomes[index] = error
