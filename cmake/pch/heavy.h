#pragma once
#include "light.h"

#include <boost/asio.hpp>
#include <nlohmann/json.hpp>

#include "instances_json.h"
