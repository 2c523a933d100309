import collections
import io
import os
import pickle
import zipfile

import numpy as np
import pytest
from support.presets_helpers import torch_modules

from keras_cyclegan.files.torch_checkpoint import read_state_dict

torch, _ = torch_modules()


@pytest.fixture(params=[True, False], ids=["zip", "stream"])
def save(request, tmp_path):
    def save(content):
        path = tmp_path / "checkpoint.pth"
        torch.save(content, path, _use_new_zipfile_serialization=request.param)
        return path

    return save


def test_every_dtype_keeps_its_values(save):
    tensors = {
        str(dtype): torch.tensor([[0, 1], [1, 3]], dtype=dtype)
        for dtype in (
            *(torch.float64, torch.float32, torch.float16, torch.int64),
            *(torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool),
        )
    }
    for name, array in read_state_dict(save(tensors)).items():
        np.testing.assert_array_equal(array, tensors[name].to(torch.float64).numpy())


def test_windows_on_shared_storages(save):
    base = torch.arange(120.0).reshape(2, 3, 4, 5)
    tensors = {
        "base": base,
        "offset": base[1, 1:, :, 2:],
        "transposed": base.permute(3, 1, 0, 2),
        "stepped": base[:, ::2, 1::2],
        "expanded": base[:1, :1, :1, :1].expand(4, 3, 2, 2),
        "scalar": base[1, 2, 3, 4],
        "empty": base[:0],
    }
    found = read_state_dict(save(tensors))
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(found[name], tensor.numpy(), err_msg=name)
    assert np.shares_memory(found["base"], found["transposed"])


def test_parameters_and_the_metadata_of_a_module(save):
    module = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 1), torch.nn.BatchNorm2d(3))
    found = read_state_dict(save(module.state_dict()))
    assert list(found) == list(module.state_dict())
    found = read_state_dict(save(dict(module.named_parameters())))
    np.testing.assert_array_equal(found["0.weight"], module[0].weight.detach().numpy())


def test_cuda_and_other_locations_do_not_matter(tmp_path):
    # A stream whose storages say "cuda:0", as a checkpoint of a GPU does.
    path = tmp_path / "x.pth"
    torch.save({"x": torch.ones(3)}, path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes().replace(b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0"))
    np.testing.assert_array_equal(read_state_dict(path)["x"], [1, 1, 1])


class Evil:
    def __reduce__(self):
        return os.system, ("echo > executed",)


def test_code_is_refused_and_does_not_run(save, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"posix\.system|nt\.system"):
        read_state_dict(save({"x": torch.ones(1), "y": Evil()}))
    assert not os.path.exists("executed")


def test_whole_modules_are_refused(save):
    with pytest.raises(ValueError, match=r"state_dict\(\)"):
        read_state_dict(save(torch.nn.Linear(1, 1)))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"epoch": 3, "x": torch.ones(1)}, "int under 'epoch'"),
        ({"model": {"x": torch.ones(1)}}, "dict under 'model'"),
        ([torch.ones(1)], "list"),
        ({}, "empty"),
    ],
)
def test_anything_but_tensors_is_named(save, content, said):
    with pytest.raises(ValueError, match=said):
        read_state_dict(save(content))


def test_truncated_files_are_refused_wherever_they_end(save):
    path = save({"x": torch.ones(100), "y": torch.ones(50)})
    whole = path.read_bytes()
    for length in [0, 1, 10, 100, len(whole) // 2, len(whole) - 30, len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"checkpoint\.pth"):
            read_state_dict(path)


def test_missing_file():
    with pytest.raises(FileNotFoundError):
        read_state_dict("nowhere.pth")


def test_something_else_is_no_checkpoint(tmp_path):
    path = tmp_path / "x.pth"
    for content in (b"<html>404</html>", pickle.dumps({"a": 1}), b"\x80\x02."):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="PyTorch checkpoint"):
            read_state_dict(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/b.txt", "text")
    with pytest.raises(ValueError, match=r"data\.pkl"):
        read_state_dict(path)


class _Storage:
    def __init__(self, *identity):
        self.identity = identity


class _Tensor:
    def __init__(self, *arguments):
        self.arguments = arguments

    def __reduce__(self):
        return torch._utils._rebuild_tensor_v2, self.arguments


class Pickler(pickle.Pickler):
    def persistent_id(self, item):
        return item.identity if isinstance(item, _Storage) else None


def pickled(content):
    buffer = io.BytesIO()
    Pickler(buffer, 2).dump(content)
    return buffer.getvalue()


def write_zip(path, content, raw, compression=zipfile.ZIP_STORED, **more):
    """A zip checkpoint with the pickle and the storage bytes that a forger wants."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("x/data.pkl", content if isinstance(content, bytes) else pickled(content))
        archive.writestr("x/data/0", raw)
        for name, value in more.items():
            archive.writestr(f"x/{name}", value)
    return path


def write_stream(path, content, raw, little_endian=True):
    """The same as torch's legacy stream, of a machine of either byte order."""
    system = {"protocol_version": 1001, "little_endian": little_endian, "type_sizes": {}}
    count = (len(raw) // 4).to_bytes(8, "little" if little_endian else "big")
    parts = [pickled(part) for part in (0x1950A86A20F9469CFC6C, 1001, system, content, ["0"])]
    path.write_bytes(b"".join(parts) + count + raw)
    return path


def forged(shape, strides, offset=0, count=4, more=()):
    storage = _Storage("storage", torch.FloatStorage, "0", "cpu", count)
    hooks = collections.OrderedDict()
    strides = tuple(list(strides))  # torch never uses a tuple twice
    return {"x": _Tensor(storage, offset, shape, strides, False, hooks, *more)}


def test_forged_checkpoints_read_no_foreign_memory(tmp_path):
    path, raw = tmp_path / "x.pth", np.arange(4, dtype="f4").tobytes()
    np.testing.assert_array_equal(
        read_state_dict(write_zip(path, forged((2, 2), (2, 1)), raw))["x"], [[0, 1], [2, 3]]
    )
    for content in (
        forged((2, 2), (3, 1)),
        forged((5,), (1,)),
        forged((1,), (1,), offset=4),
        forged((1,), (1,), offset=-1),
        forged((2,), (-1,), offset=1),
        forged((2,), (1, 1)),
        forged((2,), (1,), count=400),
        forged((2,), (1,), count=-1),
        forged((True,), (1,)),
        forged([1], [1]),
        forged((2,), (1,), more=({"neg": True},)),
    ):
        with pytest.raises(ValueError, match=r"x\.pth"):
            read_state_dict(write_zip(path, content, raw))


def test_compressed_archives_are_refused(tmp_path):
    content, raw = forged((4,), (1,)), bytes(16)
    path = write_zip(tmp_path / "x.pth", content, raw, zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match="compressed"):
        read_state_dict(path)


def test_checkpoints_of_machines_of_the_other_byte_order_are_refused(tmp_path):
    path, raw = tmp_path / "x.pth", np.arange(4, dtype=">f4").tobytes()
    for written in (
        write_zip(path, forged((4,), (1,)), raw, byteorder="big"),
        write_stream(tmp_path / "y.pth", forged((4,), (1,)), raw, little_endian=False),
    ):
        with pytest.raises(ValueError, match="little-endian"):
            read_state_dict(written)


def test_pickles_of_python_2(tmp_path):
    """Names are byte strings there, and an ordered dictionary is made of a list of pairs."""
    tensor = pickled(forged((4,), (1,))["x"]).removeprefix(b"\x80\x02").removesuffix(b".")
    content = b"\x80\x02ccollections\nOrderedDict\n]]" + b"(U\x01x" + tensor + b"ea\x85R."
    path = write_zip(tmp_path / "x.pth", content, np.arange(4, dtype="f4").tobytes())
    np.testing.assert_array_equal(read_state_dict(path)["x"], range(4))


STORAGE = b"(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\x000X\3\0\0\0cpuK\4tQ"
REBUILD = b"ctorch._utils\n_rebuild_tensor_v2\n"
SET_ARRAY = b"}X\5\0\0\0arrayX\4\0\0\0aaaasb"


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02}X\1\0\0\0x" + REBUILD + b"(" + STORAGE + SET_ARRAY + b"K\0)K\0\x85ttRs.",
        b"\x80\x02" + REBUILD + SET_ARRAY + b".",
        b"\x80\x02" + REBUILD + b"N}X\x09\0\0\0_functionK\1s\x86b.",
        b"\x80\x02}X\1\0\0\0x" + REBUILD + b"(K\1K\0)K\0\x85tRs.",
        b"\x80\x02(K\1tQ.",
        b"\x80\x02ccollections\nOrderedDict\n)\x81.",
        b"\x80\x04\x8c\x0bcollections\x8c\x14OrderedDict.__init__\x93.",
        b"\x80\x02(K\1iposix\nsystem\n.",
        b"\x82\x01.",
    ],
    ids=[
        *("storage changed", "function changed", "function's slot changed", "no storage"),
        *("short storage", "NEWOBJ", "attribute of a class", "INST", "EXT1"),
    ],
)
def test_no_opcode_gets_hold_of_more_than_tensors(tmp_path, content):
    with pytest.raises(ValueError, match=r"x\.pth"):
        read_state_dict(write_zip(tmp_path / "x.pth", content, bytes(16)))
