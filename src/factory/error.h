#pragma once

#include <string_view>

namespace cahn::factory {

enum class FactoryError {
  bad_option,    // a name, serial number or MASA URL that cannot stand in a certificate
  no_factory,    // the folder holds no manufacturer, or a damaged one
  exists,        // there is a manufacturer in this folder already
  already_born,  // the device has its IDevID; it is never made again (L867, L881)
  bad_request,   // the device's CSR is malformed, its signature does not hold, or it asks for what no IDevID has
  serial_taken,  // another device was born under this serial number
  key_taken,     // this key was born under another serial number
  wrong_key,     // the IDevID is not for the device's key
  not_writable,  // a file of the device or the factory cannot be written
  unavailable    // the factory's store is gone
};
std::string_view error_name(FactoryError);

}  // namespace cahn::factory
