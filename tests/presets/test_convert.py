import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import typer.testing
from support.bounds import refused
from support.presets_helpers import torch_modules

from keras_cyclegan import CycleGAN
from keras_cyclegan.cli import app
from keras_cyclegan.files.torch_checkpoint import read_state_dict
from keras_cyclegan.presets import convert_checkpoints, convert_network

torch, reference = torch_modules()


@pytest.fixture(params=[True, False], ids=["zip", "stream"])
def save(request, tmp_path):
    def save(content, name="checkpoint"):
        if isinstance(content, torch.nn.Module):
            content = content.state_dict()
        path = tmp_path / f"{name}.pth"
        torch.save(content, path, _use_new_zipfile_serialization=request.param)
        return path

    return save


@pytest.fixture
def save_both(tmp_path):
    def save(module):
        paths = tmp_path / "stream.pth", tmp_path / "zip.pth"
        for path, zipped in zip(paths, (False, True), strict=True):
            torch.save(module.state_dict(), path, _use_new_zipfile_serialization=zipped)
        return paths

    return save


@pytest.fixture
def save_zip(tmp_path):
    def save(content, name="checkpoint"):
        path = tmp_path / f"{name}.pth"
        torch.save(content, path)
        return path

    return save


def affine_norm(channels):
    norm = torch.nn.InstanceNorm2d(channels, eps=1e-5, affine=True)
    torch.nn.init.normal_(norm.weight, 1, 0.3)
    torch.nn.init.normal_(norm.bias, 0, 0.3)
    return norm


def assert_agree(network, module, size):
    channels = network.input_shape[-1]
    x = np.random.default_rng(0).uniform(-1, 1, (1, size, size, channels)).astype("float32")
    with torch.no_grad():
        expected = module.eval()(reference.as_torch(x)).numpy().transpose(0, 2, 3, 1)
    found = keras.ops.convert_to_numpy(network(x, training=False))
    assert found.shape == expected.shape
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("make", "described"),
    [
        (lambda: reference.ResNetGenerator(3, 3, 64, 9), {"num_blocks": 9, "filters": 64}),
        # A fourth of the width: 200 MB of weights take long, and show nothing more.
        (lambda: reference.UNetGenerator(3, 3, 16, 8), {"num_downsamplings": 8, "filters": 16}),
    ],
    ids=["resnet_9blocks", "unet_256"],
)
def test_generators_agree_with_torch_at_full_size(save_both, make, described):
    module = make()
    stream, zipped = save_both(module)
    network = convert_checkpoints(stream)["generator_ab"]
    other_format = read_state_dict(zipped)
    for key, tensor in read_state_dict(stream).items():
        np.testing.assert_array_equal(tensor, other_format[key])
    assert {name: getattr(network, name) for name in described} == described
    assert network.image_shape == (256, 256, 3)
    assert_agree(network, module, 256)


def test_two_way_model_with_discriminators_agrees_with_torch(save):
    modules = {
        "a_to_b": reference.ResNetGenerator(3, 1, 4, 1),
        "b_to_a": reference.ResNetGenerator(1, 3, 4, 2),
        "discriminator_a": reference.PatchDiscriminator(3, 8, 3),
        "discriminator_b": reference.PixelDiscriminator(1, 8),
    }
    paths = {name: save(module, name) for name, module in modules.items()}
    model = CycleGAN(**convert_checkpoints(**paths, image_size=(64, 64)))
    assert model.image_shape == (64, 64, 3)
    assert_agree(model.generator_ab, modules["a_to_b"], 64)
    assert_agree(model.generator_ba, modules["b_to_a"], 64)
    assert_agree(model.discriminator_a, modules["discriminator_a"], 256)
    assert_agree(model.discriminator_b, modules["discriminator_b"], 64)
    model.compile(identity_loss=None)


def test_discriminators_left_out_are_fresh_ones_of_the_paper(save_zip):
    path = save_zip(reference.ResNetGenerator(3, 3, 2, 1).state_dict())
    model = CycleGAN(**convert_checkpoints(path, path))
    assert model.discriminator_a.count_params() == 2_764_737
    one_way = CycleGAN(**convert_checkpoints(path))
    assert one_way.generator_ba is None
    assert one_way.discriminator_b is None


