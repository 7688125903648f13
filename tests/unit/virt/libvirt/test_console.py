import pytest

from novalike.virt.libvirt import console

LINES = [f"line {number:06d}\r\n".encode() for number in range(20000)]


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "console.log"
    path.write_bytes(b"".join(LINES))
    return str(path)


@pytest.mark.parametrize("lines", [1, 2, 100, 7000])
def test_last_lines(log, lines):
    assert console.tail(log, lines, 1 << 20) == b"".join(LINES[-lines:])


def test_an_unfinished_line_counts(tmp_path):
    path = tmp_path / "console.log"
    path.write_bytes(b"a\nb\nlogin: ")
    assert console.tail(str(path), 2, 1000) == b"b\nlogin: "


def test_everything_up_to_the_limit(log):
    whole = b"".join(LINES)
    assert console.tail(log, None, 1 << 20) == whole
    assert console.tail(log, None, 100_001) == whole[-100_001:]
    assert console.tail(log, 5000, 10) == whole[-10:]
    assert console.tail(log, 1_000_000, 1 << 20) == whole


def test_rotated_files_come_before(log, tmp_path):
    (tmp_path / "console.log.0").write_bytes(b"older 1\nolder 2\n")
    (tmp_path / "console.log").write_bytes(b"new\n")
    assert console.tail(log, 2, 1000) == b"older 2\nnew\n"


def test_nothing(tmp_path):
    assert console.tail(str(tmp_path / "none"), None, 10) == b""
    (tmp_path / "empty").write_bytes(b"")
    assert console.tail(str(tmp_path / "empty"), 3, 10) == b""
    assert console.tail(str(tmp_path / "empty"), 0, 10) == b""
