"""What captures of addresses, neighbours, routing, DHCP and firewall have to give. Read from them by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TERRAFORM = "terraform-routeros"
_NAPALM = "napalm-ros"
_BGP_DETAIL = f"{_NAPALM}/test_get_bgp_neighbors_detail/normal"
_BOTH_VERSIONS = f"{_NAPALM}/test_get_interfaces_ip/both"

NETWORKING: Mapping[tuple[str, str], Mapping[str, Any]] = {
    (f"{_NAPALM}/test_get_arp_table/normal/_ip_arp_print.json", "ip"): {
        "values": {"ip.arp_entries": 3, "ip.arp.interface_entries[ether1]": 3, "ip.arp_appeared_total": 0},
        "tables": {
            "arp": {
                "*1": {
                    "address": "192.168.56.254",
                    "interface": "ether1",
                    "dynamic": "true",
                    "DHCP": "false",
                },
                "*13": {"address": "192.168.0.220", "mac-address": None, "complete": "false"},
            }
        },
    },
    (f"{_NAPALM}/test_get_ipv6_neighbors_table/normal/_ipv6_neighbor_print.json", "ip"): {
        "values": {
            "ipv6.nd_entries": 3,
            "ipv6.nd.interface_entries[vlan400]": 1,
            "ipv6.nd.interface_entries[vlan667]": 1,
        },
        "tables": {
            "ipv6_neighbor": {
                "*13": {"address": "fe80:0:9ff:1::1", "router": "true", "status": "stale"},
                "*1C119": {"address": "2001:db8:0:c07c::2", "status": "failed", "mac-address": None},
            }
        },
    },
    # The address came by DHCP, and the link's own by itself: both are counted, and no rows.
    (f"{_BOTH_VERSIONS}/_ip_address_print.json", "ip"): {
        "values": {"ip.addresses": 0, "ip.dynamic_addresses": 1}
    },
    (f"{_BOTH_VERSIONS}/_ipv6_address_print.json", "ip"): {
        "values": {"ipv6.addresses": 0, "ipv6.dynamic_addresses": 1}
    },
    (f"{_TERRAFORM}/ip__address.json", "ip"): {
        "values": {"ip.addresses": 1, "ip.dynamic_addresses": 0},
        "tables": {
            "ip_address": {
                "*2": {"address": "10.0.0.1/24", "interface": "vlan15", "actual-interface": "vlan2"}
            }
        },
    },
    (f"{_TERRAFORM}/ipv6__nd.json", "ip"): {
        "documents": {
            "ipv6.nd": [
                {
                    ".id": "*3",
                    "interface": "vlan-wifi-XXX",
                    "ra-interval": "3m20s-10m",
                    "ra-delay": "3s",
                    "ra-lifetime": "30m",
                    "ra-preference": "high",
                    "mtu": "unspecified",
                    "hop-limit": "unspecified",
                    "reachable-time": "unspecified",
                    "retransmit-interval": "unspecified",
                    "advertise-mac-address": "true",
                    "advertise-dns": "false",
                    "dns": "",
                    "pref64": "",
                    "managed-address-configuration": "true",
                    "other-configuration": "true",
                    "default": "false",
                    "disabled": "false",
                }
            ]
        }
    },
    (f"{_BGP_DETAIL}/_routing_bgp_peer_print.json", "routing"): {
        "documents": {
            "routing.bgp.peer": [
                {
                    ".id": "*0",
                    "name": "A Peer",
                    "instance": "default",
                    "remote-address": "10.0.0.2",
                    "remote-as": "65535",
                    "address-families": "ip",
                    "in-filter": "bgp-in",
                    "out-filter": "bgp-out",
                    "hold-time": "30s",
                    "keepalive-time": "10s",
                    "multihop": "false",
                    "ttl": "255",
                    "passive": "false",
                    "route-reflect": "false",
                    "nexthop-choice": "default",
                    "default-originate": "never",
                    "remove-private-as": "false",
                    "as-override": "false",
                    "use-bfd": "false",
                    "disabled": "false",
                }
            ]
        },
    },
    (f"{_TERRAFORM}/routing__table.json", "routing"): {
        "documents": {"routing.table": [{".id": "*0", "name": "main", "fib": "", "dynamic": "true"}]}
    },
    (f"{_TERRAFORM}/routing__bfd__configuration.json", "routing"): {
        "documents": {
            "routing.bfd.configuration": [
                {
                    ".id": "*1",
                    "interfaces": "lo,lo",
                    "addresses": "0.0.0.0/0,0.0.0.0/0",
                    "address-list": "",
                    "vrf": "main",
                    "min-tx": "200ms",
                    "min-rx": "200ms",
                    "multiplier": "5",
                    "forbid-bfd": "false",
                    "disabled": "false",
                }
            ]
        }
    },
    (f"{_TERRAFORM}/ipv6__dhcp-server.json", "dhcp"): {
        "values": {"dhcp6.server.state[server1]": 1},
        "documents": {
            "dhcp6.server": [
                {
                    ".id": "*1",
                    "name": "server1",
                    "interface": "span-bridge",
                    "address-pool": "ULA",
                    "lease-time": "10m",
                    "preference": "255",
                    "rapid-commit": "true",
                    "use-radius": "false",
                    "route-distance": "1",
                    "dhcp-option": "dns",
                    "disabled": "false",
                    "comment": "https://ula.ungleich.ch/random/",
                }
            ]
        },
    },
    (f"{_TERRAFORM}/ip__dhcp-server__option.json", "dhcp"): {
        "documents": {
            "dhcp.option": [{".id": "*4", "name": "optionname", "code": "66", "value": "0x00002311"}]
        }
    },
    (f"{_TERRAFORM}/ip__dhcp-server__option__sets.json", "dhcp"): {
        "documents": {
            "dhcp.option_set": [{".id": "*2", "name": "netboot", "options": "tftpserver-66,unifi,mtu-jumbo"}]
        }
    },
    (f"{_TERRAFORM}/ip__firewall__raw.json", "firewall"): {
        "values": {
            "firewall.raw.matched_bytes_total[*1]": 53_342,
            "firewall.raw.matched_packets_total[*1]": 497,
            "firewall.raw.matched_bps[*1]": 0,
            "firewall.chain.matched_bytes_total[raw/prerouting/accept]": 53_342,
        },
    },
    (f"{_TERRAFORM}/ip__firewall__nat.json", "firewall"): {
        "values": {
            "firewall.nat.matched_bytes_total[*2]": 0,
            "firewall.chain.matched_packets_total[nat/srcnat/masquerade]": 0,
        },
    },
    (f"{_TERRAFORM}/ip__firewall__address-list.json", "firewall"): {
        "values": {"firewall.address_list_entries": 1}
    },
}
