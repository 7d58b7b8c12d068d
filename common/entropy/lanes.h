// Vectors of a few numbers, for arithmetic on all of them at once: the extension that g++ and clang share, which
// becomes whatever instructions a function is compiled for. Passed by pointer only: by value, they would be passed
// differently by functions compiled for different ones.
#ifndef THINWIRE_COMMON_ENTROPY_LANES_H_
#define THINWIRE_COMMON_ENTROPY_LANES_H_

namespace thinwire {

template <class T, int kCount>
struct LanesOf {
  typedef T type __attribute__((vector_size(sizeof(T) * kCount)));
};
// kCount: a power of two.
template <class T, int kCount>
using Lanes = typename LanesOf<T, kCount>::type;

}  // namespace thinwire

#endif  // THINWIRE_COMMON_ENTROPY_LANES_H_
