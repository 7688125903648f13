"""The door: what each format must look like, and what is refused."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novalike.exception import Invalid
from novalike.image import inspector

MEGABYTE = 1 << 20
QEMU_NAMES = {"vhd": "vpc"}
needs_qemu_img = pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")


def make(path, format, *options, size="4M", source=None):
    """Make an image by qemu-img and answer its bytes."""
    name = QEMU_NAMES.get(format, format)
    if source:
        command = ["qemu-img", "convert", "-f", "raw", "-O", name, *options, str(source), str(path)]
    else:
        command = ["qemu-img", "create", "-q", "-f", name, *options, str(path), size]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    return path.read_bytes()


def look(raw: bytes, declared: str) -> int:
    return inspector.inspect(io.BytesIO(raw), declared)


def refuse(raw: bytes, declared: str, word: str) -> None:
    with pytest.raises(Invalid) as refused:
        look(raw, declared)
    assert word in str(refused.value)


@needs_qemu_img
@pytest.mark.parametrize(("format", "options"), [
    ("qcow2", []), ("qcow2", ["-o", "compat=0.10"]), ("qcow2", ["-o", "extended_l2=on"]), ("vmdk", []),
    ("vmdk", ["-o", "subformat=streamOptimized"]), ("vhd", ["-o", "force_size=on"]), ("vhd", ["-o", "subformat=fixed,force_size=on"]),
    ("vhdx", []), ("vdi", []), ("raw", []),
])
def test_what_qemu_img_makes_is_what_it_is(tmp_path, format, options):
    source = tmp_path / "source"
    source.write_bytes(b"some bytes" * 1000 + bytes(4 * MEGABYTE - 10000))
    raw = make(tmp_path / "image", format, *options, source=source)
    assert look(raw, format) == 4 * MEGABYTE
    for other in inspector.FORMATS - {format} - inspector.RAW_FORMATS:
        refuse(raw, other, "disk_format")
    if format != "raw":
        refuse(raw, "raw", f"looks like {format}")


@needs_qemu_img
def test_backing_files_are_refused(tmp_path):
    make(tmp_path / "base", "qcow2")
    raw = make(tmp_path / "top", "qcow2", "-b", "base", "-F", "qcow2")
    refuse(raw, "qcow2", "backing file")


@needs_qemu_img
def test_external_data_files_are_refused(tmp_path):
    raw = make(tmp_path / "top", "qcow2", "-o", f"data_file={tmp_path}/data,data_file_raw=on")
    refuse(raw, "qcow2", "data file")


@needs_qemu_img
def test_encrypted_images_are_refused(tmp_path):
    raw = make(tmp_path / "top", "qcow2", "--object", "secret,id=s,data=abc", "-o", "encrypt.format=aes,encrypt.key-secret=s")
    refuse(raw, "qcow2", "encrypted")


@needs_qemu_img
@pytest.mark.parametrize("subformat", ["monolithicFlat", "twoGbMaxExtentSparse", "twoGbMaxExtentFlat"])
def test_vmdk_of_several_files_is_refused(tmp_path, subformat):
    refuse(make(tmp_path / "image.vmdk", "vmdk", "-o", f"subformat={subformat}"), "vmdk", "VMDK")


def sparse_vmdk(descriptor: str, *, capacity: int = 8192) -> bytes:
    header = struct.pack("<4sIIQQQQIQQQ", b"KDMV", 1, 3, capacity, 128, 1, 20, 512, 21, 26, 128)
    return header.ljust(512, b"\0") + descriptor.encode().ljust(20 * 512, b"\0") + bytes(65536)


GOOD = '# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\ncreateType="monolithicSparse"\nRW 8192 SPARSE "me.vmdk"\n'


@pytest.mark.parametrize(("descriptor", "word"), [
    (GOOD.replace('SPARSE "me.vmdk"', 'FLAT "/etc/shadow" 0'), "extents"),
    (GOOD + 'RW 8192 SPARSE "/etc/shadow"\n', "extents"),
    (GOOD + 'rw 8192 flat "/etc/shadow" 0\n', "extents"),
    (GOOD.replace("monolithicSparse", "monolithicFlat"), "one file"),
    (GOOD.replace("parentCID=ffffffff", "parentCID=12345678"), "parent"),
    (GOOD + 'parentFileNameHint="/etc/shadow"\n', "parent"),
    ("", "one file"),
])
def test_vmdk_descriptors_which_reach_outside_are_refused(descriptor, word):
    assert look(sparse_vmdk(GOOD), "vmdk") == 8192 * 512
    refuse(sparse_vmdk(descriptor), "vmdk", word)


def test_vmdk_without_capacity_is_refused():
    refuse(sparse_vmdk(GOOD, capacity=0), "vmdk", "header")


def test_bare_vmdk_descriptor_is_refused():
    refuse(GOOD.encode(), "vmdk", "VMDK")
    refuse(GOOD.encode(), "raw", "vmdk")


def qcow2(*, version=3, backing=0, incompatible=0, extension=b"", cluster_bits=16, crypt=0, l1=0) -> bytes:
    header = struct.pack(">4sIQIIQIIQQIIQ", b"QFI\xfb", version, backing, 4 if backing else 0, cluster_bits, MEGABYTE, crypt, 1, l1, 0, 0, 0, 0)
    header += struct.pack(">QQQII", incompatible, 0, 0, 4, 104)
    return header + extension + bytes(4096)


@pytest.mark.parametrize(("changes", "word"), [
    ({"backing": 112}, "backing"), ({"incompatible": 4}, "data file"), ({"incompatible": 2}, "corrupt"), ({"incompatible": 1 << 40}, "unknown"),
    ({"version": 1}, "version"), ({"cluster_bits": 60}, "header"), ({"crypt": 2}, "encrypted"), ({"l1": 1 << 40}, "header"),
    ({"extension": struct.pack(">II", 0x44415441, 8) + b"/etc/foo"}, "data file"),
    ({"extension": struct.pack(">II", 0x6803F857, 0xFFFFFFFF)}, "extensions"),
])
def test_qcow2_headers_which_hide_something_are_refused(changes, word):
    assert look(qcow2(), "qcow2") == MEGABYTE
    refuse(qcow2(**changes), "qcow2", word)


def test_iso_is_an_iso_and_may_be_a_raw_disk():
    raw = bytes(32768) + b"\x01CD001\x01" + bytes(4096)
    assert look(raw, "iso") == len(raw)
    assert look(raw, "raw") == len(raw)
    refuse(b"QFI\xfb" + raw[4:], "iso", "qcow2")
    refuse(bytes(65536), "iso", "disk_format iso")


def test_kernels_are_bytes():
    assert look(b"MZ" + bytes(1000), "aki") == 1002
    refuse(qcow2(), "ami", "qcow2")


def test_a_fixed_vhd_is_no_raw_disk():
    footer = bytearray(512)
    footer[:8] = b"conectix"
    struct.pack_into(">Q", footer, 48, 4096)
    struct.pack_into(">I", footer, 60, 2)
    assert look(bytes(4096) + bytes(footer), "vhd") == 4096
    refuse(bytes(4096) + bytes(footer), "raw", "vhd")
    struct.pack_into(">I", footer, 60, 4)
    refuse(bytes(4096) + bytes(footer), "vhd", "differencing")


@given(st.sampled_from(sorted(inspector.FORMATS)), st.binary(max_size=600), st.integers(0, 7))
def test_rubbish_is_refused_and_never_more(declared, rubbish, magic):
    _, at, start = inspector._MAGIC[magic]
    raw = bytes(at) + start + rubbish
    try:
        inspector.inspect(io.BytesIO(raw), declared)
    except Invalid:
        return
