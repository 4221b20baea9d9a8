# SPDX-License-Identifier: Apache-2.0
"""Integer graph in, firmware folder out."""
