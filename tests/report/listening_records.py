# SPDX-License-Identifier: Apache-2.0
"""What report.json says of a listener, written out."""

RECORD = {
    "features": {"sample_rate_hz": 16_000, "hop_samples": 160},
    "frames": 49,
    "hop_frames": 10,
    "runs_per_second": 10.0,
    "layout": {"features": 2_000, "frames": 2_900, "detector": 4_900, "listener_bytes": 5_000},
    "cost": {
        "stack_bytes": 800,
        "listen_stack_bytes": 512,
        "ram_bytes": 6_500,
        "flash_bytes": 20_100,
        "table_bytes": 3_500,
        "cycles_per_second": 2_000_000,
        "parts": {"features": 1_200_000, "network": 700_000, "detector": None, "rest": 100_000},
        "load": 0.05,
        "energy_uj_per_second": 378.0,
        "energy_source": "63 µA/MHz: <a sheet>",
    },
}
