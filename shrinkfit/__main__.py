# SPDX-License-Identifier: Apache-2.0
"""`python -m shrinkfit` is `shrinkfit`."""

from shrinkfit.cli import main

main()
