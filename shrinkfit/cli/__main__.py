# SPDX-License-Identifier: Apache-2.0
"""`python -m shrinkfit.cli` is `shrinkfit`."""

from shrinkfit.cli.start import main

main()
