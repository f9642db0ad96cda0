/* What tests may plant in the fake engine. */
#ifndef EB_ENGINE_FAKE_H
#define EB_ENGINE_FAKE_H

/* The reply of "fake:key" to the prompt that starts now; the string stays
 * good until the next call. */
typedef const char *(*eb_fake_answer)(void *arg);
void eb_fake_plant(eb_fake_answer answer, void *arg);

#endif
