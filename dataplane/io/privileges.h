// What the process may still do once its ports are open.
//
// Every thread that exists by then loses root: glibc applies the change of user to all of them, and the
// kernel takes their capabilities away with it. Kept, in the calling thread alone: CAP_NET_ADMIN, and only if
// a wire mirrors its link state onto an interface of the kernel. A user other than root stays who he is. No
// thread may gain anything again (no_new_privs), nobody may trace the process (not dumpable).
#pragma once

#include <string>

namespace sekisho::io {

// `user`: whom to become if root; "nobody" will do. Call before any worker starts. False: why.
bool drop_privileges(const std::string& user, bool keep_net_admin, std::string& why);

// Takes what is kept from the calling thread: for workers. Threads made later inherit nothing either.
bool drop_thread_capabilities();

}  // namespace sekisho::io
