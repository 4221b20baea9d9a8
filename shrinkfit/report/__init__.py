# SPDX-License-Identifier: Apache-2.0
"""Records enter; tables for the terminal and plots as PNG leave. Nothing is computed here that a record lacks."""
