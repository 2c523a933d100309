import json
import os

import h5py
import keras
import numpy as np
import pytest
from support.bounds import refused
from support.presets_helpers import small_model

from keras_cyclegan import CycleGAN
from keras_cyclegan.presets import folder as preset_folder
from keras_cyclegan.presets.weights import read_weights, write_weights

KERNEL = "generator_ab.stem_conv.kernel"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("presets") / "saved"
    small_model().save_to_preset(folder)
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    copy = tmp_path / "mine"
    copy.mkdir()
    for path in saved.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    return copy


def change_config(folder, edit):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    edit(config["config"])
    path.write_text(json.dumps(config))


def replace_generator(folder, network):
    change_config(folder, lambda config: config.update(generator_ab=network))


def sequential(*layers):
    return {
        "module": "keras",
        "class_name": "Sequential",
        "config": {"name": "network", "layers": list(layers)},
        "registered_name": None,
    }


@keras.saving.register_keras_serializable("someone")
class Trap(keras.layers.Layer):
    """Stands for a class of the user that a stranger's config should not reach."""

    def __init__(self, **kwargs):
        raise AssertionError("built from an untrusted config")


def layer(class_name, module="keras.layers", registered_name=None, **config):
    return {
        "module": module,
        "class_name": class_name,
        "config": config,
        "registered_name": registered_name,
    }


@pytest.mark.parametrize(
    "network",
    [
        layer("Lambda", function={"class_name": "__lambda__", "config": {"value": "4wEAAAA="}}),
        layer("ReLU", max_value={"class_name": "__lambda__", "config": {"value": "4wEAAAA="}}),
        layer("TFSMLayer", filepath="/tmp/model"),
        layer("TextVectorization", vocabulary="/etc/passwd"),
        layer("StringLookup", vocabulary="/etc/passwd"),
        layer("IndexLookup", module="keras.src.layers.preprocessing.index_lookup"),
        layer("system", module="os"),
        layer("Popen", module="subprocess", args="id"),
        layer("get_file", module="keras.utils", origin="http://127.0.0.1"),
        layer("load_model", module="keras.saving"),
        layer("function", module="keras.utils"),
        layer("Adam", module="keras.optimizers"),
        layer("Trap", module="test_presets_untrusted", registered_name="someone>Trap"),
        layer("Conv2D", registered_name="someone>Trap"),
        layer("Trap", module="keras_cyclegan", registered_name="keras_cyclegan>Trap"),
        layer("Conv2D", filters=1, kernel_size=1, activation="someone>Trap"),
        {"class_name": "Conv2D", "config": {"filters": 1, "kernel_size": 1}},
    ],
    ids=lambda network: f"{network.get('module')}.{network['class_name']}",
)
def test_config_may_only_name_plain_classes_of_keras_and_this_package(folder, network):
    replace_generator(folder, sequential(network))
    with refused("A preset's config may"):
        CycleGAN.from_preset(folder, load_weights=False)


def test_a_preset_that_could_not_be_loaded_is_not_saved(tmp_path):
    squash = keras.layers.Lambda(lambda x: x)
    generator = keras.Sequential([keras.Input((None, None, 3)), squash])
    with pytest.raises(ValueError, match="Lambda"):
        CycleGAN(generator, None, None, None).save_to_preset(tmp_path / "mine")
    assert os.listdir(tmp_path) == []


def test_config_of_something_else_is_refused(folder):
    (folder / "config.json").write_text(json.dumps(layer("Dense", units=3)))
    with refused("CycleGAN"):
        CycleGAN.from_preset(folder)


DEEP = 100_000


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"[1]", b"null", b"{" * 9, b'{"config": 1}', b'\xff{"a": 1}', "{}".encode("utf-16")),
        *(b'{"a":' * DEEP + b"1" + b"}" * DEEP, b'{"a":' + b"[" * DEEP + b"]" * DEEP + b"}"),
        *(b'{"config": [], "registered_name": "keras_cyclegan>CycleGAN", "class_name": 1}',),
    ],
    ids=lambda content: content[:12],
)
def test_damaged_config_is_named(folder, content):
    (folder / "config.json").write_bytes(content)
    with refused(r"config\.json"):
        CycleGAN.from_preset(folder)


@pytest.mark.parametrize(
    "metadata",
    [{"scale": "x" * 10**6}, {"scale": ["whole"]}, {"scale": "whole", "working_size": "x" * 10**6}],
    ids=["long", "list", "long size"],
)
def test_a_scale_that_is_none_is_refused(folder, metadata):
    (folder / "metadata.json").write_text(json.dumps(metadata))
    with refused(r"metadata\.json can't be used"):
        CycleGAN.from_preset(folder)


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5", "discriminators.weights.h5"])
def test_no_file_may_be_a_link_out_of_the_folder(folder, tmp_path, name, monkeypatch):
    monkeypatch.setattr(preset_folder, "build_model", None)  # refused before anything is built
    (folder / name).rename(tmp_path / "elsewhere")
    (folder / name).symlink_to(os.path.join("..", "elsewhere"))
    with refused("leaves the preset"):
        CycleGAN.from_preset(folder)


