# SPDX-License-Identifier: Apache-2.0
"""A device in, the compiler's and linker's flags for it out; and the Makefile of an exported folder."""

from __future__ import annotations

from shrinkfit.device import Device

# A main for any computer or board with printf. No model can have a name with a dash, and so no sketch this folder.
MAIN = "examples/plain-c/main.c"
# Single precision units, where the core can have one.
FPU_OF_CORE = {"cortex-m4": "fpv4-sp-d16", "cortex-m7": "fpv5-sp-d16", "cortex-m33": "fpv5-sp-d16"}


def cpu_flags(device: Device) -> str:
    """What arm-none-eabi-gcc has to know of the core; an unknown FPU or DSP is taken as absent."""
    cpu = device.core + ("+nodsp" if device.core == "cortex-m33" and not device.dsp else "")
    unit = FPU_OF_CORE.get(device.core) if device.fpu else None
    return f"-mcpu={cpu} " + (f"-mfloat-abi=hard -mfpu={unit}" if unit else "-mfloat-abi=soft")


def memory_symbols(device: Device, stack_bytes: int) -> tuple[str, ...]:
    """Flags that tell ports/cortex_m4/link.ld the memories of the part."""
    memory = {"SF_FLASH_BYTES": device.flash_bytes, "SF_RAM_BYTES": device.ram_bytes, "SF_STACK_BYTES": stack_bytes}
    return tuple(f"-Wl,--defsym={key}={value}" for key, value in memory.items() if value is not None)


def makefile(name: str, device: Device, stack_bytes: int) -> str:
    """Targets host, example, firmware, size, clean; everything goes to build/."""
    symbols = " ".join(memory_symbols(device, stack_bytes))
    return f"""# Written by shrinkfit for {device.name}.
# ports/ holds a main for this computer and a whole firmware image; a product brings its own main.

BUILD ?= build
HOST_CC ?= cc
CROSS ?= arm-none-eabi-
CPU ?= {cpu_flags(device)}
# The memories of the part; -Wl,--defsym sets what ports/cortex_m4/link.ld leaves open.
MEMORY ?= {symbols}
CFLAGS ?= -std=c11 -O2 -Wall -Wextra
SECTIONS := -ffunction-sections -fdata-sections

MODEL := $(sort $(wildcard *.c))
HEADERS := $(wildcard *.h)
HOST := $(MODEL) $(sort $(wildcard ports/host/*.c))
FIRMWARE := $(MODEL) $(sort $(wildcard ports/cortex_m4/*.c))

.PHONY: all host example firmware size clean
all: host

# build/{name} INPUTS OUTPUTS: raw files, run after run
host: $(BUILD)/{name}
# build/{name}-example: runs the self-test, where there is one, and the model once
example: $(BUILD)/{name}-example
firmware: $(BUILD)/firmware.elf
size: firmware
\t$(CROSS)size $(BUILD)/firmware.elf

$(BUILD)/{name}: $(HOST) $(HEADERS)
\t@mkdir -p $(BUILD)
\t$(HOST_CC) $(CFLAGS) -I. $(HOST) -o $@

$(BUILD)/{name}-example: $(MODEL) {MAIN} $(HEADERS)
\t@mkdir -p $(BUILD)
\t$(HOST_CC) $(CFLAGS) -I. $(MODEL) {MAIN} -o $@

$(BUILD)/firmware.elf: $(FIRMWARE) $(HEADERS) ports/cortex_m4/link.ld
\t@mkdir -p $(BUILD)
\t$(CROSS)gcc $(CPU) -mthumb $(CFLAGS) $(SECTIONS) -I. $(FIRMWARE) -nostdlib -Wl,--gc-sections \\
\t    $(MEMORY) -Tports/cortex_m4/link.ld -Wl,-Map=$(BUILD)/firmware.map -lgcc -o $@

clean:
\trm -rf $(BUILD)
"""
