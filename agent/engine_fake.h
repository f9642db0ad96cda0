/* What tests may plant in the fake engine. */
#ifndef EB_ENGINE_FAKE_H
#define EB_ENGINE_FAKE_H

/* The reply of "fake:key" to the prompt that starts now; the string stays
 * good until the next call. */
typedef const char *(*eb_fake_answer)(void *arg);
void eb_fake_plant(eb_fake_answer answer, void *arg);

struct eb_bench_shape;
/* Called in place of the work of a bench (its shape) or a step (NULL): the
 * test moves its clock on. */
typedef void (*eb_fake_work)(const struct eb_bench_shape *s, void *arg);
void eb_fake_plant_work(eb_fake_work work, void *arg);
/* The one GPU that engines which open from now on compute on, by PCI id; NULL:
 * they do not tell. */
void eb_fake_plant_gpu(const char *pci);

#endif
