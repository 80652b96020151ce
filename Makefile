# make            build/bin/turf, build/lib/liburf.a, build/lib/urf.ld, build/include/urf.h
# make demo       freeze a SQLite database and compare        make check   the whole test-suite
# make install    PREFIX=/usr/local DESTDIR=                  make lint    warnings, format, shell scripts
CC = gcc
CFLAGS = -O2 -g
PREFIX = /usr/local
DESTDIR =
MUSL_CC = $(shell command -v musl-gcc)
MACHINE = x86_64
VERSION = 0.1

B = build
STD = -std=gnu11 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes
# The loader serves both libcs and every compiler's conventions: no builtin malloc, no canary, no
# fortified calls, unwind tables for the exceptions that pass operator new.
LOADER_FLAGS = $(STD) -O2 -fPIC -fno-builtin -fno-tree-loop-distribute-patterns \
	-fvisibility=hidden -fno-stack-protector -U_FORTIFY_SOURCE -fexceptions -fcf-protection \
	-ffunction-sections -Iloader -Iloader/$(MACHINE)
TURF_FLAGS = $(STD) -D_GNU_SOURCE -DTURF_VERSION='"$(VERSION)"' -Iloader -Icapture -Icapture/$(MACHINE)
TURF_LIBS = -ldw -lelf -ljansson -lxxhash

LOADER = thaw state host heap alloc map exit libc cxx
TURF = main read run trace capture diff classify import finding place policy report write dynamic original prove info freeze util
HOSTS = glibc $(if $(MUSL_CC),musl)

all: $(B)/bin/turf $(B)/lib/liburf.a $(B)/lib/urf.ld $(B)/include/urf.h \
	$(B)/lib/pkgconfig/urf.pc $(HOSTS:%=$(B)/lib/turf/host-$(MACHINE)-%)

$(B)/loader/%.o: loader/%.c $(wildcard loader/*.h loader/$(MACHINE)/*.h) Makefile
	@mkdir -p $(@D)
	$(CC) $(LOADER_FLAGS) -c $< -o $@

$(B)/capture/%.o: capture/%.c $(wildcard capture/*.h capture/$(MACHINE)/*.h) loader/format.h Makefile
	@mkdir -p $(@D)
	$(CC) $(TURF_FLAGS) $(CFLAGS) -c $< -o $@

# One member: whatever the order on the command line, all of the loader is in, or nothing.
$(B)/lib/liburf.a: $(LOADER:%=$(B)/loader/%.o)
	@mkdir -p $(@D)
	$(CC) -r -nostdlib $^ -o $(B)/loader/urf.o
	rm -f $@
	$(AR) rcsD $@ $(B)/loader/urf.o

$(B)/lib/urf.ld: ldscripts/urf.ld
	@mkdir -p $(@D)
	cp $< $@

$(B)/include/urf.h: loader/urf.h
	@mkdir -p $(@D)
	cp $< $@

$(B)/bin/turf: $(TURF:%=$(B)/capture/%.o)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) $^ $(TURF_LIBS) -o $@

$(B)/lib/turf/host-$(MACHINE)-glibc: capture/host.c loader/format.h
	@mkdir -p $(@D)
	$(CC) $(STD) -D_GNU_SOURCE -O2 -Iloader $< -rdynamic -ldl -o $@

$(B)/lib/turf/host-$(MACHINE)-musl: capture/host.c loader/format.h
	@mkdir -p $(@D)
	$(MUSL_CC) $(STD) -D_GNU_SOURCE -O2 -Iloader $< -rdynamic -o $@

clean:
	rm -rf $(B)

.PHONY: all clean
.DELETE_ON_ERROR:
