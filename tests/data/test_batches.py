import keras
import numpy as np
import pytest

from keras_cyclegan.data import from_unit, paired_dataset, unpaired_dataset


def coded_images(count, height, width):
    """The pixel of image i at (y, x) is (i, y, x): a batch tells where it comes from."""
    images = np.stack(np.broadcast_arrays(*np.ogrid[:count, :height, :width]), axis=-1)
    return images.astype("uint8")


def batches(dataset):
    return [(from_unit(a.numpy()), from_unit(b.numpy())) for a, b in dataset]


def origins(dataset, domain=0):
    """(image, y, x, whether it is flipped) of each image of a pass."""
    found = []
    for batch in batches(dataset):
        for image in batch[domain]:
            flipped = image[0, 0, 2] > image[0, -1, 2]
            found.append((*image[0, -1 if flipped else 0].tolist(), bool(flipped)))
    return found


def make(n_a=10, n_b=7, size=16, crop=8, **options):
    options = {"image_size": crop, "seed": 1, **options}
    return unpaired_dataset(coded_images(n_a, size, size), coded_images(n_b, size, size), **options)


def assert_same(left, right):
    assert len(left) == len(right)
    for (a, b), (c, d) in zip(left, right, strict=True):
        np.testing.assert_array_equal(a, c)
        np.testing.assert_array_equal(b, d)


@pytest.mark.parametrize("batch_size", [1, 2])
def test_seeking_is_as_if_never_stopped(batch_size):
    whole = make(batch_size=batch_size, steps_per_epoch=5)
    expected = batches(whole) + batches(whole) + batches(whole)
    resumed = make(batch_size=batch_size, steps_per_epoch=5)
    for step in (0, 1, 4, 12, 5):
        resumed.seek(step)
        found = batches(resumed)
        assert len(found) == 5 - step % 5
        while len(found) < len(expected) - step:
            found += batches(resumed)
        assert_same(found, expected[step:])


@pytest.mark.parametrize(
    ("height", "width", "crop"), [(18, 18, 16), (40, 64, 8), (16, 200, 16), (9, 250, 8)]
)
def test_crops_are_exact_windows(height, width, crop):
    images = coded_images(3, height, width)
    dataset = unpaired_dataset(images, images, crop, seed=0, steps_per_epoch=150)
    seen = set()
    for batch, _ in batches(dataset):
        image = batch[0]
        if image[0, 0, 2] > image[0, -1, 2]:
            image = image[:, ::-1]
        index, y, x = image[0, 0]
        np.testing.assert_array_equal(image, images[index, y : y + crop, x : x + crop])
        seen |= {("y", y), ("x", x)}
    ends = {("y", 0), ("y", height - crop)}
    assert ends <= seen  # windows reach the borders


@pytest.mark.parametrize("size", [128, 256])
def test_crops_are_exact_at_real_sizes(size):
    load_size = round(size * 286 / 256)
    y, x = np.ogrid[:load_size, :load_size]
    image = np.stack([y % 256 + 0 * x, x % 256 + 0 * y, y // 256 + 2 * (x // 256)], -1)
    images = image.astype("uint8")[None]
    dataset = unpaired_dataset(images, images, size, flip=False, seed=0, steps_per_epoch=20)
    for batch, _ in batches(dataset):
        corner = batch[0, 0, 0].astype(int)
        y, x = corner[0] + 256 * (corner[2] % 2), corner[1] + 256 * (corner[2] // 2)
        np.testing.assert_array_equal(batch[0], images[0, y : y + size, x : x + size])


def test_each_image_of_a_comes_once_a_pass_in_a_new_order():
    train = make(n_a=10, n_b=4)
    orders = [[image for image, *_ in origins(train)] for _ in range(3)]
    assert all(sorted(order) == list(range(10)) for order in orders)
    assert len({tuple(order) for order in orders}) == 3


@pytest.mark.parametrize("count", [1, 2, 3, 17])
def test_passes_are_whole_when_an_epoch_is_longer(count):
    train = make(n_a=count, n_b=20, steps_per_epoch=3 * count)
    images = [image for image, *_ in origins(train)]
    for start in range(0, 3 * count, count):
        assert sorted(images[start : start + count]) == list(range(count))


def test_b_is_drawn_independently_with_replacement():
    train = make(n_a=200, n_b=200, size=8)
    b = [image for image, *_ in origins(train, domain=1)]
    a = [image for image, *_ in origins(train)]
    assert 100 < len(set(b)) < 155  # 126 expected of 200 draws; 200 in a shuffled walk
    assert np.mean(np.array(a) == np.array(b)) < 0.05


def test_crops_and_flips_are_fresh_each_epoch_and_each_image():
    train = make(n_a=1, n_b=1, size=64, batch_size=4, steps_per_epoch=8)
    first, second = (origins(train) for _ in range(2))
    windows = {(y, x) for _, y, x, _ in first + second}
    assert len(windows) > 55  # of 64 draws
    flips = [flipped for *_, flipped in first + second]
    assert 16 < sum(flips) < 48
    assert first != second


def test_both_domains_are_cut_at_places_of_their_own():
    train = make(n_a=1, n_b=1, size=64, steps_per_epoch=30)
    same = [a[1:] == b[1:] for a, b in zip(origins(train), origins(train, 1), strict=True)]
    assert sum(same) < 3
    train.seek(0)
    pairs = [(a[0, 0, 0].tolist(), b[0, 0, 0].tolist()) for a, b in batches(train)]
    assert sum(a == b for a, b in pairs) < 3


def test_images_do_not_depend_on_the_batch_size():
    one, four = make(steps_per_epoch=8), make(steps_per_epoch=2, batch_size=4)
    assert origins(one) == origins(four)


def test_flip_can_be_turned_off():
    assert not any(flipped for *_, flipped in origins(make(flip=False, steps_per_epoch=20)))


@pytest.mark.parametrize(
    ("flip", "expected"),
    [("horizontal", 2), ("vertical", 2), ("both", 4), ("rot90", 8), ("none", 1)],
)
def test_ways_to_flip_give_all_their_turns_and_no_other(flip, expected):
    image = coded_images(1, 8, 8)[0]
    sides = {
        name: [turn(image).tobytes() for turn in turns]
        for name, turns in {
            "none": [lambda x: x],
            "horizontal": [lambda x: x, lambda x: x[:, ::-1]],
            "vertical": [lambda x: x, lambda x: x[::-1]],
            "both": [lambda x: x, lambda x: x[::-1], lambda x: x[:, ::-1], lambda x: x[::-1, ::-1]],
            "rot90": [
                lambda x, k=k, m=m: np.rot90(x[:, ::-1] if m else x, k)
                for k in range(4)
                for m in (False, True)
            ],
        }.items()
    }
    train = unpaired_dataset(image[None], image[None], flip=flip, seed=0, steps_per_epoch=80)
    found = {a[0].tobytes() for a, _ in batches(train)}
    assert found == set(sides[flip])
    assert len(found) == expected


def test_quarter_turns_need_squares():
    with pytest.raises(ValueError, match="Quarter turns need squares"):
        make(crop=(8, 12), flip="rot90")


def test_images_of_many_sizes_are_cut_anywhere():
    sizes = [(12, 30), (20, 8), (9, 9)]
    images = [coded_images(3, *size)[i] for i, size in enumerate(sizes)]
    train = unpaired_dataset(images, images, 8, seed=0, steps_per_epoch=300, flip=False)
    places = {}
    for index, y, x, _ in origins(train):
        places.setdefault(index, []).append((y, x))
    for index, (height, width) in enumerate(sizes):
        rows, columns = zip(*places[index], strict=True)
        assert (min(rows), max(rows)) == (0, height - 8)
        assert (min(columns), max(columns)) == (0, width - 8)
    with pytest.raises(ValueError, match="several sizes need an `image_size`"):
        unpaired_dataset(images, images)


def companions(n_a=10, n_b=7, size=16):
    a, b, pairs = (coded_images(n, size, size) for n in (n_a, n_b, 3))
    return {
        "mask_a": a[..., 1:2],
        "mask_b": b[..., 1:2],
        "where_b": b,
        "label_a": np.arange(n_a),
        "weight_b": np.linspace(0, 1, n_b, dtype="float32"),
        "pair_a": pairs,
        "pair_b": 255 - pairs[..., :1],
    }


@pytest.mark.parametrize("flip", ["horizontal", "rot90"])
def test_what_rides_along_is_cut_and_turned_with_its_image(flip):
    train = make(companions=companions(), flip=flip, batch_size=2, steps_per_epoch=12)
    assert set(train.element_spec) == {"a", "b", *companions()}
    pairs = set()
    for batch in train:
        batch = {name: np.asarray(values) for name, values in batch.items()}
        a, b = from_unit(batch["a"]), from_unit(batch["b"])
        np.testing.assert_allclose(batch["mask_a"][..., 0] * 255, a[..., 1], atol=1e-4)
        np.testing.assert_allclose(batch["mask_b"][..., 0] * 255, b[..., 1], atol=1e-4)
        np.testing.assert_array_equal(batch["where_b"], b)
        np.testing.assert_array_equal(batch["label_a"], a[:, 0, 0, 0])
        np.testing.assert_allclose(batch["weight_b"], b[:, 0, 0, 0] / 6)
        pair_a, pair_b = from_unit(batch["pair_a"]), from_unit(batch["pair_b"])
        np.testing.assert_array_equal(pair_a[..., :1], 255 - pair_b)
        pairs |= {(*pair[0, 0].tolist(),) for pair in pair_a}
    assert len(pairs) > 12  # other pairs and other windows each time


def test_companions_change_no_draw():
    plain, rich = make(steps_per_epoch=8), make(steps_per_epoch=8, companions=companions())
    found = [(from_unit(x["a"].numpy()), from_unit(x["b"].numpy())) for x in rich]
    assert_same(batches(plain), found)


def test_companions_of_validation_stay_with_their_images():
    a = coded_images(5, 8, 8)
    given = {"mask_a": a[..., :1], "label_b": np.arange(5)}
    found = list(paired_dataset(a, a, 2, given))
    assert [len(batch["a"]) for batch in found] == [2, 2, 1]
    labels = np.concatenate([batch["label_b"].numpy() for batch in found])
    np.testing.assert_array_equal(labels, range(5))


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("mask", np.zeros((10, 16, 16, 1), "uint8"), "ends in _a or _b"),
        ("mask_a", np.zeros((9, 16, 16, 1), "uint8"), "has 9 entries"),
        ("mask_a", np.zeros((10, 16, 12, 1), "uint8"), "of the same sizes"),
        ("mask_a", np.zeros((10, 16, 16), "uint8"), r"must be \(n, height, width, 1"),
        ("label_b", np.zeros(10), "has 10 entries"),
        ("pair_a", np.zeros((3, 16, 16, 3), "uint8"), "as `pair_b`"),
    ],
)
def test_companions_that_do_not_fit_are_named(name, values, message):
    with pytest.raises(ValueError, match=message):
        make(companions={name: values})


def test_seed_fixes_the_order_and_another_changes_it():
    first = origins(make(seed=3))
    assert first == origins(make(seed=3))
    assert first != origins(make(seed=4))


def test_no_seed_follows_set_random_seed():
    keras.utils.set_random_seed(7)
    first, second = make(seed=None), make(seed=None)
    keras.utils.set_random_seed(7)
    again = make(seed=None)
    assert first.seed == again.seed != second.seed
    assert origins(first) == origins(again)


def test_epoch_is_the_larger_domain_by_the_batch():
    train = make(n_a=10, n_b=7)
    assert len(train) == len(batches(train)) == 10
    assert len(make(n_a=5, n_b=23, batch_size=4)) == 5


def test_shapes_are_known_and_domains_may_differ_in_channels():
    train = unpaired_dataset(
        np.zeros((3, 12, 20, 1), "uint8"), np.full((5, 16, 16, 3), 255, "uint8"), (8, 16), 2
    )
    a, b = train.element_spec
    assert (a.shape, b.shape) == ((2, 8, 16, 1), (2, 8, 16, 3))
    a, b = next(iter(train))
    assert (a.shape, b.shape) == ((2, 8, 16, 1), (2, 8, 16, 3))
    assert a.dtype == "float32"
    assert (a.numpy() == -1).all()
    assert (b.numpy() == 1).all()


def test_memory_mapped_arrays_and_parts_of_them(tmp_path):
    images = coded_images(6, 16, 16)
    images.tofile(tmp_path / "images")
    mapped = np.memmap(tmp_path / "images", "uint8", mode="r").reshape(images.shape)
    for part in (np.s_[:], np.s_[2:], np.s_[::2], np.s_[:, :8]):
        expected = unpaired_dataset(images[part], images[part], 8, seed=0)
        assert_same(
            batches(unpaired_dataset(mapped[part], mapped[part], 8, seed=0)), batches(expected)
        )


def test_half_precision_policy_does_not_round_pixels():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        values = np.arange(256, dtype="uint8").reshape(1, 16, 16, 1)
        a, _ = next(iter(unpaired_dataset(values, values, flip=False)))
    finally:
        keras.config.set_dtype_policy("float32")
    np.testing.assert_array_equal(from_unit(a.numpy()), values)


class Recorder(keras.Model):
    """Notes which images `fit` gives it."""

    def __init__(self):
        super().__init__()
        self.seen = []
        self.built = True
        self.compile(run_eagerly=True)

    def train_step(self, data):
        self.seen.append(from_unit(keras.ops.convert_to_numpy(data[0])))
        return {"loss": 0.0}


needs_eager_fit = pytest.mark.skipif(
    keras.backend.backend() == "jax", reason="the recorder's train_step is not jax's"
)


@needs_eager_fit
@pytest.mark.filterwarnings("error::UserWarning")
@pytest.mark.parametrize("fit_steps", [None, 3, 6])
def test_fit_sees_the_steps_in_order(fit_steps):
    model = Recorder()
    epochs = 6 // (fit_steps or 6) * 2
    history = model.fit(
        make(steps_per_epoch=6), epochs=epochs, steps_per_epoch=fit_steps, verbose=0, shuffle=False
    )
    assert history.params["steps"] == (fit_steps or 6)  # the progress bar knows its end
    expected = make(steps_per_epoch=6)
    expected = [a for a, _ in batches(expected) + batches(expected)]
    np.testing.assert_array_equal(model.seen, expected)


@needs_eager_fit
def test_a_second_fit_goes_on_and_seek_goes_back():
    train, model = make(steps_per_epoch=4), Recorder()
    for _ in range(2):
        model.fit(train, epochs=1, verbose=0, shuffle=False)
    assert train.position == 8
    train.seek(4)
    model.fit(train, epochs=1, verbose=0, shuffle=False)
    np.testing.assert_array_equal(model.seen[8:], model.seen[4:8])
    assert not np.array_equal(model.seen[:4], model.seen[4:8])


def test_repeat_goes_on_over_epochs():
    train = make(steps_per_epoch=3)
    expected = batches(train) + batches(train)
    assert_same(batches(make(steps_per_epoch=3).repeat(2)), expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"crop": 20}, "16×16, smaller than the crop `image_size`, 20×20"),
        ({"crop": 10}, "multiples of 4. Received image_size=10×10"),
        ({"batch_size": 11}, "No whole batch of 11 in an epoch: there are 10 images"),
        ({"batch_size": 0}, "`batch_size` is a whole number from 1 .* Received 0"),
        ({"steps_per_epoch": 0}, "`steps_per_epoch` is a whole number"),
        ({"seed": -1}, "`seed` is a whole number from 0"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        make(**options)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 8, 8, 3), "float32"), "must be a numpy array of uint8, .* Received float32"),
        (np.full((2, 8, 8, 3), np.nan), "must be a numpy array of uint8, .* Received float64"),
        ([1, 2], "must be a numpy array of uint8, .* Received list"),
        (np.zeros((8, 8, 3), "uint8"), r"must be .* Received uint8, \(8, 8, 3\)"),
        (
            np.zeros((0, 8, 8, 3), "uint8"),
            r"must be .* Received uint8, \(0, 8, 8, 3\)",
        ),
    ],
)
@pytest.mark.parametrize("function", [unpaired_dataset, paired_dataset])
def test_bad_arrays_are_named(function, images, message):
    good = np.zeros((2, 8, 8, 3), "uint8")
    with pytest.raises(ValueError, match="`images_b` " + message):
        function(good, images)


