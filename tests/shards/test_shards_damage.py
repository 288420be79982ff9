"""A damaged or hostile file is a ShardError that names it: never other numbers, never a crash, never a file elsewhere."""

import json
import shutil

import h5py
import numpy as np
import pytest
from shard_examples import same

from stmap_pipeline.errors import ShardError
from stmap_pipeline.maps.example import example_result
from stmap_pipeline.shards import read_recording, write_recording

ID = "p001_v1_source1"


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("good") / "p001.h5"
    write_recording(path, example_result(ID, frames=120))
    return path


@pytest.fixture
def bad(good, tmp_path):
    return shutil.copy(good, tmp_path / "bad.h5")


def test_a_flipped_bit_is_an_error_or_without_effect(good, tmp_path):
    data, expected, path = good.read_bytes(), read_recording(good), tmp_path / "bad.h5"
    rng, messages = np.random.default_rng(0), []
    for position in rng.choice(len(data), 250, replace=False):
        broken = bytearray(data)
        broken[position] ^= 1 << int(rng.integers(8))
        path.write_bytes(broken)
        try:
            same(read_recording(path), expected)
        except ShardError as error:
            messages.append(str(error))
    assert len(messages) > 100  # the rest hit padding
    assert all(str(path) in message for message in messages)


@pytest.mark.parametrize("name", ["means", "times_s", "landmarks_px", "coverage", "pulse"])
def test_a_flipped_bit_among_the_samples_is_always_an_error(good, bad, name):
    with h5py.File(good) as file:
        chunk = file[name].id.get_chunk_info(0)
    with bad.open("r+b") as file:
        file.seek(chunk.byte_offset + chunk.size // 2)
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte ^ 0x10]))
    with pytest.raises(ShardError, match=r"bad\.h5.*(restore a copy)"):
        read_recording(bad)


@pytest.mark.parametrize("keep", [0.0, 0.01, 0.3, 0.7, 0.99, 0.9999])
def test_a_truncated_file_is_an_error(good, bad, keep):
    data = good.read_bytes()
    bad.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(ShardError, match=r"bad\.h5"):
        read_recording(bad)


def test_what_is_no_shard_is_named(tmp_path):
    for path in (tmp_path / "none.h5", tmp_path):
        with pytest.raises(ShardError, match=f"{path}: is not there"):
            read_recording(path)
    (tmp_path / "text.h5").write_text("no HDF5 at all")
    with pytest.raises(ShardError, match=r"text\.h5"):
        read_recording(tmp_path / "text.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = [1, 2]
    with pytest.raises(ShardError, match=r"other\.h5.* attribute format"):
        read_recording(tmp_path / "other.h5")


def set_attribute(item, name, value):
    del item.attrs[name]
    item.attrs[name] = value


def edited_attribute(name, value):
    return lambda group: set_attribute(group, name, value)


def replaced(name, make):
    def edit(group):
        attributes = dict(group[name].attrs)
        data = group[name][...]
        del group[name]
        make(group, name, data)
        for key, value in attributes.items():
            group[name].attrs[key] = value

    return edit


def linked(link):
    def edit(group):
        del group["means"]
        group["means"] = link

    return edit


def virtual(group, name, data):
    layout = h5py.VirtualLayout(data.shape, data.dtype)
    layout[...] = h5py.VirtualSource("elsewhere.h5", "x", data.shape)
    group.create_virtual_dataset(name, layout)


def external(group, name, data):
    group.create_dataset(name, data.shape, data.dtype, external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)])


