#pragma once
// As instances.h, for nlohmann::json and the inputs it is read from.
#ifdef CAHN_SHARED_INSTANCES

CAHN_INSTANCE class nlohmann::basic_json<>;
CAHN_INSTANCE class std::vector<nlohmann::json>;
CAHN_INSTANCE class std::vector<nlohmann::json*>;
CAHN_INSTANCE class std::map<std::string, nlohmann::json, std::less<>>;
CAHN_INSTANCE class nlohmann::detail::serializer<nlohmann::json>;
CAHN_INSTANCE class nlohmann::detail::json_sax_dom_parser<nlohmann::json>;
CAHN_INSTANCE class nlohmann::detail::json_sax_dom_callback_parser<nlohmann::json>;

#define CAHN_JSON_INPUT(Iterator)                                                                              \
  CAHN_INSTANCE class nlohmann::detail::iterator_input_adapter<Iterator>;                                      \
  CAHN_INSTANCE class nlohmann::detail::lexer<nlohmann::json, nlohmann::detail::iterator_input_adapter<Iterator>>; \
  CAHN_INSTANCE class nlohmann::detail::parser<nlohmann::json, nlohmann::detail::iterator_input_adapter<Iterator>>;
CAHN_JSON_INPUT(const char*)
CAHN_JSON_INPUT(std::string::const_iterator)
CAHN_JSON_INPUT(std::vector<unsigned char>::const_iterator)
CAHN_JSON_INPUT(std::span<const unsigned char>::iterator)
#undef CAHN_JSON_INPUT

#endif
