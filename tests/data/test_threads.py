"""Batches by NumPy and threads are those of tf.data, bit by bit."""

import numpy as np
import pytest
from data.test_batches import coded_images, companions

from keras_cyclegan.data import PixelFormat
from keras_cyclegan.data.batches import make_streams
from keras_cyclegan.data.pipeline import UnpairedDataset, validation_batches
from keras_cyclegan.data.threads import PairedBatches, UnpairedBatches

CASES = {
    "plain": {},
    "batch": {"batch_size": 4, "flip": "none"},
    "share": {"batch_size": 4, "process_share": (1, 2)},
    "turns": {"flip": "rot90", "batch_size": 2},
    "companions": {"companions": companions(), "flip": "both"},
    "sizes": {"sizes": [(12, 30), (20, 8), (9, 9)]},
    "deep": {"pixels": PixelFormat("uint16", 3, 10, 200)},
}


def both(sizes=None, companions=None, pixels=None, **options):
    images = [coded_images(n, 16, 16) for n in (10, 7)]
    if sizes:
        images = [[coded_images(3, *size)[0] for size in sizes]] * 2
    if pixels:
        images = [array.astype("uint16") for array in images]
    streams = make_streams(*images, companions, pixels, pixels)
    given = {"batch_size": 1, "flip": "horizontal", "seed": 3, "steps_per_epoch": 6, **options}
    return [kind(streams, (8, 8), **given) for kind in (UnpairedDataset, UnpairedBatches)]


def flat(batch):
    batch = batch if isinstance(batch, dict) else dict(enumerate(batch))
    return {name: np.asarray(values) for name, values in batch.items()}


def assert_same(left, right):
    left, right = [flat(batch) for batch in left], [flat(batch) for batch in right]
    assert len(left) == len(right)
    for one, other in zip(left, right, strict=True):
        assert list(one) == list(other)
        for name in one:
            assert one[name].dtype == other[name].dtype
            np.testing.assert_array_equal(one[name], other[name])


@pytest.mark.parametrize("case", CASES)
def test_batches_are_those_of_tf_data(case):
    theirs, ours = both(**CASES[case])
    for _ in range(2):
        assert_same(theirs, ours)
    theirs.seek(15)
    ours.seek(15)
    assert_same(theirs, ours)
    assert ours.position == theirs.position == 18


def test_keras_sees_whole_epochs_and_what_is_left_of_one():
    theirs, ours = both()
    ours.seek(3)
    theirs.seek(3)
    assert (len(ours), ours.num_batches) == (6, 3)
    for _ in range(2):
        ours.on_epoch_begin()
        assert_same(theirs, [ours[i] for i in range(ours.num_batches)])
        ours.on_epoch_end()
    specs, batch = flat_specs(ours.element_spec), flat(next(iter(ours)))
    assert specs == {name: (values.shape, str(values.dtype)) for name, values in batch.items()}


def flat_specs(spec):
    spec = spec if isinstance(spec, dict) else dict(enumerate(spec))
    return {name: (tuple(one.shape), one.dtype) for name, one in spec.items()}


def test_validation_is_that_of_tf_data():
    images = coded_images(5, 8, 8)
    streams = make_streams(images, images, {"mask_a": images[..., :1], "label_b": np.arange(5)})
    ours = PairedBatches(streams, 5, 2)
    assert len(ours) == 3
    assert_same(validation_batches(streams, 5, 2), ours)
