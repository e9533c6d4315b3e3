# krait - state space models in small C.  GNU make.
#
#   make            the libraries and the command, into lib/; make static: libkrait.a alone
#   make test       every test; T=mamba for those with mamba in their name
#   make demo       a trained model writes a page of English
#   make bench      measure; T=... chooses, ARGS=--quick is passed on
#   make amalgamation   the library as one file: .build/amalgamation/krait.c, beside krait.h
#   make abi-record     before a release: what its programs rely on, into tests/abi/
#   make install    PREFIX=/usr/local DESTDIR= LIBDIR= INCLUDEDIR= BINDIR= MANDIR=
#   make uninstall  with the same settings
#   make reference  the API as HTML, into .build/reference/html (doxygen)
#   make clean      remove what make made
#
#   CC=clang CFLAGS=-O3 AR=ar WERROR=1 V=1 (show commands) as usual
#   OPENMP=1                 threads of its own for krait_run()
#   SAN=address,undefined    build under sanitizers
#   MINIMAL=1                no files, stdio, malloc and tokenizers (docs/embedded.md); make static
#   O=dir                    there instead of .build/ and lib/
#   RUN=program              what runs the tests of another machine: with
#                            CC=aarch64-linux-gnu-gcc RUN="qemu-aarch64 -L /usr/aarch64-linux-gnu"
#
#   CC=musl-gcc LDFLAGS=-static and CC="clang --target=wasm32-wasi" are other systems, and
#   MINIMAL=1 CC=arm-none-eabi-gcc a machine without one: docs/embedded.md

PREFIX     ?= /usr/local
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
BINDIR     ?= $(PREFIX)/bin
MANDIR     ?= $(PREFIX)/share/man
CFLAGS     ?= -O2 -g
INSTALL    ?= install

# ---- no change needed below ----

# Every core, unless a -j or another make says otherwise.
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
endif

# The header is the one place a number of a version is written.
number  = $(shell sed -n 's/^.define KRAIT_$(1)  *\([0-9]*\).*/\1/p' include/krait.h)
VERSION := $(call number,VERSION_MAJOR).$(call number,VERSION_MINOR).$(call number,VERSION_PATCH)
ABI     := $(call number,ABI)

# The compiler says what it makes programs for: how they are called, and what is not there.
TARGET := $(shell $(CC) $(CFLAGS) -dumpmachine)
WINDOWS := $(findstring mingw32,$(TARGET))
WASM    := $(findstring wasm32,$(TARGET))
EXE     := $(if $(WINDOWS),.exe)$(if $(WASM),.wasm)
ifeq ($(origin AR),default)
AR      := $(or $(shell $(CC) -print-prog-name=$(if $(WASM),llvm-)ar),ar)
endif

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
        -Wpointer-arith -Wwrite-strings -Wundef $(if $(WERROR),-Werror)

# No flag here may change a number: each fma stands in the text, and files that need an
# instruction set open a region for it there.
KR_CFLAGS  := -std=c11 -fPIC -fvisibility=hidden -ffp-contract=off $(WARN)
KR_LDFLAGS :=
THREADS    := -pthread
DEFS       := $(if $(SAN),,-Wl,-z,defs)
ifneq ($(WASM),)
# What WASI has not is made of what it has, by wasi-libc; threads are not.
EMULATED   := signal getpid process-clocks
KR_CFLAGS  := $(filter-out -fPIC,$(KR_CFLAGS)) -D_WASI_EMULATED_SIGNAL -D_WASI_EMULATED_GETPID \
              -D_WASI_EMULATED_PROCESS_CLOCKS -DKRAIT_NO_THREADS
KR_LDFLAGS += $(EMULATED:%=-lwasi-emulated-%) -Wl,-z,stack-size=1048576
THREADS    :=
endif
ifneq ($(MINIMAL),)
KR_CFLAGS  := $(filter-out -fPIC,$(KR_CFLAGS)) -DKRAIT_MINIMAL -DKRAIT_NO_THREADS
endif
ifneq ($(OPENMP),)
KR_CFLAGS  += -fopenmp
KR_LDFLAGS += -fopenmp
endif
ifneq ($(SAN),)
KR_CFLAGS  += -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer
KR_LDFLAGS += -fsanitize=$(SAN)
endif
COMPILE     = $(CC) $(CPPFLAGS) $(CFLAGS) $(KR_CFLAGS)
LINK        = $(CC) $(CFLAGS) $(KR_LDFLAGS) $(LDFLAGS)

# Objects of different compilers never meet; other flags are compared in $(B)/flags.
comma := ,
space := $(subst ,, )
CONFIG := $(strip $(notdir $(CC)) $(if $(OPENMP),openmp) $(SAN) $(if $(MINIMAL),minimal))
CONFIG := $(subst =,-,$(subst $(comma),-,$(subst $(space),-,$(CONFIG))))
B      := $(if $(O),$(O)/).build/$(CONFIG)
L      := $(or $(O),lib)
Q      := $(if $(V),,@)
say     = @$(if $(V),:,echo "  $(1)")

SRC      := $(sort $(wildcard src/*.c src/*/*.c))
CLI      := $(filter src/cli/%,$(SRC))
LIB      := $(filter-out src/cli/%,$(SRC))
SUPPORT  := $(sort $(wildcard tests/support/*.c))
TESTS    := $(filter-out tests/programs/% tests/bench/%, $(sort $(wildcard \
            tests/*.c tests/*/test_*.c tests/layers/*.c)))
PROGRAMS := $(sort $(wildcard tests/programs/*.c))
BENCHES  := $(sort $(wildcard tests/bench/*.c))
EXAMPLES := $(sort $(wildcard examples/*.c))

# These put themselves in the place of POSIX, need its threads, or take minutes there.
ifneq ($(WINDOWS)$(WASM),)
PROGRAMS := $(filter %/no_threads.c,$(PROGRAMS))
EXAMPLES := $(if $(WASM),$(filter-out $(addprefix %/,threads.c job_system.c robot_control.c server_batch.c game_rollback.c),$(EXAMPLES)),$(EXAMPLES))
endif

objects   = $(patsubst %.c,$(B)/%.o,$(1))
binaries  = $(patsubst %.c,$(B)/%$(EXE),$(1))
STATIC   := $(B)/libkrait.a
SHARED   := $(B)/libkrait.so.$(VERSION)
ONE      := $(if $(O),$(O)/).build/amalgamation
COMMAND  := $(if $(CLI),$(B)/krait$(EXE))
ifneq ($(WINDOWS),)
SHARED   := $(B)/krait.dll $(B)/libkrait.dll.a
else ifneq ($(WASM),)
SHARED   :=
endif

# lib/ holds what was made last, of whatever configuration; tests use $(B) alone.
all: $(STATIC) $(SHARED) $(COMMAND)
	@mkdir -p $(L)
	@for file in $(^F); do \
		cmp -s $(B)/$$file $(L)/$$file || { rm -f $(L)/$$file; cp $(B)/$$file $(L)/; }; \
	done
	$(if $(filter %.so.$(VERSION),$(SHARED)),@ln -sf libkrait.so.$(VERSION) $(L)/libkrait.so.$(ABI); \
		ln -sf libkrait.so.$(ABI) $(L)/libkrait.so)

static: $(STATIC)
	@mkdir -p $(L)
	@cmp -s $< $(L)/$(<F) || cp $< $(L)/

# ---- how things are made ----

INCLUDE = -Isrc -Iinclude
$(B)/tests/%.o:    INCLUDE = -Itests -Isrc -Iinclude
$(B)/examples/%.o: INCLUDE = -Iinclude
ifneq ($(SAN),)
# With each check of undefined behaviour these would compile for ten minutes; plain.c has them all.
$(B)/src/kernels/avx2.o $(B)/src/kernels/avx512.o: LESS = -fno-sanitize=undefined -g0
endif

$(B)/%.o: %.c $(B)/flags Makefile
	$(call say,cc $<)
	@mkdir -p $(@D)
	$(Q)$(COMPILE) $(LESS) $(INCLUDE) -MMD -MP -c -o $@ $<

# rm: ar would keep the object of a source that is gone.
$(STATIC): $(call objects,$(LIB)) $(B)/sources
	$(call say,ar $@)
	@rm -f $@
	$(Q)$(AR) rcs $@ $(filter %.o,$^)

# What a DLL gives away is what krait.map names, so that the objects are those of the static library.
$(B)/krait.def: src/krait.map
	$(Q){ echo EXPORTS; sed -n 's/^ *\([A-Za-z0-9_]*\);.*/    \1/p' $<; } >$@

$(B)/libkrait.dll.a: $(B)/krait.dll ;
$(B)/krait.dll: $(call objects,$(LIB)) $(B)/sources $(B)/krait.def
	$(call say,ld $@)
	$(Q)$(LINK) -shared -static-libgcc -Wl,--out-implib=$(B)/libkrait.dll.a -o $@ \
		$(filter %.o %.def,$^) -lm

$(B)/libkrait.so.$(VERSION): $(call objects,$(LIB)) $(B)/sources src/krait.map
	$(call say,ld $@)
	$(Q)$(LINK) -shared -Wl,-soname,libkrait.so.$(ABI) -Wl,--version-script=src/krait.map \
		$(DEFS) -o $@ $(filter %.o,$^) -lm

$(B)/command.a: $(call objects,$(filter-out %/main.c,$(CLI))) $(B)/sources
	@rm -f $@
	$(Q)$(AR) rcs $@ $(filter %.o,$^)

$(B)/krait$(EXE): $(call objects,$(filter %/main.c,$(CLI))) $(if $(CLI),$(B)/command.a) $(STATIC)
	$(call say,ld $@)
	$(Q)$(LINK) $(THREADS) -o $@ $(filter %.o %.a,$^) -lm

$(B)/support.a: $(call objects,$(SUPPORT)) $(B)/sources
	@rm -f $@
	$(Q)$(AR) rcs $@ $(filter %.o,$^)

$(B)/krait-test$(EXE): $(call objects,$(TESTS) $(SUPPORT)) $(STATIC)
	$(call say,ld $@)
	$(Q)$(LINK) $(THREADS) -o $@ $(filter %.o %.a,$^) -lm

# A program of the tests, or an example, may name flags for its linker in <name>.flags.
$(call binaries,$(PROGRAMS)): $(wildcard tests/programs/*.flags)
$(call binaries,$(EXAMPLES)): $(wildcard examples/*.flags)
$(call binaries,$(BENCHES)): $(B)/command.a
$(call binaries,$(PROGRAMS) $(BENCHES)): $(B)/%$(EXE): $(B)/%.o $(B)/support.a $(STATIC)
	$(call say,ld $@)
	$(Q)$(LINK) $(THREADS) $$(cat $*.flags 2>/dev/null) -o $@ $(filter %.o %.a,$^) $(STATIC) -lm

$(call binaries,$(EXAMPLES)): $(B)/%$(EXE): $(B)/%.o $(STATIC)
	$(call say,ld $@)
	$(Q)$(LINK) $$(cat $*.flags 2>/dev/null) -o $@ $(filter %.o %.a,$^) -lm

# Rewritten only when their text is another, so that what depends on them is made again.
$(B)/flags:   export TEXT = $(COMPILE) $(LINK)
$(B)/sources: export TEXT = $(SRC) $(SUPPORT)
$(B)/flags $(B)/sources: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' "$$TEXT" | cmp -s - $@ || printf '%s\n' "$$TEXT" >$@

# ---- what one does with them ----

amalgamation: $(ONE)/krait.c
$(ONE)/krait.c: $(LIB) $(wildcard src/*/*.h src/*/*.def src/*.h include/*) LICENSE \
                pkgconfig/amalgamate.awk $(B)/sources
	$(call say,awk $@)
	@mkdir -p $(@D)
	$(Q)awk -f pkgconfig/amalgamate.awk $(LIB) >$@
	@cp $(wildcard include/krait.h*) $(@D)/

# What programs compiled against this version may rely on, for all versions after it: docs/abi.md.
abi-record:
	@tests/abi/record.sh

test: export BUILD   := $(B)
test: export SOURCES := $(LIB)
test: export OBJECTS := $(call objects,$(TESTS) $(SUPPORT))
test: export COMPILE := $(COMPILE)
test: export LINK    := $(LINK)
test: export SPECIAL := $(if $(OPENMP),openmp) $(if $(SAN),sanitizers)
test: export RUN     := $(RUN)
test: export EXE     := $(EXE)
test: export ONE     := $(ONE)
test: export CC      := $(CC)
test: export CXX     := $(CXX)
test: $(B)/krait-test$(EXE) $(STATIC) $(SHARED) $(COMMAND) $(ONE)/krait.c $(call binaries,$(PROGRAMS) $(EXAMPLES))
	@tests/run.sh $(T)

bench: $(call binaries,$(BENCHES)) $(COMMAND)
	@for bench in $(call binaries,$(BENCHES)); do \
		case $$bench in $(if $(T),*$(T)*,*)) $$bench $(ARGS) || exit 1;; esac; \
	done

BEGUN := $(shell date +%s)
demo: all
	@$(L)/krait generate examples/models/mamba-novels.gguf --prompt 'It was a ' \
		--echo --tokens 400 --seed 1 --temperature 0.8
	@echo "$$(($$(date +%s) - $(BEGUN))) seconds from the word make"

to_prefix = $(patsubst $(PREFIX)/%,$${prefix}/%,$(1))
# From the folder of CMake's files: relative where both are below PREFIX, which may be moved.
to_include = $(if $(filter $(PREFIX)/%,$(LIBDIR)),$(if $(filter $(PREFIX)/%,$(INCLUDEDIR)),$(strip \
	$(subst $(space),/,$(patsubst %,..,$(subst /, ,$(patsubst $(PREFIX)/%,%,$(LIBDIR))/cmake/krait)))/$(strip \
	$(patsubst $(PREFIX)/%,%,$(INCLUDEDIR)))),),)
install: all
	$(INSTALL) -d $(DESTDIR)$(INCLUDEDIR) $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(BINDIR)
	$(INSTALL) -m 644 $(wildcard include/krait.h*) $(DESTDIR)$(INCLUDEDIR)
	$(INSTALL) -m 644 $(STATIC) $(DESTDIR)$(LIBDIR)
	$(INSTALL) -m 755 $(SHARED) $(DESTDIR)$(LIBDIR)
	ln -sf libkrait.so.$(VERSION) $(DESTDIR)$(LIBDIR)/libkrait.so.$(ABI)
	ln -sf libkrait.so.$(ABI) $(DESTDIR)$(LIBDIR)/libkrait.so
	sed -e 's|@prefix@|$(PREFIX)|' -e 's|@libdir@|$(call to_prefix,$(LIBDIR))|' \
		-e 's|@includedir@|$(call to_prefix,$(INCLUDEDIR))|' -e 's|@version@|$(VERSION)|' \
		-e 's|@private@|$(if $(OPENMP),-fopenmp )-lm|' pkgconfig/krait.pc.in \
		>$(DESTDIR)$(LIBDIR)/pkgconfig/krait.pc
	$(INSTALL) -d $(DESTDIR)$(LIBDIR)/cmake/krait
	for file in kraitConfig.cmake kraitConfigVersion.cmake; do \
		sed -e 's|@to_lib@|../..|' -e 's|@version@|$(VERSION)|' -e 's|@abi@|$(ABI)|' \
			-e "s|@to_include@|$(to_include)|" -e 's|@openmp@|$(if $(OPENMP),ON)|' \
			pkgconfig/$$file.in >$(DESTDIR)$(LIBDIR)/cmake/krait/$$file || exit 1; \
	done
	$(if $(COMMAND),$(INSTALL) -m 755 $(COMMAND) $(DESTDIR)$(BINDIR))
	$(if $(COMMAND),$(INSTALL) -d $(DESTDIR)$(MANDIR)/man1)
	$(if $(COMMAND),$(INSTALL) -m 644 docs/krait.1 $(DESTDIR)$(MANDIR)/man1)

uninstall:
	rm -f $(addprefix $(DESTDIR)$(INCLUDEDIR)/,$(notdir $(wildcard include/krait.h*))) \
		$(addprefix $(DESTDIR)$(LIBDIR)/,libkrait.a libkrait.so libkrait.so.$(ABI) \
		libkrait.so.$(VERSION) pkgconfig/krait.pc cmake/krait/kraitConfig.cmake \
		cmake/krait/kraitConfigVersion.cmake) $(DESTDIR)$(BINDIR)/krait \
		$(DESTDIR)$(MANDIR)/man1/krait.1

clean:
	rm -rf $(if $(O),$(O)/).build $(L)/libkrait.a $(L)/libkrait.so* $(L)/krait

# All of it is in the header; a warning of doxygen's, as of a function without a comment, is an error.
R := $(if $(O),$(O)/).build/reference
reference:
	$(call say,doxygen $(R)/html/index.html)
	@mkdir -p $(R)
	$(Q)KRAIT_VERSION=$(VERSION) KRAIT_REFERENCE=$(R) doxygen docs/Doxyfile

help:
	@sed -n 's/^#   //p' Makefile

FORCE:
.PHONY: all static test bench demo reference amalgamation abi-record install uninstall clean help FORCE
.DELETE_ON_ERROR:

-include $(patsubst %.c,$(B)/%.d,$(SRC) $(TESTS) $(SUPPORT) $(PROGRAMS) $(BENCHES) $(EXAMPLES))
