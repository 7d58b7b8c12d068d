// Clients that have joined and wait, thousands in one process, without a thread each.
#ifndef THINWIRE_TESTS_BENCH_IDLE_IDLE_CLIENTS_H_
#define THINWIRE_TESTS_BENCH_IDLE_IDLE_CLIENTS_H_

#include <string>

namespace thinwire {

// Joins `count` evaluators named PREFIX0, PREFIX1, ... to the server at `address`, each over a connection of its own,
// and lets each wait for work again and again, until the process is killed. Certificates of their names come from the
// folder `authority` (client/cli/certificate_folder.h); empty: plaintext. Ends the process with 1, saying why, if a
// call fails.
[[noreturn]] void RunIdleClients(const std::string& address, const std::string& prefix, int count,
                                 const std::string& authority);

}  // namespace thinwire

#endif  // THINWIRE_TESTS_BENCH_IDLE_IDLE_CLIENTS_H_
