# SPDX-License-Identifier: Apache-2.0
"""SCons reads this. -Os is what frameworks ask for."""

from SCons.Script import Default, DefaultEnvironment

env = DefaultEnvironment()
env.Replace(AR="ar", CC="gcc", LINK="gcc", RANLIB="ranlib", ARFLAGS=["rc"], PROGNAME="program")
env.Append(CCFLAGS=["-Os"])
Default([env.BuildProgram()])