def test_seek_refuses_what_is_no_step():
    with pytest.raises(ValueError, match="Received -1"):
        make().seek(-1)


def test_validation_pairs_by_position_and_is_the_same_each_time():
    a, b = coded_images(6, 8, 8), coded_images(9, 8, 8)
    validation = paired_dataset(a, b, batch_size=3)
    assert len(validation) == 2
    first = batches(validation)
    np.testing.assert_array_equal(np.concatenate([x for x, _ in first]), a)
    np.testing.assert_array_equal(np.concatenate([y for _, y in first]), b[:6])
    assert_same(first, batches(validation))


@pytest.mark.parametrize(
    ("pairs", "batch_size", "expected"), [(10, 4, [4, 4, 2]), (7, 4, [4, 3]), (3, 8, [3])]
)
def test_last_validation_batch_is_smaller_and_nothing_is_lost(pairs, batch_size, expected):
    images = coded_images(pairs, 8, 8)
    validation = paired_dataset(images, coded_images(pairs + 2, 8, 8), batch_size)
    assert [len(b) for _, b in batches(validation)] == expected
    assert len(validation) == len(expected)
    assert validation.element_spec[0].shape == (None, 8, 8, 3)
    assert [i for a, _ in batches(validation) for i in a[:, 0, 0, 0]] == list(range(pairs))


def test_validation_needs_one_size():
    with pytest.raises(ValueError, match="8×8 and 12×12"):
        paired_dataset(coded_images(2, 8, 8), coded_images(2, 12, 12))
