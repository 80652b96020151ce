# make            build/bin/turf, build/lib/liburf.a, build/lib/urf.ld, build/include/urf.h
# make demo       freeze a SQLite database        make check   the whole test-suite
#                                                 TESTS='PATTERN...' JOBS=2: see tests/run
# make bench      how fast it is                  BENCH=--quick BENCH='load/* freeze/lua': see bench/bench.py
# make install    PREFIX=/usr/local DESTDIR=      make lint    warnings, format, shell scripts
CC = gcc
NM = nm
OBJCOPY = objcopy
CFLAGS = -O2 -g
PREFIX = /usr/local
DESTDIR =
TESTS =
BENCH =
JOBS = 2
MUSL_CC = $(shell command -v musl-gcc)
MACHINE = x86_64
VERSION = 0.1

B = build
WERROR =
STD = -std=gnu11 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes $(WERROR)
known = $(shell $(CC) $(1) -E -x c /dev/null >/dev/null 2>&1 && echo $(1))
# The loader serves both libcs and every compiler's conventions: no builtin malloc, no canary, no
# fortified or inlined calls, unwind tables for the exceptions that pass operator new.
LOADER_FLAGS = $(STD) -O2 -fPIC -fno-builtin $(call known,-fno-tree-loop-distribute-patterns) \
	-fvisibility=hidden -fno-stack-protector -U_FORTIFY_SOURCE -D__NO_INLINE__ -fexceptions $(call known,-fcf-protection) \
	-ffunction-sections -Iloader -Iloader/$(MACHINE)
TURF_FLAGS = $(STD) -D_GNU_SOURCE -DTURF_VERSION='"$(VERSION)"' -Iloader -Icapture -Icapture/$(MACHINE)
TURF_LIBS = -ldw -lelf -ljansson -lxxhash -lcapstone

# Static programs have another loader, of less code, with parts of it.
PROGRAM_FLAGS = $(subst -O2 -fPIC,$(or $(call known,-Oz),-Os) -fPIE,$(filter-out -fexceptions,$(LOADER_FLAGS))) -fno-asynchronous-unwind-tables \
	-Iloader/static
