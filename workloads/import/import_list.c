/* The table of importers. */
#include <stddef.h>

#include "workloads/import/import.h"

const struct eb_importer *const eb_importers[] = {&eb_import_banking77,
                                                  &eb_import_clinc150,
                                                  &eb_import_nlupp,
                                                  &eb_import_massive,
                                                  &eb_import_bfcl,
                                                  &eb_import_acebench,
                                                  &eb_import_crosswoz,
                                                  &eb_import_star,
                                                  &eb_import_tau,
                                                  &eb_import_tau2,
                                                  NULL};
