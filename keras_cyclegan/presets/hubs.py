"""Downloads presets of the Hugging Face Hub and Kaggle by their clients, and uploads them."""

import re
import shutil
import tempfile
import types
from pathlib import Path

from keras_cyclegan.arguments import PathLike, needs
from keras_cyclegan.files.download import DownloadError, is_offline
from keras_cyclegan.files.untrusted import brief
from keras_cyclegan.presets import folder as presets
from keras_cyclegan.presets.trust import preset_file

HANDLES = "hf://user/repo[@revision], or kaggle://user/model/keras/variant[/version]"
PATTERNS = {
    "hf": r"\w[\w.-]*/\w[\w.-]*(@[\w-][\w.-]*(/[\w-][\w.-]*)*)?",
    "kaggle": r"\w[\w.-]*(/\w[\w.-]*){3}(/\d+)?",
}
CLIENTS = {"hf": "huggingface_hub", "kaggle": "kagglehub"}


def hub_folder(handle, load_weights=True):
    """Download a hub's preset; return its folder, and the folder that its links may not leave."""
    scheme, rest, client = _hub(handle)
    repository, _, revision = rest.partition("@")
    wanted = presets.FILES if load_weights else (presets.CONFIG, presets.METADATA)
    try:
        if scheme == "kaggle":
            if is_offline():
                raise ConnectionError("Offline mode is on, and kagglehub needs the network")
            folder = Path(client.model_download(rest))
            return folder, folder
        folder = client.snapshot_download(
            repository,
            revision=revision or None,
            allow_patterns=list(wanted),
            library_name="keras-cyclegan",
            local_files_only=is_offline(),
        )
    except Exception as error:  # of many kinds: HTTP, offline, not found, no access
        raise DownloadError(
            f"{handle} could not be downloaded: {brief(error)} ({type(error).__name__})."
        ) from error
    return Path(folder), Path(folder).parent.parent  # in its cache: its files are links to blobs


def upload_preset(uri: str, folder: PathLike) -> None:
    """Upload a preset, and nothing else in its folder, to a hub; its card then names the hub.

    Args:
        uri: `"hf://user/repo"` or `"kaggle://user/model/keras/variant"`. Log in before with the
            hub's own client (`hf auth login`, `kagglehub.login()`).
        folder: path of a folder that `CycleGAN.save_to_preset` wrote. It is loaded once, to see
            that it is whole.

    Raises:
        ValueError, FileNotFoundError: the URI is malformed, or a file is refused or missing.
        ImportError: the hub's client is not installed.
    """
    scheme, handle, client = _hub(str(uri))
    if "@" in handle or handle.count("/") > 3:  # a revision, a version
        raise _malformed(uri)
    folder = presets.local_preset(folder)
    presets.load_folder(types.SimpleNamespace, folder)
    with tempfile.TemporaryDirectory() as staged:
        for name in presets.FILES:
            if name != presets.DISCRIMINATORS or (folder / name).exists():
                shutil.copyfile(preset_file(folder, name, folder), Path(staged, name))
        card = Path(staged, presets.CARD)
        text, usage = card.read_text(encoding="utf-8"), f'.from_preset("{uri}")'
        text = re.sub(r"(?m)\.from_preset\(.*$", usage, text, count=1)
        card.write_text(text, encoding="utf-8")
        if scheme == "hf":
            client.upload_folder(
                repo_id=client.create_repo(repo_id=handle, exist_ok=True).repo_id,
                folder_path=staged,
                delete_patterns=list(presets.FILES),  # remove all files of an earlier preset
            )
        else:
            client.model_upload(handle, staged)


def _hub(handle):
    """Return the scheme of a handle, the rest of it, and the hub's client."""
    scheme, _, rest = handle.partition("://")
    if scheme not in CLIENTS or not re.fullmatch(PATTERNS[scheme], rest):
        raise _malformed(handle)
    return scheme, rest, needs(CLIENTS[scheme], handle, "hub")


def _malformed(handle):
    return ValueError(f"Unknown handle {handle!r}. Expected {HANDLES}.")
