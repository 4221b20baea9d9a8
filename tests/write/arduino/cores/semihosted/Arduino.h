/* SPDX-License-Identifier: Apache-2.0 */
/* Of Arduino's API what the exported sketch uses. */
#ifndef ARDUINO_H
#define ARDUINO_H

#include <stdint.h>

class Printer {
public:
    void begin(unsigned long) {}
    operator bool() const { return true; }
    void print(const char *text);
    void print(int value) { print((long)value); }
    void print(long value);
    void print(unsigned long value) { print((long)value); }
    template <typename T> void println(T value) {
        print(value);
        print("\n");
    }
};

extern Printer Serial;
unsigned long millis();
unsigned long micros();
void delay(unsigned long milliseconds);
void setup();
void loop();

#endif
