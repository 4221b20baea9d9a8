# SPDX-License-Identifier: Apache-2.0
"""What can a chip hold? A name or a user's own figures enter, a Device and its Budget leave."""

from shrinkfit.device.budget import RESOURCES, Budget
from shrinkfit.device.catalogue import DEFAULT_DEVICE, devices, get_device
from shrinkfit.device.device import Device

__all__ = ["DEFAULT_DEVICE", "RESOURCES", "Budget", "Device", "devices", "get_device"]
