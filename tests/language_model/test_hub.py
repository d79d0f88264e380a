"""Folders of the hub: reading, matching by name, writing; and everything that must be refused."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from lmcourse.encoder_decoder.hub import read_config, read_tensors, write_folder
from lmcourse.language_model.matching import Match, give_tensors, take_tensors

MATCHES = [Match("emb", ("embedding",)), Match("qkv", ("q", "k", "v"), transposed=True)]
SHAPES = {
    name: torch.Size(shape)
    for name, shape in {"embedding": (5, 3), "q": (4, 3), "k": (2, 3), "v": (2, 3)}.items()
}


def ours() -> dict[str, torch.Tensor]:
    return {
        name: torch.randn(shape, generator=torch.Generator().manual_seed(at))
        for at, (name, shape) in enumerate(SHAPES.items())
    }


def test_there_and_back_again():
    given = give_tensors(ours(), MATCHES)
    assert {name: tuple(tensor.shape) for name, tensor in given.items()} == {"emb": (5, 3), "qkv": (3, 8)}
    taken = take_tensors(given, MATCHES, SHAPES)
    assert taken.keys() == SHAPES.keys()
    assert all(torch.equal(taken[name], tensor) for name, tensor in ours().items())


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda file: file.pop("qkv"), "none called 'qkv'"),
        (lambda file: file.update(odd=torch.zeros(1)), "'odd' besides"),
        (lambda file: file.update(emb=torch.zeros(3, 5)), r"'emb' must have shape \(5, 3\).*got \(3, 5\)"),
        (lambda file: file.update(qkv=torch.zeros(8, 3)), r"'qkv' must have shape \(3, 8\)"),
    ],
)
def test_what_does_not_fit_is_named(change, named: str):
    file = give_tensors(ours(), MATCHES)
    change(file)
    with pytest.raises(ValueError, match=named):
        take_tensors(file, MATCHES, SHAPES)


def test_only_whole_names_are_ignored():
    file = give_tensors(ours(), MATCHES)
    take_tensors(file | {"pooler.weight": torch.zeros(1)}, MATCHES, SHAPES, r"pooler\..*")
    with pytest.raises(ValueError, match="'my.pooler.weight' besides"):
        take_tensors(file | {"my.pooler.weight": torch.zeros(1)}, MATCHES, SHAPES, r"pooler\..*")


def test_a_folder_is_written_and_read(tmp_path: Path):
    write_folder(tmp_path / "new", {"model_type": "odd"}, ours())
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["config.json", "model.safetensors"]
    assert read_config(tmp_path / "new") == {"model_type": "odd"}
    read = read_tensors(tmp_path / "new")
    assert all(torch.equal(read[name], tensor) for name, tensor in ours().items())


def shards(folder: Path) -> dict[str, str]:
    tensors, files = (
        ours(),
        {"embedding": "a.safetensors", "q": "a.safetensors", "k": "b.safetensors", "v": "b.safetensors"},
    )
    for file in set(files.values()):
        save_file({name: tensors[name] for name in tensors if files[name] == file}, folder / file)
    return files


def write_index(folder: Path, files: dict) -> None:
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": files}))


def test_shards_are_one_file(tmp_path: Path):
    write_index(tmp_path, shards(tmp_path))
    read = read_tensors(tmp_path)
    assert read.keys() == SHAPES.keys()
    assert all(torch.equal(read[name], tensor) for name, tensor in ours().items())


def test_an_index_must_fit_its_files(tmp_path: Path):
    files = shards(tmp_path)
    write_index(tmp_path, files | {"more": "b.safetensors"})
    with pytest.raises(ValueError, match="'more' in one only"):
        read_tensors(tmp_path)
    write_index(tmp_path, files | {"k": "a.safetensors", "v": "a.safetensors"})
    with pytest.raises(ValueError, match="'k', 'v' in one only"):
        read_tensors(tmp_path)
    write_index(tmp_path, files | {"more": "c.safetensors"})
    with pytest.raises(FileNotFoundError, match="c.safetensors"):
        read_tensors(tmp_path)
    (tmp_path / "inner").mkdir()
    write_index(tmp_path / "inner", {"q": "../a.safetensors"})
    with pytest.raises(ValueError, match="files beside it"):
        read_tensors(tmp_path / "inner")
    write_index(tmp_path, {"q": 3})
    with pytest.raises(ValueError, match="weight_map"):
        read_tensors(tmp_path)


def test_pickles_and_empty_folders_are_refused(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="model.safetensors"):
        read_tensors(tmp_path)
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ValueError, match="a pickle"):
        read_tensors(tmp_path)


def test_damaged_files_are_named(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="config.json"):
        read_config(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ValueError, match="config.json must be a JSON file"):
        read_config(tmp_path)
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(ValueError, match="JSON object"):
        read_config(tmp_path)
    write_folder(tmp_path, {}, ours())
    whole = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[:-4])
    with pytest.raises(ValueError, match="whole safetensors file"):
        read_tensors(tmp_path)


def test_transformers_would_see_a_file_of_torch(tmp_path: Path):
    from safetensors import safe_open

    write_folder(tmp_path, {}, ours())
    with safe_open(tmp_path / "model.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt"}
    assert load_file(tmp_path / "model.safetensors").keys() == SHAPES.keys()
