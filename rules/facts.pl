% The vocabulary: every fact a rule may rest on. The node asserts and retracts them; rules only read them.
%
% What stands here is already sifted: the signature held, the issuer is who they say, the statement is within its time, is
% that issuer's latest word on the matter, and was not retracted. What is left to the rules is what follows from it.
% People are mailto: URIs; devices, makers and claims are did:key and content hashes. Since is the statement's validFrom,
% as RFC 3339 text, which sorts by time.
%
% What a fact is about comes first: the table graph finds the answers that a change touches by the first argument.

:- dynamic(
       [ trust/4,               % trust(Subject, Person, Since, Claim): Person trusts a device, maker, registrar or router
         distrust/4,            % distrust(Subject, Person, Since, Claim)
         purchase/6,            % purchase(Device, Maker, Person, Type, Since, Claim): the device's own maker says so
         owner_declaration/5,   % owner_declaration(Device, Person, Type, Since, Claim)
         rests_on/2,            % rests_on(Claim, Premise): Premise is the credential that lets Claim's issuer say it
         observed/3,            % observed(Device, Maker, SerialNumber): the registrar checked the device's certificate
         counts/3,              % counts(View, Person, Right): whose word counts, and for what (decision 38)
         grounds/3              % grounds(Person, Right, Claim): a UserRight through which Person came to the right
       ],
       [incremental(true)]).