LOADER = thaw check relocate cpu bind fallback stats fail state host heap alloc map files replay tls keys signals libc cxx
PROGRAM = static/start static/state static/heap static/fail relocate cpu
# The host is a program of its own.
HOST = capture/host.c capture/guest_library.c capture/world.c capture/memory.c capture/probes.c capture/unwind_host.c
HOST_STATIC = capture/host.c capture/guest_program.c capture/world.c capture/unwind_host.c
TURF = $(filter-out host guest_% world memory probes unwind_host,$(patsubst capture/%.c,%,$(sort $(wildcard capture/*.c))))
HOSTS = glibc static $(if $(MUSL_CC),musl)

SHARED = liburf.a urf_plain.o liburf.so liburf_shared.a urf.ld pkgconfig/urf.pc cmake/urf/urf-config.cmake \
	$(HOSTS:%=turf/host-$(MACHINE)-%)

all: $(B)/bin/turf $(B)/include/urf.h $(SHARED:%=$(B)/lib/%)

$(B)/loader/%.o: loader/%.c $(wildcard loader/*.h loader/$(MACHINE)/*.h) Makefile
	@mkdir -p $(@D)
	$(CC) $(LOADER_FLAGS) -c $< -o $@

$(B)/program/%.o: loader/%.c $(wildcard loader/*.h loader/*/*.h) Makefile
	@mkdir -p $(@D)
	$(CC) $(PROGRAM_FLAGS) -c $< -o $@

$(B)/capture/%.o: capture/%.c $(wildcard capture/*.h capture/$(MACHINE)/*.h) loader/format.h Makefile
	@mkdir -p $(@D)
	$(CC) $(TURF_FLAGS) $(CFLAGS) -c $< -o $@

# One member: whatever the order on the command line, all of the loader is in, or nothing.  Of its
# names only those stay that take the place of libc's (weak) or that urf.ld and users mention.
GLOBAL = urf_start __urf_malloc program_allocate urf_frozen urf_initialised urf_stats __urf_note __urf_state
define OBJECT
	@mkdir -p $(@D)
	$(CC) -r -nostdlib $(filter-out $(OTHERS),$^) -o $(1)
	{ printf '%s\n' $(GLOBAL); $(NM) $(1) | awk '$$2 ~ /[WV]/ { print $$3 }'; } >$(1).global
	$(OBJCOPY) --keep-global-symbols=$(1).global $(1)
endef
define ARCHIVE
	$(call OBJECT,$(B)/$(1)/urf.o)
	rm -f $@
	$(AR) rcsD $@ $(B)/$(1)/urf.o
endef

$(B)/lib/liburf_shared.a: $(LOADER:%=$(B)/loader/%.o)
	$(call ARCHIVE,loader)

# What few programs ask for are members of their own.
OTHERS = $(B)/program/static/stats.o $(B)/program/static/map.o
$(B)/lib/liburf.a: $(PROGRAM:%=$(B)/program/%.o) $(OTHERS)
	$(call ARCHIVE,program)
	$(AR) rcsD $@ $(OTHERS)

# For linkers that read no script.
$(B)/lib/urf_plain.o: $(patsubst %,$(B)/loader/%.o,$(subst state,plain,$(LOADER)))
	$(call OBJECT,$(B)/loader/urf_plain.o)
	cp $(B)/loader/urf_plain.o $@

# What -lurf means is the linker's choice: with -static it looks for liburf.a only, else for this first.
$(B)/lib/liburf.so: Makefile
	@mkdir -p $(@D)
	echo 'INPUT(-l:liburf_shared.a)' >$@

$(B)/lib/urf.ld: ldscripts/urf.ld
	@mkdir -p $(@D)
	cp $< $@

$(B)/include/urf.h: loader/urf.h
	@mkdir -p $(@D)
	cp $< $@

$(B)/lib/pkgconfig/urf.pc: ldscripts/urf.pc.in Makefile
	@mkdir -p $(@D)
	sed 's/@VERSION@/$(VERSION)/' $< >$@

$(B)/lib/cmake/urf/urf-config.cmake: ldscripts/urf-config.cmake
	@mkdir -p $(@D)
	cp $< $@

$(B)/bin/turf: $(TURF:%=$(B)/capture/%.o)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) $^ $(TURF_LIBS) -o $@

# Nothing else of it may take the place of a library's symbol, and it brings its own unwinder, whose tables
# musl-gcc would leave out.
HOST_FLAGS = -Wl,--dynamic-list=$(B)/host.list -static-libgcc -Wl,--eh-frame-hdr

$(B)/host.list:
	@mkdir -p $(@D)
	echo '{ urf_host_handshake; };' >$@

$(B)/lib/turf/host-$(MACHINE)-glibc: $(HOST) capture/world.h capture/memory.h capture/unwind_host.h capture/guest.h $(wildcard capture/$(MACHINE)/*.h) loader/format.h $(B)/host.list Makefile
	@mkdir -p $(@D)
	$(CC) $(STD) -D_GNU_SOURCE -O2 -Iloader -Icapture/$(MACHINE) $(HOST) $(HOST_FLAGS) -ldl -o $@

$(B)/lib/turf/host-$(MACHINE)-musl: $(HOST) capture/world.h capture/memory.h capture/unwind_host.h capture/guest.h $(wildcard capture/$(MACHINE)/*.h) loader/format.h $(B)/host.list Makefile
	@mkdir -p $(@D)
	$(MUSL_CC) $(STD) -D_GNU_SOURCE -O2 -Iloader -Icapture/$(MACHINE) $(HOST) $(HOST_FLAGS) -o $@

# It goes on in a process that a program has taken over, with another thread pointer.
$(B)/lib/turf/host-$(MACHINE)-static: $(HOST_STATIC) capture/world.h capture/memory.h capture/unwind_host.h capture/guest.h $(wildcard capture/$(MACHINE)/*.h) loader/format.h Makefile
	@mkdir -p $(@D)
	$(CC) $(STD) -D_GNU_SOURCE -O2 -fPIE -fno-stack-protector -Iloader -Icapture/$(MACHINE) $(HOST_STATIC) -static-pie -o $@

# Found from each other's place, in $(B) and wherever they are put: PREFIX is written nowhere.
TO = $(DESTDIR)$(PREFIX)
install: all
	install -d $(sort $(dir $(TO)/bin/ $(TO)/include/ $(SHARED:%=$(TO)/lib/%)))
	install -m 755 $(B)/bin/turf $(TO)/bin/turf
	install -m 644 $(B)/include/urf.h $(TO)/include/urf.h
	for file in $(SHARED); do \
	  mode=644; case $$file in */host-*) mode=755 ;; esac; \
	  install -m $$mode $(B)/lib/$$file $(TO)/lib/$$file || exit; \
	done

demo: all
	TURF=$(abspath $(B))/bin/turf CC="$(CC)" OUT=$(abspath $(B))/demo examples/sqlite/demo.sh

bench: all
	set -f; TURF=$(abspath $(B))/bin/turf LIBDIR=$(abspath $(B))/lib OUT=$(abspath $(B))/bench CC="$(CC)" \
	  bench/bench.py $(BENCH)

# The patterns are for tests/run, not for the shell.
check: all
	set -f; TURF=$(abspath $(B))/bin/turf LIBDIR=$(abspath $(B))/lib \
	  tests/run -j $(JOBS) $(TESTS)

# Every test in every configuration there is a compiler for, see tests/MATRIX.md.
check-matrix: all
	-set -f; TURF=$(abspath $(B))/bin/turf LIBDIR=$(abspath $(B))/lib \
	  tests/run -j $(JOBS) -o $(B)/matrix $(TESTS)
	tests/matrix $(B)/matrix tests/MATRIX.md

lint:
	$(MAKE) B=$(B)/lint-gcc CC=gcc WERROR=-Werror all
	$(MAKE) B=$(B)/lint-clang CC=clang WERROR=-Werror all
	clang-format --dry-run -Werror $(wildcard $(foreach dir,loader capture tests bench, \
	  $(dir)/*.[ch] $(dir)/*/*.[ch] $(dir)/*/*.cc $(dir)/*/*/*.[ch]))
	shellcheck .ci/run $(wildcard tests/run tests/*.sh tests/*.inc tests/*/*.sh tests/*/*.inc examples/*/*.sh bench/*.sh)

clean:
	rm -rf $(B)

.PHONY: all install demo bench check check-matrix lint clean
.DELETE_ON_ERROR:
