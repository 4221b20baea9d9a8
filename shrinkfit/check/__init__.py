# SPDX-License-Identifier: Apache-2.0
"""Does the C do what we said? Builds an exported folder, runs it and compares every byte."""
