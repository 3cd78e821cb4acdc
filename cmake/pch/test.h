#pragma once
#include "heavy.h"

#include <gtest/gtest.h>
