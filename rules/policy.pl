% The policy: may this device be on the network, and is this maker welcome?
%
% The node asks maker_answer/2 and device_answer/2 and takes permit(Reason, Claims) or deny(Reason, Claims). Reason is one
% sentence for a person; Claims are the credentials the answer rests on, the strongest first. Both are tables: when a
% fact changes, only the answers that were reached through it are reached again.
%
% Rules read neither clock nor files and have no effects (decision 40).

:- use_module(library(lists)).

:- table maker_answer/2 as incremental.
:- table device_answer/2 as incremental.

% maker_answer(+Maker, -Answer): stage C.3, before anything is sent to the maker (L560-562, decision 19).
maker_answer(Maker, Answer) :-
    (   observed(Maker, _, _)
    ->  % A key that sits in a device must not vouch for devices.
        reason([Maker, ' is a device, not a maker'], Reason),
        Answer = deny(Reason, [])
    ;   earliest(distrust, 'trust-manufacturers', Maker, Word)
    ->  spoken(Word, ' distrusts the maker ', Maker, Reason, Claims),
        Answer = deny(Reason, Claims)
    ;   earliest(trust, 'trust-manufacturers', Maker, Word)
    ->  spoken(Word, ' trusts the maker ', Maker, Reason, Claims),
        Answer = permit(Reason, Claims)
    ;   unheard('trust-manufacturers', Maker, Unheard),
        reason(['no entitled person trusts the maker ', Maker, Unheard], Reason),
        Answer = deny(Reason, [])
    ).

% device_answer(+Device, -Answer): maker trusted, and device trusted or owned, and nobody entitled says no
% (L776-784; decisions 20 and 41: across entitled people, deny wins).
device_answer(Device, Answer) :-
    (   observed(Device, Maker, _)
    ->  device_of(Maker, Device, Answer)
    ;   reason(['the device ', Device, ' has not been seen by this registrar'], Reason),
        Answer = deny(Reason, [])
    ).

device_of(Maker, Device, Answer) :-
    (   earliest(distrust, 'connect-devices', Device, Word)
    ->  spoken(Word, ' distrusts the device ', Device, Reason, Claims),
        Answer = deny(Reason, Claims)
    ;   maker_answer(Maker, deny(Reason, Claims))
    ->  Answer = deny(Reason, Claims)
    ;   maker_answer(Maker, permit(MakerReason, MakerClaims)),
        welcome(Device, Maker, DeviceReason, DeviceClaims)
    ->  reason([DeviceReason, '; ', MakerReason], Reason),
        append(DeviceClaims, MakerClaims, Both),
        list_to_set(Both, Claims),
        Answer = permit(Reason, Claims)
    ;   unheard('connect-devices', Device, Unheard),
        reason(['no entitled person trusts or owns the device ', Device, Unheard], Reason),
        Answer = deny(Reason, [])
    ).

% welcome(+Device, +Maker, -Reason, -Claims): an entitled person trusts the device, or owns it (decision 20).
welcome(Device, _, Reason, Claims) :-
    earliest(trust, 'connect-devices', Device, Word),
    !,
    spoken(Word, ' trusts the device ', Device, Reason, Claims).
welcome(Device, _, Reason, Claims) :-
    earliest(owner_declaration, 'connect-devices', Device, Word),
    !,
    spoken(Word, ' owns the device ', Device, Reason, Claims).
welcome(Device, Maker, Reason, Claims) :-
    first(bought(Since, Sale, Person, Trusting),
          ( purchase(Device, Maker, Person, _, Since, Sale),
            may(Person, 'connect-devices'),
            trust(Maker, Person, _, Trusting)          % L580-583: only a buyer who trusts the maker
          ),
          bought(_, Claim, Buyer, BuyersTrust)),
    name_of(Buyer, Name),
    reason([Name, ' bought the device ', Device, ' from a maker they trust'], Reason),
    findall(Premise, rests_on(Claim, Premise), Premises),
    granted(Buyer, 'connect-devices', Grants),
    append([[Claim, BuyersTrust], Premises, Grants], Claims).

% --- whose word, and how it is put ---------------------------------------------------------------------------------

may(Person, Right) :- counts(network, Person, Right).

% said(?Relation, +Subject, -Person, -Since, -Claim)
said(trust, Subject, Person, Since, Claim) :- trust(Subject, Person, Since, Claim).
said(distrust, Subject, Person, Since, Claim) :- distrust(Subject, Person, Since, Claim).
said(owner_declaration, Subject, Person, Since, Claim) :- owner_declaration(Subject, Person, _, Since, Claim).

% earliest(+Relation, +Right, +Subject, -Word): of those whose word counts, the one who said it first.
earliest(Relation, Right, Subject, word(Since, Claim, Person, Right)) :-
    first(by(When, Which, Who),
          ( said(Relation, Subject, Who, When, Which), may(Who, Right) ),
          by(Since, Claim, Person)).

% first(?Template, :Goal, -First): the least solution in the standard order, so that an answer does not hang on the order
% in which facts happened to arrive.
first(Template, Goal, First) :-
    findall(Template, Goal, Solutions),
    sort(Solutions, [First|_]).

spoken(word(Since, Claim, Person, Right), Verb, Subject, Reason, [Claim|Grants]) :-
    name_of(Person, Name),
    reason([Name, Verb, Subject, ' since ', Since], Reason),
    granted(Person, Right, Grants).

granted(Person, Right, Grants) :-
    findall(Claim, grounds(Person, Right, Claim), Unsorted),
    sort(Unsorted, Grants).

% unheard(+Right, +Subject, -Text): who trusts it, but has no right to say so.
unheard(Right, Subject, Text) :-
    findall(Name, ( trust(Subject, Person, _, _), \+ may(Person, Right), name_of(Person, Name) ), Unsorted),
    sort(Unsorted, Names),
    (   Names = [First|_]
    ->  atomic_list_concat([' (', First, ' does, without the right ', Right, ')'], Text)
    ;   Text = ''
    ).

name_of(Person, Name) :-
    (   atom_concat('mailto:', Address, Person)
    ->  Name = Address
    ;   Name = Person
    ).

reason(Words, Reason) :- atomic_list_concat(Words, Reason).
