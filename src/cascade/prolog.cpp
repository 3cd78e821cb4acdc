#include "cascade/prolog.h"

#include <SWI-Prolog.h>

#include <future>
#include <thread>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
// SWI-Prolog gives its threads a signal stack of its own; AddressSanitizer would unmap that one when they end, and
// stop.
extern "C" __attribute__((visibility("default"), used)) const char* __asan_default_options() {
  return "use_sigaltstack=0";
}
#endif
#endif

namespace cahn::cascade::prolog {
namespace {

constexpr int max_depth = 64;  // of terms: what comes back is a sentence and a few ids

// Gives back all term references made while it lives, and (discard) what they were bound to.
class Frame {
 public:
  Frame() : id_(PL_open_foreign_frame()) {}
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;
  ~Frame() { PL_discard_foreign_frame(id_); }

 private:
  fid_t id_;
};

class Query {
 public:
  Query(module_t module, predicate_t predicate, term_t arguments)
      : id_(PL_open_query(module, PL_Q_NODEBUG | PL_Q_CATCH_EXCEPTION, predicate, arguments)) {}
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;
  ~Query() { PL_cut_query(id_); }
  bool next() { return PL_next_solution(id_) != FALSE; }
  term_t exception() const { return PL_exception(id_); }

 private:
  qid_t id_;
};

// A reference to an atom; atoms are counted, and garbage once nobody refers to them.
class Atom {
 public:
  explicit Atom(std::string_view text) : atom_(PL_new_atom_mbchars(REP_UTF8, text.size(), text.data())) {}
  Atom(const Atom&) = delete;
  Atom& operator=(const Atom&) = delete;
  ~Atom() { PL_unregister_atom(atom_); }
  atom_t get() const { return atom_; }

