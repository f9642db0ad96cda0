/* `edgebench tune`: the fastest settings of a model on this device. */
#ifndef EB_TUNE_CMD_H
#define EB_TUNE_CMD_H

int eb_tune_main(int argc, char **argv);

#endif
