"""What captures of real routers have to give: (file, collector) -> values, fields of table rows, whole documents.

Read from the captures by hand. A field that is None may not be there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.contract.rosdata_access import ACCESS
from tests.contract.rosdata_networking import NETWORKING

_TERRAFORM = "terraform-routeros"
_NAPALM = "napalm-ros"

EXPECTED: Mapping[tuple[str, str], Mapping[str, Any]] = {
    **NETWORKING,
    **ACCESS,
    (f"{_TERRAFORM}/ip__service.json", "services"): {
        "values": {"services.listener.state[telnet]": 1, "services.listener.state[www-ssl]": 1},
        "tables": {
            "service": {
                "telnet": {"port": "23", "allowed": "", "vrf": "main", "certificate": None},
                "www-ssl": {"port": "443", "certificate": "https-cert", "tls-version": "any"},
            }
        },
    },
    (f"{_TERRAFORM}/ip__service.json", "audit"): {
        "documents": {
            "config.services.service": [
                {"name": "telnet", "port": "23", "address": "", "vrf": "main", "disabled": "false"},
                {
                    "name": "www-ssl",
                    "port": "443",
                    "address": "",
                    "certificate": "https-cert",
                    "tls-version": "any",
                    "vrf": "main",
                    "disabled": "false",
                },
            ]
        }
    },
    (f"{_TERRAFORM}/certificate.json", "services"): {
        # mar/10/2033 17:57:09 in UTC, seen from the first minute of 1970.
        "values": {
            "services.certificate.remaining_seconds[*1]": 1_994_090_229 - 60,
            "services.certificate.state[*1]": 1,
        },
        "tables": {
            "certificate": {
                "*1": {
                    "name": "root-cert",
                    "common-name": "MyRouter",
                    "key-size": "2048",
                    "private-key": "true",
                }
            }
        },
    },
    (f"{_TERRAFORM}/tool__netwatch.json", "services"): {
        "values": {"services.netwatch.state[*1]": 2},
        "tables": {"netwatch": {"*1": {"title": "111", "host": "192.168.180.1", "disabled": "true"}}},
    },
    (f"{_TERRAFORM}/ip__cloud.json", "services"): {
        "tables": {
            "cloud": {
                "cloud": {
                    "public-address": "31.173.86.120",
                    "dns-name": "ad8a0be701ea.sn.mynetname.net",
                    "warning": "Router is behind a NAT. Remote connection might not work.",
                }
            }
        },
        "documents": {
            "services.cloud": {
                "ddns-enabled": "true",
                "ddns-update-interval": "1m",
                "update-time": "true",
                "dns-name": "ad8a0be701ea.sn.mynetname.net",
            }
        },
    },
    (f"{_TERRAFORM}/container.json", "containers"): {
        "values": {"containers.state[*3]": 0},
        "tables": {
            "container": {
                "*3": {
                    "title": "registry-1.docker.io/adguard/adguardhome:latest",
                    "state": "stopped",
                    "interface": "veth1",
                    "arch": "amd64",
                }
            }
        },
    },
    (f"{_TERRAFORM}/system__clock.json", "timing"): {
        # 2024-05-17 17:58:11 at +01:00.
        "values": {"timing.clock_skew_seconds": 1_715_965_091 - 60},
        "documents": {"timing.clock": {"time-zone-name": "Etc/GMT-1", "time-zone-autodetect": "false"}},
    },
    (f"{_TERRAFORM}/user.json", "users"): {
        "values": {"users.accounts": 1},
        "documents": {
            "users.user": [
                {
                    "name": "admin",
                    "group": "full",
                    "address": "0.0.0.0/0",
                    "expired": "true",
                    "disabled": "false",
                    "comment": "system default user",
                }
            ]
        },
    },
    (f"{_TERRAFORM}/user__aaa.json", "users"): {
        "documents": {
            "users.aaa": {
                "use-radius": "false",
                "accounting": "true",
                "interim-update": "0s",
                "default-group": "read",
                "exclude-groups": "full",
            }
        }
    },
    (f"{_TERRAFORM}/system__logging__action.json", "logging"): {
        "values": {"logging.remote_targets": 1},
        "documents": {
            "logging.actions": [
                {
                    "name": "remote",
                    "target": "remote",
                    "remote": "0.0.0.0",
                    "remote-port": "514",
                    "src-address": "0.0.0.0",
                    "bsd-syslog": "false",
                    "syslog-facility": "daemon",
                    "syslog-severity": "auto",
                    "syslog-time-format": "bsd-syslog",
                }
            ]
        },
    },
    (f"{_TERRAFORM}/tool__sniffer.json", "tools"): {"values": {"tools.sniffer_state": 0}},
    (f"{_TERRAFORM}/ip__traffic-flow.json", "tools"): {
        "values": {"tools.traffic_flow_state": 0},
        "documents": {
            "tools.traffic_flow": {
                "enabled": "false",
                "interfaces": "all",
                "cache-entries": "128k",
                "active-flow-timeout": "30m",
                "inactive-flow-timeout": "15s",
                "packet-sampling": "false",
                "sampling-interval": "0",
                "sampling-space": "0",
            }
        },
    },
    (f"{_TERRAFORM}/tool__bandwidth-server.json", "tools"): {"values": {"tools.bandwidth_server_state": 1}},
    (f"{_TERRAFORM}/tool__graphing__interface.json", "tools"): {
        "documents": {
            "tools.graphing_interface": [
                {
                    ".id": "*0",
                    "interface": "all",
                    "allow-address": "0.0.0.0/0",
                    "store-on-disk": "true",
                    "disabled": "false",
                }
            ]
        }
    },
    (f"{_TERRAFORM}/snmp__community.json", "audit"): {
        "documents": {
            "config.services.snmp-community": [
                {
                    ".id": "*2",
                    "addresses": "::/0",
                    "security": "none",
                    "read-access": "true",
                    "write-access": "false",
                    "authentication-protocol": "MD5",
                    "encryption-protocol": "DES",
                    "disabled": "true",
                }
            ]
        }
    },
    (f"{_TERRAFORM}/system__script.json", "audit"): {
        "documents": {
            "config.users.script": [
                {
                    "name": "unreg_died",
                    "owner": "admin",
                    "policy": "read,write,policy,password,sensitive",
                    "dont-require-permissions": "false",
                }
            ]
        }
    },
    (f"{_TERRAFORM}/interface__wireguard.json", "audit"): {
        "documents": {
            "config.interfaces.wireguard": [
                {
                    "name": "wireguard1",
                    "listen-port": "13231",
                    "public-key": "HhbyDzG6loyFAsB040GvnOcRH1Ks+M44utp6REaWPxo=",
                    "mtu": "1420",
                    "disabled": "false",
                }
            ]
        }
    },
    (f"{_TERRAFORM}/interface__vrrp.json", "interfaces"): {
        "values": {"iface.vrrp_state[*54]": 3},
        "tables": {
            "vrrp_interface": {
                "*54": {"name": "vrrp1", "interface": "vlan55", "vrid": "1", "priority": "100"}
            }
        },
    },
    (f"{_TERRAFORM}/interface__bridge__vlan.json", "interfaces"): {
        "tables": {
            "bridge_vlan": {
                "*1": {
                    "bridge": "bridge",
                    "vlan-ids": "2",
                    "tagged": "ether2,ether4,ether5,bridge,ether3",
                    "current-tagged": "bridge,ether2,ether3",
                }
            }
        }
    },
    ("issues/v7_interface_ethernet_poe_monitor.json", "interfaces"): {
        "values": {
            "iface.poe_out_state[*1]": 2,
            "iface.poe_out_volts[*1]": 47.9,
            "iface.poe_out_amperes[*1]": 0.084,
            "iface.poe_out_watts[*1]": 4.0,
        }
    },
    (f"{_TERRAFORM}/system__routerboard.json", "system"): {"values": {"system.firmware.update_state": 0}},
    (f"{_NAPALM}/test_get_config/v7/_system_package_update_print.json", "system"): {
        "documents": {"system.package_update": {"channel": "stable", "installed-version": "7.5"}}
    },
    ("issues/v7_interface_ethernet_monitor_sfp_dom.json", "interfaces"): {
        "values": {"iface.sfp_rx_power_dbm[*1]": -0.296}
    },
}
