// The instances that instances.h and instances_json.h promise. Without a precompiled header, which promises them itself.
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <span>
#include <string>
#include <vector>

#define CAHN_INSTANCE template
#include "instances.h"
#include "instances_json.h"
