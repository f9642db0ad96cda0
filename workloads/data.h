/* Where the job folders and the shipped models lie. */
#ifndef EB_DATA_H
#define EB_DATA_H

#include <stddef.h>

#define EB_DATA_ROOTS 5

/* Folders that may hold custsvc/, models/ and other job folders, in the order
 * they are searched: $EDGEBENCH_DATA and its workloads/,
 * ../share/edgebench/workloads beside the running program, the source tree it
 * was built from, the folder it was installed to. Whether they exist is not
 * looked at. Returns their number; free each. */
size_t eb_data_roots(char *roots[EB_DATA_ROOTS]);

#endif
