#include "cascade/rule_engine.h"

#include <algorithm>
#include <atomic>
#include <mutex>

#include "base/file.h"
#include "base/log.h"
#include "cascade/prolog.h"

namespace cahn::cascade {
namespace {

using prolog::Term;

constexpr std::size_t max_rule_file = std::size_t{1} << 20;

// What stands between the node and its rules, once in the process. Each node's rules and facts are a module of their
// own.
//
// affected/2 walks the dependency graph of the tables as library(increval) does; that library's own
// incr_trans_depends/2 scans all tables. The three '$' predicates are those of SWI-Prolog 9.0.4, and RuleEngine's test
// would notice others.
constexpr std::string_view support = R"prolog(
:- set_prolog_flag(generate_debug_info, false).
:- use_module(library(lists)).
:- thread_local complaint/1, loading/0.

:- multifile user:message_hook/3.
:- dynamic user:message_hook/3.
user:message_hook(Message, Kind, _) :-
    cahn_rules:loading,
    memberchk(Kind, [error, warning]),
    message_to_codes(Message, Kind, Text),
    assertz(cahn_rules:complaint(Text)).

message_to_codes(Message, _, Text) :-
    catch(( '$messages':translate_message(Message, Lines, []),
            with_output_to(string(Text), print_message_lines(current_output, '', Lines)) ),
          _, fail),
    !.
message_to_codes(Message, _, Text) :-
    format(string(Text), '~q', [Message]).

% load(+Module, +Id, +Text, -Complaints)
load(Module, Id, Text, Complaints) :-
    retractall(complaint(_)),
    setup_call_cleanup(
        asserta(loading, Ref),
        setup_call_cleanup(open_string(Text, Stream),
                           load_files(Module:Id, [stream(Stream), silent(true)]),
                           close(Stream)),
        erase(Ref)),
    findall(Complaint, retract(complaint(Complaint)), Complaints).

% lacks(+Module, -Complaints): what the node relies on and these rules do not have.
lacks(Module, Complaints) :-
    findall(Complaint, lack(Module, Complaint), Complaints).

lack(Module, Complaint) :-
    member(Name/Arity, [trust/4, distrust/4, purchase/6, owner_declaration/5, rests_on/2, observed/3, counts/3, grounds/3]),
    functor(Head, Name, Arity),
    \+ ( predicate_property(Module:Head, dynamic), predicate_property(Module:Head, incremental) ),
    format(string(Complaint), '~w is not declared dynamic and incremental', [Name/Arity]).
lack(Module, Complaint) :-
    member(Name/Arity, [maker_answer/2, device_answer/2]),
    functor(Head, Name, Arity),
    \+ ( predicate_property(Module:Head, tabled(incremental)), predicate_property(Module:Head, number_of_clauses(_)) ),
    format(string(Complaint), '~w is not defined as an incremental table', [Name/Arity]).

% change(+Module, +Fact, +Present, -Touched)
change(Module, Fact, true, Touched) :-
    assertz(Module:Fact),
    touched(Module:Fact, Touched).
change(Module, Fact, false, Touched) :-
    (   retract(Module:Fact)
    ->  true
    ;   throw(error(existence_error(fact, Fact), _))
    ),
    touched(Module:Fact, Touched).

touched(Fact, touched(Makers, Devices)) :-
    findall(Answer, affected(Fact, Answer), Answers),
    findall(Maker, member(_:maker_answer(Maker, _), Answers), Makers0), sort(Makers0, Makers),
    findall(Device, member(_:device_answer(Device, _), Answers), Devices0), sort(Devices0, Devices).

affected(Fact, Answer) :-
    '$tbl_variant_table'(Variants),
    trie_gen(Variants, Fact, Table),
    reached_from(Table, Dependent, []),
    '$tbl_table_status'(Dependent, _, Answer, _).

reached_from(Table, Dependent, Seen) :-
    '$idg_edge'(Table, affected, Next),
    \+ memberchk(Next, Seen),
    (   Dependent = Next
    ;   reached_from(Next, Dependent, [Next|Seen])
    ).

% answer(+Module, +Predicate, +Subject, +Inferences, -Answer)
answer(Module, Predicate, Subject, Limit0, Answer) :-
    atom_number(Limit0, Limit),
    Goal =.. [Predicate, Subject, Answer],
    call_with_inference_limit(once(Module:Goal), Limit, Result),
    (   Result == inference_limit_exceeded
    ->  throw(error(resource_error(inferences), _))
    ;   true
    ).

% forget(+Module, +Ids, -done): facts are unhooked from the tables first, which end with their thread, all at once.
forget(Module, Ids, done) :-
    forall(( predicate_property(Module:Head, dynamic), \+ predicate_property(Module:Head, imported_from(_)) ),
           ( functor(Head, Name, Arity),
             dynamic([Module:Name/Arity], [incremental(false)]),
             retractall(Module:Head) )),
    forall(member(Id, Ids), unload_file(Id)).
)prolog";

std::unexpected<Error> bad_rules(std::string message) { return fail(ClaimError::bad_rules, std::move(message)); }

// Loads the support text with the first engine of the process.
Result<void> load_support(prolog::Engine& engine) {
  static std::mutex mutex;
  static bool loaded = false;
  const std::lock_guard lock(mutex);
  if (loaded) return {};
  CAHN_CHECK(engine.load("cahn_rules", "cahn_rules.pl", support));
  loaded = true;
  return {};
}

std::string joined(const std::vector<Term>& complaints) {
  std::string text;
  for (const auto& complaint : complaints) text += (text.empty() ? "" : "; ") + complaint.name;
  return text;
}

std::vector<std::string> names_of(const Term& list) {
  std::vector<std::string> names;
  for (const auto& element : list.arguments) names.push_back(element.name);
  return names;
}

Result<std::vector<std::filesystem::path>> rule_files(const std::filesystem::path& directory) {
  std::error_code error;
  std::vector<std::filesystem::path> files;
  std::filesystem::directory_iterator it(directory, error);
  for (; !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    if (it->path().extension() == ".pl") files.push_back(it->path());
  }
  if (error) return bad_rules("reading " + directory.string() + ": " + error.message());
  if (files.empty()) return bad_rules("there are no rules (*.pl) in " + directory.string());
  std::ranges::sort(files);
  return files;
}

class PrologRules final : public RuleEngine {
 public:
  PrologRules(std::unique_ptr<prolog::Engine> engine, RuleLimits limits)
      : engine_(std::move(engine)), inferences_(std::to_string(limits.inferences)) {
    static std::atomic<unsigned> count{0};
    module_ = "cahn_node_" + std::to_string(++count);
  }

