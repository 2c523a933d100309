"""Many files, or blocks of a slide, by many processes on one machine or on a cluster, with Ray."""

import os
from collections import deque

import keras

from keras_cyclegan.arguments import needs
from keras_cyclegan.files.atomic import remove_abandoned
from keras_cyclegan.inference.files import translate_file

ATTEMPTS = 3  # after which a task that kills its worker is given up
_made: dict[type, type] = {}  # what this process runs tasks with, if it is a worker


def translate_files_on_ray(model, pairs, workers=None, **options):
    """Translate files as `translate_files` does, with one copy of the model for each worker.

    They run on the Ray cluster of `RAY_ADDRESS`, of this machine, or on one that is started here;
    every node reaches the images under the same path. None is one for each GPU, or for each CPU.
    """
    # With absolute paths, because workers have other working directories.
    tasks = [(source.absolute(), target.absolute()) for source, target in pairs]
    if options.get("masks"):
        options["masks"] = options["masks"].absolute()
    try:
        for i, error in run_on_ray(Translator, (model, options), tasks, workers):
            yield *pairs[i], error
    finally:
        remove_abandoned(*{target.parent for _, target in pairs})  # of workers that were killed


class Translator:
    """Translates file after file with its copy of the model."""

    def __init__(self, model, options):
        self.model, self.options = model, options

    def run(self, pair):
        """Translate a file; return None or what was wrong."""
        error = translate_file(self.model, *pair, **self.options)
        return error and (str(error) or type(error).__name__)


def import_ray():
    """Import Ray, with its usage reports turned off."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    return needs("ray", 'The engine "ray"', "ray")


def run_on_ray(worker, arguments, tasks, workers=None):
    """Run `worker(*arguments).run(task)` for each task, by as many workers.

    Yields:
        `(i, error)` for each task as it is finished: what `run` returned, or why it was given up.
    """
    ray = import_ray()
    started = not ray.is_initialized()
    if started:
        ray.init(log_to_driver=False)
    try:
        gpus, cpus = (int(ray.cluster_resources().get(kind, 0)) for kind in ("GPU", "CPU"))
        count = min(workers or gpus or cpus or 1, len(tasks))
        run = ray.remote(
            num_cpus=1,
            num_gpus=1 if gpus else 0,
            max_retries=0,  # `_results` tries again, however the worker died
            runtime_env={"env_vars": {"KERAS_BACKEND": keras.backend.backend()}},
        )(run_task)
        given = [ray.put((worker, arguments))]
        yield from _results(ray, lambda i: run.remote(given, tasks[i]), len(tasks), count)
    finally:
        if started:
            ray.shutdown()


def run_task(references, task):
    """Run one task in a worker's process, which keeps its copy of the model."""
    if references[0] not in _made:
        worker, arguments = import_ray().get(references[0])
        _made[references[0]] = worker(*arguments)
    return _made[references[0]].run(task)


def _results(ray, start, number, count):
    waiting, busy = deque((i, 1) for i in range(number)), {}
    while waiting or busy:
        while waiting and len(busy) < count:
            i, attempt = waiting.popleft()
            busy[start(i)] = i, attempt
        (done,), _ = ray.wait(list(busy), num_returns=1)
        i, attempt = busy.pop(done)
        try:
            yield i, ray.get(done)
        except ray.exceptions.RayTaskError:
            raise
        except ray.exceptions.RayError as died:
            if attempt < ATTEMPTS:
                waiting.append((i, attempt + 1))
            else:
                yield i, f"Its worker died {ATTEMPTS} times while it was at work. ({died})"
