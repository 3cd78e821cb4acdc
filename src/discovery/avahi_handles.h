// Ownership of avahi's handles.

#pragma once

#include <avahi-client/client.h>
#include <avahi-common/malloc.h>
#include <avahi-common/simple-watch.h>
#include <avahi-common/strlst.h>
#include <avahi-common/thread-watch.h>

#include <memory>
#include <string>
#include <vector>

namespace cahn::discovery {

template <auto release>
struct Release {
  template <typename T>
  void operator()(T* handle) const {
    release(handle);
  }
};

using ThreadedPoll = std::unique_ptr<AvahiThreadedPoll, Release<avahi_threaded_poll_free>>;
using SimplePoll = std::unique_ptr<AvahiSimplePoll, Release<avahi_simple_poll_free>>;
using Client = std::unique_ptr<AvahiClient, Release<avahi_client_free>>;
using StringList = std::unique_ptr<AvahiStringList, Release<avahi_string_list_free>>;
using AvahiText = std::unique_ptr<char, Release<avahi_free>>;

inline StringList to_list(const std::vector<std::string>& entries) {
  AvahiStringList* list = nullptr;
  for (auto it = entries.rbegin(); it != entries.rend(); ++it) list = avahi_string_list_add(list, it->c_str());
  return StringList(list);
}

}  // namespace cahn::discovery
