// node verify.mjs < signed.json: prints {"verified": true} or {"verified": false, "error": …}.

import {readFileSync} from 'node:fs';
import {DataIntegrityProof} from '@digitalbazaar/data-integrity';
import {createVerifyCryptosuite} from '@digitalbazaar/eddsa-jcs-2022-cryptosuite';
import jsigs from 'jsonld-signatures';
import {documentLoader} from './did_loader.mjs';

const document = JSON.parse(readFileSync(0, 'utf8'));
const suite = new DataIntegrityProof({cryptosuite: createVerifyCryptosuite()});
const purpose = new jsigs.purposes.AssertionProofPurpose();
const result = await jsigs.verify(document, {suite, purpose, documentLoader});
const reasons = result.error ? [result.error, ...(result.error.errors ?? [])].map(e => e.message) : [];
console.log(JSON.stringify(result.verified ? {verified: true} : {verified: false, error: reasons.join('; ')}));
