"""Errors of the network service. The class names are Neutron's: the Neutron API answers them as `type`."""

from __future__ import annotations

from novalike import exception


class NetworkNotFound(exception.NotFound):
    """There is no such network."""


class SubnetNotFound(exception.NotFound):
    """There is no such subnet."""


class PortNotFound(exception.NotFound):
    """There is no such port."""


class SecurityGroupNotFound(exception.NotFound):
    """There is no such security group."""


class SecurityGroupRuleNotFound(exception.NotFound):
    """There is no such security group rule."""


class InvalidInput(exception.Invalid):
    """The request is malformed."""

    def __init__(self, message: str) -> None:
        super().__init__(f"Invalid input for operation: {message}")


class InvalidIpForNetwork(exception.Invalid):
    """The address is of none of the network's subnets."""


class InvalidIpForSubnet(exception.Invalid):
    """The address is not of the subnet."""


class InvalidAllocationPool(exception.Invalid):
    """A pool ends before it starts, or is not of the subnet's address family."""


class OutOfBoundsAllocationPool(exception.Invalid):
    """A pool leaves its subnet."""


class OverlappingAllocationPools(exception.Conflict):
    """Two pools of a subnet overlap."""


class GatewayConflictWithAllocationPools(exception.Conflict):
    """The gateway lies in a pool."""


class DNSNameServersExhausted(exception.Invalid):
    """Too many name servers."""


class HostRoutesExhausted(exception.Invalid):
    """Too many host routes."""


class NetworkInUse(exception.Conflict):
    """The network still has ports."""


class SubnetInUse(exception.Conflict):
    """Ports still hold addresses of the subnet."""


class PortInUse(exception.Conflict):
    """The port belongs to a server."""


class ServicePortInUse(exception.Conflict):
    """The port is the network service's own."""


class MacAddressInUse(exception.Conflict):
    """Another port of the network has this MAC address."""


class IpAddressAlreadyAllocated(exception.Conflict):
    """Another port has this address."""


class IpAddressGenerationFailure(exception.Conflict):
    """All addresses of the pools are in use."""


class NoNetworkAvailable(exception.Conflict):
    """All VXLAN identifiers are in use."""


class SecurityGroupInUse(exception.Conflict):
    """Ports are in the group."""


class SecurityGroupDefaultAlreadyExists(exception.Conflict):
    """Every project has a default group already."""


class SecurityGroupCannotRemoveDefault(exception.Conflict):
    """Only admins may remove a default group."""


class SecurityGroupRuleExists(exception.Conflict):
    """The group has this rule already."""


class OverQuota(exception.OverQuota):
    """A limit of the project would be exceeded."""
