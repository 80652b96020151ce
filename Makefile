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
# turf runs on MACHINE; it freezes libraries of that and of all others for which there are cross compilers.
MACHINE = x86_64
CROSS = aarch64:aarch64-linux-gnu riscv64:riscv64-linux-gnu i386:i686-linux-gnu arm:arm-linux-gnueabihf s390x:s390x-linux-gnu
VERSION = 0.1

B = build
WERROR =
STD = -std=gnu11 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes $(WERROR)
# known COMPILER FLAG...: those that it has
known = $(foreach f,$(2),$(shell $(1) -Werror $f -c -x c /dev/null -o /dev/null 2>/dev/null && echo $f))
# Names as in uname -m; compilers as Debian calls them, e.g. CC_aarch64, MUSL_CC_aarch64
machine_of = $(firstword $(subst :, ,$(1)))
triple_of = $(lastword $(subst :, ,$(1)))
$(foreach c,$(CROSS),$(eval CC_$(call machine_of,$c) := $(shell command -v $(call triple_of,$c)-gcc)) \
  $(eval NM_$(call machine_of,$c) = $(call triple_of,$c)-nm) \
  $(eval OBJCOPY_$(call machine_of,$c) = $(call triple_of,$c)-objcopy))
CC_$(MACHINE) = $(CC)
MUSL_CC_$(MACHINE) = $(MUSL_CC)
NM_$(MACHINE) = $(NM)
OBJCOPY_$(MACHINE) = $(OBJCOPY)
OTHERS = $(foreach c,$(CROSS),$(if $(CC_$(call machine_of,$c)),$(call machine_of,$c)))
MACHINES = $(MACHINE) $(OTHERS)
# For others than this one Debian has the library (musl-dev:arm64), and no musl-gcc: one is made after this machine's.
# `make musl` builds what is not installed, with a host program for static ones.
MUSL_SPECS = /usr/lib/x86_64-linux-musl/musl-gcc.specs
MUSL = $(abspath $(B))/musl
has_musl = $(and $(wildcard /usr/lib/$(1)-linux-musl/libc.so),$(wildcard $(MUSL_SPECS)))
$(foreach m,$(OTHERS),$(if $(or $(call has_musl,$m),$(wildcard $(MUSL)/$m/lib/libc.so)), \
  $(eval MUSL_CC_$m = $(B)/musl-gcc-$m)))

# The loader serves both libcs and every compiler's conventions: no builtin malloc, no canary, no
# fortified or inlined calls, unwind tables for the exceptions that pass operator new.
loader_flags = $(STD) -O2 -fPIC -fno-builtin -fvisibility=hidden -fno-stack-protector -U_FORTIFY_SOURCE \
	-D__NO_INLINE__ -fexceptions -ffunction-sections $(KNOWN_$(1)) -Iloader -Iloader/$(1)
# What marks code as fit for IBT and shadow stacks, BTI and PAC: without it the library would lose the mark.
# And code of riscv64 that lld 14 can link, too.
SOME_KNOW = -mno-relax -fno-tree-loop-distribute-patterns -fcf-protection=full -mbranch-protection=standard -mno-outline-atomics
$(foreach m,$(MACHINES),$(eval KNOWN_$m := $(call known,$(CC_$m),$(SOME_KNOW))))
TURF_FLAGS = $(STD) -D_GNU_SOURCE -DTURF_VERSION='"$(VERSION)"' -Iloader -Icapture -Icapture/$(MACHINE)
TURF_LIBS = -ldw -lelf -ljansson -lxxhash -lcapstone

# Static programs have another loader, of less code, with parts of it; program_flags MACHINE [COPIES]
program_flags = $(subst -O2 -fPIC,$(or $(call known,$(CC_$(1)),-Oz),-Os) -fPIE,$(filter-out -fexceptions,$(call loader_flags,$(1)))) \
	-fno-asynchronous-unwind-tables $(if $(2),,-DURF_COPIES=0) -Iloader/static
