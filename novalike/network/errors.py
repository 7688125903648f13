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


class PortBound(exception.Conflict):
    """The port is in use on a host."""


class AddressPairAndPortSecurityRequired(exception.Conflict):
    """Address pairs mean nothing on a port without port security."""


class PortSecurityPortHasSecurityGroup(exception.Conflict):
    """The port's groups must go before its port security."""


class PortSecurityAndIPRequiredForSecurityGroups(exception.Invalid):
    """Groups mean nothing on a port without port security."""


class NetworkMTUSubnetConflict(exception.Conflict):
    """The subnet's IP version needs larger packets than the network lets pass."""


class AgentNotFound(exception.NotFound):
    """There is no such agent."""


class AvailabilityZoneNotFound(exception.NotFound):
    """There is no such availability zone."""


class ExtensionNotFound(exception.NotFound):
    """There is no such extension."""


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


class SecurityGroupConflict(exception.Conflict):
    """Groups with and without state cannot be on one port."""


class SecurityGroupDefaultAlreadyExists(exception.Conflict):
    """Every project has a default group already."""


class SecurityGroupCannotRemoveDefault(exception.Conflict):
    """Only admins may remove a default group."""


class SecurityGroupCannotUpdateDefault(exception.Conflict):
    """A default group keeps its name."""


class SecurityGroupRemoteGroupAndRemoteIpPrefix(exception.Invalid):
    """A rule names two other sides."""


class SecurityGroupRuleInvalidProtocol(exception.Invalid):
    """There is no such IP protocol."""


class SecurityGroupEthertypeConflictWithProtocol(exception.Invalid):
    """The protocol is of IPv6 only."""


class SecurityGroupRuleParameterConflict(exception.Invalid):
    """The range is of another IP version."""


class SecurityGroupInvalidPortValue(exception.Invalid):
    """There is no such port."""


class SecurityGroupInvalidPortRange(exception.Invalid):
    """A range of ports ends before it starts."""


class SecurityGroupInvalidIcmpValue(exception.Invalid):
    """There is no such type or code of ICMP."""


class SecurityGroupMissingIcmpType(exception.Invalid):
    """A code of ICMP means nothing without a type."""


class SecurityGroupProtocolRequiredWithPorts(exception.Invalid):
    """Ports mean nothing without a protocol."""


class SecurityGroupInvalidProtocolForPort(exception.Invalid):
    """The protocol has no ports."""


class InvalidCIDR(exception.Invalid):
    """A text is no range of addresses."""


class SecurityGroupRuleExists(exception.Conflict):
    """The group has this rule already."""


class BadRequest(exception.Invalid):
    """The request makes no sense for this thing."""

    def __init__(self, resource: str, message: str) -> None:
        super().__init__(f"Bad {resource} request: {message}.")


class RouterNotFound(exception.NotFound):
    """There is no such router."""


class RouterInterfaceNotFound(exception.NotFound):
    """The router has no such port."""


class RouterInterfaceNotFoundForSubnet(exception.NotFound):
    """The router has no port on the subnet."""


class FloatingIPNotFound(exception.NotFound):
    """There is no such floating address."""


class ExternalGatewayForFloatingIPNotFound(exception.NotFound):
    """No router leads from the external network to the port's subnet."""


class SubnetPoolNotFound(exception.NotFound):
    """There is no such subnet pool."""


class TagNotFound(exception.NotFound):
    """The thing has no such tag."""


class InvalidRoutes(exception.Invalid):
    """A route's next hop is none of the router's neighbours."""


class RoutesExhausted(exception.Invalid):
    """Too many routes."""


class InvalidPrefixLength(exception.Invalid):
    """A pool's prefix lengths contradict each other, or a request leaves them."""


class RouterInUse(exception.Conflict):
    """The router still has interfaces."""


class RouterInterfaceInUseByFloatingIP(exception.Conflict):
    """Floating addresses need the interface."""


class RouterInterfaceInUseByRoute(exception.Conflict):
    """Routes of the router need the interface."""


class RouterExternalGatewayInUseByFloatingIp(exception.Conflict):
    """Floating addresses need the gateway."""


class FloatingIPPortAlreadyAssociated(exception.Conflict):
    """The fixed address has a floating one already."""


class GatewayIpInUse(exception.Conflict):
    """A port holds the gateway's address."""


class ExternalNetworkInUse(exception.Conflict):
    """The external network still serves routers or floating addresses."""


class SubnetAllocationError(exception.Conflict):
    """The pool has no such prefix left."""


class SubnetPoolQuotaExceeded(exception.Conflict):
    """A project's share of the pool would be exceeded."""


class SubnetPoolInUse(exception.Conflict):
    """Subnets were cut from the pool."""


class AutoAllocationFailure(exception.Conflict):
    """The cloud lacks what a project's network is made from."""


class OverQuota(exception.OverQuota):
    """A limit of the project would be exceeded."""


class RevisionNumberConstraintFailed(exception.NovalikeError):
    """The thing has another revision than the request expects."""

    code = 412


class InvalidQuotaValue(exception.Invalid):
    """A project has more already than the limit lets it have."""
