// node sign.mjs SEED_HEX [CREATED] < unsigned.json > signed.json: a credential of the did:key of that Ed25519 seed.

import {readFileSync} from 'node:fs';
import {DataIntegrityProof} from '@digitalbazaar/data-integrity';
import * as Ed25519Multikey from '@digitalbazaar/ed25519-multikey';
import {createSignCryptosuite} from '@digitalbazaar/eddsa-jcs-2022-cryptosuite';
import jsigs from 'jsonld-signatures';
import {documentLoader} from './did_loader.mjs';

const key = await Ed25519Multikey.generate({seed: Buffer.from(process.argv[2], 'hex')});
key.controller = `did:key:${key.publicKeyMultibase}`;
key.id = `${key.controller}#${key.publicKeyMultibase}`;

const document = JSON.parse(readFileSync(0, 'utf8'));
document.issuer = key.controller;
const suite = new DataIntegrityProof({
  signer: key.signer(), date: process.argv[3], cryptosuite: createSignCryptosuite()
});
const purpose = new jsigs.purposes.AssertionProofPurpose();
const signed = await jsigs.sign(document, {suite, purpose, documentLoader});
console.log(JSON.stringify(signed, null, 2));
