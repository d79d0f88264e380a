"""Folders in the format of the Hugging Face hub: config.json, and tensors by name in safetensors files."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pooch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from lmcourse.corpora.download import cache_folder

HUB_URL = "https://huggingface.co/{name}/resolve/main/{file}"
CONFIG, TOKENIZER = "config.json", "tokenizer.json"
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"


def read_config(folder: str | Path) -> dict[str, Any]:
    """Return what config.json says.

    Raises:
        FileNotFoundError: no such folder, or no config.json in it. ValueError: it is not a JSON object.
    """
    path = Path(folder) / CONFIG
    if not path.is_file():
        raise FileNotFoundError(f"'folder' must hold a file {CONFIG}, got {folder}")
    return _read_json(path)


def size(config: Mapping[str, Any], *names: str, default: int | None = None) -> int:
    """Return a size from a config: the first of `names` that is there and not null.

    Raises:
        ValueError: none is there and there is no default; what is there is not a positive whole number.
    """
    for name in names:
        value = config.get(name)
        if value is not None:
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"{CONFIG}: {name!r} must be a positive whole number, got {value!r}")
            return value
    if default is None:
        raise ValueError(f"{CONFIG} must have {names[0]!r}, got only {', '.join(map(repr, sorted(config)))}")
    return default


def must_be(config: Mapping[str, Any], name: str, *allowed: Any) -> Any:
    """Return config[name], which has to be one of `allowed`; where it is not said, the first of them is meant.

    Raises:
        ValueError: anything else: the model would compute something that the code here does not.
    """
    value = config.get(name, allowed[0])
    if value not in allowed:
        choices = " or ".join(map(repr, allowed))
        raise ValueError(f"{CONFIG}: {name!r} must be {choices} to be loaded here, got {value!r}")
    return value


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} must be a JSON file: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold a JSON object, got {type(content).__name__}")
    return content


def read_tensors(folder: str | Path) -> dict[str, Tensor]:
    """Return all tensors of model.safetensors, or of the files that model.safetensors.index.json names.

    Raises:
        FileNotFoundError: no weights, or a file of the index is missing.
        ValueError: only a pickle (pytorch_model.bin), which could run any program when it is opened; a damaged file; an
            index that does not fit its files.
    """
    folder = Path(folder)
    if (folder / WEIGHTS).is_file():
        return _read_safetensors(folder / WEIGHTS)
    if (folder / INDEX).is_file():
        return _read_shards(folder)
    if list(folder.glob("pytorch_model*.bin")):
        raise ValueError(
            f"'folder' must hold {WEIGHTS}, got only pytorch_model.bin in {folder}: a pickle, which could run any program when "
            "it is opened. Convert it with transformers where you trust it: from_pretrained(folder), then save_pretrained."
        )
    raise FileNotFoundError(f"'folder' must hold {WEIGHTS} or {INDEX}, got {folder}")


def shard_files(index: Path) -> dict[str, str]:
    """Return which file each tensor stands in, as model.safetensors.index.json says.

    Raises:
        ValueError: the index says it otherwise, or names a file in another folder.
    """
    files = _read_json(index).get("weight_map")
    plain = isinstance(files, dict) and all(
        isinstance(file, str) and re.fullmatch(r"\w[\w.-]*", file) for file in files.values()
    )
    if not plain:
        raise ValueError(
            f"{index} must have a 'weight_map' from names of tensors to names of files beside it"
        )
    return files


def _read_shards(folder: Path) -> dict[str, Tensor]:
    files = shard_files(folder / INDEX)
    tensors: dict[str, Tensor] = {}
    for file in sorted(set(files.values())):
        if not (folder / file).is_file():
            raise FileNotFoundError(f"{INDEX} names the file {file!r}, which is not in {folder}")
        tensors |= _read_safetensors(folder / file)
    if differing := sorted(files.keys() ^ tensors.keys()):
        names = ", ".join(map(repr, differing))
        raise ValueError(f"{INDEX} and its files must name the same tensors, got {names} in one only")
    return tensors


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path} must be a whole safetensors file: {error}") from error


def write_folder(folder: str | Path, config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Write config.json and model.safetensors, each whole or not at all; the folder is made if need be."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    new = {name: folder / f".{name}.new" for name in (CONFIG, WEIGHTS)}
    new[CONFIG].write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    save_file(dict(tensors), new[WEIGHTS], metadata={"format": "pt"})
    for name, path in new.items():
        path.replace(folder / name)


def fetch_pretrained(name: str, sha256: Mapping[str, str] | None = None, *, progress: bool = True) -> Path:
    """Return the folder with a model of the Hugging Face hub, for `load_pretrained`; what is not there yet is fetched.

    The files are config.json, tokenizer.json (if there is one) and the weights as safetensors, whole or in shards. They are kept in
    `lmcourse.corpora.download.cache_folder()`. Weights are large: GPT-2's are half a gigabyte.

    Args:
        name: "owner/model", or a name without owner for old models such as "gpt2".
        sha256: checksums of files, by their names. A file without one is taken as the hub gives it today.

    Raises:
        ValueError: not a name; a file with another checksum than asked for (it is not kept).
        ConnectionError: a file is neither here nor can it be fetched; says how to go on without network.
    """
    if not re.fullmatch(r"(\w[\w.-]*/)?\w[\w.-]*", name):
        raise ValueError(f"'name' must be 'owner/model' as on the hub, got {name!r}")
    folder = cache_folder() / "models" / name.replace("/", "--")

    def fetch(file: str, needed: bool = True) -> Path | None:
        digest = (sha256 or {}).get(file)
        known = None if digest is None else f"sha256:{digest}"
        url = HUB_URL.format(name=name, file=file)
        try:
            return Path(pooch.retrieve(url, known, file, folder, progressbar=progress))
        except OSError as error:  # what requests raises is one, from "no network" to "not found"
            answer = getattr(error, "response", None)
            if not needed and answer is not None and answer.status_code == 404:
                return None
            raise ConnectionError(
                f"{url} cannot be fetched ({type(error).__name__}: {error}). Connect to the network and run again; or fetch the "
                f"model's files elsewhere and put them into {folder}, or into any folder that you give to load_pretrained."
            ) from error

    fetch(CONFIG)
    if fetch(WEIGHTS, needed=False) is None:
        index = fetch(INDEX)
        for file in sorted(set(shard_files(index).values())):
            fetch(file)
    fetch(TOKENIZER, needed=False)
    return folder
