"""Guests under libvirt: QEMU with KVM or emulated. The only folder which imports libvirt."""
