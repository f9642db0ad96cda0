/* `edgebench run`: a suite on models, one record a model and prompt kind. */
#ifndef EB_RUN_H
#define EB_RUN_H

int eb_run_main(int argc, char **argv);

/* `edgebench suites list|show|check`. */
int eb_suites_main(int argc, char **argv);

#endif