 private:
  atom_t atom_;
};

bool put(term_t target, const Term& term, int depth = 0);

bool put_list(term_t target, const std::vector<Term>& elements, int depth) {
  PL_put_nil(target);
  const term_t element = PL_new_term_ref();
  for (auto it = elements.rbegin(); it != elements.rend(); ++it) {
    if (!put(element, *it, depth) || !PL_cons_list(target, element, target)) return false;
  }
  return true;
}

bool put_compound(term_t target, const Term& term, int depth) {
  const term_t arguments = PL_new_term_refs(static_cast<int>(term.arguments.size()));
  for (std::size_t i = 0; i < term.arguments.size(); ++i) {
    if (!put(arguments + i, term.arguments[i], depth)) return false;
  }
  const Atom name(term.name);
  return PL_cons_functor_v(target, PL_new_functor(name.get(), term.arguments.size()), arguments) != 0;
}

bool put(term_t target, const Term& term, int depth) {
  if (depth > max_depth) return false;
  switch (term.kind) {
    case Term::Kind::atom:
      return PL_put_chars(target, PL_ATOM | REP_UTF8, term.name.size(), term.name.data()) != 0;
    case Term::Kind::list:
      return put_list(target, term.arguments, depth + 1);
    case Term::Kind::compound:
      return put_compound(target, term, depth + 1);
  }
  return false;
}

std::optional<std::string> text_of(term_t term, unsigned flags) {
  char* text = nullptr;
  std::size_t size = 0;
  if (!PL_get_nchars(term, &size, &text, flags | REP_UTF8 | BUF_DISCARDABLE)) return std::nullopt;
  return std::string(text, size);
}

std::optional<Term> get(term_t term, int depth = 0);

std::optional<Term> get_list(term_t term, int depth) {
  Term list{Term::Kind::list, {}, {}};
  const term_t rest = PL_copy_term_ref(term);
  const term_t head = PL_new_term_ref();
  while (PL_get_list(rest, head, rest)) {
    auto element = get(head, depth);
    if (!element) return std::nullopt;
    list.arguments.push_back(*std::move(element));
  }
  if (!PL_get_nil(rest)) return std::nullopt;
  return list;
}

std::optional<Term> get_compound(term_t term, int depth) {
  atom_t name = 0;
  std::size_t arity = 0;
  if (!PL_get_compound_name_arity(term, &name, &arity)) return std::nullopt;
  const term_t part = PL_new_term_ref();
  PL_put_atom(part, name);
  const auto text = text_of(part, CVT_ATOM);
  if (!text) return std::nullopt;
  Term compound{Term::Kind::compound, *text, {}};
  for (std::size_t i = 1; i <= arity; ++i) {
    if (!PL_get_arg(i, term, part)) return std::nullopt;
    auto argument = get(part, depth);
    if (!argument) return std::nullopt;
    compound.arguments.push_back(*std::move(argument));
  }
  return compound;
}

std::optional<Term> get(term_t term, int depth) {
  if (depth > max_depth) return std::nullopt;
  if (PL_is_pair(term) || PL_get_nil(term)) return get_list(term, depth + 1);
  if (PL_is_compound(term)) return get_compound(term, depth + 1);
  auto text = text_of(term, CVT_ATOMIC);
  if (!text) return std::nullopt;
  return Term::atom(*text);
}

std::unexpected<Error> exception(term_t raised) {
  const auto text = raised == 0 ? std::nullopt : text_of(raised, CVT_WRITEQ);
  PL_clear_exception();
  return fail(PrologError::exception, text.value_or("Prolog gave no reason"));
}

// How `load` of this file comes to be: a constant of ours, the only text that is ever parsed outside of a source file.
constexpr const char* loader =
    "assertz((cahn_loader:load(M, Id, Text, done) :-"
    " setup_call_cleanup(open_string(Text, S), load_files(M:Id, [stream(S), silent(true)]), close(S))))";

bool initialise() {
  // --no-signals leaves SIGTERM and SIGHUP to the role; the stack limit is that of threads which ask for none.
  static char arguments[][24] = {"cahn",       "-q", "--no-tty", "--no-signals", "--stack-limit=64m",
                                 "--no-packs", "-f", "none"};
  static char* argv[std::size(arguments) + 1] = {};
  for (std::size_t i = 0; i < std::size(arguments); ++i) argv[i] = arguments[i];
  if (!PL_initialise(static_cast<int>(std::size(arguments)), argv)) return false;
  const Frame frame;
  const term_t goal = PL_new_term_ref();
  return PL_chars_to_term(loader, goal) && PL_call(goal, nullptr);
}

// The thread that initialises Prolog becomes its main thread and may never end before the process does, so that it can
// be nobody else's.
bool start_process() {
  static const bool started = [] {
    std::promise<bool> promise;
    auto done = promise.get_future();
    std::thread([&promise] {
      promise.set_value(initialise());
      for (;;) std::this_thread::sleep_for(std::chrono::hours(24));
    }).detach();
    return done.get();
  }();
  return started;
}

}  // namespace

std::string_view error_name(PrologError error) {
  switch (error) {
    case PrologError::unavailable:
      return "unavailable";
    case PrologError::exception:
      return "exception";
  }
  return "unknown";
}

Result<std::unique_ptr<Engine>> Engine::attach(std::size_t stack_limit) {
  if (!start_process()) return fail(PrologError::unavailable, "SWI-Prolog does not start");
  PL_thread_attr_t attributes{};
  attributes.stack_limit = stack_limit;
  if (PL_thread_attach_engine(&attributes) < 0)
    return fail(PrologError::unavailable, "no Prolog engine for this thread");
  return std::unique_ptr<Engine>(new Engine);
}

Engine::~Engine() { PL_thread_destroy_engine(); }

Result<std::optional<Term>> Engine::ask(std::string_view module, std::string_view predicate,
                                        const std::vector<Term>& inputs) {
  const Frame frame;
  const auto arity = static_cast<int>(inputs.size()) + 1;
  const term_t arguments = PL_new_term_refs(arity);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!put(arguments + i, inputs[i])) return fail(PrologError::exception, "a term does not fit into Prolog");
  }
  const Atom module_name(module), predicate_name(predicate);
  module_t const home = PL_new_module(module_name.get());
  Query query(home, PL_pred(PL_new_functor(predicate_name.get(), static_cast<std::size_t>(arity)), home), arguments);
  if (!query.next()) {
    if (const term_t raised = query.exception()) return exception(raised);
    return std::nullopt;
  }
  auto answer = get(arguments + inputs.size());
  if (!answer) return fail(PrologError::exception, "the answer is not a ground term of bounded depth");
  return answer;
}

Result<void> Engine::load(std::string_view module, std::string_view id, std::string_view text) {
  const std::vector<Term> inputs{Term::atom(module), Term::atom(id), Term::atom(text)};
  CAHN_TRY(const auto loaded, ask("cahn_loader", "load", inputs));
  if (!loaded) return fail(PrologError::exception, std::string(id) + " does not load");
  return {};
}

}  // namespace cahn::cascade::prolog
