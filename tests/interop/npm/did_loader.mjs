// Resolves did:key identifiers of Ed25519 keys to the documents that the libraries ask for. Nothing is fetched.

import * as Ed25519Multikey from '@digitalbazaar/ed25519-multikey';

export async function documentLoader(url) {
  const [did, fragment] = url.split('#');
  if(!did.startsWith('did:key:z6Mk')) {
    throw new Error(`nothing is loaded from ${url}`);
  }
  const key = await Ed25519Multikey.from({
    '@context': 'https://w3id.org/security/multikey/v1',
    id: `${did}#${did.slice('did:key:'.length)}`,
    type: 'Multikey',
    controller: did,
    publicKeyMultibase: did.slice('did:key:'.length)
  });
  const method = await key.export({publicKey: true});
  const document = fragment ? method : {
    '@context': ['https://www.w3.org/ns/did/v1', 'https://w3id.org/security/multikey/v1'],
    id: did,
    verificationMethod: [method],
    assertionMethod: [method.id]
  };
  return {contextUrl: null, documentUrl: url, document};
}
