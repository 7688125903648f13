"""virt/libvirt"""
