/* SPDX-License-Identifier: Apache-2.0 */
/* Prints over semihosting, and ends after one turn of the loop. */
#include "Arduino.h"

enum { SYS_WRITE0 = 0x04, SYS_EXIT_EXTENDED = 0x20, APPLICATION_EXIT = 0x20026 };

static void semihost(int operation, const void *argument) {
    register int r0 __asm("r0") = operation;
    register const void *r1 __asm("r1") = argument;
    __asm volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
}

static unsigned long now;

Printer Serial;

void Printer::print(const char *text) {
    semihost(SYS_WRITE0, text);
}

void Printer::print(long value) {
    char digits[12];
    char *at = digits + sizeof digits - 1;
    unsigned long left = value < 0 ? 0ul - (unsigned long)value : (unsigned long)value;
    *at = 0;
    do {
        *--at = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (value < 0) {
        *--at = '-';
    }
    print(at);
}

unsigned long millis() {
    return now++;
}

unsigned long micros() {
    return now++;
}

void delay(unsigned long milliseconds) {
    now += milliseconds;
}

int main() {
    static const uint32_t status[2] = {APPLICATION_EXIT, 0};
    setup();
    loop();
    semihost(SYS_EXIT_EXTENDED, status);
    return 0;
}
