# SPDX-License-Identifier: Apache-2.0
"""Sound in, features out: clips, their splits, augmentation, log-mel features and synthesized speech."""
