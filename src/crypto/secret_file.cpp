#include "crypto/secret_file.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/error.h"

namespace cahn::crypto {

SecretText::~SecretText() {
  // All of the buffer: a short text stays behind in a string that was moved from.
  text.resize(text.capacity());
  OPENSSL_cleanse(text.data(), text.size());
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const auto octet = hex_decode(text.substr(i + 1, 2));
    if (!octet || octet->size() != 1) return std::nullopt;
    out += static_cast<char>(octet->front());
    i += 2;
  }
  return out;
}

// The path a `file:` URI (RFC 8089) or a bare path names.
Result<std::filesystem::path> path_of_file_uri(std::string_view uri) {
  if (!uri.starts_with("file:")) return std::filesystem::path(uri);
  uri.remove_prefix(5);
  if (uri.starts_with("//")) {
    uri.remove_prefix(2);
    if (uri.starts_with("localhost/")) uri.remove_prefix(9);
  }
  if (!uri.starts_with('/'))
    return fail(CryptoError::key_unavailable, "a file: URI names an absolute path on this machine");
  const auto path = percent_decode(uri);
  if (!path) return fail(CryptoError::key_unavailable, "a file: URI with a bad % escape");
  return std::filesystem::path(*path);
}

// The check and the reading use one descriptor, so that nothing can be exchanged in between.
Result<SecretText> read_secret_file(const std::filesystem::path& path) {
  const auto refuse = [&](const char* why) { return fail(CryptoError::key_unavailable, path.string() + ": " + why); };
  struct Descriptor {
    int fd;
    ~Descriptor() {
      if (fd >= 0) ::close(fd);
    }
  } const file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.fd < 0) return refuse("the file cannot be opened");
  struct stat status{};
  if (::fstat(file.fd, &status) != 0 || !S_ISREG(status.st_mode)) return refuse("not a file");
  if ((status.st_mode & 077) != 0) return refuse("others can use the file; its mode must be 0600");
  if (status.st_size < 0 || static_cast<std::size_t>(status.st_size) > max_secret_file)
    return refuse("too large for a key");
  SecretText secret(std::string(static_cast<std::size_t>(status.st_size), '\0'));
  std::string& text = secret.text;
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t got = ::read(file.fd, text.data() + done, text.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return refuse("the file cannot be read");
    done += static_cast<std::size_t>(got);
  }
  return secret;
}

}  // namespace cahn::crypto
