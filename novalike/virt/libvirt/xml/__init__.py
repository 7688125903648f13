"""virt/libvirt/xml"""