EDITS = {
    "attribute changed": (edited_attribute("camera", np.bytes_("source9")), "does not match its checksum"),
    "attribute of another type": (edited_attribute("fold", "one"), "fold is no single int"),
    "attribute of variable length": (edited_attribute("subject", "p001"), "subject is no single str of fixed width"),
    "attribute that is an array": (edited_attribute("grid_rows", [2, 2]), "grid_rows is no single int"),
    "absurd grid": (edited_attribute("grid_rows", 10**6), "1 to 64 rows"),
    "attribute missing": (lambda group: group.attrs.__delitem__("notes"), "lacks the attribute notes"),
    "object reference": (lambda group: set_attribute(group, "notes", group.ref), "notes is no single str"),
    "sample changed": (lambda group: group["means"].__setitem__((3, 1, 1), 77.0), "does not match its checksum"),
    "scale changed": (lambda group: set_attribute(group["landmarks_px"], "scale", 1.0), "does not match its checksum"),
    "scale not positive": (lambda group: set_attribute(group["landmarks_px"], "scale", np.nan), "scale is not positive"),
    "dataset missing": (lambda group: group.__delitem__("score"), "lacks score"),
    "optional dataset missing": (lambda group: group.__delitem__("pulse"), "does not match its checksum"),
    "another type": (
        replaced("means", lambda group, name, data: group.create_dataset(name, data=data.astype("f8"))),
        "has type float64",
    ),
    "another rank": (replaced("score", lambda group, name, data: group.create_dataset(name, data=data[:, None])), "has type"),
    "another length": (
        replaced("score", lambda group, name, data: group.create_dataset(name, data=data[:-1])),
        "entries along 'frame'",
    ),
    "group for a dataset": (replaced("score", lambda group, name, _: group.create_group(name)), "is a Group, not a Dataset"),
    "soft link": (linked(h5py.SoftLink("/somewhere")), "a link that leads elsewhere"),
    "external link": (linked(h5py.ExternalLink("/dev/zero", "/x")), "a link that leads elsewhere"),
    "virtual dataset": (replaced("means", virtual), "stored outside the file"),
    "external storage": (replaced("means", external), "stored outside the file"),
    "foreign filter": (
        replaced("means", lambda group, name, data: group.create_dataset(name, data=data, compression="lzf")),
        "foreign filter",
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_file_is_refused_with_what_is_wrong(bad, edit):
    change, text = EDITS[edit]
    with h5py.File(bad, "r+") as file:
        change(file["/"])
    with pytest.raises(ShardError, match=text) as caught:
        read_recording(bad)
    assert str(bad) in str(caught.value)


def test_a_claim_of_terabytes_is_refused_before_memory_is_asked_for(bad):
    with h5py.File(bad, "r+") as file:
        group = file["/"]
        for name, shape in (("times_s", (10**9,)), ("means", (10**9, 4, 3))):
            dtype = group[name].dtype
            del group[name]
            group.create_dataset(name, shape, dtype, chunks=(150, *shape[1:]))
    with pytest.raises(ShardError, match=r"times_s .*1000000000.* too large to be true"):
        read_recording(bad)
    with h5py.File(bad, "r+") as file:
        group = file["/"]
        del group["times_s"], group["means"]
        group.create_dataset("times_s", (120,), "<f8", chunks=(10**8,), maxshape=(None,))
    with pytest.raises(ShardError, match=r"times_s .*100000000"):
        read_recording(bad)


def test_a_file_that_unfolds_to_a_thousand_times_its_size_is_refused(bad):
    with h5py.File(bad, "r+") as file:
        group = file["/"]
        for name, shape in (("times_s", (10**7,)), ("means", (10**7, 4, 3))):
            dtype = group[name].dtype
            del group[name]
            # never written, so that the file stays small
            group.create_dataset(name, shape, dtype, chunks=(150, *shape[1:]))
    assert bad.stat().st_size < 10**6
    with pytest.raises(ShardError, match=r"times_s .*10000000,.* bytes"):
        read_recording(bad)


def test_another_schema_version_says_which_stmap_is_needed(bad):
    with h5py.File(bad, "r+") as file:
        set_attribute(file, "schema_version", 3)
    with pytest.raises(ShardError, match=r"version 3, .* 2; install the stmap that wrote it"):
        read_recording(bad)
    with h5py.File(bad, "r+") as file:
        set_attribute(file, "format", np.bytes_("other"))
    with pytest.raises(ShardError, match="not the file of a recording"):
        read_recording(bad)


@pytest.mark.parametrize("text", ["[1, 2]", '{"a": 1}', "[[[[", '"x"', "[" * 20_000])
def test_json_that_is_not_what_the_schema_says_is_refused(tmp_path, monkeypatch, text):
    # a hostile writer has the right checksum: let our own writer be one
    real = json.dumps
    monkeypatch.setattr("stmap_pipeline.shards.recording_file.json.dumps", lambda value: text if value == ["note"] else real(value))
    one = example_result(ID, frames=3)
    one = type(one)(one.recording, one.blocks, one.track, notes=("note",))
    with pytest.raises(ShardError):
        write_recording(tmp_path / "one.h5", one)
