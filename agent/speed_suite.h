/* `edgebench run --suite speed`: tokens per second, latency and memory of
 * models, one record a model. Options of its own; see --help. */
#ifndef EB_SPEED_SUITE_H
#define EB_SPEED_SUITE_H

/* Does the command line ask for this suite? */
int eb_speed_suite_asked(int argc, char **argv);
int eb_speed_suite_main(int argc, char **argv);

#endif