VARIANTS = {
    "no residual block": (lambda: reference.ResNetGenerator(3, 3, 4, 0), 32),
    "6 blocks": (lambda: reference.ResNetGenerator(3, 3, 4, 6), 32),
    "13 blocks": (lambda: reference.ResNetGenerator(2, 5, 3, 13), 32),
    "unet_128": (lambda: reference.UNetGenerator(1, 3, 4, 7), 128),
    "5 halvings": (lambda: reference.UNetGenerator(3, 1, 4, 5), 64),
}


@pytest.mark.parametrize(("make", "size"), VARIANTS.values(), ids=VARIANTS)
@pytest.mark.parametrize("norm", ["plain", "affine"])
def test_generators_of_all_depths_and_norms(save_zip, make, size, norm, monkeypatch):
    if norm == "affine":
        monkeypatch.setattr(reference, "norm", affine_norm)
    module = make()
    network = convert_checkpoints(save_zip(module.state_dict()))["generator_ab"]
    assert network.affine_norm == (norm == "affine")
    assert_agree(network, module, size)


@pytest.mark.parametrize("norm", ["plain", "affine"])
@pytest.mark.parametrize("num_layers", [1, 2, 4, 6])
def test_discriminators_of_all_depths_and_norms(save_zip, num_layers, norm, monkeypatch):
    if norm == "affine":
        monkeypatch.setattr(reference, "norm", affine_norm)
    generator = save_zip(reference.ResNetGenerator(3, 3, 2, 0).state_dict(), "generator")
    modules = reference.PatchDiscriminator(3, 4, num_layers), reference.PixelDiscriminator(3, 4)
    paths = [save_zip(module.state_dict(), str(i)) for i, module in enumerate(modules)]
    model = CycleGAN(**convert_checkpoints(generator, None, *paths))
    assert model.discriminator_a.num_layers == num_layers
    assert_agree(model.discriminator_a, modules[0], 256)
    assert_agree(model.discriminator_b, modules[1], 32)


@pytest.mark.parametrize("norm", ["plain", "affine"])
def test_dropout_is_seen_and_moves_the_second_convolution(save_zip, norm, monkeypatch):
    if norm == "affine":
        monkeypatch.setattr(reference, "norm", affine_norm)
    module = reference.ResNetGenerator(3, 3, 4, 2)
    for block in (module.model[10], module.model[11]):
        block.conv_block.insert(4, torch.nn.Dropout(0.5))
    assert "model.10.conv_block.6.weight" in module.state_dict()
    network = convert_checkpoints(save_zip(module.state_dict()))["generator_ab"]
    assert network.dropout == 0.5
    assert_agree(network, module, 32)


def test_data_parallel_prefix_half_precision_and_running_statistics(save):
    module = reference.ResNetGenerator(3, 3, 4, 1).half()
    state = {f"module.{name}": tensor for name, tensor in module.state_dict().items()}
    state["module.model.2.running_mean"] = torch.full((4,), 9.0)
    state["module.model.2.running_var"] = torch.full((4,), 9.0)
    state["module.model.2.num_batches_tracked"] = torch.tensor(7)
    network = convert_checkpoints(save(state))["generator_ab"]
    assert network.weights[0].dtype == "float32"
    assert_agree(network, module.float(), 32)


@pytest.mark.parametrize("prefix", ["_orig_mod.", "netG_A.", "module.model.", "a.b.c."])
@pytest.mark.parametrize(
    ("make", "size"),
    [
        (lambda: reference.ResNetGenerator(3, 3, 4, 1), 32),
        (lambda: reference.UNetGenerator(3, 3, 4, 5), 64),
        (lambda: reference.PatchDiscriminator(3, 4, 1), 32),
        (lambda: reference.PixelDiscriminator(3, 4), 32),
    ],
)
def test_what_wrappers_put_before_all_names_is_left_out(make, size, prefix):
    module = make()
    state = {f"{prefix}{name}": tensor.numpy() for name, tensor in module.state_dict().items()}
    assert_agree(convert_network(state), module, size)


