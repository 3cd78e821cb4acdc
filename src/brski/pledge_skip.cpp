// RFC 8995 7.2: voucher validation skipped once, because somebody who stands at the device says so. Whoever can make a
// file on a device could as well give it another trust anchor; nobody on the network can.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/log.h"
#include "brski/pledge_impl.h"

namespace cahn::brski {
namespace {

namespace fs = std::filesystem;
using std::chrono::steady_clock;

Result<void> sync_parent(const fs::path& file) {
  const fs::path folder = file.has_parent_path() ? file.parent_path() : fs::path(".");
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = fd >= 0 && ::fsync(fd) == 0;
  if (fd >= 0) ::close(fd);
  if (synced) return {};
  return fail(BrskiError::bad_state, "cannot make it durable that " + file.string() + " is gone");
}

// What went wrong before there was a voucher to trust. A policy's no stays a no, and so does an enrolment that failed.
bool is_about_the_voucher(const Error& why) {
  return why.code == BrskiError::registrar_refused || why.code.is_of<voucher::VoucherError>();
}

}  // namespace

Result<bool> use_up_skip(const fs::path& file) {
  struct stat about{};
  if (file.empty() || ::lstat(file.c_str(), &about) != 0) return false;
  if (!S_ISREG(about.st_mode) || (about.st_uid != ::geteuid() && about.st_uid != 0)) {
    return fail(BrskiError::bad_state, file.string() + " is not a regular file of this user or root");
  }
  if (::unlink(file.c_str()) != 0) {
    if (errno == ENOENT) return false;
    return fail(BrskiError::bad_state, "cannot remove " + file.string());
  }
  CAHN_CHECK(sync_parent(file));
  return true;
}

net::awaitable<Result<NetworkCredential>> Pledge::Impl::skip_voucher(net::Endpoint endpoint, Error why) {
  if (!is_about_the_voucher(why)) co_return std::unexpected(std::move(why));
  const auto wanted = use_up_skip(options.skip_voucher_once);
  if (!wanted) co_return fail(wanted.error());
  if (!*wanted) co_return std::unexpected(std::move(why));
  const auto began = steady_clock::now();
  const std::string where = endpoint.authority();
  auto opened = co_await net::HttpConnection::open(std::move(endpoint), &provisional, options.limits);
  if (!opened) co_return fail(opened.error());
  std::shared_ptr<net::HttpConnection> connection = *std::move(opened);
  if (connection->peer_chain().empty())
    co_return fail(BrskiError::not_the_registrar, "the server showed no certificate");
  const crypto::Certificate shown = connection->peer_chain().back();
  log::warning("PLEDGE_VOUCHER_SKIPPED",
               "NOBODY VOUCHES for this registrar: it is trusted this once, because a file at the device says so.",
               {{"registrar", where},
                {"certificate", printable(shown.subject_text())},
                {"sha256", hex(shown.fingerprint())},
                {"why", printable(why.message)}});
  tell("C.10", "Trusted the registrar WITHOUT a voucher, once, as somebody at the device wants.", shown.subject_text(),
       began);
  voucher::Voucher nobodys;
  nobodys.pinned_domain_cert = shown;
  co_return co_await enrol(std::move(connection), std::move(nobodys), {});
}

}  // namespace cahn::brski