IMAGES = layer("InputLayer", batch_shape=[None, None, None, 3])


def generator_config(**changes):
    def edit(config):
        config["generator_ab"]["config"].update(changes)

    return edit


def put_generator(network):
    return lambda config: config.update(generator_ab=network)


def unet(num_downsamplings):
    config = {"image_shape": [None, None, 3], "num_downsamplings": num_downsamplings}
    return layer("UNetGenerator", "keras_cyclegan", "keras_cyclegan>UNetGenerator", **config)


def reversed_chain(length):
    x = inputs = keras.Input((None, None, 3), name="images")
    for i in range(length):
        x = keras.layers.ReLU(name=f"relu{i}")(x)
    config = keras.saving.serialize_keras_object(keras.Model(inputs, x))
    config["config"]["layers"].reverse()
    return config


def nested(depth):
    network = sequential(IMAGES)
    for _ in range(depth):
        network = sequential(IMAGES, network)
    return network


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (generator_config(filters=10**6), "allowed"),
        (generator_config(num_blocks=10**9), "num_blocks=1000000000"),
        (generator_config(num_blocks=1000), "num_blocks=1000; 64 are allowed"),
        (put_generator(unet(300)), "num_downsamplings=300; 16 are allowed"),
        (put_generator(unet(10**5)), "num_downsamplings=100000; 16 are allowed"),
        (lambda config: config.update(pool_size=10**9), "pool_size"),
        (lambda config: config.update(image_shape=[10**9, 10**9, 3]), "65536 are allowed"),
        (put_generator(sequential(IMAGES, layer("Dense", units=2**30))), "allowed"),
        (put_generator(sequential(IMAGES, layer("Dense", units=2**26))), "without weights"),
        (
            put_generator(sequential(*[sequential(IMAGES, *[layer("ReLU")] * 90)] * 12)),
            "1000 layers",
        ),
        (put_generator(sequential(IMAGES, *[layer("ReLU")] * 100)), "100 layers in a Sequential"),
        (put_generator(nested(30)), "64 levels"),
        (put_generator(reversed_chain(300)), "come before those that they use"),
        (put_generator(layer("x" * 10**6)), "A preset's config may"),
        (put_generator(layer("Conv2D", filters="x" * 10**6, kernel_size=1)), "."),
    ],
    ids=[
        *("width", "depth", "resnet", "unet", "deep unet", "pool", "image", "Keras's layers"),
        *(
            "fresh weights",
            "thousand layers",
            "sequential",
            "nested models",
            "reversed",
            "long class",
        ),
        "long argument",
    ],
)
def test_a_config_that_would_fill_the_memory_is_refused(folder, edit, said):
    change_config(folder, edit)
    with refused(said) as error:
        CycleGAN.from_preset(folder, load_weights=False)
    assert "config.json" in str(error.value)


def test_a_layer_that_is_called_twice_may_wait_for_another(folder):
    inputs = keras.Input((None, None, 3), name="images")
    twice = keras.layers.Conv2D(3, 1, name="twice")
    generator = keras.Model(inputs, twice(keras.layers.ReLU(name="between")(twice(inputs))))
    change_config(folder, put_generator(keras.saving.serialize_keras_object(generator)))
    model = CycleGAN.from_preset(folder, load_weights=False)
    assert len(model.generator_ab.layers) == 3


def test_weights_are_compared_before_a_network_takes_its_memory(folder, monkeypatch):
    change_config(folder, generator_config(filters=1000))
    made = []
    initializer = keras.initializers.RandomNormal
    monkeypatch.setattr(initializer, "__call__", lambda self, shape, **_: made.append(shape))
    with refused(r"conv\.bias has shape \(8,\), expected \(4000,\)"):
        CycleGAN.from_preset(folder)
    assert made == []


@pytest.mark.parametrize(
    "network",
    [None, "auto", [], layer("Conv2D", filters=3, kernel_size=1)],
    ids=["null", "text", "list", "layer"],
)
def test_a_generator_that_is_no_model_is_refused(folder, network):
    change_config(folder, put_generator(network))
    with refused("generator_ab must be a model"):
        CycleGAN.from_preset(folder, load_weights=False)


def test_a_stranger_does_not_choose_the_dtype(folder):
    change_config(folder, generator_config(dtype="float16"))
    assert CycleGAN.from_preset(folder).generator_ab.get_layer("stem_conv").dtype == "float32"


def change(folder, edit):
    with h5py.File(folder / "model.weights.h5", "r+") as file:
        edit(file)


def set_nan(file):
    file[KERNEL][0, 0, 0, 0] = np.nan


