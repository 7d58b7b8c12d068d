// One function compiled for several instruction sets, the best chosen when the program is loaded. Only for loops whose
// result is the same on all of them: integers, or floats element by element (the tree is built with -ffp-contract=off).
// The file needs -O3, without which g++ leaves most loops scalar. Loops whose bytes a format specifies belong in
// common/codec/kernels instead, with Highway, where each instruction set is tested.
#ifndef THINWIRE_COMMON_BASE_TARGET_CLONES_H_
#define THINWIRE_COMMON_BASE_TARGET_CLONES_H_

// Sanitizers instrument the function that chooses, which runs before they are ready. With THINWIRE_ONE_TARGET there is
// what the compiler's flags say, for a test that has all of them side by side.
#if !defined(THINWIRE_ONE_TARGET) && defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define TW_TARGET_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
// For arithmetic on eight lanes at a time between scalar code: with the instructions of v4, g++ made it slower.
#define TW_TARGET_CLONES_V3 __attribute__((target_clones("arch=x86-64-v3", "default")))
#else
#define TW_TARGET_CLONES
#define TW_TARGET_CLONES_V3
#endif

#endif  // THINWIRE_COMMON_BASE_TARGET_CLONES_H_
