"""Translations of many files by many processes, on one machine or on a cluster, with Ray Data."""

import logging
import math
import os
from pathlib import Path

import keras

from keras_cyclegan.arguments import to_install
from keras_cyclegan.files.atomic import remove_unfinished
from keras_cyclegan.inference.files import translate_file
from keras_cyclegan.inference.memory import share_memory

FILES_PER_TASK = 16  # a task costs Ray milliseconds, and is what a worker that died does again
ATTEMPTS = 3  # a file that kills its worker is given up then


def translate_files_on_ray(
    model, pairs, skip_existing=False, side_by_side=False, workers=None, **options
):
    """`translate_files` with one model a worker; the files are the same, byte for byte.

    Only where workers that share a machine's memory cut tiles, and a process that has it alone
    doesn't, may pixels differ by one level.

    It joins the Ray cluster of `RAY_ADDRESS` or of this machine, or starts one on this machine.
    On a cluster the images must lie where every node finds them under the same path, and
    keras_cyclegan must be installed on each; the weights are sent. A worker that dies is
    replaced: what it had written is kept, what it had begun is done again, up to three times.

    Args:
        model: `CycleGAN`.
        pairs: of `plan_files`.
        skip_existing, side_by_side: see `translate_files`.
        workers: int. None takes one for each GPU of the cluster; where there is none, one for
            each CPU.
        **options: of `CycleGAN.translate`.

    Yields:
        `(source, target, error)` for each pair, `error` None, or what went wrong; in the order in
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
        remove_unfinished(target for _, target in pairs)  # of workers that were killed


def import_ray():
    """Ray with its Data library, told before its import to report nothing to its makers."""
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
    rows = [  # absolute, for the workers have other working directories
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
    """One worker: a model, which takes file after file."""

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
    """What was begun and what is finished, kept by a process of its own: workers may die."""

    __module__ = "__main__"  # Ray then sends the code, and that process needn't import Keras

    def __init__(self):
        self.attempts = {}
        self.outcomes = {}

    def begin(self, index):
        """The number of attempts at a file, this one included, and how it ended if it did.

        The outcome is what went wrong, `""` for nothing, and None if the file isn't finished.
        """
        if index not in self.outcomes:
            self.attempts[index] = self.attempts.get(index, 0) + 1
        return self.attempts[index], self.outcomes.get(index)

    def finish(self, index, error):
        self.outcomes[index] = error
