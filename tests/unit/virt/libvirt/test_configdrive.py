import io

import pycdlib

from novalike.virt.libvirt import configdrive

TREE = {
    "openstack/latest/meta_data.json": b'{"uuid": "x"}', "openstack/2012-08-10/meta_data.json": b"{}", "openstack/content/0000": b"",
    "ec2/latest/meta-data.json": b"[]", "openstack/latest/user_data": bytes(range(256)) * 300,
}


def test_files_read_back_by_their_own_names():
    disc = pycdlib.PyCdlib()
    disc.open_fp(io.BytesIO(configdrive.image(TREE)))
    assert disc.pvd.volume_identifier.decode().strip() == "config-2"
    for path, content in TREE.items():
        for way in ("rr_path", "joliet_path"):
            output = io.BytesIO()
            disc.get_file_from_iso_fp(output, **{way: f"/{path}"})
            assert output.getvalue() == content, f"{path} by {way}"
    disc.close()


def test_vendor_data_of_the_operator(tmp_path):
    file = tmp_path / "vendor.json"
    file.write_text('{"cloud": "ours"}')
    assert configdrive.vendor_data(str(file)) == {"cloud": "ours"}
    file.write_text("[1")
    assert configdrive.vendor_data(str(file)) == {}, "broken vendor data must not stop a build"
    assert configdrive.vendor_data(None) == configdrive.vendor_data(str(tmp_path / "none")) == {}
