/* What a library linked with -T urf.ld may ask of its loader.  C and C++. */
#ifndef URF_H
#define URF_H

#ifdef __cplusplus
extern "C" {
#endif

/* 1 when this library was loaded already initialised, 0 when its init has to be run. */
int urf_frozen(void) __attribute__((visibility("hidden")));

#ifdef __cplusplus
}
#endif

#endif