LOADER = thaw check relocate cpu bind fallback stats fail state host heap alloc map files replay tls keys signals libc cxx
PROGRAM = static/start static/state static/heap static/fail relocate cpu
# The host is a program of its own.
HOST = capture/host.c capture/guest_library.c capture/world.c capture/memory.c capture/probes.c capture/unwind_host.c
HOST_STATIC = capture/host.c capture/guest_program.c capture/world.c capture/unwind_host.c
HOST_HEADERS = capture/world.h capture/memory.h capture/unwind_host.h capture/guest.h loader/format.h
TURF = $(filter-out host guest_% world memory probes unwind_host,$(patsubst capture/%.c,%,$(sort $(wildcard capture/*.c))))
# Where what is linked into libraries of a machine is, from $(B)/lib on
place_of = $(if $(filter $(MACHINE),$(1)),,turf/$(1)/)
# The host of static programs is a static PIE, which glibc has not on all machines: then it is one of musl.
glibc_pie = $(filter /%,$(shell $(CC_$(1)) -print-file-name=rcrt1.o))
STATIC = $(foreach m,$(MACHINES),$(if $(or $(call glibc_pie,$m),$(wildcard $(MUSL)/$m/lib/rcrt1.o)),$m))
# What is assembled in glibc's setjmp takes _GLOBAL_OFFSET_TABLE_ for the start of .got, where ld.bfd does not have it.
GOT_AT_SYMBOL = arm
# Libraries of musl are not frozen where that has other types than glibc for what the loader does.
NO_MUSL = i386 arm
HOSTS = $(STATIC:%=turf/host-%-static) \
	$(foreach m,$(MACHINES),$(if $(CC_$m),turf/host-$m-glibc) $(if $(filter $(NO_MUSL),$m),,$(if $(MUSL_CC_$m),turf/host-$m-musl)))

SHARED = urf.ld pkgconfig/urf.pc cmake/urf/urf-config.cmake \
	$(foreach m,$(STATIC),$(call place_of,$m)liburf.a) \
	$(foreach m,$(MACHINES),$(addprefix $(call place_of,$m),liburf.so liburf_shared.a urf_plain.o)) $(HOSTS) \
	$(addprefix turf/,$(addsuffix /urf.ld,$(filter $(GOT_AT_SYMBOL),$(OTHERS))))

all: $(B)/bin/turf $(B)/include/urf.h $(SHARED:%=$(B)/lib/%)

$(B)/capture/%.o: capture/%.c $(wildcard capture/*.h capture/$(MACHINE)/*.h) loader/format.h Makefile
	@mkdir -p $(@D)
	$(CC) $(TURF_FLAGS) $(CFLAGS) -c $< -o $@

# One member: whatever the order on the command line, all of the loader is in, or nothing.  Of its
# names only those stay that take the place of libc's (weak) or that urf.ld and users mention.  What compilers call
# of libgcc is in as well, which stands in front of it on command lines.  i386's thunks are each file's, of which the
# linker takes one.
GLOBAL = urf_start __urf_malloc urf_frozen urf_initialised urf_stats __urf_note __urf_state __urf_got_reserved __urf_got_first __urf_iplt_apart
# The unwind tables of arm name these, which the unwinder knows by number; C programs need not have them.
WEAK = __aeabi_unwind_cpp_pr0 __aeabi_unwind_cpp_pr1
# OBJECT FILE MACHINE: of all there is to make it of
define OBJECT
	@mkdir -p $(@D)
	$(CC_$(2)) -r -nostdlib $(filter-out $(MEMBERS),$^) -lgcc -o $(1)
	$(if $(BETWEEN),$(OBJCOPY_$(2)) $(BETWEEN) $(1))
	{ printf '%s\n' $(GLOBAL); $(NM_$(2)) $(1) | awk '$$2 ~ /[WV]/ || $$3 ~ /get_pc_thunk/ { print $$3 }'; } >$(1).global
	$(OBJCOPY_$(2)) --keep-global-symbols=$(1).global $(WEAK:%=--weaken-symbol=%) $(1)
endef
# ARCHIVE DIRECTORY MACHINE
define ARCHIVE
	$(call OBJECT,$(B)/$(1)/urf.o,$(2))
	rm -f $@
	$(AR) rcsD $@ $(B)/$(1)/urf.o
endef

# What few programs ask for are members of their own, and what they have from each other has names that
# nobody else has.
MEMBER = stats map pages auxv fallback tls copy
SHARED_NAMES = thaw_fail damaged relocate_list stats_clock fell_back program_heap program_allocate kernel_says

# Nothing else of the host may take the place of a library's symbol, and it brings its own unwinder, whose tables
# musl-gcc would leave out.
HOST_FLAGS = -Wl,--dynamic-list=$(B)/host.list -static-libgcc -Wl,--eh-frame-hdr

$(B)/host.list:
	@mkdir -p $(@D)
	echo '{ urf_host_handshake; };' >$@

# What libgcc has for atomics asks glibc what the CPU can do: so they are in line.
$(B)/musl-gcc-%: Makefile
	@mkdir -p $(@D)
	if [ -f $(MUSL)/$*/lib/libc.so ]; then cat $(MUSL)/$*/lib/musl-gcc.specs; \
	  else sed 's/x86_64/$*/g' $(MUSL_SPECS); fi >$@.specs
	printf '#!/bin/sh\nexec %s "$$@" -specs %s %s\n' $(CC_$*) $(abspath $@).specs \
	  "$(call known,$(CC_$*),-mno-outline-atomics)" >$@
	chmod +x $@

# Of Debian's source, for the machines that there are compilers for; the next make finds it.
musl: $(foreach m,$(OTHERS),$(if $(call has_musl,$m),,$(MUSL)/$m/lib/libc.so))
$(MUSL)/%/lib/libc.so:
	source=$$(tests/real/debian-source musl build/third-party) && \
	mkdir -p $(MUSL)/$*/build && cd $(MUSL)/$*/build && \
	$$source/configure CC=$(CC_$*) CROSS_COMPILE=$(patsubst %gcc,%,$(CC_$*)) --target=$* \
	  --prefix=$(MUSL)/$* --syslibdir=$(MUSL)/$*/lib && $(MAKE) -s install
	rm -r $(MUSL)/$*/build

# MACHINE: what musl-gcc does not link
define link_musl_pie
	$(patsubst %gcc,%ld,$(CC_$(1))) -static -pie --no-dynamic-linker --eh-frame-hdr -z text $(MUSL)/$(1)/lib/rcrt1.o $(MUSL)/$(1)/lib/crti.o $@ \
	  $(MUSL)/$(1)/lib/libc.a $(shell $(CC_$(1)) -print-libgcc-file-name) $(shell $(CC_$(1)) -print-file-name=libgcc_eh.a) \
	  $(MUSL)/$(1)/lib/libc.a $(MUSL)/$(1)/lib/crtn.o -o $@.new
	mv $@.new $@
endef

# machine_rules MACHINE: what libraries and static programs are linked with, and the hosts
define machine_rules
$(B)/program/$(1)/%.o: loader/%.c $$(wildcard loader/*.h loader/*/*.h) Makefile
	@mkdir -p $$(@D)
	$$(CC_$(1)) $$(call program_flags,$(1)) -c $$< -o $$@

$(B)/program/$(1)/static/fallback.o: $(B)/program/$(1)/fallback.o $(B)/program/$(1)/static/fell_back.o
	$$(CC_$(1)) -r -nostdlib $$^ -o $$@

$(B)/program/$(1)/static/relocate.o: loader/relocate.c $$(wildcard loader/*.h loader/*/*.h) Makefile
	@mkdir -p $$(@D)
	$$(CC_$(1)) $$(call program_flags,$(1),copies) -c $$< -o $$@

$(B)/program/$(1)/static/copy.o: BETWEEN = --redefine-sym relocate=urf_copy
$(B)/program/$(1)/static/copy.o: GLOBAL = urf_copy
$(B)/program/$(1)/static/copy.o: $(B)/program/$(1)/static/relocate.o
	$$(call OBJECT,$$@,$(1))

$(B)/lib/$(call place_of,$(1))liburf.a: MEMBERS = $$(MEMBER:%=$(B)/program/$(1)/static/%.o)
$(B)/lib/$(call place_of,$(1))liburf.a: BETWEEN = $$(foreach name,$$(SHARED_NAMES),--redefine-sym $$(name)=__urf_$$(name))
$(B)/lib/$(call place_of,$(1))liburf.a: GLOBAL += $$(SHARED_NAMES:%=__urf_%)
$(B)/lib/$(call place_of,$(1))liburf.a: $$(PROGRAM:%=$(B)/program/$(1)/%.o) $$(MEMBER:%=$(B)/program/$(1)/static/%.o)
	$$(call ARCHIVE,program/$(1),$(1))
	for name in $$(MEMBER); do \
	  $$(OBJCOPY_$(1)) $$(BETWEEN) $(B)/program/$(1)/static/$$$$name.o $(B)/program/$(1)/urf-$$$$name.o || exit; \
	  $$(AR) rcsD $$@ $(B)/program/$(1)/urf-$$$$name.o || exit; \
	done

$(B)/loader/$(1)/%.o: loader/%.c $$(wildcard loader/*.h loader/$(1)/*.h) Makefile
	@mkdir -p $$(@D)
	$$(CC_$(1)) $$(call loader_flags,$(1)) -c $$< -o $$@

$(B)/lib/$(call place_of,$(1))liburf_shared.a: $$(LOADER:%=$(B)/loader/$(1)/%.o)
	$$(call ARCHIVE,loader/$(1),$(1))

# For linkers that read no script.
$(B)/lib/$(call place_of,$(1))urf_plain.o: $$(patsubst %,$(B)/loader/$(1)/%.o,$$(subst state,plain,$$(LOADER)))
	@mkdir -p $$(@D)
	$$(call OBJECT,$(B)/loader/$(1)/urf_plain.o,$(1))
	cp $(B)/loader/$(1)/urf_plain.o $$@

# What -lurf means is the linker's choice: with -static it looks for liburf.a only, else for this first.
$(B)/lib/$(call place_of,$(1))liburf.so: Makefile
	@mkdir -p $$(@D)
	echo 'INPUT(-l:liburf_shared.a)' >$$@

# It goes on in a process that a program has taken over, with another thread pointer.
$(B)/lib/turf/host-$(1)-static: $(if $(call glibc_pie,$(1)),,$(B)/musl-gcc-$(1)) $$(HOST_STATIC) $$(HOST_HEADERS) $$(wildcard capture/$(1)/*.h) Makefile
	@mkdir -p $$(@D)
	$(if $(call glibc_pie,$(1)),$$(CC_$(1)) -static-pie,$$(MUSL_CC_$(1)) -r -nostdlib) $$(STD) -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 \
	  -O2 -fPIE -fno-stack-protector -Iloader -Iloader/$(1) -Icapture/$(1) $$(HOST_STATIC) -o $$@
	$(if $(call glibc_pie,$(1)),,$$(call link_musl_pie,$(1)))

$(B)/lib/turf/host-$(1)-glibc: $$(HOST) $$(HOST_HEADERS) $$(wildcard capture/$(1)/*.h) $(B)/host.list Makefile
	@mkdir -p $$(@D)
	$$(CC_$(1)) $$(STD) -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -O2 -Iloader -Iloader/$(1) -Icapture/$(1) $$(HOST) $$(HOST_FLAGS) -ldl -o $$@

$(B)/lib/turf/host-$(1)-musl: $$(filter $(B)/%,$$(MUSL_CC_$(1))) $$(HOST) $$(HOST_HEADERS) $$(wildcard capture/$(1)/*.h) $(B)/host.list Makefile
	@mkdir -p $$(@D)
	$$(MUSL_CC_$(1)) $$(STD) -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -O2 -Iloader -Iloader/$(1) -Icapture/$(1) $$(HOST) $$(HOST_FLAGS) -o $$@
endef
$(foreach m,$(MACHINES),$(eval $(call machine_rules,$m)))

$(B)/lib/urf.ld: ldscripts/urf.ld
	@mkdir -p $(@D)
	cp $< $@

# lld, which has the symbol there anyhow, lets a script set it in a section with a condition only.
$(B)/lib/turf/%/urf.ld: ldscripts/urf.ld Makefile
	@mkdir -p $(@D)
	sed 's/^  \.got  *: {/  .got : ONLY_IF_RW { _GLOBAL_OFFSET_TABLE_ = .;/' $< >$@
	grep -q ONLY_IF_RW $@

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
check-matrix: musl
	$(MAKE) all
	-set -f; TURF=$(abspath $(B))/bin/turf LIBDIR=$(abspath $(B))/lib \
	  tests/run -j $(JOBS) -a -o $(B)/matrix $(TESTS)
	tests/matrix $(B)/matrix tests/MATRIX.md

lint:
	$(MAKE) B=$(B)/lint-gcc CC=gcc WERROR=-Werror all
	$(MAKE) B=$(B)/lint-clang CC=clang WERROR=-Werror all
	clang-format --dry-run -Werror $(wildcard $(foreach dir,loader capture tests bench examples, \
	  $(dir)/*.[ch] $(dir)/*/*.[ch] $(dir)/*/*.cc $(dir)/*/*/*.[ch]))
	shellcheck .ci/run $(wildcard tests/run tests/*.sh tests/*.inc tests/*/*.sh tests/*/*.inc examples/*/*.sh bench/*.sh)

clean:
	rm -rf $(B)

.PHONY: all musl install demo bench check check-matrix lint clean
.DELETE_ON_ERROR:
