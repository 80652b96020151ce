#!/bin/sh
# Whether the library's code can ask for the features of the CPU: an instruction that does is found wherever
# it hides, and one that only looks like it is not taken for it.
# configs: gcc-bfd-glibc clang-lld-glibc gcc-lld-musl
# timeout: 300
# shellcheck disable=SC1091,SC2086
. "$(dirname "$0")/../lib.sh"
[ "$TURF" != none ] || exit 0
need strip=binutils
[ "$(uname -m)" = x86_64 ] || skip "the code is that of x86-64"

# says NAME with|any SOURCE FLAG...: what turf info says of the frozen library, stripped and not
says() {
  name=$1 want=$2 source=$3
  shift 3
  build_lib $name.so $source -- "$@"
  strip -o $name-stripped.so $name.so
  for file in $name $name-stripped; do
    freeze $file.so $file-frozen.so -q
    "$TURF" info $file-frozen.so | grep -q "^cpu *$want" ||
      fail "$file ($*): turf info does not say $want: $("$TURF" info $file-frozen.so | grep ^cpu)"
  done
}
# asks|seems NAME: the function f, in assembly on stdin, among others; 0f a2 is cpuid
assembly() {
  {
    printf '.text\n.p2align 4\n.globl f\n.hidden f\n.type f, @function\nf: .cfi_startproc\n'
    cat
    printf '.cfi_endproc\n.size f, .-f\n.section .note.GNU-stack, ""\n'
  } >$1.s
  $CC_CMD -c $1.s -o $1.o
  says $1 $2 "caller.o $1.o" -Wl,--eh-frame-hdr
}
asks() { assembly $1 with; }
seems() { assembly $1 any; }
cat >caller.c <<'END'
int f(int);
int (*volatile called)(int);
int urf_init(void) { return called && called(1); }
int use(int n) { return f(n); }
END
$CC_CMD -O1 -fPIC -c caller.c

asks plain <<'END'
xor %eax, %eax
cpuid
ret
END
asks prefix <<'END'
.byte 0xf3, 0x0f, 0xa2
ret
END
asks over_data <<'END'
jmp 1f
.byte 0xb8
1: cpuid
ret
END
asks over_text <<'END'
call 1f
.ascii "text\270"
1: pop %rax
cpuid
ret
END
asks into_middle <<'END'
test %edi, %edi
jz 1f
0: mov $0xc3a20f, %eax
ret
1: jmp 0b + 1
END
asks into_middle_backwards <<'END'
0: mov $0xc3a20f, %eax
test %edi, %edi
jz 0b + 1
ret
END
asks from_another_function <<'END'
mov $0xc3a20f, %eax
ret
.cfi_endproc
.size f, .-f
.type g, @function
g: .cfi_startproc
jmp f + 1
END
asks from_nowhere <<'END'
0: mov $0xc3a20f, %eax
ret
jmp 0b + 1
.skip 200, 0x90
END
asks from_far_and_nowhere <<'END'
mov $0xc3a20f, %eax
ret
.skip 200, 0x90
jmp f + 1
END
asks address_of_middle <<'END'
mov $0xc3a20f, %eax
lea f + 1(%rip), %rcx
jmp *%rcx
END
asks pointer_to_middle <<'END'
mov $0xc3a20f, %eax
ret
.pushsection .data.rel.ro, "aw"
.balign 8
.quad f + 1
.popsection
END
asks variable_with_middle <<'END'
mov $0xc3a20f, %eax
ret
.pushsection .data
.balign 8
.quad f + 1
.popsection
END
asks by_table <<'END'
lea 9f(%rip), %rdx
movslq (%rdx, %rdi, 4), %rax
add %rdx, %rax
jmp *%rax
.byte 0xb8
1: cpuid
ret
.byte 0xb8
2: xor %eax, %eax
ret
.pushsection .rodata
.balign 4
9: .long 2b - 9b, 1b - 9b
.popsection
END
asks by_table_into_middle <<'END'
lea 9f(%rip), %rdx
movslq (%rdx, %rdi, 4), %rax
add %rdx, %rax
jmp *%rax
1: mov $0xc3a20f, %eax
ret
.pushsection .rodata
.balign 4
9: .long 1b - 9b, 1b + 1 - 9b
.popsection
END
asks by_computed_jump <<'END'
lea f(%rip), %rax
add $0x40, %rax
jmp *%rax
.balign 64, 0xb8
cpuid
ret
END
asks behind_nonsense <<'END'
jmp *%rax
.byte 6, 0xb8
cpuid
ret
END
asks before_nonsense <<'END'
call 1f
.byte 0xb8
cpuid
ret
.byte 6, 6
1: addq $1, (%rsp)
ret
END
asks without_a_name <<'END'
ret
.cfi_endproc
.size f, .-f
.byte 0xb8
1: cpuid
ret
.pushsection .data
.balign 8
.quad 1b
.popsection
.type g, @function
g: .cfi_startproc
ret
END
asks without_anything <<'END'
ret
.cfi_endproc
.size f, .-f
.skip 7, 0xcc
.byte 0xb8
cpuid
ret
.skip 7, 0xcc
.type g, @function
g: .cfi_startproc
ret
END
asks behind_a_lock <<'END'
test %edi, %edi
jz 1f + 1
1: lock cmpxchg %ecx, (%rdx)
cpuid
ret
END

