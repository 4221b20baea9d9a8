# SPDX-License-Identifier: Apache-2.0
"""Integer graph in, its cost on a device out."""