def set_shape(file):
    del file[KERNEL]
    file[KERNEL] = np.zeros((7, 7, 3, 5), "float32")


def set_integers(file):
    shape = file[KERNEL].shape
    del file[KERNEL]
    file[KERNEL] = np.zeros(shape, "int32")


def set_doubles(file):
    shape = file[KERNEL].shape
    del file[KERNEL]
    file[KERNEL] = np.full(shape, 1e300)


def set_chunks(file):
    shape = file[KERNEL].shape
    del file[KERNEL]
    chunks = (*shape[:3], 2**16)
    file.create_dataset(
        KERNEL, shape, "float32", chunks=chunks, maxshape=(*shape[:3], None), compression="gzip"
    )


def set_external_link(file):
    del file[KERNEL]
    file[KERNEL] = h5py.ExternalLink("discriminators.weights.h5", "discriminator_a.conv1.kernel")


def set_soft_link(file):
    del file[KERNEL]
    file[KERNEL] = h5py.SoftLink("/generator_ba.stem_conv.kernel")


def set_external_storage(file):
    shape = file[KERNEL].shape
    del file[KERNEL]
    size = int(np.prod(shape)) * 4
    file.create_dataset(KERNEL, shape, "float32", external=[("/etc/passwd", 0, size)])


def set_virtual(file):
    shape = file[KERNEL].shape
    del file[KERNEL]
    layout = h5py.VirtualLayout(shape, "float32")
    layout[:] = h5py.VirtualSource("other.h5", "x", shape)
    file.create_virtual_dataset(KERNEL, layout)


def set_group(file):
    del file[KERNEL]
    file.create_group(KERNEL)


def set_nothing_stored(file):
    shape = file[KERNEL].shape
    del file[KERNEL]
    file.create_dataset(KERNEL, shape, "float32", fillvalue=0.5)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (set_nothing_stored, "has 0 bytes in the file, expected 1176"),
        (lambda file: file.create_dataset("more" * 10**4, data=[1.0]), "moremore.*…"),
        (lambda file: file.create_dataset("more\nlines", data=[1.0]), "more lines is unknown"),
        (lambda file: file.pop(KERNEL), "is missing"),
        (lambda file: file.create_dataset("more", data=[1.0]), "more is unknown"),
        (set_nan, "holds NaN"),
        (set_shape, r"has shape \(7, 7, 3, 5\), expected \(7, 7, 3, 2\)"),
        (set_integers, "no tensor of float32 or float16"),
        (set_doubles, "no tensor of float32 or float16"),
        (set_group, "no tensor of float32 or float16"),
        (set_chunks, "is stored in chunks"),
        (set_external_link, "is a link"),
        (set_soft_link, "is a link"),
        (set_external_storage, "outside of the file"),
        (set_virtual, "outside of the file"),
    ],
)
def test_bad_tensor_is_named(folder, edit, said):
    change(folder, edit)
    with refused(said) as error:
        CycleGAN.from_preset(folder)
    assert KERNEL in str(error.value) or "more" in str(error.value)


def test_tensors_that_share_their_bytes_are_refused(tmp_path):
    """A file of one tensor must not make as much memory as a model of many takes."""
    kernels = [keras.layers.Conv2D(64, 3, name=f"conv{i}") for i in range(9)]
    network = keras.Sequential([keras.Input((None, None, 64)), *kernels])
    write_weights(tmp_path / "x.h5", {"g": network})
    with h5py.File(tmp_path / "small.h5", "w") as small, h5py.File(tmp_path / "x.h5") as file:
        for name in file:
            if name.endswith("bias") or name == "g.conv0.kernel":
                small[name] = file[name][()]
        for i in range(1, 9):
            small[f"g.conv{i}.kernel"] = small["g.conv0.kernel"]
    with refused(r"kernel shares its bytes with another tensor"):
        read_weights(tmp_path / "small.h5", {"g": network})


def test_weights_too_large_for_the_dtype_asked_for_are_named(folder):
    def set_large(file):
        file[KERNEL][0, 0, 0, 0] = 1e5

    change(folder, set_large)
    CycleGAN.from_preset(folder)
    with pytest.raises(ValueError, match="too large for float16") as error:
        CycleGAN.from_preset(folder, dtype="float16")
    assert KERNEL in str(error.value)


def test_a_dangling_link_is_no_missing_file(folder):
    path = folder / "discriminators.weights.h5"
    path.unlink()
    path.symlink_to("nowhere")
    with pytest.raises(FileNotFoundError, match=r"discriminators\.weights\.h5"):
        CycleGAN.from_preset(folder)


def test_truncated_weights_are_named(folder):
    path = folder / "model.weights.h5"
    path.write_bytes(path.read_bytes()[:-100])
    with refused(r"model\.weights\.h5 is damaged"):
        CycleGAN.from_preset(folder)
