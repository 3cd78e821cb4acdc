// JWS vouchers by the library `jose`, from stdin to stdout:
//
//   node jws.mjs verify < jws                            the payload, when the signature holds for the certificate in x5c
//   node jws.mjs sign KEY CERTIFICATE ALGORITHM FORM < payload
//                                                        FORM is general, flattened or compact

import {readFileSync} from 'node:fs';
import {CompactSign, FlattenedSign, GeneralSign, generalVerify, importPKCS8, importX509} from 'jose';

const [command, keyFile, certificateFile, algorithm, form] = process.argv.slice(2);
const input = readFileSync(0);

function pem(base64) {
  return `-----BEGIN CERTIFICATE-----\n${base64.match(/.{1,64}/g).join('\n')}\n-----END CERTIFICATE-----\n`;
}

if (command === 'verify') {
  const {payload, protectedHeader} = await generalVerify(
    JSON.parse(input), header => importX509(pem(header.x5c[0]), header.alg), {algorithms: ['ES256', 'ES384', 'PS256', 'RS256', 'EdDSA']});
  if (protectedHeader.typ !== 'voucher-jws+json') throw new Error(`typ is ${protectedHeader.typ}`);
  process.stdout.write(payload);
} else {
  const key = await importPKCS8(readFileSync(keyFile, 'utf8'), algorithm);
  const x5c = [readFileSync(certificateFile, 'utf8').replace(/-----[^-]+-----|\s/g, '')];
  const header = {alg: algorithm, typ: 'voucher-jws+json', x5c};
  if (form === 'compact') {
    process.stdout.write(await new CompactSign(input).setProtectedHeader(header).sign(key));
  } else if (form === 'flattened') {
    process.stdout.write(JSON.stringify(await new FlattenedSign(input).setProtectedHeader(header).sign(key)));
  } else {
    const general = new GeneralSign(input);
    general.addSignature(key).setProtectedHeader(header);
    process.stdout.write(JSON.stringify(await general.sign()));
  }
}
