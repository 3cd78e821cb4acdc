#include <avahi-client/client.h>
#include <avahi-client/publish.h>
#include <avahi-common/alternative.h>
#include <avahi-common/error.h>
#include <avahi-common/malloc.h>
#include <avahi-common/strlst.h>
#include <avahi-common/thread-watch.h>

#include <condition_variable>
#include <mutex>

#include "base/log.h"
#include "discovery/dns_sd.h"

namespace cahn::discovery {
namespace {

constexpr int max_renames = 20;
constexpr std::size_t max_txt_entries = 32, max_txt_length = 255, max_instance_length = 63;  // RFC 6763 4.1.1, 6.1

struct FreePoll {
  void operator()(AvahiThreadedPoll* poll) const { avahi_threaded_poll_free(poll); }
};
struct FreeClient {
  void operator()(AvahiClient* client) const { avahi_client_free(client); }
};
struct FreeStrings {
  void operator()(AvahiStringList* list) const { avahi_string_list_free(list); }
};

// All callbacks run on avahi's thread, which holds the poll's lock; what the constructor waits for has a lock of its
// own.
class AvahiAnnouncement final : public Announcement {
 public:
  AvahiAnnouncement(std::string instance, std::string type, std::uint16_t port, AvahiStringList* txt)
      : instance_(std::move(instance)), type_(std::move(type)), port_(port), txt_(txt) {}

  ~AvahiAnnouncement() override {
    if (poll_) avahi_threaded_poll_stop(poll_.get());
    client_.reset();  // frees its entry group too
  }

  Result<void> start(std::chrono::milliseconds patience) {
    poll_.reset(avahi_threaded_poll_new());
    if (!poll_) return fail(DiscoveryError::daemon_unavailable, "no thread for mDNS");
    connect();
    if (avahi_threaded_poll_start(poll_.get()) < 0)
      return fail(DiscoveryError::daemon_unavailable, "no thread for mDNS");
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, patience, [this] { return established_ || collided_; });
    if (collided_)
      return fail(DiscoveryError::name_collision, "every variant of the name '" + instance_ + "' is taken");
    if (!established_)
      return fail(DiscoveryError::daemon_unavailable, "the avahi daemon did not take the announcement");
    return {};
  }

 private:
  void connect() {
    group_ = nullptr;
    client_.reset();
    int error = 0;
    client_.reset(
        avahi_client_new(avahi_threaded_poll_get(poll_.get()), AVAHI_CLIENT_NO_FAIL, on_client, this, &error));
    if (!client_)
      log::warning("DISCOVERY_NO_DAEMON", "the avahi daemon cannot be reached", {{"error", avahi_strerror(error)}});
  }

  static void on_client(AvahiClient* client, AvahiClientState state, void* self) {
    static_cast<AvahiAnnouncement*>(self)->client_changed(client, state);
  }
  static void on_group(AvahiEntryGroup*, AvahiEntryGroupState state, void* self) {
    static_cast<AvahiAnnouncement*>(self)->group_changed(state);
  }

  void client_changed(AvahiClient* client, AvahiClientState state) {
    if (state == AVAHI_CLIENT_S_RUNNING) {
      publish(client);
    } else if (state == AVAHI_CLIENT_S_COLLISION || state == AVAHI_CLIENT_S_REGISTERING) {
      if (group_) avahi_entry_group_reset(group_);  // the host's name changes: publish again when it is settled
    } else if (state == AVAHI_CLIENT_FAILURE && avahi_client_errno(client) == AVAHI_ERR_DISCONNECTED) {
      // The daemon went away. A client cannot be freed in its own callback's first call, before we hold it.
      if (client_.get() == client) connect();
    }
  }

  void group_changed(AvahiEntryGroupState state) {
    if (state == AVAHI_ENTRY_GROUP_ESTABLISHED) tell(established_);
    if (state == AVAHI_ENTRY_GROUP_COLLISION) rename_and_publish();
  }

  void rename_and_publish() {
    if (++renames_ > max_renames) return tell(collided_);
    char* other = avahi_alternative_service_name(instance_.c_str());
    instance_ = other;
    avahi_free(other);
    log::info("DISCOVERY_RENAMED", "the name is taken on this link; announced under another", {{"name", instance_}});
    if (group_) avahi_entry_group_reset(group_);
    add_service();
  }

  void publish(AvahiClient* client) {
    if (!group_) group_ = avahi_entry_group_new(client, on_group, this);
    if (group_ && avahi_entry_group_is_empty(group_)) add_service();
  }

  void add_service() {
    if (!group_) return;
    const int added =
        avahi_entry_group_add_service_strlst(group_, AVAHI_IF_UNSPEC, AVAHI_PROTO_UNSPEC, AvahiPublishFlags(0),
                                             instance_.c_str(), type_.c_str(), nullptr, nullptr, port_, txt_.get());
    if (added == AVAHI_ERR_COLLISION) return rename_and_publish();
    if (added < 0 || avahi_entry_group_commit(group_) < 0)
      log::warning("DISCOVERY_NOT_ANNOUNCED", "the avahi daemon refuses the announcement",
                   {{"error", avahi_strerror(added)}});
  }

  void tell(bool& what) {
    const std::lock_guard lock(mutex_);
    what = true;
    changed_.notify_all();
  }

  std::string instance_, type_;
  std::uint16_t port_;
  std::unique_ptr<AvahiStringList, FreeStrings> txt_;
  std::unique_ptr<AvahiThreadedPoll, FreePoll> poll_;
  std::unique_ptr<AvahiClient, FreeClient> client_;
  AvahiEntryGroup* group_ = nullptr;  // the client's
  int renames_ = 0;

  std::mutex mutex_;  // guards the two flags
  std::condition_variable changed_;
  bool established_ = false, collided_ = false;
};

}  // namespace

Result<std::unique_ptr<Announcement>> Announcement::start(std::string instance, std::string_view service_type,
                                                          std::uint16_t port, std::vector<std::string> txt) {
  if (instance.empty() || instance.size() > max_instance_length)
    return fail(DiscoveryError::bad_argument, "an instance name has 1 to 63 octets (RFC 6763 4.1.1)");
  if (txt.size() > max_txt_entries) return fail(DiscoveryError::bad_argument, "at most 32 TXT strings");
  AvahiStringList* list = nullptr;
  for (const std::string& entry : txt) {
    if (entry.size() > max_txt_length) {
      avahi_string_list_free(list);
      return fail(DiscoveryError::bad_argument, "a TXT string has at most 255 octets");
    }
    list = avahi_string_list_add(list, entry.c_str());
  }
  auto announcement = std::make_unique<AvahiAnnouncement>(std::move(instance), std::string(service_type), port, list);
  CAHN_CHECK(announcement->start(std::chrono::seconds(5)));
  return announcement;
}

}  // namespace cahn::discovery
