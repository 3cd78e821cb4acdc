#pragma once
// In sanitized builds, where next to nothing is inlined, half of all code is the same instances of templates over and over,
// once an object. The commonest are made once, in instances.cpp; here every object is told so. CAHN_INSTANCE is "extern template"
// to all but that file.
#ifdef CAHN_SHARED_INSTANCES

CAHN_INSTANCE class std::basic_string<char>;
CAHN_INSTANCE class std::vector<char>;
CAHN_INSTANCE class std::vector<bool>;
CAHN_INSTANCE class std::vector<unsigned char>;
CAHN_INSTANCE class std::vector<std::string>;
CAHN_INSTANCE class std::vector<std::pair<std::string, std::string>>;
CAHN_INSTANCE class std::set<std::string>;
CAHN_INSTANCE class std::map<std::string, std::string>;

#endif
