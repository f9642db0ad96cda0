/* `edgebench engine list|check`. */
#ifndef EB_ENGINE_CMD_H
#define EB_ENGINE_CMD_H

int eb_engine_main(int argc, char **argv);

#endif
