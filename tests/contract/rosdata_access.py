"""What captures of wireless networks, modems, sessions, VPNs and queues have to give. Read from them by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TERRAFORM = "terraform-routeros"
_STATION = "issues/v7_wireless_registration-table_station_lhg60.json"

ACCESS: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("home-assistant/interface_wireless_registration-table.json", "wireless"): {
        "tables": {
            "wireless_client": {
                "*264": {
                    "interface": "wlan1",
                    "mac-address": "00:00:00:00:00:01",
                    "shape": "wireless",
                    "signal": "-62",
                    "snr": "52",
                    "tx-rate": "72200000",
                    "rx-rate": "72200000",
                    "tx-ccq": "93",
                    "tx-bytes": "17536671",
                    "rx-bytes": "2966351",
                    "authentication": "wpa2-psk",
                    "address": "0.0.0.1",
                    "ssid": None,
                    "host-name": None,
                }
            }
        },
    },
    # The console's table has no ids: nothing of it can be a row.
    (_STATION, "wireless"): {"tables": {}},
    (f"{_TERRAFORM}/interface__wireless.json", "wireless"): {
        "values": {"wireless.iface.clients[*7]": None},
        "tables": {
            "wireless_interface": {
                "*7": {
                    "name": "wlan1",
                    "ssid": "MikroTik-30E287",
                    "mode": "ap-bridge",
                    "channel": "auto",
                    "running": "false",
                    "disabled": "true",
                    "master": None,
                }
            }
        },
    },
    (f"{_TERRAFORM}/caps-man__interface.json", "wireless"): {
        "tables": {
            "wireless_interface": {
                "cap*1": {
                    "shape": "caps-man",
                    "name": "cap1",
                    "channel": "2462/20/gn(30dBm)",
                    "state": "running-ap",
                    "bound": "true",
                    "dynamic": None,
                }
            }
        },
    },
    (f"{_TERRAFORM}/interface__wifi.json", "wireless"): {
        "tables": {
            "wireless_interface": {"*1": {"shape": "wifi", "name": "wifi1", "mode": "ap", "ssid": None}}
        },
    },
    ("issues/v7_interface_lte_print_ep06.json", "lte"): {
        "tables": {
            "lte_modem": {
                "*6": {"name": "lte1m", "default-name": "lte1", "network-mode": "3g,lte", "running": "true"}
            }
        },
    },
    (f"{_TERRAFORM}/interface__lte.json", "lte"): {
        "tables": {"lte_modem": {"*4": {"name": "lte1", "comment": "wan", "allow-roaming": "true"}}},
    },
    ("issues/v7_interface_lte_monitor_ep06.json", "lte"): {
        "values": {
            "lte.rssi_dbm[*1]": -57,
            "lte.rsrp_dbm[*1]": -88,
            "lte.rsrq_db[*1]": -10,
            "lte.sinr_db[*1]": 24,
            "lte.registration_state[*1]": 1,
            "lte.session_uptime_seconds[*1]": 385_034,
        },
        "tables": {
            "lte_registration": {
                "*1": {
                    "current-cellid": "134982913",
                    "enb-id": "527277",
                    "primary-band": "B3@15Mhz earfcn: 1725 phy-cellid: 249",
                    "current-operator": "",
                    "access-technology": None,
                }
            }
        },
    },
    ("issues/v7_ppp_active_pppoe.json", "ppp"): {
        "values": {
            "ppp.sessions": 1,
            "ppp.service.sessions[pppoe]": 1,
            "ppp.sessions_begun_total": 0,
            "ppp.sessions_ended_total": 0,
        },
        "tables": {
            "ppp_session": {
                "*8": {
                    "name": "subscriber1",
                    "address": "192.168.89.254",
                    "caller-id": "D0:D0:4B:16:10:76",
                    "session-id": "0x81100000",
                    "radius": None,
                }
            }
        },
    },
    (f"{_TERRAFORM}/ip__ipsec__policy.json", "ppp"): {
        "values": {"ipsec.policy.state[*1000001]": 0, "ipsec.policy.associations[*1000001]": 0},
        "tables": {
            "ipsec_policy": {"*1000001": {"name": "::/0 > ::/0", "peer": "peer1", "level": "require"}}
        },
    },
    (f"{_TERRAFORM}/interface__pppoe-client.json", "ppp"): {
        "values": {"vpn_client.kind.configured[pppoe]": 1},
        "tables": {
            "vpn_client": {"*1C": {"kind": "pppoe", "name": "pppoe-out1", "interface": "ether2", "user": ""}}
        },
    },
    (f"{_TERRAFORM}/interface__sstp-client.json", "ppp"): {
        "tables": {
            "vpn_client": {
                "*1": {"kind": "sstp", "connect-to": "sstp.example.com", "user": "username", "password": None}
            }
        },
    },
    (f"{_TERRAFORM}/interface__wireguard.json", "ppp"): {
        "documents": {
            "wireguard.interface": [
                {
                    "name": "wireguard1",
                    "listen-port": "13231",
                    "mtu": "1420",
                    "public-key": "HhbyDzG6loyFAsB040GvnOcRH1Ks+M44utp6REaWPxo=",
                    "disabled": "false",
                }
            ]
        },
    },
    (f"{_TERRAFORM}/ip__hotspot.json", "ppp"): {
        "documents": {
            "hotspot.server": [
                {
                    "name": "server1",
                    "interface": "ether4",
                    "profile": "default",
                    "idle-timeout": "5m",
                    "keepalive-timeout": "none",
                    "login-timeout": "none",
                    "addresses-per-mac": "unlimited",
                    "proxy-status": "running",
                    "invalid": "false",
                    "disabled": "false",
                }
            ]
        },
    },
    (f"{_TERRAFORM}/queue__tree.json", "queues"): {
        "values": {
            "queue.tree.sent_bytes_total[*1000000]": 0,
            "queue.tree.dropped_packets_total[*1000000]": 0,
            "queue.tree.queued_packets[*1000000]": 0,
            "queue.tree.state[*1000000]": 1,
            "queue.tree.limit_bps[*1000000]": None,
        },
        "tables": {"queue_tree": {"*1000000": {"name": "queue1", "parent": "global", "comment": "comment"}}},
    },
    (f"{_TERRAFORM}/queue__type.json", "queues"): {
        "documents": {
            "queue.type": [
                {
                    "name": "pcq-upload-default",
                    "kind": "pcq",
                    "pcq-rate": "0",
                    "pcq-limit": "50",
                    "pcq-total-limit": "2000",
                    "pcq-classifier": "src-address",
                    "pcq-burst-rate": "0",
                    "pcq-burst-threshold": "0",
                    "pcq-burst-time": "10s",
                    "default": "true",
                }
            ]
        },
    },
}
