import json
import shutil

import pytest

from novalike.virt.libvirt import accelerator


@pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="QEMU is not installed")
def test_the_boot_sector_runs_to_its_end_on_a_cpu_that_works():
    assert accelerator.probe("tcg", cpu="Nehalem")


def test_a_missing_emulator_is_a_no():
    assert not accelerator.probe("tcg", cpu="Nehalem", emulator="/nonexistent/qemu")


def test_the_result_is_remembered_for_this_kernel_and_qemu(tmp_path):
    file = tmp_path / "state" / "kvm-probe.json"
    first = accelerator.kvm_works(state_file=str(file), qemu_version=7002022, emulator="/nonexistent/qemu")
    assert first is False
    if not file.exists():
        pytest.skip("there is no /dev/kvm, so nothing is probed")
    record = json.loads(file.read_text())
    file.write_text(json.dumps({**record, "works": True}))
    assert accelerator.kvm_works(state_file=str(file), qemu_version=7002022, emulator="/nonexistent/qemu") is True
    assert accelerator.kvm_works(state_file=str(file), qemu_version=8000000, emulator="/nonexistent/qemu") is False, "another QEMU"
