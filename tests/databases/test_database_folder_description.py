"""database.toml and database.csv: each mistake is told with file, entry, key, value and what is allowed."""

import contextlib
import re
from pathlib import Path

import pytest
import tomli_w
from databases.trees import write
from hypothesis import given
from hypothesis import strategies as st

from stmap_pipeline.databases.folder import DATABASE
from stmap_pipeline.databases.folder_description import Description, LabelEntry, RecordingEntry, read_csv, read_toml
from stmap_pipeline.errors import DatabaseError


def toml(folder: Path, text: str | bytes) -> Description:
    return read_toml(write(folder / "database.toml", text))


def table(folder: Path, text: str | bytes) -> Description:
    return read_csv(write(folder / "database.csv", text))


RECORDING = '[[recording]]\nvideo = "a.mp4"\n'
LABEL = RECORDING + '[[recording.label]]\nfile = "a.csv"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = ", "database.toml: "),
        ('name = "x"', "database.toml:\n  recording is missing"),
        ("recording = []", "recording = []: "),
        ("frames = 1\n" + RECORDING, "'frames'; the keys are name, defaults, recording"),
        ('[[recording]]\nsubject = "s"', "recording 1:\n  video is missing"),
        (RECORDING + '[[recording]]\nvideo = ""', 'recording 2:\n  video = "": '),
        (RECORDING + "rate_hz = -1", "recording 1:\n  rate_hz = -1: .* 0.001"),
        (RECORDING + "rate_hz = nan", "rate_hz = nan: "),
        (RECORDING + "fold = 99999999999999999999", "fold = 99999999999999999999: .* 10000"),
        (RECORDING + 'scenario = "' + "y" * 70000 + '"', " 200 characters"),
        (RECORDING + 'extras = {a = "' + "y" * 70000 + '"}', " 1000 characters"),
        ("a=" + "[" * 100000, "database.toml: "),
        ("a=" + "9" * 5000, "database.toml: "),
        (LABEL + "rate_hz = 1e-300", "label 1: rate_hz = 1e-300: .* 0.001"),
        (RECORDING + "fold = 0", "fold = 0: "),
        (RECORDING + "subject = 1", "subject = 1: "),
        (RECORDING + 'subjct = "s"', "'subjct'; did you mean 'subject'?"),
        (
            RECORDING + 'subject = "{name}"',
            "{name}; the placeholders are {stem}, {parent}, {grandparent}, {dir}",
        ),
        (RECORDING + 'subject = "{stem.__class__}"', "{stem.__class__}"),
        (RECORDING + 'times = "a\\u0000b"', "NUL"),
        (RECORDING + 'rate_hz = 30\ntimes = "t.txt"', "rate_hz and times"),
        (LABEL + "rate_hz = 1\nper_frame = true", "label 1: .*, not rate_hz = 1 and per_frame = true"),
        (LABEL + 'rate_hz = 1\nkind = "spo2"', "label 1: kind = \"spo2\": .*'heart_rate', 'pulse', 'ecg' or 'rr'"),
        (LABEL + 'rate_hz = 1\nkind = "pulse"\nunit = "hz"', "label 1: unit = 'hz'"),
        (LABEL + 'rate_hz = 1\nunits = "hz"', "label 1: unknown key 'units'; did you mean 'unit'?"),
        (LABEL + "time_column = 0", "label 1: column and time_column .* 0"),
        (LABEL + "rate_hz = 1\ncolumn = -1", "label 1: column = -1: "),
        (LABEL + 'rate_hz = 1\n[[recording.label]]\nfile = "b.csv"\nrate_hz = 1', "two labels of one kind"),
        (
            "[defaults]\nrate_hz = 0\n" + RECORDING,
            "database.toml: [defaults]:\n  rate_hz = 0: ",
        ),
        ('[defaults]\nvideo = "x.mp4"\n' + RECORDING, "[defaults]:\n  unknown key 'video'"),
    ],
)
def test_a_mistake_in_toml_is_told(tmp_path: Path, text: str, message: str) -> None:
    pattern = re.escape(message).replace(r"\.\*", ".*")
    with pytest.raises(DatabaseError, match=pattern) as caught:
        toml(tmp_path, text)
    assert "database.toml" in str(caught.value)


def test_a_column_of_thousands_of_digits_is_a_name(tmp_path: Path) -> None:
    digits = "9" * 900
    ((_, entry),) = table(tmp_path, f"video,label_file,label_column,label_rate_hz,times_column\na.mp4,a.csv,{digits},1,2\n").entries
    assert (entry.label[0].column, entry.times_column) == (digits, 2)
    with pytest.raises(DatabaseError, match="row 2"):
        table(tmp_path, f"video,label_file,label_column,label_rate_hz\na.mp4,a.csv,{digits * 6},1\n")