@pytest.mark.parametrize(
    "make",
    [
        lambda: reference.ResNetGenerator(3, 3, 4, 1),
        lambda: reference.UNetGenerator(3, 3, 4, 5),
        lambda: reference.PatchDiscriminator(3, 4, 2),
    ],
)
def test_batch_norm_is_said(make, monkeypatch):
    monkeypatch.setattr(reference, "norm", torch.nn.BatchNorm2d)
    state = {name: tensor.numpy() for name, tensor in make().state_dict().items()}
    norms = [name.removesuffix(".running_var") for name in state if name.endswith(".running_var")]
    for norm in norms:  # the authors' convolutions before a batch norm have no bias
        head, _, index = norm.rpartition(".")
        state.pop(f"{head}.{int(index) - 1}.bias")
    with pytest.raises(ValueError, match=r"is a batch norm \(.*running_mean beside its weight"):
        convert_network(state)


def _rename(state, old, new):
    state[new] = state.pop(old)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda s: s.pop("model.10.conv_block.5.bias"), r"model\.10\.conv_block\.5\.bias is miss"),
        (lambda s: s.pop("model.1.weight"), r"model\.1\.weight is missing"),
        (lambda s: s.pop("model.18.weight"), r"model\.18\.weight is missing"),
        (lambda s: s.update(extra=torch.ones(1)), "extra is unknown"),
        (
            lambda s: s.update({"model.4.weight": torch.ones(8, 5, 3, 3)}),
            r"model\.4\.weight has shape \(8, 5, 3, 3\), expected \(8, 4, 3, 3\)",
        ),
        (
            lambda s: s.update({"model.4.bias": torch.ones(9)}),
            r"model\.4\.bias has shape \(9,\), expected \(8,\)",
        ),
        (lambda s: s.update({"model.1.weight": torch.ones(4)}), r"model\.1\.weight has shape"),
        (lambda s: _rename(s, "model.2.weight", "model.3.weight"), r"model\.3\.weight is unknown"),
        (lambda s: s.clear() or s.update(a=torch.ones(1)), "belong to no network.* a"),
        (lambda s: s.update({"model.5.filt": torch.ones(1)}), "blur filters of CUT"),
        (lambda s: s.update({"model.10.block.1.weight": torch.ones(1)}), "PyTorch-GAN"),
        (lambda s: s["model.4.bias"].fill_(np.nan), r"model\.4\.bias holds NaN"),
        (lambda s: s.update({"model.4.bias": torch.ones(8).int()}), r"model\.4\.bias has dtype i"),
        (
            lambda s: s.update({"module.model.4.bias": torch.zeros(8)}),
            r"module\.model\.4\.bias is unknown",
        ),
    ],
)
def test_missing_unknown_and_misshapen_tensors_are_named(save_zip, edit, said, monkeypatch):
    monkeypatch.setattr(reference, "norm", affine_norm)
    state = reference.ResNetGenerator(3, 3, 4, 1).state_dict()
    edit(state)
    path = save_zip(state, "broken")
    with pytest.raises(ValueError, match=said) as error:
        convert_checkpoints(path)
    assert "broken.pth" in str(error.value)


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({"model.1.weight": (2**20, 3, 7, 7), "model.17.weight": (3, 3, 7, 7)}, "are allowed"),
        (
            {"model.1.weight": (1, 3, 7, 7), "model.999999999.conv_block.1.weight": (1,)},
            "num_blocks=999999990; 64 are allowed",
        ),
        ({"model.0.weight": (1, 3, 4, 4), "model.302.weight": (1, 1, 4, 4)}, "num_layers=100"),
        ({"model.0.weight": (1, 3, 4, 4), f"model.{'9' * 5000}.weight": (1,)}, "missing"),
        (
            {
                "model.model.0.weight": (1, 3, 4, 4),
                f"model.model.1.model.{'3.model.' * 10**5}": (1,),
            },
            "num_downsamplings=100002; 16 are allowed",
        ),
        ({f"model.model.0.{'x' * 10**6}": (1,)}, "belong to no network"),
        ({f"x{i}" * 10**5: (1,) for i in range(9)}, r"belong to no network"),
    ],
    ids=[
        "wide",
        "deep resnet",
        "deep discriminator",
        "long number",
        "deep unet",
        "long",
        "unknown",
    ],
)
def test_tensors_that_would_make_a_giant_are_refused(tensors, said):
    state = {name: np.broadcast_to(np.float32(1), shape) for name, shape in tensors.items()}
    with refused(said):
        convert_network(state)


def test_torch_is_never_imported(save_zip):
    """A CUDA build of torch beside TensorFlow in one process can end in a segmentation fault."""
    path = save_zip(reference.ResNetGenerator(3, 3, 2, 0).state_dict())
    code = """
import sys
import keras_cyclegan.presets
keras_cyclegan.files.torch_checkpoint.read_state_dict(sys.argv[1])
keras_cyclegan.presets.convert_checkpoints(sys.argv[1])
print([name for name in sys.modules if name.split(".")[0] == "torch"])
"""
    environment = os.environ | {"KERAS_BACKEND": "tensorflow"}
    ran = subprocess.run(
        [sys.executable, "-c", code, str(path)], env=environment, capture_output=True, text=True
    )
    assert ran.stdout.strip().endswith("[]"), ran.stdout + ran.stderr


def test_a_discriminator_in_place_of_a_generator_is_refused(save_zip):
    path = save_zip(reference.PatchDiscriminator(3, 2, 1).state_dict())
    with pytest.raises(ValueError, match="generator_ab must be a generator"):
        convert_checkpoints(path)


def test_converted_model_is_a_preset(save_zip, tmp_path):
    module = reference.ResNetGenerator(3, 3, 4, 1)
    model = CycleGAN(**convert_checkpoints(save_zip(module.state_dict())))
    model.save_to_preset(tmp_path / "mine")
    assert_agree(CycleGAN.from_preset(tmp_path / "mine").generator_ab, module, 32)


def test_convert_command_writes_a_preset_that_names_its_files(save_zip, tmp_path):
    modules = {
        "a_to_b": reference.ResNetGenerator(3, 3, 4, 1),
        "b_to_a": reference.ResNetGenerator(3, 3, 4, 2),
        "discriminator_a": reference.PatchDiscriminator(3, 2, 1),
        "discriminator_b": reference.PatchDiscriminator(3, 2, 2),
    }
    paths = {name: str(save_zip(module.state_dict(), name)) for name, module in modules.items()}
    options = ["--b-to-a", paths["b_to_a"]]
    options += ["--discriminator-a", paths["discriminator_a"]]
    options += ["--discriminator-b", paths["discriminator_b"]]
    out = str(tmp_path / "out")
    ran = typer.testing.CliRunner().invoke(app, ["convert", paths["a_to_b"], *options, out])
    assert ran.exit_code == 0, ran.output
    model = CycleGAN.from_preset(out)
    assert_agree(model.generator_ab, modules["a_to_b"], 32)
    assert_agree(model.generator_ba, modules["b_to_a"], 32)
    assert model.discriminator_a.num_layers == 1
    assert model.discriminator_b.num_layers == 2
    card = (tmp_path / "out" / "README.md").read_text()
    for path in map(Path, paths.values()):
        assert path.name in card


@pytest.mark.parametrize("content", [None, b"hello"], ids=["missing", "no checkpoint"])
def test_convert_command_says_what_is_wrong_and_writes_nothing(tmp_path, content):
    path = tmp_path / "broken.pth"
    if content:
        path.write_bytes(content)
    ran = typer.testing.CliRunner().invoke(app, ["convert", str(path), str(tmp_path / "out")])
    assert ran.exit_code == 1
    assert "broken.pth" in ran.output
    assert ran.exception is None or isinstance(ran.exception, SystemExit)
    assert not (tmp_path / "out").exists()
