/* SPDX-License-Identifier: Apache-2.0 */
/* A stand-in for the runtime's header, so that the ports are tested without the runtime. */
#ifndef SHRINKFIT_H
#define SHRINKFIT_H
typedef enum { SF_OK = 0, SF_ERROR_ARENA } sf_status;
#endif