def test_all_mistakes_of_an_entry_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError) as caught:
        toml(tmp_path, RECORDING + "rate_hz = -1\nfold = 0\nextra = 1")
    assert len(str(caught.value).splitlines()) == 4


def test_a_description_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="byte 11"):
        toml(tmp_path, b'name = "caf\xe9"')
    (tmp_path / "folder").mkdir()
    with pytest.raises(DatabaseError, match=f"{tmp_path}/folder: "):
        read_toml(tmp_path / "folder")
    with pytest.raises(DatabaseError, match="16,777,216 bytes"):
        toml(tmp_path, b"#" * (16 * 2**20 + 1))


def test_defaults_stand_in_each_recording_that_says_nothing_else(tmp_path: Path) -> None:
    spec = toml(
        tmp_path,
        '[defaults]\ncamera = "c1"\nlabel = [{file = "{stem}.csv", per_frame = true}]\n'
        + RECORDING
        + '[[recording]]\nvideo = "b.mp4"\ncamera = "c2"\nlabel = []\n',
    )
    (_, first), (where, second) = spec.entries
    assert (first.camera, len(first.label)) == ("c1", 1)
    assert (second.camera, second.label) == ("c2", ())
    assert where == "database.toml, recording 2"


VALUES = st.recursive(
    st.one_of(st.text(max_size=8), st.integers(-(2**62), 2**62), st.floats(), st.booleans()),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=4), inner, max_size=2)),
    max_leaves=4,
)
KEYS = st.sampled_from([*RecordingEntry.model_fields, "name"])
LABELS = st.lists(st.dictionaries(st.sampled_from(list(LabelEntry.model_fields)), VALUES, max_size=4), max_size=2)


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/"), max_size=8)


@given(st.dictionaries(KEYS, VALUES, max_size=2), NAMES, LABELS)
def test_any_toml_is_a_list_or_an_error(tmp_path_factory: pytest.TempPathFactory, entry, video: str, labels) -> None:
    folder = tmp_path_factory.getbasetemp() / "any"
    write(folder / "database.toml", tomli_w.dumps({"recording": [{"video": video, "label": labels, **entry}]}))
    with contextlib.suppress(DatabaseError):
        assert len(list(DATABASE.list_recordings(folder))) == 1


@given(st.text(max_size=60), st.sampled_from(["", "video,fold,label_file,label_rate_hz\n"]))
def test_any_table_is_a_list_or_an_error(tmp_path_factory: pytest.TempPathFactory, text: str, header: str) -> None:
    with contextlib.suppress(DatabaseError):
        assert table(tmp_path_factory.getbasetemp(), header + text).entries


CSV = """\
video,subject,fold,label_file,label_column,label_time_column,label_missing,label2_kind,label2_file,label2_per_frame,extra_skin
a.mp4,s1,1,a.csv,hr,0,255 0,pulse,a.txt,true,V
b.mp4,s2,2,,,,255,,,,
"""


@pytest.mark.parametrize(
    "change", [str.encode, lambda text: b"\xef\xbb\xbf" + text.replace("\n", "\r\n").replace(",", ";").encode()]
)
def test_a_table_says_the_same_as_toml(tmp_path: Path, change) -> None:
    (_, first), (where, second) = table(tmp_path, change(CSV)).entries
    assert (first.video, first.subject, first.fold, first.extras) == ("a.mp4", "s1", 1, {"skin": "V"})
    heart_rate, pulse = first.label
    assert (heart_rate.file, heart_rate.column, heart_rate.time_column, heart_rate.missing) == ("a.csv", "hr", 0, (255.0, 0.0))
    assert (pulse.kind, pulse.file, pulse.per_frame) == ("pulse", "a.txt", True)
    assert (second.label, second.extras, where) == ((), {}, "database.csv, row 3")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'video'; the columns are subject, scenario, "),
        ("video\n\n", "database.csv: holds no row"),
        ("file\na.mp4\n", "'file'; the columns are "),
        ("video,label_units\n", "'label_units'; "),
        ("video,video\n", "'video' is there twice"),
        ("video,fold\na.mp4,1\nb.mp4,one\n", 'database.csv: row 3:\n  fold = "one": '),
        ("video\na.mp4,b.mp4\n", "row 2: holds 2 cells, "),
        ("video,label_file,label_rate_hz,label_per_frame\na.mp4,a.csv,1,true\n", "row 2:\n  label 1: "),
        ("video,label_file,label_missing,label_rate_hz\na.mp4,a.csv,none,1\n", 'label 1: missing = "none"'),
        ("video,subject\n,s1\n", "row 2:\n  video is missing"),
        (b"video\n" + b"x" * 200_000 + b"\n", "database.csv: is no CSV file ("),
    ],
)
def test_a_mistake_in_a_table_is_told(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(DatabaseError, match=re.escape(message)):
        table(tmp_path, text)