  ~PrologRules() override {
    std::vector<Term> ids;
    for (const auto& id : loaded_) ids.push_back(Term::atom(id));
    const std::vector<Term> inputs{Term::atom(module_), Term::list(std::move(ids))};
    if (const auto done = engine_->ask("cahn_rules", "forget", inputs); !done) {
      log::warning("CASCADE_RULES_NOT_UNLOADED", "a node's rules could not be unloaded",
                   {{"why", done.error().message}});
    }
  }

  Result<void> load(const std::filesystem::path& directory) {
    CAHN_TRY(const auto files, rule_files(directory));
    for (const auto& file : files) CAHN_CHECK(load_file(file));
    const std::vector<Term> inputs{Term::atom(module_)};
    CAHN_TRY(const auto lacks, engine_->ask("cahn_rules", "lacks", inputs));
    if (!lacks || !lacks->arguments.empty()) return bad_rules(lacks ? joined(lacks->arguments) : "cannot be checked");
    return {};
  }

  Result<Touched> apply(const FactChange& change) override {
    std::vector<Term> arguments;
    for (const auto& argument : change.fact.arguments) arguments.push_back(Term::atom(argument));
    const std::vector<Term> inputs{Term::atom(module_), Term::compound(change.fact.name, std::move(arguments)),
                                   Term::atom(change.present ? "true" : "false")};
    const auto touched = engine_->ask("cahn_rules", "change", inputs);
    if (!touched) return bad_rules(touched.error().message);
    if (!*touched || (*touched)->arguments.size() != 2) return bad_rules("a change of a fact failed");
    return Touched{names_of((*touched)->arguments[0]), names_of((*touched)->arguments[1])};
  }

  Result<Verdict> maker(const std::string& did) override { return answer("maker_answer", did); }
  Result<Verdict> device(const std::string& did) override { return answer("device_answer", did); }

 private:
  Result<void> load_file(const std::filesystem::path& file) {
    const auto text = read_file(file, max_rule_file);
    if (!text) return bad_rules(file.string() + ": " + text.error().message);
    // A source file belongs to one module: loaded under its bare path, a second node would take it from the first.
    const std::string id = file.string() + "#" + module_;
    loaded_.push_back(id);
    const std::vector<Term> inputs{Term::atom(module_), Term::atom(id), Term::atom(as_text(*text))};
    const auto complaints = engine_->ask("cahn_rules", "load", inputs);
    if (!complaints) return bad_rules(file.string() + ": " + complaints.error().message);
    if (!*complaints) return bad_rules(file.string() + " does not load");
    if (!(*complaints)->arguments.empty()) return bad_rules(joined((*complaints)->arguments));
    return {};
  }

  Result<Verdict> answer(const char* predicate, const std::string& did) {
    const std::vector<Term> inputs{Term::atom(module_), Term::atom(predicate), Term::atom(did),
                                   Term::atom(inferences_)};
    auto answer = engine_->ask("cahn_rules", "answer", inputs);
    if (!answer) return bad_rules(answer.error().message);
    if (!*answer) return bad_rules("the rules give no answer");
    const Term& term = **answer;
    if ((term.name != "permit" && term.name != "deny") || term.arguments.size() != 2 ||
        term.arguments[0].kind != Term::Kind::atom || term.arguments[1].kind != Term::Kind::list) {
      return bad_rules("the rules answer " + term.name +
                       ", which is neither permit(Reason, Claims) nor deny(Reason, Claims)");
    }
    return Verdict{term.name == "permit", term.arguments[0].name, names_of(term.arguments[1])};
  }

  std::unique_ptr<prolog::Engine> engine_;
  std::string module_, inferences_;
  std::vector<std::string> loaded_;
};

}  // namespace

Result<std::unique_ptr<RuleEngine>> RuleEngine::open(const std::filesystem::path& rules_directory, RuleLimits limits) {
  auto engine = prolog::Engine::attach(limits.stack);
  if (!engine) return fail(ClaimError::unavailable, engine.error().message);
  if (const auto loaded = load_support(**engine); !loaded) return fail(ClaimError::unavailable, loaded.error().message);
  auto rules = std::make_unique<PrologRules>(*std::move(engine), limits);
  CAHN_CHECK(rules->load(rules_directory));
  return rules;
}

}  // namespace cahn::cascade