seems constant <<'END'
mov $0xa20f, %eax
ret
END
seems long_constant <<'END'
movabs $0x11a20f2233445566, %rax
ret
END
seems distance <<'END'
lea f + 0xa20f(%rip), %rax
.byte 0x48, 0x8d, 5, 0x0f, 0xa2, 0, 0
ret
END
seems two_instructions <<'END'
test %edi, %edi
js 1f
mov 0x0f000000(%rdi), %ecx
.byte 0xa2, 0, 0, 0, 0, 0, 0, 0, 0
1: ret
END
# one table behind the other; its distances are nonsense in the first one
seems by_table_constant <<'END'
lea 9f(%rip), %rdx
movslq (%rdx, %rdi, 4), %rax
add %rdx, %rax
movabs $0x0606060606060606, %rcx
jmp *%rax
1: mov $0xa20f, %eax
ret
2: add $0xa20f, %eax
lea 8f(%rip), %rdx
movslq (%rdx, %rdi, 4), %rcx
add %rdx, %rcx
jmp *%rcx
3: sub $0xa20f, %eax
ret
.pushsection .rodata
.balign 4
9: .long 2b - 9b, 1b - 9b
8: .long 1b - 8b, 3b - 8b
.popsection
END

# compilers: the real one in all shapes, and constants in all places
cat >real.c <<'END'
#include <cpuid.h>
static unsigned look(unsigned n)
{
  unsigned a, b, c, d;
  return __get_cpuid(n, &a, &b, &c, &d) ? d : 0;
}
volatile int wanted;
int urf_init(void) { return wanted && look(7) > 0xa20f; }
END
cat >none.c <<'END'
#include <stdlib.h>
int more(int n, int *p);
__attribute__((noinline)) int more(int n, int *p)
{
  switch (n) {
  case 0: p[1] = 0xa20f; break;
  case 1: p[0x3fa] += 0x11a20f; break;
  case 2: return 0xa20f00;
  case 3: return more(n * 0xa20f, p + 0xa20f);
  case 4: abort();
  case 5: p[3] = (int)0xa20f0000; break;
  case 6: return p[0xa20f / 4] == 0xa20f;
  default: return -0x5df1;
  }
  return *p > 0xa20f;
}
volatile int numbers[100000];
int urf_init(void) { return numbers[7] && more(numbers[8], (int *)numbers); }
END
lto=-flto
[ $CC-$LD-$LIBC != gcc-lld-musl ] || lto=-O2 # gcc's plugin is for bfd
for flags in -O0 '-O2 -fcf-protection=full' "-O2 $lto" \
  '-O3 -fno-asynchronous-unwind-tables -fno-unwind-tables' '-O2 -ffunction-sections -Wl,--gc-sections' \
  '-Os -fno-jump-tables'; do
  says real with real.c $flags -Wl,--eh-frame-hdr
  says none any none.c $flags -Wl,--eh-frame-hdr
done
