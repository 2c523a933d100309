"""Downloads presets of the Hugging Face Hub and Kaggle by their clients, and uploads them."""

import contextlib
import re
import shutil
import tempfile
import types
from pathlib import Path

from keras_cyclegan.arguments import PathLike, to_install
from keras_cyclegan.files.download import DownloadError, is_offline
from keras_cyclegan.files.untrusted import brief
from keras_cyclegan.presets import folder as presets
from keras_cyclegan.presets.card import naming
from keras_cyclegan.presets.trust import preset_file

HANDLES = "hf://user/repo[@revision], or kaggle://user/model/keras/variant[/version]"
HUGGING_FACE = r"\w[\w.-]*/\w[\w.-]*(@[\w-][\w.-]*(/[\w-][\w.-]*)*)?"
KAGGLE = r"\w[\w.-]*(/\w[\w.-]*){3}(/\d+)?"


def hub_folder(handle, load_weights=True):
    """Download a hub's preset; return its folder, and the folder that its links may not leave."""
    scheme, _, rest = handle.partition("://")
    if scheme == "hf" and re.fullmatch(HUGGING_FACE, rest):
        client = _client("huggingface_hub")
        repository, _, revision = rest.partition("@")
        wanted = presets.FILES if load_weights else (presets.CONFIG, presets.METADATA)
        with _downloading(handle, f" Its place would be in {client.constants.HF_HUB_CACHE}."):
            folder = client.snapshot_download(
                repository,
                revision=revision or None,
                allow_patterns=list(wanted),
                library_name="keras-cyclegan",
                local_files_only=is_offline(),
            )
        folder = Path(folder)
        return folder, folder.parent.parent  # the repository's cache: its files are links to blobs
    if scheme == "kaggle" and re.fullmatch(KAGGLE, rest):
        client = _client("kagglehub")
        if is_offline():
            raise DownloadError(
                f"Offline mode is on, and kagglehub always needs the network for {handle}. Give "
                "its local folder, or unset KERAS_CYCLEGAN_OFFLINE and HF_HUB_OFFLINE."
            )
        with _downloading(handle):
            folder = Path(client.model_download(rest))
        return folder, folder
    raise _malformed(handle)


def upload_preset(uri: str, folder: PathLike) -> None:
    """Upload a preset to a hub, which its card then names.

    Args:
        uri: `"hf://user/repo"` or `"kaggle://user/model/keras/variant"`. Log in before with the
            hub's own client (`hf auth login`, `kagglehub.login()`).
        folder: path of a folder that `CycleGAN.save_to_preset` wrote. The preset is loaded once, to
            see that it is whole; other files in the folder stay here.

    Raises:
        ValueError, FileNotFoundError: the URI is malformed, or a file is refused or missing.
        ImportError: the hub's client is not installed.

    Example:

    ```python
    model.save_to_preset("mine", card={"description": "Sketches to photos."})
    keras_cyclegan.upload_preset("hf://me/mine", "mine")
    ```
    """
    scheme, _, handle = str(uri).partition("://")
    if scheme == "hf" and "@" not in handle:
        client = _client("huggingface_hub")
    elif scheme == "kaggle" and len(handle.split("/")) == 4:
        client = _client("kagglehub")
    else:
        raise _malformed(uri)
    folder = presets.local_preset(folder)
    presets.load_folder(types.SimpleNamespace, folder)
    with tempfile.TemporaryDirectory() as staged:
        for name in presets.FILES:
            if name != presets.DISCRIMINATORS or (folder / name).exists():
                shutil.copyfile(preset_file(folder, name, folder), Path(staged, name))
        card = Path(staged, presets.CARD)
        card.write_text(naming(card.read_text(encoding="utf-8"), uri), encoding="utf-8")
        if scheme == "hf":
            client.upload_folder(
                repo_id=client.create_repo(repo_id=handle, exist_ok=True).repo_id,
                folder_path=staged,
                delete_patterns=list(presets.FILES),  # remove all files of an earlier preset
            )
        else:
            client.model_upload(handle, staged)


@contextlib.contextmanager
def _downloading(handle, place=""):
    try:
        yield
    except Exception as error:  # of many kinds: HTTP, offline, not found, no access
        raise DownloadError(
            f"{handle} could not be downloaded: {brief(error)} ({type(error).__name__}).{place}"
        ) from error


def _client(package):
    try:
        return __import__(package)
    except ImportError as error:
        raise ImportError(
            f"This needs {package}: `pip install {package}`, or {to_install('hub')}."
        ) from error


def _malformed(handle):
    return ValueError(f"Unknown handle {handle!r}. Expected {HANDLES}.")
